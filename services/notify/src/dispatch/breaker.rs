//! Leaving a channel alone that fails, and trying it again with one message.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::Delivery;

/// The longest time a channel is left alone.
const LONGEST: Duration = Duration::from_mins(10);

/// The breaker of one channel: a value, moved on by outcomes and the time.
#[derive(Debug, Clone)]
pub(crate) struct Breaker {
    after: u32,
    first: Duration,
    failures: u32,
    opened: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    /// Nothing is sent before then.
    Open(Timestamp),
    /// One message is on its way to see whether the channel is well again.
    Probing,
}

/// What may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum May {
    /// As many as there are.
    All,
    /// One, and then wait for its outcome.
    Probe,
    /// Nothing before then, or before the probe comes back.
    Nothing(Option<Timestamp>),
}

impl Breaker {
    pub(crate) fn new(config: &Delivery) -> Self {
        Self {
            after: config.breaker_after.max(1),
            first: config.breaker_open.0,
            failures: 0,
            opened: 0,
            state: State::Closed,
        }
    }

    pub(crate) const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    pub(crate) const fn word(&self) -> &'static str {
        match self.state {
            State::Closed => "closed",
            State::Open(_) => "open",
            State::Probing => "half-open",
        }
    }

    pub(crate) fn may(&self, now: Timestamp) -> May {
        match self.state {
            State::Closed => May::All,
            State::Open(until) if now >= until => May::Probe,
            State::Open(until) => May::Nothing(Some(until)),
            State::Probing => May::Nothing(None),
        }
    }

    /// A probe is on its way.
    pub(crate) const fn probing(&mut self) {
        self.state = State::Probing;
    }

    /// The channel took a message, or answered in a way that shows it is there. Returns whether it was open.
    pub(crate) fn well(&mut self) -> bool {
        let reopened = !self.is_closed();
        (self.failures, self.opened, self.state) = (0, 0, State::Closed);
        reopened
    }

    /// The channel failed. `asked` is how long the far side wants to be left alone. Returns whether it opens with this.
    pub(crate) fn failed(&mut self, now: Timestamp, asked: Option<Duration>) -> bool {
        self.failures = self.failures.saturating_add(1);
        let was_closed = self.is_closed();
        if was_closed && self.failures < self.after && asked.is_none() {
            return false;
        }
        if matches!(self.state, State::Open(_)) {
            // Messages that were on their way when it opened bring no news.
            return false;
        }
        let wait = self.first.saturating_mul(1 << self.opened.min(16)).min(LONGEST.max(self.first));
        let wait = asked.map_or(wait, |asked| asked.max(Duration::from_millis(1)));
        self.opened = self.opened.saturating_add(1);
        self.state = State::Open(
            now.saturating_add(SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX)).unwrap_or(now),
        );
        was_closed && self.failures >= self.after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_probes_and_closes() {
        let config = Delivery { breaker_after: 3, ..Delivery::default() };
        let at = |secs: i64| Timestamp::from_second(secs).unwrap();
        let mut breaker = Breaker::new(&config);
        assert!(!breaker.failed(at(0), None) && !breaker.failed(at(0), None));
        assert_eq!(breaker.may(at(0)), May::All);
        assert!(breaker.failed(at(0), None), "the third failure opens it");
        assert_eq!(breaker.may(at(14)), May::Nothing(Some(at(15))));
        assert!(!breaker.failed(at(14), None), "a straggler brings no news");
        assert_eq!(breaker.may(at(15)), May::Probe);
        breaker.probing();
        assert_eq!(breaker.may(at(16)), May::Nothing(None));
        assert!(!breaker.failed(at(16), None), "it was open before");
        assert_eq!(breaker.may(at(45)), May::Nothing(Some(at(46))), "twice as long");
        breaker.probing();
        assert!(breaker.well());
        assert_eq!(breaker.may(at(46)), May::All);
    }

    #[test]
    fn what_the_far_side_asks_for_is_honoured_at_once() {
        let mut breaker = Breaker::new(&Delivery::default());
        let at = |secs: i64| Timestamp::from_second(secs).unwrap();
        assert!(
            !breaker.failed(at(0), Some(Duration::from_secs(7))),
            "being asked to wait is no trouble yet"
        );
        assert_eq!(breaker.may(at(6)), May::Nothing(Some(at(7))));
    }
}
