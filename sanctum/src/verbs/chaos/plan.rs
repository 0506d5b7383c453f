//! What is done to whom, from a seed alone.

use std::fmt::Write;

use fastrand::Rng;
use serde::Serialize;

use crate::paint::Paint;

/// A body and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) services: Vec<Service>,
    pub(super) rounds: Vec<Vec<Hurt>>,
}

/// One service of the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Service {
    pub(super) name: String,
    /// Positions; all smaller than its own.
    pub(super) requires: Vec<usize>,
}

/// One hurt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Hurt {
    #[serde(flatten)]
    pub(super) whom: Whom,
    pub(super) how: How,
}

/// Whom it meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Whom {
    /// A service of the body, by its position.
    Service(usize),
    /// One of the house's own, by its name.
    Own(&'static str),
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum How {
    /// SIGKILL.
    Kill,
    /// SIGSTOP: it is there and does nothing.
    Stop,
    /// It answers after seconds, until it is started again.
    Slow,
    /// It answers 200 and says that it does not work, until it is started again.
    Lie,
    /// It answers 500, until it is started again.
    Fail,
    /// Its state is garbage: it dies and cannot start.
    Corrupt,
    /// Whatever it writes, there is no room.
    Fill,
    /// It cannot reach what it requires, which is well.
    Partition,
    /// Its clock is an hour off.
    Skew,
}

impl How {
    const MENDED_BY_RESTART: [Self; 5] = [Self::Kill, Self::Stop, Self::Slow, Self::Lie, Self::Fail];
    const LASTING: [Self; 4] = [Self::Corrupt, Self::Fill, Self::Partition, Self::Skew];

    /// Whether it stays until it is lifted.
    pub(super) fn lasts(self) -> bool {
        Self::LASTING.contains(&self)
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Kill => "killed",
            Self::Stop => "stopped",
            Self::Slow => "slow",
            Self::Lie => "lies with 200",
            Self::Fail => "answers 500",
            Self::Corrupt => "corrupt state",
            Self::Fill => "disk full",
            Self::Partition => "cut off",
            Self::Skew => "clock an hour off",
        }
    }
}

impl Plan {
    pub(super) fn new(seed: u64, services: usize, rounds: usize, short: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let services: Vec<Service> = (0..services)
            .map(|at| {
                let wish = if at == 0 { 0 } else { rng.usize(0..=2.min(at)) };
                let mut requires: Vec<usize> = (0..wish).map(|_| rng.usize(0..at)).collect();
                requires.sort_unstable();
                requires.dedup();
                Service { name: format!("part-{at}"), requires }
            })
            .collect();
        let rounds = (0..rounds).map(|_| round(&mut rng, &services, short)).collect();
        Self { seed, services, rounds }
    }

    pub(super) fn name(&self, whom: Whom) -> &str {
        match whom {
            Whom::Own(name) => name,
            Whom::Service(at) => self.services.get(at).map_or("", |service| &service.name),
        }
    }

    /// Whether `at` needs `other`, over however many.
    pub(super) fn leans_on(&self, at: usize, other: usize) -> bool {
        let requires = self.services.get(at).map_or(&[][..], |service| &service.requires);
        requires.iter().any(|&need| need == other || self.leans_on(need, other))
    }

    pub(super) fn tell(&self, paint: Paint) -> String {
        let mut text = format!("  seed {}\n\n", paint.bold(self.seed));
        for service in &self.services {
            let needs: Vec<&str> = service.requires.iter().map(|&at| self.name(Whom::Service(at))).collect();
            let needs = if needs.is_empty() { String::new() } else { format!("needs {}", needs.join(", ")) };
            if writeln!(text, "  {:<10} {}", service.name, paint.dim(needs)).is_err() {}
        }
        text.push('\n');
        for (number, hurts) in self.rounds.iter().enumerate() {
            if writeln!(text, "  {:>3}  {}", number + 1, self.tell_round(hurts)).is_err() {}
        }
        text
    }

    pub(super) fn tell_round(&self, hurts: &[Hurt]) -> String {
        hurts.iter().map(|hurt| format!("{} {}", self.name(hurt.whom), hurt.how.word())).collect::<Vec<_>>().join(", ")
    }
}

fn round(rng: &mut Rng, services: &[Service], short: bool) -> Vec<Hurt> {
    if rng.u8(0..5) == 0 {
        let own = [("notify", How::Kill), ("watch", How::Kill), ("watch", How::Stop), ("supervise", How::Kill), ("supervise", How::Stop)];
        // What brings the supervisor back takes its time.
        let reach = if short { 3 } else { own.len() };
        return own.get(rng.usize(0..reach)).map(|&(name, how)| Hurt { whom: Whom::Own(name), how }).into_iter().collect();
    }
    let many = [1, 1, 1, 2, 2, 3].get(rng.usize(0..6)).copied().unwrap_or(1).min(services.len());
    let mut hurts: Vec<Hurt> = Vec::new();
    while hurts.len() < many {
        let at = rng.usize(0..services.len());
        let lasting = !short && rng.u8(0..3) == 0;
        let how = if lasting { pick(rng, &How::LASTING) } else { pick(rng, &How::MENDED_BY_RESTART) };
        let leans = services.get(at).is_some_and(|service| !service.requires.is_empty());
        let taken = hurts.iter().any(|hurt| hurt.whom == Whom::Service(at));
        if !taken && (how != How::Partition || leans) {
            hurts.push(Hurt { whom: Whom::Service(at), how });
        }
    }
    hurts
}

fn pick(rng: &mut Rng, from: &[How]) -> How {
    from.get(rng.usize(0..from.len())).copied().unwrap_or(How::Kill)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_plan() {
        for seed in 0..50 {
            let plan = Plan::new(seed, 12, 20, false);
            assert_eq!(plan, Plan::new(seed, 12, 20, false));
            let known = |hurt: &Hurt| match hurt.whom {
                Whom::Service(at) => at < 12,
                Whom::Own(name) => crate::CATALOGUE.find(name).is_some(),
            };
            assert!(plan.rounds.iter().all(|round| (1..=3).contains(&round.len()) && round.iter().all(known)));
            let order = |(at, service): (usize, &Service)| service.requires.iter().all(|&need| need < at);
            assert!(plan.services.iter().enumerate().all(order));
        }
        assert_ne!(Plan::new(1, 12, 20, false), Plan::new(2, 12, 20, false));
        assert!(Plan::new(3, 12, 200, true).rounds.iter().flatten().all(|hurt| !hurt.how.lasts()));
    }
}
