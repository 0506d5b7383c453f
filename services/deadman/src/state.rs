//! What the switch keeps over its own restart: whether it is armed, how often it failed, its last drill, whom it misses.

use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sanctum_kernel::{Chain, Paths, Status, Well, files};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// The part of the board that speaks of this file.
const PART: &str = "state";

/// As it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    /// A supervisor was seen and did not end in good order since.
    pub(crate) armed: bool,
    pub(crate) failures: u32,
    pub(crate) disarmed: Option<Disarmed>,
    pub(crate) drill: Option<Drill>,
    /// The house's other switch is not to be seen, and that was said.
    pub(crate) peer_lost: bool,
    /// What no way of its own took yet.
    pub(crate) owed: Option<Said>,
}

/// For how long nothing is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Disarmed {
    pub(crate) until: Timestamp,
    pub(crate) seconds: u64,
}

/// The last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Drill {
    pub(crate) at: Timestamp,
    /// By which ways; others have to be tried anew.
    pub(crate) ways: String,
    /// Why it failed.
    pub(crate) trouble: Option<String>,
}

/// What a person is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) title: String,
    pub(crate) text: String,
}

/// The state and its file.
#[derive(Debug)]
pub(crate) struct Book {
    path: PathBuf,
    well: Well,
    pub(crate) state: State,
    written: State,
    /// The end of being disarmed, on a clock that nobody can set.
    armed_at: Option<Instant>,
}

impl Book {
    /// What an earlier one left; a file that cannot be read is said and replaced, because a switch that does not start
    /// for it would be no switch.
    pub(crate) fn open(paths: &Paths, well: &Well, now: Timestamp) -> Self {
        let path = paths.state().join("deadman.json");
        let state = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                tracing::error!(path = %path.display(), %error, "what the switch knew cannot be read: it begins armed");
                State { armed: true, ..State::default() }
            }),
            Err(_) => State::default(),
        };
        // A clock that was set back must not make it longer than it was meant.
        let left = state.disarmed.as_ref().and_then(|disarmed| {
            let left = Duration::try_from(disarmed.until.duration_since(now)).ok()?;
            Some(Instant::now() + left.min(Duration::from_secs(disarmed.seconds)))
        });
        Self { path, well: well.clone(), written: state.clone(), state, armed_at: left }
    }

    /// Writes what has changed, if anything has.
    pub(crate) fn keep(&mut self) {
        if self.state == self.written {
            return;
        }
        let text = serde_json::to_vec(&self.state).unwrap_or_default();
        match files::replace(&self.path, &text, 0o600) {
            Ok(()) => {
                self.written = self.state.clone();
                self.well.clear(PART);
            }
            Err(error) => self.well.set_hint(
                PART,
                Status::Degraded,
                format!("it could not be written down: {}", Chain(&error)),
                "make room on the disk; until then the switch knows it only by heart",
            ),
        }
    }

    pub(crate) fn is_disarmed(&self) -> bool {
        self.armed_at.is_some_and(|at| Instant::now() < at)
    }

    pub(crate) fn disarm(&mut self, length: Duration, now: Timestamp) {
        let until = SignedDuration::try_from(length).ok().and_then(|length| now.checked_add(length).ok());
        let until = until.unwrap_or(Timestamp::MAX);
        self.state.disarmed = Some(Disarmed { until, seconds: length.as_secs() });
        self.armed_at = Some(Instant::now() + length);
    }

    pub(crate) fn arm(&mut self) {
        (self.state.disarmed, self.armed_at) = (None, None);
    }
}

/// Whether a drill is due, and by how much it is late if nobody was there to have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    No,
    Now,
    /// It was missed.
    Late(SignedDuration),
}

/// After a failed drill the next one comes this soon.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);

impl State {
    /// By the clock on the wall, because it is meant for people; whatever that clock does, there is at most one drill too
    /// many.
    pub(crate) fn drill_due(&self, ways: &str, every: SignedDuration, now: Timestamp) -> Due {
        let Some(last) = self.drill.as_ref().filter(|last| last.ways == ways) else { return Due::Now };
        let since = now.duration_since(last.at);
        let wait = if last.trouble.is_some() { AGAIN.min(every) } else { every };
        match () {
            // The clock went back by more than it can have been wrong.
            () if since < SignedDuration::from_hours(-25) => Due::Now,
            () if since < wait => Due::No,
            () if last.trouble.is_none() && since > every + every / 4 => Due::Late(since - every),
            () => Due::Now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

    fn after(hours: i64, trouble: bool) -> State {
        let at = Timestamp::UNIX_EPOCH - SignedDuration::from_hours(hours);
        let trouble = trouble.then(|| "no".to_owned());
        State { drill: Some(Drill { at, ways: "url".to_owned(), trouble }), ..State::default() }
    }

    #[test]
    fn d3_a_drill_comes_every_week_and_at_once_for_a_new_way() {
        let now = Timestamp::UNIX_EPOCH;
        let due = |state: &State| state.drill_due("url", WEEK, now);
        assert_eq!(due(&State::default()), Due::Now);
        assert_eq!(due(&after(100, false)), Due::No);
        assert_eq!(after(100, false).drill_due("command", WEEK, now), Due::Now);
        assert_eq!(due(&after(168, false)), Due::Now);
        assert_eq!(due(&after(300, false)), Due::Late(SignedDuration::from_hours(132)));
        // One that failed is tried again within the hour; that is not late but known.
        assert_eq!(
            (due(&after(0, true)), due(&after(1, true)), due(&after(300, true))),
            (Due::No, Due::Now, Due::Now)
        );
        // A clock that jumps a day makes no second drill; one that was a month ahead does.
        assert_eq!((due(&after(-24, false)), due(&after(-700, false))), (Due::No, Due::Now));
    }

    #[test]
    fn d1_the_state_survives_and_a_clock_set_back_does_not_disarm_for_longer() {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::new(home.path());
        paths.prepare().unwrap();
        let well = Well::default();
        let now = Timestamp::UNIX_EPOCH;
        let mut book = Book::open(&paths, &well, now);
        assert_eq!(book.state, State::default());
        book.state.armed = true;
        book.state.failures = 3;
        book.disarm(Duration::from_hours(1), now);
        book.keep();
        let again = Book::open(&paths, &well, now - SignedDuration::from_hours(24));
        assert_eq!(again.state, book.state);
        assert!(again.is_disarmed() && again.armed_at.unwrap() <= Instant::now() + Duration::from_hours(1));
        assert!(!Book::open(&paths, &well, now + SignedDuration::from_hours(24)).is_disarmed());
        std::fs::File::create(paths.state().join("deadman.json")).unwrap();
        assert!(Book::open(&paths, &well, now).state.armed, "what cannot be read is no reason to sleep");
    }
}
