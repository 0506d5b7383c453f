//! One question and what is believed of its answers: so many in a row, more where answers get lost by themselves.

use std::time::Duration;

use sanctum_api::watch::State;
use sanctum_probe::{Answer, Finding};
use serde::{Deserialize, Serialize};

use super::{Instant, Question, Rules};

/// Answers after which half of what was learned of a check's own losses is forgotten.
const MEMORY: f64 = 2_000.0;
/// What is assumed of a check of which nothing is known: one answer in a hundred gets lost.
const ASSUMED: (f64, f64) = (1.0, 100.0);
/// So many more questions than declared, at most.
const MORE: u32 = 2;
/// Bad for this long, as many answers as declared are enough.
const LONG: Duration = Duration::from_secs(5);
/// While it starts, it is asked this often.
const WHILE_STARTING: Duration = Duration::from_secs(2);

/// What is known of one check.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Check {
    pub name: String,
    /// What is believed; never blocked.
    pub state: State,
    /// What was seen last, for people.
    pub detail: String,
    /// What was seen when it was last bad.
    pub trouble: String,
    pub at: Option<Instant>,
    pub took: Duration,
    /// Bad answers in a row, and when the first of them came.
    pub bad: u32,
    pub bad_since: Option<Instant>,
    pub last_good: Option<Instant>,
    failing: u32,
    good: u32,
    bearing: u32,
    unknown: u32,
    /// Bad answers do not count before.
    pub(super) starting: Option<Instant>,
    passed_since_start: bool,
    /// Asked out of turn, and not answered since.
    pub(super) asked: Option<Instant>,
    seen: f64,
    lost: f64,
}

/// What an answer changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) turned: bool,
    /// Ask again after this.
    pub(super) again: Option<Duration>,
}

impl Check {
    pub(super) fn new(question: &Question, now: Instant) -> Self {
        let starting = Some(now + question.start_within).filter(|_| !question.start_within.is_zero());
        Self { name: question.name.clone(), starting, passed_since_start: true, ..Self::default() }
    }

    /// It was started: what is bad now is its start, unless it never came up after the last one.
    pub(super) fn start(&mut self, question: &Question, rules: &Rules, now: Instant, ours: bool) {
        if self.passed_since_start || ours {
            self.starting = Some(now + question.start_within.max(rules.start_grace));
            self.passed_since_start = false;
            self.forget();
        }
    }

    /// Answers in a row begin anew; what is believed stays.
    pub(super) fn forget(&mut self) {
        (self.failing, self.good, self.bearing, self.unknown) = (0, 0, 0, 0);
        if !matches!(self.state, State::Failed | State::Drift) {
            self.bad = 0;
            self.bad_since = None;
        }
    }

    /// What was believed since then is not believed any more.
    pub(super) fn doubt(&mut self, since: Instant) {
        if self.bad_since.is_some_and(|at| at >= since) {
            self.state = if self.last_good.is_some() { State::Healthy } else { State::Unknown };
            self.bad = 0;
            self.bad_since = None;
        }
        self.forget();
        self.asked = None;
    }

    /// Bad answers in a row that are needed: as declared, more where answers get lost.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
    pub(super) fn needed(&self, question: &Question, rules: &Rules) -> u32 {
        let fails = question.fails.max(1);
        if fails == 1 {
            return fails;
        }
        let share = ((self.lost + ASSUMED.0) / (self.seen + ASSUMED.1)).clamp(0.000_1, 0.5);
        let needed = (rules.doubt.ln() / share.ln()).ceil() as u32;
        needed.clamp(fails, fails + MORE)
    }

    /// Answered since it was asked, and not in the middle of a confirmation.
    pub(super) fn is_decided(&self) -> bool {
        self.asked.is_none() && (self.bad == 0 || matches!(self.state, State::Failed | State::Drift))
    }

    /// In the middle of bad answers, or of good ones, of which there are not enough yet.
    pub(super) const fn is_confirming(&self) -> bool {
        let believed_bad = matches!(self.state, State::Failed | State::Drift);
        (self.bad > 0 && !believed_bad) || (believed_bad && self.good > 0)
    }

    /// It is believed bad, but its last answer was good.
    pub(super) const fn is_passing(&self) -> bool {
        self.good > 0
    }

    pub(super) fn hear(
        &mut self,
        answer: &Answer,
        question: &Question,
        rules: &Rules,
        now: Instant,
    ) -> Heard {
        let was = self.state;
        self.at = Some(now);
        self.asked = None;
        self.took = answer.took;
        self.detail.clone_from(&answer.detail);
        let starts = self.starting.is_some_and(|until| now < until);
        let mut needed = self.needed(question, rules);
        let gap = rules.confirm / needed.saturating_sub(1).max(1);
        if self.bad_since.is_some_and(|since| since + LONG <= now) {
            needed = question.fails.max(1);
        }
        let again = match answer.finding {
            Finding::Pass => self.pass(question, rules, now),
            Finding::Drift | Finding::Fail if starts => Some(WHILE_STARTING),
            Finding::Drift => self.drift(question, needed, now).map(|()| gap),
            Finding::Fail => self.fail(needed, now).map(|()| gap),
            Finding::Unknown => self.cannot(question).map(|()| gap),
        };
        self.seen += 1.0;
        if self.seen > MEMORY {
            self.seen /= 2.0;
            self.lost /= 2.0;
        }
        Heard { turned: was != self.state, again }
    }

    fn pass(&mut self, question: &Question, rules: &Rules, now: Instant) -> Option<Duration> {
        if matches!(self.state, State::Healthy | State::Unknown) {
            self.lost += f64::from(self.bad);
            self.bad = 0;
            self.bad_since = None;
        }
        self.good = self.good.saturating_add(1);
        self.bearing = self.bearing.saturating_add(1);
        (self.failing, self.unknown) = (0, 0);
        self.last_good = Some(now);
        self.starting = None;
        self.passed_since_start = true;
        if self.state == State::Healthy {
            return None;
        }
        if self.state == State::Unknown || self.good >= question.passes {
            self.state = State::Healthy;
            self.bad = 0;
            self.bad_since = None;
            return None;
        }
        Some(rules.confirm_good)
    }

    fn worse(&mut self, now: Instant) {
        self.bad = self.bad.saturating_add(1);
        self.bad_since.get_or_insert(now);
        self.trouble.clone_from(&self.detail);
        (self.good, self.unknown) = (0, 0);
    }

    fn drift(&mut self, question: &Question, needed: u32, now: Instant) -> Option<()> {
        self.worse(now);
        self.failing = 0;
        self.bearing = self.bearing.saturating_add(1);
        let settled = match self.state {
            State::Drift => true,
            State::Failed | State::Blocked => self.bearing >= question.passes,
            State::Healthy | State::Unknown => self.bad >= needed,
        };
        if settled {
            self.state = State::Drift;
        }
        (!settled).then_some(())
    }

    fn fail(&mut self, needed: u32, now: Instant) -> Option<()> {
        self.worse(now);
        self.bearing = 0;
        self.failing = self.failing.saturating_add(1);
        if self.failing >= needed {
            self.state = State::Failed;
        }
        (self.state != State::Failed).then_some(())
    }

    /// What could not be asked proves nothing, and what has failed stays so.
    fn cannot(&mut self, question: &Question) -> Option<()> {
        self.unknown = self.unknown.saturating_add(1);
        let lasting = self.unknown >= question.fails.max(1);
        if lasting && matches!(self.state, State::Healthy | State::Drift) {
            self.state = State::Unknown;
            self.bad = 0;
            self.bad_since = None;
        }
        (!lasting).then_some(())
    }
}
