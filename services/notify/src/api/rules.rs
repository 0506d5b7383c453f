//! What a notice may look like, and errors that name the field and what is allowed.

use sanctum_api::Problem;
use sanctum_api::notify::{Notice, Severity};
use sanctum_http::Refusal;

use crate::hub::Hub;

/// Bytes of each field: larger than any message a person reads.
const LIMITS: [(&str, usize); 3] = [("source", 128), ("title", 1024), ("message", 65_536)];
/// Labels of one notice.
const LABELS: usize = 64;
/// Bytes of a label's name or value, a key, a link.
const SHORT: usize = 2048;

fn wrong(field: &str, value: &str, allowed: impl Into<String>) -> Problem {
    Problem::field(field, value.chars().take(100).collect::<String>(), allowed)
}

/// Every rule of a notice.
pub(crate) fn check(notice: &Notice, hub: &Hub) -> Result<(), Problem> {
    for ((field, most), value) in LIMITS.into_iter().zip([&notice.source, &notice.title, &notice.message]) {
        if value.len() > most {
            let mut problem = wrong(field, value, format!("at most {most} bytes"));
            problem.status = if field == "message" { 413 } else { 422 };
            return Err(problem);
        }
        if field != "message" && value.trim().is_empty() {
            return Err(wrong(field, value, "something that is not empty"));
        }
        if field == "source" && value.contains(char::is_control) {
            return Err(wrong(field, value, "text without control characters"));
        }
    }
    if notice.labels.len() > LABELS {
        return Err(wrong("labels", &notice.labels.len().to_string(), format!("at most {LABELS}")));
    }
    for (name, value) in &notice.labels {
        if name.is_empty() || name.len() + value.len() > SHORT {
            return Err(wrong(
                &format!("labels.{name}"),
                value,
                format!("a name, and at most {SHORT} bytes"),
            ));
        }
    }
    for (field, value) in [("dedup_key", &notice.dedup_key), ("url", &notice.url), ("image", &notice.image)] {
        let Some(value) = value else { continue };
        if value.is_empty() || value.len() > SHORT {
            return Err(wrong(field, value, format!("1 to {SHORT} bytes, or leave it out")));
        }
    }
    if notice.actions.len() > 5
        || notice.actions.iter().any(|action| action.label.len() + action.url.len() > SHORT)
    {
        return Err(wrong(
            "actions",
            &notice.actions.len().to_string(),
            "at most 5, each with a label and a URL",
        ));
    }
    if let Some(unknown) = notice.force_channels.iter().find(|name| !hub.lines.contains_key(*name)) {
        return Err(wrong("force_channels", unknown, hub.names()));
    }
    if notice.resolved && notice.dedup_key.is_none() {
        return Err(wrong("dedup_key", "", "the key of what is over: `resolved` says nothing without it"));
    }
    Ok(())
}

/// Makes a refused body name its field and what is allowed there.
pub(crate) fn name_the_field(refusal: Refusal) -> Refusal {
    let mut problem = refusal.0;
    if problem.status == 413 {
        problem.field = Some("message".to_owned());
        problem.allowed = Some("at most 65536 bytes".to_owned());
    }
    let detail = problem.detail.clone().unwrap_or_default();
    let quoted = |before: &str| {
        detail.split_once(before).and_then(|(_, rest)| rest.split_once('`')).map(|(name, _)| name.to_owned())
    };
    if let Some(field) = quoted("missing field `") {
        problem.field = Some(field.clone());
        problem.allowed = Some(match field.as_str() {
            "severity" => severities(),
            _ => "text; `source`, `severity`, `title` and `message` are needed".to_owned(),
        });
    }
    if let Some(field) = quoted("unknown field `") {
        problem.field = Some(field);
        problem.allowed = detail
            .split_once("expected ")
            .map(|(_, names)| names.split(" at line").next().unwrap_or(names).to_owned());
    }
    if problem.field.as_deref() == Some("severity") {
        problem.value = quoted("unknown variant `").or(problem.value);
        problem.allowed = Some(severities());
    }
    if problem.status == 400 && problem.field.is_none() {
        problem.field = Some("body".to_owned());
        problem.allowed = Some("UTF-8: a JSON object, a form, or plain text".to_owned());
    }
    Refusal(problem)
}

pub(crate) fn severities() -> String {
    Severity::ALL.map(|severity| format!("`{}`", severity.word())).join(", ")
}

/// A severity as a query or a form has it.
pub(crate) fn severity(field: &str, word: &str) -> Result<Severity, Problem> {
    word.parse().map_err(|_| wrong(field, word, severities()))
}
