//! What the house is made of and what is wrong with it: the truth that the engine has to find.

use std::time::Duration;

use sanctum_kernel::Tier;
use sanctum_kernel::inventory::{Kind, Plane};
use sanctum_probe::{Answer, Finding};

use super::Chance;
use crate::engine::{Action, Instant, Member, Question};

/// How long a check waits for one that hangs.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It is gone: everything is refused.
    Crash,
    /// It takes connections and never answers.
    Hang,
    /// It answers, slowly or wrongly.
    Drift,
    /// It comes and goes.
    Flap,
    /// It lies beyond the house and is away.
    Outage,
}

/// What ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cure {
    Restart,
    Recipe,
    /// Only a person, who comes so long after being told.
    Person(Duration),
    /// Nobody: it ends by itself after so long.
    Time(Duration),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub at: usize,
    pub trouble: Trouble,
    pub cure: Cure,
    pub from: Instant,
    pub until: Option<Instant>,
}

/// The services and the truth about them.
#[derive(Debug, Clone)]
pub struct House {
    pub members: Vec<Member>,
    /// It works without what it requires, whatever its declaration says.
    pub copes: Vec<bool>,
    pub faults: Vec<Fault>,
    /// Since when it does not do its work, and from when it will again.
    broken: Vec<Option<Instant>>,
    back: Vec<Instant>,
    /// Restarted: not up before then.
    pub(super) up: Vec<Instant>,
}

fn question(name: &str, tier: Tier) -> Question {
    let every = match tier {
        Tier::Critical => 30,
        Tier::Important => 60,
        Tier::Ordinary => 300,
    };
    let start_within = Duration::ZERO;
    Question { name: name.to_owned(), every: Duration::from_secs(every), fails: 3, passes: 2, start_within }
}

impl House {
    pub fn new(members: Vec<Member>) -> Self {
        let count = members.len();
        Self {
            members,
            copes: vec![false; count],
            faults: Vec::new(),
            broken: vec![None; count],
            back: vec![Duration::ZERO; count],
            up: vec![Duration::ZERO; count],
        }
    }

    /// A service that requires these, with a port that is looked at and a page that is read.
    pub fn service(name: &str, tier: Tier, requires: &[usize]) -> Member {
        Member {
            name: name.to_owned(),
            plane: Plane::Host,
            kind: Kind::Continuous,
            tier,
            requires: requires.to_vec(),
            wants: Vec::new(),
            checks: vec![question("tcp", tier), question("web", tier)],
            ladder: vec![
                Action::Restart,
                Action::Recipe("mend".to_owned()),
                Action::RestartRequirement,
                Action::RestartSubtree,
            ],
            left: Duration::ZERO,
        }
    }

    /// Something beyond the house that nobody can look at.
    pub fn cloud(name: &str) -> Member {
        let service = Self::service(name, Tier::Important, &[]);
        Member { plane: Plane::Outside, checks: Vec::new(), ladder: Vec::new(), ..service }
    }

    /// 10 to 60 services in layers: each requires up to three of those before it; one or two clouds with at least three services behind
    /// each; some that cannot be looked at; some that cope without what they require.
    pub fn generate(chance: &mut Chance) -> Self {
        let count = chance.within(10, 60);
        let clouds = chance.within(0, 2);
        let mut members = Vec::new();
        for at in 0..count {
            if at < clouds {
                members.push(Self::cloud(&format!("cloud{at}")));
                continue;
            }
            let near = at.saturating_sub(12).max(clouds);
            let mut requires: Vec<usize> =
                (0..chance.below(4)).map(|_| near + chance.below(at - near)).collect();
            requires.retain(|&on| on < at && on >= clouds);
            // The first few behind each cloud, so that it is seen when everything behind it fails.
            if at < clouds * 4 {
                requires = vec![at % clouds];
            } else if clouds > 0 && requires.is_empty() && chance.happens(0.3) {
                requires.push(chance.below(clouds));
            }
            requires.sort_unstable();
            requires.dedup();
            let tier = match chance.below(4) {
                0 => Tier::Critical,
                1 | 2 => Tier::Important,
                _ => Tier::Ordinary,
            };
            let mut member = Self::service(&format!("s{at:02}"), tier, &requires);
            if at >= clouds * 4 && chance.happens(0.05) {
                member.checks.clear();
            }
            members.push(member);
        }
        let mut house = Self::new(members);
        for at in clouds * 4..count {
            if let Some(copes) = house.copes.get_mut(at) {
                *copes = chance.happens(0.1);
            }
        }
        house
    }

    /// Something wrong with one that can be looked at, or with a cloud; not twice with the same.
    pub fn some_fault(&self, chance: &mut Chance, from: Instant) -> Fault {
        loop {
            let at = chance.below(self.members.len());
            let Some(member) = self.members.get(at) else { continue };
            let cloud = member.plane == Plane::Outside;
            if self.faults.iter().any(|fault| fault.at == at) || (member.checks.is_empty() && !cloud) {
                continue;
            }
            if cloud {
                let cure = Cure::Time(chance.time(Duration::from_mins(8), Duration::from_mins(20)));
                return Fault { at, trouble: Trouble::Outage, cure, from, until: None };
            }
            let trouble = if chance.happens(0.7) { Trouble::Crash } else { Trouble::Hang };
            let cure = match chance.below(10) {
                0..=5 => Cure::Restart,
                6 | 7 => Cure::Recipe,
                _ => Cure::Person(chance.time(Duration::from_mins(2), Duration::from_mins(8))),
            };
            return Fault { at, trouble, cure, from, until: None };
        }
    }

    /// What is wrong with it itself now.
    pub fn fault(&self, at: usize, now: Instant) -> Option<&Fault> {
        let lasts = |fault: &&Fault| {
            fault.at == at && fault.from <= now && fault.until.is_none_or(|until| until > now)
        };
        self.faults.iter().find(lasts)
    }

    /// Whether it does its work: nothing is wrong with it, it is up, and so is everything it requires.
    pub fn works(&self, at: usize, now: Instant) -> bool {
        let up = self.up.get(at).is_none_or(|&up| up <= now);
        let broken = self.broken.get(at).is_some_and(|since| since.is_some_and(|since| since <= now));
        let back = self.back.get(at).is_none_or(|&back| back <= now);
        up && !broken && back && self.fault(at, now).is_none_or(|fault| fault.trouble == Trouble::Drift)
    }

    /// Looks at what depends on what again: a failure takes up to a second to reach those behind it, a return up to three.
    pub(super) fn spread(&mut self, now: Instant, chance: &mut Chance) {
        for at in 0..self.members.len() {
            let copes = self.copes.get(at).copied().unwrap_or_default();
            let requires = self.members.get(at).map_or(&[][..], |member| &member.requires);
            let bad = |&on: &usize| {
                let itself = self.fault(on, now).is_some_and(|fault| fault.trouble != Trouble::Drift);
                let down = self.up.get(on).is_some_and(|&up| up > now);
                itself || down || self.broken.get(on).is_some_and(Option::is_some)
            };
            let broken = !copes && requires.iter().any(bad);
            let delay = chance.time(Duration::ZERO, Duration::from_secs(if broken { 1 } else { 3 }));
            let (Some(since), Some(back)) = (self.broken.get_mut(at), self.back.get_mut(at)) else {
                continue;
            };
            match (broken, since.is_some()) {
                (true, false) => *since = Some(now + delay),
                (false, true) => {
                    *since = None;
                    *back = now + delay;
                }
                _ => {}
            }
        }
    }

    /// What a check of it answers now, and when.
    pub(super) fn answer(&self, at: usize, check: usize, now: Instant, chance: &mut Chance) -> Answer {
        let quick = chance.time(Duration::from_millis(1), Duration::from_millis(20));
        let answer =
            |finding, detail: &str, took| Answer { finding, detail: detail.to_owned(), took, value: None };
        let web = check > 0;
        if self.up.get(at).is_some_and(|&up| up > now) {
            return answer(Finding::Fail, "connection refused", quick);
        }
        match self.fault(at, now).map(|fault| fault.trouble) {
            Some(Trouble::Crash | Trouble::Flap) => {
                return answer(Finding::Fail, "connection refused", quick);
            }
            Some(Trouble::Hang) if web => return answer(Finding::Fail, "no answer within 10 s", TIMEOUT),
            Some(Trouble::Drift) if web => return answer(Finding::Drift, "answered after 4 s", quick),
            _ => {}
        }
        if web && !self.works(at, now) {
            return answer(Finding::Fail, "answered 503", quick);
        }
        answer(Finding::Pass, "answered", quick)
    }

    pub(super) fn end(&mut self, index: usize, now: Instant) {
        if let Some(fault) =
            self.faults.get_mut(index).filter(|fault| fault.until.is_none_or(|until| until > now))
        {
            fault.until = Some(now);
        }
    }
}
