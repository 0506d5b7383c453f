//! When to act: a pure machine over heartbeats and the time since it began. It never compares clocks, only whether the
//! beat has changed, so that a clock that jumps a day means nothing to it.

use std::time::Duration;

/// A heartbeat as it was seen; any difference is a sign of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) pid: u32,
    /// Changes with every beat.
    pub(crate) mark: (i64, i64),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) patience: Duration,
    pub(crate) give_up_after: u32,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nothing is known to be wrong.
    Wait,
    /// It has just given a sign of life.
    Alive,
    Revive {
        silent: Duration,
    },
    /// It was tried often enough.
    Safe,
}

#[derive(Debug)]
pub(crate) struct Watch {
    rules: Rules,
    last: Option<(Seen, Duration)>,
    /// Signs of life since the last attempt.
    beats: u32,
    failures: u32,
    /// Between attempts as long as at first.
    next: Duration,
}

/// So many beats after an attempt prove that it holds.
const PROOF: u32 = 3;

impl Watch {
    pub(crate) const fn new(rules: Rules) -> Self {
        Self { rules, last: None, beats: 0, failures: 0, next: Duration::ZERO }
    }

    /// Looks at the beat, `now` after the beginning. Armed by the first beat it sees: where none ever was, none is missed.
    pub(crate) fn look(&mut self, seen: Option<Seen>, now: Duration) -> Order {
        let Some((last, since)) = self.last.as_mut() else {
            self.last = seen.map(|seen| (seen, now));
            return Order::Wait;
        };
        if let Some(seen) = seen.filter(|seen| seen != last) {
            *last = seen;
            *since = now;
            self.beats += 1;
            if self.beats >= PROOF {
                self.failures = 0;
            }
            return Order::Alive;
        }
        let silent = now.saturating_sub(*since);
        match () {
            () if silent < self.rules.patience || now < self.next => Order::Wait,
            () if self.failures >= self.rules.give_up_after => Order::Safe,
            () => Order::Revive { silent },
        }
    }

    /// An attempt was made; whether it was the last one. A start that is followed by no proof of life counts as failed.
    pub(crate) fn tried(&mut self, started: bool, seen: Option<Seen>, now: Duration) -> bool {
        self.failures += 1;
        self.beats = 0;
        self.next = now + self.rules.patience;
        if started && let Some(seen) = seen {
            self.last = Some((seen, now));
        }
        self.failures >= self.rules.give_up_after && !started
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: Rules = Rules { patience: Duration::from_mins(1), give_up_after: 3 };

    #[expect(clippy::unnecessary_wraps, reason = "it is what a look at the file returns")]
    fn beat(number: i64) -> Option<Seen> {
        Some(Seen { pid: 7, mark: (number, 0) })
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn where_no_heart_ever_beat_none_is_missed() {
        let mut watch = Watch::new(RULES);
        assert!((0..500).all(|second| watch.look(None, at(second)) == Order::Wait));
    }

    #[test]
    fn silence_is_met_once_and_after_three_failures_no_more() {
        let mut watch = Watch::new(RULES);
        watch.look(beat(1), at(0));
        let mut tries = Vec::new();
        for second in 1..1000 {
            if let Order::Revive { .. } = watch.look(beat(1), at(second)) {
                tries.push(second);
                watch.tried(false, beat(1), at(second));
            }
        }
        assert_eq!(tries, [60, 120, 180]);
        assert_eq!(watch.look(beat(1), at(1000)), Order::Safe);
        // Somebody started it by hand: the switch is armed again.
        assert_eq!(watch.look(beat(2), at(1001)), Order::Alive);
        for number in 3..6 {
            watch.look(beat(number), at(1000 + u64::try_from(number).unwrap()));
        }
        assert_eq!(watch.look(beat(5), at(1065)), Order::Revive { silent: at(60) });
    }

    #[test]
    fn a_supervisor_that_dies_again_and_again_is_given_up() {
        let mut watch = Watch::new(RULES);
        watch.look(beat(0), at(0));
        let (mut tries, mut number) = (0, 0);
        for second in 1..2000 {
            if let Order::Revive { .. } = watch.look(beat(number), at(second)) {
                tries += 1;
                number += 1;
                watch.tried(true, beat(number), at(second));
            }
        }
        assert_eq!(tries, 3);
    }

    proptest! {
        /// A heart that beats more often than the patience is never touched, whatever the marks are: a clock that jumps
        /// back and forth only changes them.
        #[test]
        fn the_living_are_left_alone(beats in prop::collection::vec((1_u64..59, any::<i64>()), 1..200)) {
            let mut watch = Watch::new(RULES);
            let (mut now, mut last) = (0, None);
            for (pause, mark) in beats {
                for second in now..now + pause {
                    let touched = matches!(watch.look(last.clone(), at(second)), Order::Revive { .. } | Order::Safe);
                    prop_assert!(!touched);
                }
                now += pause;
                // Two beats never have the same mark one after the other.
                let mark = if last == beat(mark) { mark.wrapping_add(1) } else { mark };
                last = beat(mark);
            }
        }
    }
}
