//! One line of a log, taken apart.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::paint::Paint;

/// A line with its service and, as text that sorts, its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    pub(super) at: String,
    pub(super) service: String,
    pub(super) text: String,
}

/// Said elsewhere on the line, or of no use to a reader.
const HIDDEN: &[&str] = &["timestamp", "level", "message", "span", "spans", "target"];

impl Line {
    /// The supervisor stamps what it captures; its own log begins each line with JSON that holds the time.
    pub(super) fn read(service: &str, line: &str) -> Self {
        let (at, text) = match line.split_once(' ') {
            Some((at, text)) if at.parse::<jiff::Timestamp>().is_ok() => (at.to_owned(), text.to_owned()),
            _ => (time_of(line).unwrap_or_default(), line.to_owned()),
        };
        Self { at, service: service.to_owned(), text }
    }

    /// For people: local time, level, message, fields.
    pub(super) fn readable(&self, paint: Paint) -> String {
        let time = self.at.parse::<jiff::Timestamp>().map_or_else(
            |_| " ".repeat(12),
            |at| at.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S%.3f").to_string(),
        );
        let time = paint.dim(time);
        match serde_json::from_str::<Map<String, Value>>(&self.text) {
            Ok(fields) => format!("{time} {}", told(&fields, paint)),
            Err(_) if self.text.starts_with("--- ") => format!("{time} {}", paint.dim(&self.text)),
            Err(_) => format!("{time} {}", self.text),
        }
    }
}

fn time_of(line: &str) -> Option<String> {
    let fields: Map<String, Value> = serde_json::from_str(line).ok()?;
    let at: jiff::Timestamp = fields.get("timestamp")?.as_str()?.parse().ok()?;
    Some(format!("{at:.3}"))
}

fn told(fields: &Map<String, Value>, paint: Paint) -> String {
    let word = |key: &str| fields.get(key).and_then(Value::as_str).unwrap_or_default();
    let level = match word("level") {
        "ERROR" => paint.red("error"),
        "WARN" => paint.yellow("warn "),
        "INFO" => paint.green("info "),
        other => paint.dim(format!("{:<5}", other.to_lowercase())),
    };
    let rest = fields.iter().filter(|(key, _)| !HIDDEN.contains(&key.as_str()));
    let rest: Vec<String> = rest.map(|(key, value)| format!("{key}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))).collect();
    let rest = if rest.is_empty() { String::new() } else { format!("  {}", paint.dim(rest.join(" "))) };
    format!("{level} {}{rest}", word("message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captured_lines_and_the_supervisors_own_are_read_alike() {
        let json = r#"{"timestamp":"2026-11-21T02:47:03.123456Z","level":"WARN","message":"a part changed","part":"hub","span":{}}"#;
        let own = Line::read("supervise", json);
        assert_eq!((own.at.as_str(), own.text.as_str()), ("2026-11-21T02:47:03.123Z", json));
        let captured = Line::read("notify", &format!("2026-11-21T02:47:03.124Z {json}"));
        assert_eq!(captured.text, json);
        assert!(own.at < captured.at);
        let plain = Paint::stdout();
        assert!(captured.readable(plain).ends_with("warn  a part changed  part=hub"), "{}", captured.readable(plain));
        let words = Line::read("notify", "2026-11-21T02:47:03.124Z panicked at: everything");
        assert_eq!(words.text, "panicked at: everything");
        assert_eq!(Line::read("notify", "no stamp at all").at, "");
    }
}
