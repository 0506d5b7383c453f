//! What one look has seen, before it is a verdict.

use std::time::Duration;

use sanctum_api::watch::Light;

/// A light, what was seen and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub light: Light,
    pub detail: String,
    pub hint: Option<String>,
}

impl Seen {
    pub fn new(light: Light, detail: impl Into<String>) -> Self {
        Self { light, detail: detail.into(), hint: None }
    }

    pub fn green(detail: impl Into<String>) -> Self {
        Self::new(Light::Green, detail)
    }

    pub fn amber(detail: impl Into<String>) -> Self {
        Self::new(Light::Amber, detail)
    }

    pub fn red(detail: impl Into<String>) -> Self {
        Self::new(Light::Red, detail)
    }

    pub fn unknown(detail: impl Into<String>) -> Self {
        Self::new(Light::Unknown, detail)
    }

    /// What a person can do, without a full stop.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Of many, the worst light with all that is said at it; `good` is said where nothing is.
    pub fn worst(all: Vec<Self>, good: impl Into<String>) -> Self {
        let Some(light) = all.iter().map(|seen| seen.light).max().filter(|light| *light != Light::Green)
        else {
            return Self::green(good);
        };
        let bad: Vec<Self> = all.into_iter().filter(|seen| seen.light == light).collect();
        let hint = bad.iter().find_map(|seen| seen.hint.clone());
        let said: Vec<&str> = bad.iter().take(5).map(|seen| seen.detail.as_str()).collect();
        let more = bad.len().saturating_sub(5);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        Self { light, detail: format!("{}{more}", said.join("; ")), hint }
    }
}

/// A length of time as people say it: `3 d`, `4 h`, `12 min`, `30 s`.
pub fn lasting(length: Duration) -> String {
    match length.as_secs() {
        0..120 => format!("{} s", length.as_secs()),
        120..7_200 => format!("{} min", length.as_secs() / 60),
        7_200..172_800 => format!("{} h", length.as_secs() / 3600),
        _ => format!("{} d", length.as_secs() / 86_400),
    }
}
