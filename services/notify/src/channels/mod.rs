//! The ways to reach people: one file each behind one trait, one line each in one table.

use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use sanctum_http::{Answer, Feed, Outbound, OutboundError};
use sanctum_kernel::service::{Complaint, Shared};
use sanctum_kernel::{Failure, Stop};
use sanctum_store::Db;

use crate::message::Message;

sanctum_kernel::kinds! {
    // `home-assistant`, `sonos`, `pushover`, `telegram`, `matrix`, `mqtt`, `apprise` and `call` get their file and their
    // line here when their issue comes.
    /// Channels by kind, then by a name of the owner's choosing.
    pub struct Channels as dyn Kind { dashboard, desktop, email, ntfy, signal, webhook, webpush }
}

/// The far side took it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// The far side's own id.
    pub(crate) far_id: Option<String>,
    /// The far side proves that it was shown.
    pub(crate) confirmed: bool,
}

/// Why it was not delivered, and what that means for the next attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    /// It may go well later; `after` is what the far side asked for.
    #[error("{reason}")]
    Later { reason: String, after: Option<Duration> },
    /// This message will never be taken as it is.
    #[error("refused: {reason}")]
    Refused { reason: String },
    /// The channel is not there at all, which is nobody's failure: no desktop session, no subscription.
    #[error("unavailable: {reason}")]
    Unavailable { reason: String },
}

impl SendError {
    pub(crate) fn later(reason: impl Into<String>) -> Self {
        Self::Later { reason: reason.into(), after: None }
    }

    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }

    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into() }
    }
}

/// What a far side says by itself, later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The message with this far id was delivered or read.
    Confirmed { far_id: String },
    /// Somebody acknowledged the message with this far id.
    AckedMessage { far_id: String, who: String },
    /// Somebody acknowledged the notification by number.
    AckedNumber { id: i64, who: String },
}

/// Where a channel reports what it heard.
pub(crate) type Inbox = tokio::sync::mpsc::Sender<(String, Heard)>;

/// What a channel can do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Abilities {
    /// It can show that somebody took note.
    pub(crate) shows_acks: bool,
    /// Messages in flight at the same time.
    pub(crate) at_once: usize,
}

/// One way to reach people.
pub(crate) trait Channel: Send + Sync + std::fmt::Debug {
    /// Tries once. Success means that the far side said so in so many words.
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<Receipt, SendError>>;

    /// Whether it would work now, in words.
    fn check(&self) -> BoxFuture<'_, Result<String, SendError>>;

    /// Reports receipts and acknowledgements as they come, until stopped.
    fn confirm(self: Arc<Self>, _name: String, _inbox: Inbox, _stop: Stop) -> Option<BoxFuture<'static, ()>> {
        None
    }

    fn abilities(&self) -> Abilities {
        Abilities { shows_acks: false, at_once: 4 }
    }

    /// The key browsers subscribe with, where the channel is one for browsers.
    fn push_key(&self) -> Option<String> {
        None
    }
}

/// What channels are built with.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) shared: Shared,
    pub(crate) db: Db,
    pub(crate) feed: Feed,
    pub(crate) outbound: Outbound,
    pub(crate) deadline: Duration,
}

/// A built channel with its name and kind.
#[derive(Debug)]
pub(crate) struct Built {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) channel: Arc<dyn Channel>,
}

/// What every kind's configuration can do.
pub(crate) trait Kind {
    fn build(&self, name: &str, parts: &Parts) -> Result<Arc<dyn Channel>, Failure>;

    /// Its own rules; paths begin inside its table.
    fn complaints(&self) -> Vec<Complaint> {
        Vec::new()
    }
}

impl Channels {
    /// Every configured channel, kind and name; the dashboard is always there.
    pub(crate) fn names(&self) -> Vec<(&'static str, String)> {
        let built_in =
            (!self.dashboard.contains_key("dashboard")).then(|| ("dashboard", "dashboard".to_owned()));
        let given = self.each().into_iter().map(|(kind, name, _)| (kind, name.to_owned()));
        built_in.into_iter().chain(given).collect()
    }

    pub(crate) fn of_kinds(&self, kinds: &[&str]) -> Vec<String> {
        self.each()
            .into_iter()
            .filter(|(kind, _, _)| kinds.contains(kind))
            .map(|(_, name, _)| name.to_owned())
            .collect()
    }

    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        let mut all = Vec::new();
        for (kind, name, config) in self.each() {
            for mut complaint in config.complaints() {
                complaint.path.splice(0..0, ["channel".to_owned(), kind.to_owned(), name.to_owned()]);
                all.push(complaint);
            }
        }
        all
    }

    pub(crate) fn build(&self, parts: &Parts) -> Result<Vec<Built>, Failure> {
        let mut built = Vec::new();
        if !self.dashboard.contains_key("dashboard") {
            let channel = dashboard::Config::default().build("dashboard", parts)?;
            built.push(Built { name: "dashboard".to_owned(), kind: "dashboard", channel });
        }
        for (kind, name, config) in self.each() {
            built.push(Built { name: name.to_owned(), kind, channel: config.build(name, parts)? });
        }
        Ok(built)
    }
}

/// What an HTTP answer means where nothing more is known (RFC 9110): some 4xx will never change their mind.
pub(crate) fn judge(outcome: Result<Answer, OutboundError>) -> Result<Answer, SendError> {
    let answer = match outcome {
        Ok(answer) => answer,
        Err(OutboundError::BadRequest { reason, .. }) => return Err(SendError::refused(reason)),
        Err(error) => return Err(SendError::later(error.to_string())),
    };
    if answer.is_success() {
        return Ok(answer);
    }
    let reason = format!("status {}: {}", answer.status, answer.excerpt());
    let reason = reason.trim_end_matches([':', ' ']).to_owned();
    match answer.status {
        408 | 421 | 425 | 429 | 500..=599 => Err(SendError::Later { reason, after: answer.retry_after() }),
        _ => Err(SendError::Refused { reason }),
    }
}

/// A complaint unless `url` is one that can be called.
pub(crate) fn web_url(url: &str, path: &[&str]) -> Vec<Complaint> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) {
        return Vec::new();
    }
    let complaint = Complaint::new(path, format!("`{url}` is not a URL that can be called"));
    vec![complaint.hint("write `http://` or `https://`, a host, and a path")]
}
