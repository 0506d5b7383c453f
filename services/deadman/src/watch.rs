//! When to act: a pure machine over heartbeats and the time since it began. It never compares clocks, only whether the
//! beat has changed, so that a clock that jumps a day means nothing to it.

use std::time::Duration;

use sanctum_kernel::heart::Mark;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) patience: Duration,
    pub(crate) give_up_after: u32,
    /// In safe mode a person is told again so often.
    pub(crate) remind_every: Duration,
    /// A look this much later than it should be says more about the one who looks.
    pub(crate) blind: Duration,
}

/// What a look at the heart shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Look {
    /// Nothing that tells: no file, or one that cannot be read.
    Nothing,
    /// It ended in good order.
    Over,
    Beat(Mark),
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Nothing is known to be wrong.
    Wait,
    /// It has just given a sign of life.
    Alive,
    /// There is no supervisor, on purpose.
    Rest,
    Revive {
        silent: Duration,
    },
    /// It was tried often enough: from here on it is left alone. Said once.
    GiveUp {
        silent: Duration,
    },
    /// Still left alone; a person is told again.
    Remind {
        silent: Duration,
    },
    /// Still left alone.
    Safe,
}

#[derive(Debug)]
pub(crate) struct Watch {
    rules: Rules,
    /// A supervisor was seen and has not ended in good order since.
    armed: bool,
    last: Option<Mark>,
    /// Silent since.
    since: Duration,
    looked: Option<Duration>,
    /// Signs of life since the last attempt.
    beats: u32,
    failures: u32,
    /// No attempt before this.
    next: Duration,
    /// When a person was last told that it is left alone.
    told: Option<Duration>,
}

/// So many beats after an attempt prove that it holds.
const PROOF: u32 = 3;

impl Watch {
    /// `armed` and `failures` are what an earlier one left; for `grace` nothing is done, because a machine that has just
    /// started has enough to do.
    pub(crate) const fn new(rules: Rules, armed: bool, failures: u32, grace: Duration) -> Self {
        Self {
            rules,
            armed,
            last: None,
            since: Duration::ZERO,
            looked: None,
            beats: 0,
            failures,
            next: grace,
            told: None,
        }
    }

    /// What must survive this process.
    pub(crate) const fn left(&self) -> (bool, u32) {
        (self.armed, self.failures)
    }

    pub(crate) const fn is_safe(&self) -> bool {
        self.failures >= self.rules.give_up_after
    }

    /// How long it has been silent, if it should not be.
    pub(crate) fn silent(&self, now: Duration) -> Option<Duration> {
        self.armed.then(|| now.saturating_sub(self.since))
    }

    /// Looks at the heart, `now` after the beginning; while `disarmed` nothing is done and silence does not count.
    pub(crate) fn look(&mut self, look: Look, disarmed: bool, now: Duration) -> Order {
        self.mind_the_gap(now);
        match look {
            Look::Over => {
                (self.armed, self.last, self.beats, self.failures, self.told) = (false, None, 0, 0, None);
                self.since = now;
                return Order::Rest;
            }
            Look::Beat(mark) if self.last.as_ref() != Some(&mark) => {
                let first = self.last.replace(mark).is_none();
                (self.since, self.armed) = (now, true);
                // The first may be an old one that somebody left.
                if !first {
                    return self.alive();
                }
            }
            Look::Beat(_) | Look::Nothing => {}
        }
        if disarmed || !self.armed {
            self.since = now;
            return Order::Wait;
        }
        let silent = now.saturating_sub(self.since);
        match () {
            () if silent < self.rules.patience || now < self.next => Order::Wait,
            () if !self.is_safe() => Order::Revive { silent },
            () => self.stay(silent, now),
        }
    }

    fn alive(&mut self) -> Order {
        self.beats += 1;
        if self.beats >= PROOF {
            (self.failures, self.told) = (0, None);
        }
        Order::Alive
    }

    fn stay(&mut self, silent: Duration, now: Duration) -> Order {
        match self.told {
            None => {
                self.told = Some(now);
                Order::GiveUp { silent }
            }
            Some(told) if now.saturating_sub(told) >= self.rules.remind_every => {
                self.told = Some(now);
                Order::Remind { silent }
            }
            Some(_) => Order::Safe,
        }
    }

    /// Who slept, or was stopped, has not watched: that time is nobody's silence.
    fn mind_the_gap(&mut self, now: Duration) {
        let gap = self.looked.map_or(Duration::ZERO, |looked| now.saturating_sub(looked));
        self.looked = Some(now);
        if gap > self.rules.blind {
            self.since = now.min(self.since + gap);
            self.next = self.next.max(now);
        }
    }

    /// When the next look would bring more than waiting.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.armed.then(|| self.next.max(self.since + self.rules.patience))
    }

    /// An attempt was made; whether it was the last one. A start that is followed by no proof of life counts as failed.
    pub(crate) fn tried(&mut self, started: bool, look: Look, now: Duration) -> bool {
        self.failures += 1;
        self.beats = 0;
        self.next = now + self.rules.patience;
        self.looked = Some(now);
        if started && let Look::Beat(mark) = look {
            (self.last, self.since) = (Some(mark), now);
        }
        let last = self.is_safe() && !started;
        if last {
            self.told = Some(now);
        }
        last
    }

    /// A person says that it shall be tried again.
    pub(crate) const fn arm(&mut self) {
        (self.failures, self.beats, self.told) = (0, 0, None);
        self.next = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: Rules = Rules {
        patience: Duration::from_mins(1),
        give_up_after: 3,
        remind_every: Duration::from_mins(30),
        blind: Duration::from_secs(20),
    };

    fn beat(number: i64) -> Look {
        Look::Beat(Mark { pid: 7, sequence: 0, time: (number, 0) })
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const fn fresh() -> Watch {
        Watch::new(RULES, false, 0, Duration::ZERO)
    }

    /// Looks every second and does what is ordered, in vain; returns what was done when.
    fn in_vain(watch: &mut Watch, look: &Look, seconds: std::ops::Range<u64>) -> Vec<(u64, &'static str)> {
        let mut done = Vec::new();
        for second in seconds {
            match watch.look(look.clone(), false, at(second)) {
                Order::Revive { .. } => {
                    let last = watch.tried(false, look.clone(), at(second));
                    done.push((second, if last { "last" } else { "revive" }));
                }
                Order::GiveUp { .. } => done.push((second, "give up")),
                Order::Remind { .. } => done.push((second, "remind")),
                _ => {}
            }
        }
        done
    }

    #[test]
    fn d1_where_no_heart_ever_beat_none_is_missed() {
        let mut watch = fresh();
        assert!((0..500).all(|second| watch.look(Look::Nothing, false, at(second)) == Order::Wait));
    }

    #[test]
    fn d1_silence_is_met_at_its_time_exactly_once_and_said_again_until_somebody_acts() {
        let mut watch = fresh();
        watch.look(beat(1), false, at(0));
        let done = in_vain(&mut watch, &beat(1), 1..6000);
        assert_eq!(
            done,
            [
                (60, "revive"),
                (120, "revive"),
                (180, "last"),
                (1980, "remind"),
                (3780, "remind"),
                (5580, "remind")
            ]
        );
        // Somebody started it by hand: the switch is armed again.
        assert_eq!(watch.look(beat(2), false, at(6001)), Order::Alive);
        for number in 3..6 {
            watch.look(beat(number), false, at(6000 + u64::try_from(number).unwrap()));
        }
        assert!(!watch.is_safe());
        assert_eq!(in_vain(&mut watch, &beat(5), 6006..6070), [(6065, "revive")]);
    }

    #[test]
    fn d1_a_supervisor_that_dies_again_and_again_is_given_up_and_that_is_said_once() {
        let mut watch = fresh();
        watch.look(beat(0), false, at(0));
        let (mut tries, mut number, mut given_up) = (0, 0, 0);
        for second in 1..1500 {
            match watch.look(beat(number), false, at(second)) {
                Order::Revive { .. } => {
                    tries += 1;
                    number += 1;
                    watch.tried(true, beat(number), at(second));
                }
                Order::GiveUp { .. } => given_up += 1,
                _ => {}
            }
        }
        assert_eq!((tries, given_up), (3, 1));
    }

    #[test]
    fn d1_what_is_armed_stays_armed_over_its_own_restart_and_after_a_loss_of_the_file() {
        let mut watch = fresh();
        watch.look(beat(1), false, at(0));
        let (armed, failures) = watch.left();
        let mut watch = Watch::new(RULES, armed, failures, Duration::ZERO);
        assert_eq!(in_vain(&mut watch, &Look::Nothing, 0..61), [(60, "revive")]);
        // Safe mode is kept as well.
        in_vain(&mut watch, &Look::Nothing, 61..200);
        let (armed, failures) = watch.left();
        let mut watch = Watch::new(RULES, armed, failures, Duration::ZERO);
        assert_eq!(in_vain(&mut watch, &beat(1), 0..1000), [(60, "give up")]);
        watch.arm();
        assert_eq!(in_vain(&mut watch, &beat(1), 1000..1002), [(1000, "revive")]);
    }

    #[test]
    fn d1_a_house_that_was_ended_is_let_rest() {
        let mut watch = fresh();
        watch.look(beat(1), false, at(0));
        assert_eq!(watch.look(Look::Over, false, at(10)), Order::Rest);
        assert_eq!(watch.left(), (false, 0));
        assert!(in_vain(&mut watch, &Look::Over, 11..1000).is_empty());
        watch.look(beat(2), false, at(1000));
        assert_eq!(in_vain(&mut watch, &beat(2), 1001..1061), [(1060, "revive")]);
    }

    #[test]
    fn d1_a_machine_that_has_just_started_is_given_time() {
        let mut watch = Watch::new(RULES, true, 0, at(180));
        assert_eq!(in_vain(&mut watch, &beat(1), 0..200), [(180, "revive")]);
    }

    #[test]
    fn d1_a_clock_that_jumps_a_day_is_no_sign_of_death_and_a_dead_one_does_not_live_by_it() {
        const DAY: i64 = 86_400;
        let mut watch = fresh();
        let marks = [0, 2, DAY + 4, DAY + 6, 8, 10, 12 - DAY, 14];
        for (second, mark) in (0..).step_by(30).zip(marks) {
            assert!(matches!(watch.look(beat(mark), false, at(second)), Order::Wait | Order::Alive));
            watch.look(beat(mark), false, at(second + 15));
        }
        assert_eq!(in_vain(&mut watch, &beat(14), 226..300), [(270, "revive")]);
    }

    #[test]
    fn d1_who_was_stopped_itself_accuses_nobody() {
        let mut watch = fresh();
        watch.look(beat(1), false, at(0));
        watch.look(beat(1), false, at(10));
        // Both were frozen for an hour, such as in a lid that was closed.
        assert_eq!(watch.look(beat(1), false, at(3610)), Order::Wait);
        assert_eq!(in_vain(&mut watch, &beat(1), 3611..3700), [(3660, "revive")]);
    }

    #[test]
    fn d1_disarmed_means_that_nothing_happens_and_armed_again_counts_from_then() {
        let mut watch = fresh();
        watch.look(beat(1), false, at(0));
        for second in (1..500).step_by(5) {
            assert_eq!(watch.look(beat(1), true, at(second)), Order::Wait);
        }
        assert_eq!(in_vain(&mut watch, &beat(1), 497..600), [(556, "revive")]);
    }

    proptest! {
        /// A heart that beats more often than the patience is never touched, whatever the marks are: a clock that jumps
        /// back and forth only changes them.
        #[test]
        fn d1_the_living_are_left_alone(beats in prop::collection::vec((1_u64..59, any::<i64>()), 1..200)) {
            let mut watch = fresh();
            let (mut now, mut last) = (0, Look::Nothing);
            for (pause, mark) in beats {
                for second in now..now + pause {
                    let order = watch.look(last.clone(), false, at(second));
                    prop_assert!(matches!(order, Order::Wait | Order::Alive));
                }
                now += pause;
                // Two beats never have the same mark one after the other.
                let mark = if last == beat(mark) { mark.wrapping_add(1) } else { mark };
                last = beat(mark);
            }
        }
    }
}
