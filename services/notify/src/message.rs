//! What a channel is given to send.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sanctum_api::notify::{Notice, Severity};
use sanctum_kernel::trace::TraceId;
use serde_json::{Value, json};

use crate::target::Manner;

/// Which part of a life a message tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Fire,
    Resolve,
    Acked,
}

impl Phase {
    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::Fire => 0,
            Self::Resolve => 1,
            Self::Acked => 2,
        }
    }

    pub(crate) const fn of(number: i64) -> Self {
        match number {
            1 => Self::Resolve,
            2 => Self::Acked,
            _ => Self::Fire,
        }
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Fire => "fire",
            Self::Resolve => "resolve",
            Self::Acked => "ack",
        }
    }
}

/// One message for one channel.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: i64,
    pub(crate) delivery: i64,
    pub(crate) trace: TraceId,
    pub(crate) notice: Arc<Notice>,
    pub(crate) phase: Phase,
    pub(crate) manner: Manner,
    pub(crate) accepted: Timestamp,
    /// Who acknowledged, or how long it lasted: what the phase has to say.
    pub(crate) word: Option<String>,
    /// The far side's id of the message that told of the beginning.
    pub(crate) before: Option<String>,
    /// Attempts before this one.
    pub(crate) tries: u32,
    /// Those of them that were made before somebody sent it again by hand…
    pub(crate) spent: u32,
    /// …which is when the patience with it began; otherwise when it was to be delivered first.
    pub(crate) since: Timestamp,
    pub(crate) now: Timestamp,
}

/// Later than this is said to be late.
const LATE: SignedDuration = SignedDuration::from_secs(60);

impl Message {
    /// `late 14 min`, if it comes so late that a person should know.
    pub(crate) fn late(&self) -> Option<String> {
        let by = self.now.duration_since(self.accepted);
        (self.phase == Phase::Fire && by >= LATE).then(|| format!("late {}", span(by)))
    }

    /// The same for every attempt: by it a receiver knows a message it has seen.
    pub(crate) fn key(&self) -> String {
        format!("n{}-d{}", self.id, self.delivery)
    }

    pub(crate) fn title(&self) -> String {
        match self.phase {
            Phase::Fire => self.notice.title.clone(),
            Phase::Resolve => format!("Resolved: {}", self.notice.title),
            Phase::Acked => format!("Acknowledged: {}", self.notice.title),
        }
    }

    /// The message with what the phase and the hour add to it.
    pub(crate) fn text(&self) -> String {
        let mut text = self.notice.message.clone();
        for more in [self.word.clone(), self.late()].into_iter().flatten() {
            text = if text.is_empty() { more } else { format!("{text}\n({more})") };
        }
        text
    }

    pub(crate) fn json(&self) -> Value {
        let notice = &self.notice;
        json!({
            "event": self.phase.word(), "id": self.id, "delivery": self.delivery, "key": self.key(), "trace_id": self.trace,
            "severity": notice.severity, "source": notice.source, "title": self.title(), "message": self.text(),
            "labels": notice.labels, "actions": notice.actions, "url": notice.url, "image": notice.image,
            "dedup_key": notice.dedup_key, "manner": self.manner.word(), "accepted": self.accepted, "late": self.late(),
            "attempt": self.tries + 1,
        })
    }

    pub(crate) fn severity(&self) -> Severity {
        self.notice.severity
    }
}

/// A length of time for people: `40 s`, `14 min`, `3 h`, `2 d`.
pub(crate) fn span(by: SignedDuration) -> String {
    match by.as_secs() {
        secs @ ..=119 => format!("{secs} s"),
        secs @ ..=7199 => format!("{} min", secs / 60),
        secs @ ..=172_799 => format!("{} h", secs / 3600),
        secs => format!("{} d", secs / 86_400),
    }
}
