//! How tense the house is, and when that changes.

use std::collections::VecDeque;
use std::time::Duration;

use sanctum_api::watch::Posture;

use super::{Instant, Rules};

/// Pressure from which the house is cautious, and from which it conserves.
const CAUTIOUS: f64 = 0.25;
const CONSERVING: f64 = 0.6;
/// So many steps within so long are too much of healing.
const DENSE: (usize, Duration) = (10, Duration::from_mins(5));

/// The posture, and what pulls at it.
#[derive(Debug, Clone, Default)]
pub(super) struct Mood {
    posture: Posture,
    /// What it would be, and since when.
    wanted: Option<(Posture, Instant)>,
    pressure: f64,
    steps: VecDeque<Instant>,
}

/// What the incidents and states alone ask for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Strain {
    pub(super) healing: bool,
    pub(super) open: bool,
    pub(super) uneasy: bool,
}

impl Mood {
    pub(super) const fn posture(&self) -> Posture {
        self.posture
    }

    /// Whether the engine is to look at it again.
    pub(super) fn press(&mut self, share: f64) -> bool {
        self.pressure = share.clamp(0.0, 1.0);
        true
    }

    pub(super) fn step(&mut self, now: Instant) {
        self.steps.push_back(now);
    }

    fn target(&self, strain: Strain, now: Instant) -> Posture {
        let dense = self.steps.iter().filter(|&&at| at + DENSE.1 > now).count() >= DENSE.0;
        if self.pressure >= CONSERVING || dense {
            Posture::Conserving
        } else if strain.healing {
            Posture::Healing
        } else if strain.open {
            Posture::Alert
        } else if strain.uneasy || self.pressure >= CAUTIOUS {
            Posture::Cautious
        } else {
            Posture::Poised
        }
    }

    /// The new posture, if it is another one now: an incident counts at once, everything else only when it lasts.
    pub(super) fn feel(&mut self, strain: Strain, now: Instant, rules: &Rules) -> Option<Posture> {
        while self.steps.front().is_some_and(|&at| at + DENSE.1 <= now) {
            self.steps.pop_front();
        }
        let target = self.target(strain, now);
        if target == self.posture {
            self.wanted = None;
            return None;
        }
        let since = match self.wanted {
            Some((wanted, since)) if wanted == target => since,
            _ => now,
        };
        self.wanted = Some((target, since));
        let rises = target > self.posture && matches!(target, Posture::Alert | Posture::Healing);
        if !rises && since + rules.posture_hold > now {
            return None;
        }
        self.posture = target;
        self.wanted = None;
        Some(target)
    }

    pub(super) fn deadline(&self, rules: &Rules) -> Option<Instant> {
        let wanted = self.wanted.map(|(_, since)| since + rules.posture_hold);
        let dense = self.steps.front().filter(|_| self.steps.len() >= DENSE.0).map(|&at| at + DENSE.1);
        wanted.into_iter().chain(dense).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_counts_at_once_and_calm_only_when_it_lasts() {
        let (mut mood, rules) = (Mood::default(), Rules::default());
        let at = Duration::from_secs;
        let open = Strain { open: true, ..Strain::default() };
        assert_eq!(mood.feel(open, at(0), &rules), Some(Posture::Alert));
        assert_eq!(mood.feel(Strain::default(), at(10), &rules), None);
        assert_eq!(mood.feel(open, at(20), &rules), None, "it was not over");
        assert_eq!(mood.feel(Strain::default(), at(30), &rules), None);
        assert_eq!(mood.deadline(&rules), Some(at(60)));
        assert_eq!(mood.feel(Strain::default(), at(60), &rules), Some(Posture::Poised));
    }

    #[test]
    fn pressure_and_much_healing_conserve_after_30_s() {
        let (mut mood, rules) = (Mood::default(), Rules::default());
        let at = Duration::from_secs;
        assert!(mood.press(0.9));
        assert_eq!(mood.feel(Strain::default(), at(0), &rules), None);
        assert_eq!(mood.feel(Strain::default(), at(30), &rules), Some(Posture::Conserving));
        mood.press(0.0);
        for n in 0..10 {
            mood.step(at(30 + n));
        }
        assert_eq!(mood.feel(Strain::default(), at(100), &rules), None, "ten steps in five minutes");
        assert_eq!(mood.feel(Strain::default(), at(335), &rules), None);
        assert_eq!(mood.feel(Strain::default(), at(365), &rules), Some(Posture::Poised));
    }
}
