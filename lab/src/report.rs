//! What the lab says: lines as things happen, a table, checks, and the same as JSON.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value, json};

/// One line of the chain.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) what: String,
    /// Milliseconds since the first DHCP packet; below zero is before it.
    pub(crate) ms: Option<f64>,
    pub(crate) detail: String,
}

/// Collects checks and prints as it goes.
#[derive(Debug)]
pub(crate) struct Report {
    colour: bool,
    json: bool,
    checks: Vec<(String, bool, String)>,
    facts: Map<String, Value>,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colour: wanted && io::stdout().is_terminal(), json, checks: Vec::new(), facts: Map::new() }
    }

    fn paint(&self, style: Style, text: impl Display) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_string() }
    }

    fn green(&self, text: impl Display) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    fn red(&self, text: impl Display) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    fn dim(&self, text: impl Display) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// A line for people; with `--json` it goes to the standard error.
    pub(crate) fn say(&self, text: impl Display) {
        let written = if self.json {
            writeln!(io::stderr().lock(), "{text}")
        } else {
            writeln!(io::stdout().lock(), "{text}")
        };
        // Who stops reading does not stop the lab.
        written.ok();
    }

    /// A new part of the story.
    pub(crate) fn part(&self, letter: &str, title: &str) {
        let letter = self.paint(AnsiColor::Cyan.on_default().bold(), letter);
        self.say(format!("\n{letter}  {}", self.paint(Style::new().bold(), title)));
    }

    /// Something worth knowing.
    pub(crate) fn note(&self, text: impl Display) {
        self.say(format!("   {}", self.dim(text)));
    }

    /// Something that must be so.
    pub(crate) fn check(&mut self, what: &str, holds: bool, seen: impl Display) {
        let seen = seen.to_string();
        let mark = if holds { self.green("✓") } else { self.red("✗") };
        let more = if seen.is_empty() { String::new() } else { format!("  {}", self.dim(&seen)) };
        self.say(format!("   {mark} {what}{more}"));
        self.checks.push((what.to_owned(), holds, seen));
    }

    /// One of many small things that was not so; the check that sums them up follows.
    pub(crate) fn miss(&self, what: &str, seen: impl Display) {
        self.say(format!("   {} {what}  {}", self.red("✗"), self.dim(seen)));
    }

    /// A value for the JSON report.
    pub(crate) fn fact(&mut self, name: &str, value: impl Into<Value>) {
        self.facts.insert(name.to_owned(), value.into());
    }

    /// The chain with its times.
    pub(crate) fn chain(&mut self, name: &str, links: &[Link]) {
        let wide = links.iter().map(|link| link.what.chars().count()).max().unwrap_or(0);
        for link in links {
            let time = link.ms.map_or_else(|| "—".to_owned(), |ms| format!("{ms:+.2} ms"));
            let pad = wide.saturating_sub(link.what.chars().count());
            let time = if link.ms.is_some() {
                self.paint(AnsiColor::Yellow.on_default(), format!("{time:>12}"))
            } else {
                self.red(format!("{time:>12}"))
            };
            self.say(format!("   {time}  {}{}  {}", link.what, " ".repeat(pad), self.dim(&link.detail)));
        }
        let all: Vec<Value> = links
            .iter()
            .map(|link| json!({ "what": link.what, "ms": link.ms, "detail": link.detail }))
            .collect();
        self.fact(name, all);
    }

    /// Whether nothing has failed so far.
    pub(crate) fn is_good(&self) -> bool {
        self.checks.iter().all(|(_, holds, _)| *holds)
    }

    /// The last lines; whether everything held.
    pub(crate) fn finish(mut self) -> io::Result<bool> {
        let failed = self.checks.iter().filter(|(_, holds, _)| !holds).count();
        let passed = self.checks.len() - failed;
        for (what, _, seen) in self.checks.iter().filter(|(_, holds, _)| !holds) {
            self.say(self.red(format!("   failed: {what}: {seen}")));
        }
        if self.json {
            let checks: Vec<Value> = self
                .checks
                .iter()
                .map(|(what, holds, seen)| json!({ "check": what, "holds": holds, "seen": seen }))
                .collect();
            self.facts.insert("checks".to_owned(), checks.into());
            self.facts.insert("passed".to_owned(), passed.into());
            self.facts.insert("failed".to_owned(), failed.into());
            writeln!(io::stdout().lock(), "{:#}", Value::Object(self.facts.clone()))?;
        }
        let line = format!("{passed} passed, {failed} failed");
        self.say(format!("\n{}", if failed == 0 { self.green(&line) } else { self.red(&line) }));
        Ok(failed == 0 && passed > 0)
    }
}

/// The value below which the part `share` of all lies, by nearest rank.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank of a small list"
    )]
    let rank = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1));
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_seen() {
        let values = [5.0, 1.0, 3.0, 2.0, 4.0];
        for (share, expected) in [(0.5, 3.0), (0.99, 5.0), (1.0, 5.0), (0.2, 1.0), (0.0, 1.0)] {
            assert!((quantile(&values, share) - expected).abs() < f64::EPSILON, "{share}");
        }
        assert!(quantile(&[], 0.5).is_nan());
    }
}
