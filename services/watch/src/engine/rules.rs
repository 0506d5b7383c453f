//! The numbers of the engine, and what each posture allows.

use std::time::Duration;

use sanctum_api::watch::Posture;

/// Every number of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// All the questions that confirm a first bad answer are put within this: detection takes a cadence and a second, whatever
    /// `fails` is.
    pub confirm: Duration,
    /// Until a good answer after bad ones is asked for again.
    pub confirm_good: Duration,
    /// How probable it may be that a healthy service is taken for a failed one, per question: checks that lose answers by
    /// themselves are asked more often, within the same time.
    pub doubt: f64,
    /// What a start may take at least before bad answers count.
    pub start_grace: Duration,
    /// Between believing a failure and opening its incident: what it requires is asked meanwhile, so that the order of the checks
    /// does not decide what is a root.
    pub settle: Duration,
    /// The longest time to wait for those answers.
    pub settle_max: Duration,
    /// How long a proof that the watch itself sees may take when many fail at once.
    pub look_within: Duration,
    /// Many: so many roots at once.
    pub many: usize,
    /// How long those that depend on something that has returned may take to return themselves.
    pub recovery_grace: Duration,
    /// How long it must be well for its incident to be over.
    pub linger: Duration,
    /// How long something may be alive but wrong before it is an incident.
    pub drift_patience: Duration,
    /// From the incident to the first step: the supervisor has its own try first.
    pub patience: Duration,
    /// How long a step may take.
    pub act_within: Duration,
    /// How long it may take to help.
    pub verify_within: Duration,
    /// Between a step that did not help and the next, doubling, longer by chance.
    pub backoff: Duration,
    pub backoff_max: Duration,
    /// Steps of one incident, at most.
    pub tries: u32,
    /// Steps about one service within [`Rules::window`], after which it is left to a person.
    pub budget: u32,
    pub window: Duration,
    /// Turns within [`Rules::flap_window`] that make it flapping.
    pub flap_turns: usize,
    pub flap_window: Duration,
    /// Without a turn for this long, it flaps no more.
    pub flap_calm: Duration,
    /// Something that flaps is only touched after it was down for this long.
    pub flap_confirm: Duration,
    /// How long the posture must be another one before it changes.
    pub posture_hold: Duration,
    /// When nothing at all was heard for this long, time has leapt and nothing is believed.
    pub leap: Duration,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            confirm: Duration::from_millis(800),
            confirm_good: Duration::from_secs(1),
            doubt: 1e-8,
            start_grace: Duration::from_secs(5),
            settle: Duration::from_secs(2),
            settle_max: Duration::from_mins(1),
            look_within: Duration::from_secs(6),
            many: 3,
            recovery_grace: Duration::from_secs(30),
            linger: Duration::from_secs(10),
            drift_patience: Duration::from_mins(10),
            patience: Duration::from_secs(3),
            act_within: Duration::from_mins(5),
            verify_within: Duration::from_secs(20),
            backoff: Duration::from_secs(10),
            backoff_max: Duration::from_mins(5),
            tries: 3,
            budget: 3,
            window: Duration::from_mins(30),
            flap_turns: 5,
            flap_window: Duration::from_mins(10),
            flap_calm: Duration::from_mins(5),
            flap_confirm: Duration::from_mins(1),
            posture_hold: Duration::from_secs(30),
            leap: Duration::from_mins(10),
        }
    }
}

/// What a posture allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Questions are put every so many times their cadence.
    pub cadence: f64,
    /// Steps in flight at once, of the whole house.
    pub steps: usize,
    /// Whether services of ordinary criticality are touched.
    pub ordinary: bool,
}

impl Budget {
    pub const fn of(posture: Posture) -> Self {
        match posture {
            Posture::Poised | Posture::Cautious => Self { cadence: 1.0, steps: 4, ordinary: true },
            Posture::Alert => Self { cadence: 0.5, steps: 4, ordinary: true },
            Posture::Healing => Self { cadence: 1.0, steps: 2, ordinary: true },
            Posture::Conserving => Self { cadence: 2.0, steps: 1, ordinary: false },
        }
    }
}
