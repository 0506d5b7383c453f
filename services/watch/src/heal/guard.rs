//! The guards before every fire, once, in this order: a pure function of what is known.

use std::time::Duration;

use super::recipe::{DryRun, Severity};

/// Who wants it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum By {
    /// The engine, in the course of an incident, or a sentinel.
    #[default]
    House,
    /// A person, by name: need not rehearse, and may do what is critical.
    Person(String),
    /// Words that were matched with a recipe: always rehearsed first.
    Notice,
}

impl By {
    pub(crate) fn word(&self) -> String {
        match self {
            Self::House => "house".to_owned(),
            Self::Person(name) => format!("person {name}"),
            Self::Notice => "notice".to_owned(),
        }
    }
}

/// Everything the guards look at.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// What the kill switch's file says, if it is there.
    pub(crate) killed: Option<String>,
    /// Why the recipe, or what it runs, is not on the list of what is allowed.
    pub(crate) forbidden: Option<String>,
    /// It is being used for the same service at this moment.
    pub(crate) in_flight: bool,
    /// The least that has passed since it fired for this service.
    pub(crate) fired: Option<Duration>,
    /// The most that can have passed since it was last seen to be needed there.
    pub(crate) seen: Option<Duration>,
    /// A sighting counts for this long.
    pub(crate) promote_within: Duration,
    /// What the recipe prescribes; absent if there is none of this id, or it is switched off.
    pub(crate) known: Option<Known>,
    /// How often recipes of this severity have fired in the last hour, and how often they may.
    pub(crate) fires: u32,
    pub(crate) budget: u32,
    pub(crate) by: By,
}

/// What a recipe says of its own use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) cool_down: Duration,
    pub(crate) dry_run: DryRun,
    pub(crate) severity: Severity,
    /// Switched off in the configuration.
    pub(crate) off: bool,
}

/// Which guard spoke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Guard {
    KillSwitch,
    AllowList,
    CoolDown,
    Promotion,
    Exists,
    Escalation,
}

impl Guard {
    /// In the order in which they are asked.
    pub(crate) const ALL: [Self; 6] =
        [Self::KillSwitch, Self::AllowList, Self::CoolDown, Self::Promotion, Self::Exists, Self::Escalation];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::KillSwitch => "kill switch",
            Self::AllowList => "allow-list",
            Self::CoolDown => "cool-down",
            Self::Promotion => "dry run",
            Self::Exists => "unknown recipe",
            Self::Escalation => "severity",
        }
    }

    /// Why it does not let this pass, if it does not.
    fn stops(self, facts: &Facts) -> Option<String> {
        match self {
            Self::KillSwitch => facts.killed.as_ref().map(|words| match words.trim() {
                "" => "healing is switched off; `sanctum heal on` ends that".to_owned(),
                words => format!("healing is switched off ({words}); `sanctum heal on` ends that"),
            }),
            Self::AllowList => facts.forbidden.clone(),
            Self::CoolDown => cool_down(facts),
            Self::Promotion => rehearses(facts),
            Self::Exists => match facts.known {
                None => Some("there is no such recipe, and none is made up".to_owned()),
                Some(Known { off: true, .. }) => Some("it is switched off in `[watch.heal] off`".to_owned()),
                Some(_) => None,
            },
            Self::Escalation => escalates(facts),
        }
    }
}

fn cool_down(facts: &Facts) -> Option<String> {
    if facts.in_flight {
        return Some("it is at work there at this moment".to_owned());
    }
    let (known, fired) = (facts.known?, facts.fired?);
    let left = known.cool_down.checked_sub(fired).filter(|left| !left.is_zero())?;
    Some(format!("it was used {} s ago; {} s are left of its pause", fired.as_secs(), left.as_secs().max(1)))
}

/// The first sighting rehearses, the next within the window acts.
fn rehearses(facts: &Facts) -> Option<String> {
    let dry_run = facts.known.map_or(DryRun::First, |known| known.dry_run);
    let first = facts.seen.is_none_or(|seen| seen > facts.promote_within);
    match (dry_run, &facts.by) {
        (DryRun::Always, _) => Some("it only ever rehearses".to_owned()),
        (DryRun::Never, By::House) | (_, By::Person(_)) => None,
        (DryRun::First, _) | (DryRun::Never, By::Notice) => {
            let hours = facts.promote_within.as_secs() / 3600;
            first.then(|| format!("first sighting; the next within {hours} h acts"))
        }
    }
}

fn escalates(facts: &Facts) -> Option<String> {
    let known = facts.known?;
    if matches!(facts.by, By::Person(_)) {
        return None;
    }
    let word = known.severity.word();
    if known.severity == Severity::Critical {
        return Some(format!("a recipe of severity {word} is a person's to use: `sanctum heal run`"));
    }
    (facts.fires >= facts.budget).then(|| {
        format!("{} of severity {word} within an hour are enough; a person should look", facts.fires)
    })
}

/// What may happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    Refuse(Guard, String),
    /// Only look, and say what would be done.
    Rehearse(String),
    Act,
}

/// Asks every guard in its order. A rehearsal is no refusal: the guards after it are still asked.
pub(crate) fn decide(facts: &Facts) -> Decision {
    let mut rehearsal = None;
    for guard in Guard::ALL {
        match (guard, guard.stops(facts)) {
            (_, None) => {}
            (Guard::Promotion, Some(why)) => rehearsal = Some(why),
            (guard, Some(why)) => return Decision::Refuse(guard, why),
        }
    }
    rehearsal.map_or(Decision::Act, Decision::Rehearse)
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
