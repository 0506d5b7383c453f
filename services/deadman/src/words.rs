//! What a person reads. It says what is wrong, since when, what was done, and what there is to do.

use std::time::Duration;

use jiff::SignedDuration;
use sanctum_api::notify::{Notice, Severity};
use sanctum_kernel::Chain;

use crate::hand::{ActError, Revived};
use crate::state::Said;

/// Words and how much they weigh.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) said: Said,
    pub(crate) severity: Severity,
    /// Messages of one matter share it.
    pub(crate) key: &'static str,
    pub(crate) resolved: bool,
}

impl Message {
    const fn of(key: &'static str, severity: Severity, title: String, text: String) -> Self {
        Self { said: Said { title, text }, severity, key, resolved: false }
    }

    pub(crate) fn notice(&self) -> Notice {
        let Said { title, text } = self.said.clone();
        Notice {
            dedup_key: Some(format!("deadman.{}", self.key)),
            resolved: self.resolved,
            ..Notice::plain("deadman", self.severity, title, text)
        }
    }
}

/// `75 s`, `3 min`, `5 h`.
pub(crate) fn long(length: Duration) -> String {
    match length.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

const WAY_OUT: &str = "`sanctum logs supervise` says why; `sanctum up` starts it, `sanctum unlock supervise` lets the switch try again.";

pub(crate) fn tried(
    house: &str,
    silent: Duration,
    outcome: &Result<Revived, ActError>,
    last: bool,
) -> Message {
    let silent = long(silent);
    match outcome {
        Ok(Revived { was, pid }) => Message::of(
            "supervise",
            Severity::Error,
            format!("{house}: the supervisor is back"),
            format!(
                "Castellan {was} and gave no sign of life for {silent}. It was started again as process {pid}; the services went on \
                 meanwhile and were kept."
            ),
        ),
        Err(error) => {
            let next = if last {
                format!("Safe mode: it is not tried again. {WAY_OUT}")
            } else {
                "It is tried again.".to_owned()
            };
            Message::of(
                "supervise",
                Severity::Critical,
                format!("{house}: the supervisor could not be brought back"),
                format!("Castellan gave no sign of life for {silent}. {}. {next}", Chain(error)),
            )
        }
    }
}

/// It was brought back as often as it may be, and does not stay.
pub(crate) fn given_up(house: &str, silent: Duration, failures: u32) -> Message {
    Message::of(
        "supervise",
        Severity::Critical,
        format!("{house}: the supervisor does not stay up"),
        format!(
            "Castellan was started {failures} times and fell silent again each time, now for {}. Safe mode: it is not tried again; the \
             services run without a keeper. {WAY_OUT}",
            long(silent)
        ),
    )
}

pub(crate) fn still(house: &str, silent: Duration) -> Message {
    Message::of(
        "supervise",
        Severity::Critical,
        format!("{house}: there is still no supervisor"),
        format!("Safe mode: nobody has kept the services for {}. {WAY_OUT}", long(silent)),
    )
}

pub(crate) fn left_safe_mode(house: &str) -> Message {
    let text = "Its heart beats again: the switch has left safe mode and is armed.".to_owned();
    let title = format!("{house}: the supervisor is back");
    Message { resolved: true, ..Message::of("supervise", Severity::Info, title, text) }
}

pub(crate) fn peer_lost(house: &str, peer: &str, silent: Duration, why: &str) -> Message {
    Message::of(
        "peer",
        Severity::Error,
        format!("{house}: I cannot see the switch at {peer}"),
        format!(
            "For {} it has not answered: {why}. Either it, its machine or the way between us is down; it may be saying the same of me.",
            long(silent)
        ),
    )
}

pub(crate) fn peer_back(house: &str, peer: &str, silent: Duration) -> Message {
    let text = format!("It was not to be seen for {}.", long(silent));
    let title = format!("{house}: I see the switch at {peer} again");
    Message { resolved: true, ..Message::of("peer", Severity::Info, title, text) }
}

/// What goes out in a drill.
pub(crate) fn drill(house: &str) -> Said {
    Said {
        title: format!("{house}: drill"),
        text: "This is how the dead-man's switch would tell you. Nothing is wrong.".to_owned(),
    }
}

pub(crate) fn drill_failed(house: &str, trouble: &str) -> Message {
    Message::of(
        "drill",
        Severity::Error,
        format!("{house}: the dead-man's switch cannot reach you"),
        format!(
            "Its drill failed: {trouble}. If the supervisor died now, you would not hear of it by this way. Look at `[deadman]` in \
             sanctum.toml; `sanctum deadman drill` tries again."
        ),
    )
}

pub(crate) fn drill_works(house: &str) -> Message {
    let title = format!("{house}: the dead-man's switch can reach you again");
    let text = "Its drill went through by every way it has.".to_owned();
    Message { resolved: true, ..Message::of("drill", Severity::Info, title, text) }
}

pub(crate) fn drill_late(house: &str, by: SignedDuration) -> Message {
    Message::of(
        "drill-late",
        Severity::Warn,
        format!("{house}: a drill was missed"),
        format!(
            "The dead-man's switch should have tried its ways {} h ago and did not run. They are tried now.",
            by.as_hours()
        ),
    )
}
