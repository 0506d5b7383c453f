//! Whether the clock can be believed: a machine without a battery wakes up in another year.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sanctum_kernel::discipline::Discipline;
use sanctum_kernel::house::Language;
use tokio::time::Instant;

/// No clock is right before this program was begun: 2025-01-01.
const EARLIEST: Timestamp = Timestamp::constant(1_735_689_600, 0);
/// Further back than this from what was written last is not a correction but a loss.
const BACK: SignedDuration = SignedDuration::from_hours(24);
/// By then the network has set the clock; what it shows now has to be believed.
const PATIENCE: Duration = Duration::from_mins(10);

/// Why a clock cannot be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// It shows a day on which this program did not exist.
    Early { shows: Timestamp },
    /// It went back by more than anybody sets a clock.
    Lost { shows: Timestamp, before: Timestamp },
    /// Nothing has set it since the machine started.
    NotSet,
}

impl Why {
    pub(crate) fn said(self, language: Language) -> String {
        let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
        let minute = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M").to_string();
        match (self, language) {
            (Self::Early { shows }, Language::En) => {
                format!("the clock shows {}, before this program was written", day(shows))
            }
            (Self::Early { shows }, Language::Fr) => {
                format!("l’horloge indique {}, avant que ce programme soit écrit", day(shows))
            }
            (Self::Lost { shows, before }, Language::En) => {
                format!("the clock shows {} UTC, and {} was before", minute(shows), minute(before))
            }
            (Self::Lost { shows, before }, Language::Fr) => {
                format!("l’horloge indique {} UTC, et {} était avant", minute(shows), minute(before))
            }
            (Self::NotSet, Language::En) => {
                "the machine has just started, and the network has not set its clock yet".to_owned()
            }
            (Self::NotSet, Language::Fr) => {
                "la machine vient de démarrer, et le réseau n’a pas encore réglé son horloge".to_owned()
            }
        }
    }
}

/// Remembers the latest moment that was believed.
#[derive(Debug, Default)]
pub(crate) struct Doubt {
    seen: Option<Timestamp>,
    since: Option<Instant>,
}

impl Doubt {
    pub(crate) fn new(seen: Option<Timestamp>) -> Self {
        Self { seen, since: None }
    }

    /// Why `now` cannot be believed; `monotonic` is the same moment on the clock that nobody steps.
    pub(crate) fn of(
        &mut self,
        now: Timestamp,
        monotonic: Instant,
        discipline: Option<Discipline>,
    ) -> Option<Why> {
        if now < EARLIEST {
            return Some(Why::Early { shows: now });
        }
        // A machine that is up for longer and has no network time is believed: many never have any.
        if discipline.is_some_and(|clock| !clock.synchronised && clock.up < PATIENCE) {
            return Some(Why::NotSet);
        }
        let lost = self.seen.filter(|seen| now.checked_add(BACK).is_ok_and(|late| late < *seen));
        if let Some(seen) = lost
            && monotonic.duration_since(*self.since.get_or_insert(monotonic)) < PATIENCE
        {
            return Some(Why::Lost { shows: now, before: seen });
        }
        self.seen = if lost.is_some() { Some(now) } else { self.seen.max(Some(now)) };
        self.since = None;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_doubted_before_its_time_and_after_a_loss() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (start, later) = (Instant::now(), Instant::now() + PATIENCE);
        let mut doubt = Doubt::new(Some(at("2026-11-20T12:00:00Z")));
        assert!(
            doubt
                .of(at("1970-01-01T00:01:00Z"), start, None)
                .is_some_and(|why| why.said(Language::En).contains("1970-01-01"))
        );
        assert!(
            doubt
                .of(at("2026-11-18T12:00:00Z"), start, None)
                .is_some_and(|why| why.said(Language::Fr).contains("2026-11-20"))
        );
        assert_eq!(doubt.of(at("2026-11-20T09:00:00Z"), start, None), None);
        assert!(doubt.of(at("2026-11-18T12:00:00Z"), start, None).is_some());
        assert_eq!(doubt.of(at("2026-11-18T12:10:00Z"), later + PATIENCE, None), None);
        assert_eq!(doubt.of(at("2026-11-18T12:11:00Z"), later + PATIENCE, None), None);
    }

    #[test]
    fn a_clock_that_nobody_has_set_is_doubted_only_while_the_machine_starts() {
        let (now, start) = ("2026-11-20T12:00:00Z".parse().unwrap(), Instant::now());
        let clock =
            |synchronised, minutes| Some(Discipline { synchronised, up: Duration::from_mins(minutes) });
        let mut doubt = Doubt::new(None);
        assert_eq!(doubt.of(now, start, clock(false, 1)), Some(Why::NotSet));
        for believed in [clock(true, 1), clock(false, 10), clock(true, 600), None] {
            assert_eq!(doubt.of(now, start, believed), None, "{believed:?}");
        }
    }
}
