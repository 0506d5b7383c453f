//! The ledger against a plain list of requests, under random acts, clocks, zones and crashes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use sanctum_kernel::{Clock, Trace};

use super::{Caps, Ledger, Reservation, Spent};
use crate::kinds::Nano;

const AGENTS: [&str; 3] = ["windu", "yoda", "a name\nof two lines"];
const ZONES: [&str; 4] = ["America/Toronto", "Asia/Kathmandu", "UTC", "Pacific/Apia"];

#[derive(Debug, Clone)]
enum Act {
    Reserve {
        agent: usize,
        amount: u64,
    },
    Change {
        which: prop::sample::Index,
        amount: u64,
    },
    Settle {
        which: prop::sample::Index,
        real: u64,
    },
    Drop {
        which: prop::sample::Index,
    },
    Logged {
        which: prop::sample::Index,
    },
    Step {
        minutes: i64,
    },
    Zone {
        zone: usize,
    },
    Caps {
        house: Option<u64>,
        windu: Option<u64>,
        other: Option<u64>,
    },
    Tend,
    Compact,
    /// The process dies; so many bytes of one more line were on their way.
    Crash {
        torn: usize,
    },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let which = any::<prop::sample::Index>;
    let cap = || proptest::option::weighted(0.8, 0_u64..300);
    let act = prop_oneof![
        8 => (0..AGENTS.len(), 0_u64..100).prop_map(|(agent, amount)| Act::Reserve { agent, amount }),
        2 => (which(), 0_u64..120).prop_map(|(which, amount)| Act::Change { which, amount }),
        4 => (which(), 0_u64..110).prop_map(|(which, real)| Act::Settle { which, real }),
        1 => which().prop_map(|which| Act::Drop { which }),
        1 => which().prop_map(|which| Act::Logged { which }),
        // Two days to and fro: the clocks of Toronto go back on the first of November.
        2 => (-1500_i64..1500).prop_map(|minutes| Act::Step { minutes }),
        1 => (0..ZONES.len()).prop_map(|zone| Act::Zone { zone }),
        1 => (cap(), cap(), cap()).prop_map(|(house, windu, other)| Act::Caps { house, windu, other }),
        1 => Just(Act::Tend),
        1 => Just(Act::Compact),
        1 => (0_usize..70).prop_map(|torn| Act::Crash { torn }),
    ];
    proptest::collection::vec(act, 1..60)
}

/// A request, as anybody would write it down.
struct Request {
    agent: usize,
    at: Timestamp,
    amount: u64,
    real: Option<u64>,
    /// Its hand on the money; gone once it is settled or its process has died.
    held: Option<Reservation>,
    id: u64,
}

struct Model {
    requests: Vec<Request>,
    zone: TimeZone,
    caps: Caps,
}

impl Model {
    /// Settled and reserved on the local day of `at`, by whoever `whose` picks.
    fn sums(&self, at: Timestamp, whose: impl Fn(usize) -> bool) -> (u64, u64) {
        let date = |at: Timestamp| at.to_zoned(self.zone.clone()).date();
        let own = self.requests.iter().filter(|request| date(request.at) == date(at) && whose(request.agent));
        own.fold((0, 0), |(settled, reserved), request| match request.real {
            Some(real) => (settled + real, reserved),
            None => (settled, reserved + request.amount),
        })
    }

    fn cap(&self, agent: usize) -> Option<Nano> {
        self.caps.of(AGENTS[agent])
    }

    /// Whether a cap leaves room for `more` on the day of `at`.
    fn fits(&self, agent: usize, at: Timestamp, more: u64) -> bool {
        let within = |cap: Option<Nano>, (settled, reserved): (u64, u64)| {
            cap.is_none_or(|cap| settled + reserved + more <= cap.0)
        };
        more == 0
            || within(self.cap(agent), self.sums(at, |who| who == agent))
                && within(self.caps.house, self.sums(at, |_| true))
    }
}

fn open(dir: &Path, clock: &Clock, model: &Model) -> Ledger {
    Ledger::open(dir, clock.clone(), model.zone.clone(), model.caps.clone()).unwrap()
}

fn held(model: &Model, which: prop::sample::Index) -> Option<usize> {
    let held: Vec<usize> =
        (0..model.requests.len()).filter(|at| model.requests[*at].held.is_some()).collect();
    (!held.is_empty()).then(|| held[which.index(held.len())])
}

fn agree(ledger: &Ledger, model: &Model, now: Timestamp) -> Result<(), TestCaseError> {
    let shown: BTreeMap<String, (f64, f64)> = ledger
        .spends()
        .into_iter()
        .map(|spend| (spend.agent, (spend.settled_usd, spend.reserved_usd)))
        .collect();
    let dollars = |(settled, reserved): (u64, u64)| (Nano(settled).as_dollars(), Nano(reserved).as_dollars());
    prop_assert_eq!(shown[""], dollars(model.sums(now, |_| true)));
    for (agent, name) in AGENTS.iter().enumerate() {
        let sums = model.sums(now, |who| who == agent);
        prop_assert_eq!(shown.get(*name).copied().unwrap_or_default(), dollars(sums), "{}", name);
        let room = ledger.room(name).0;
        prop_assert!(room == 0 || model.fits(agent, now, room), "{name} has no room for {room}");
        prop_assert!(
            room == u64::MAX || !model.fits(agent, now, room + 1),
            "{name} has more room than {room}"
        );
    }
    Ok(())
}

/// What a dead process leaves: its files as they were, and nobody who settles.
fn crash(dir: &Path, model: &mut Model, torn: usize) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let mut bytes = fs::read(dir.join("budget.journal")).unwrap();
    let line = "o 7 1793505600 123456 4bf92f3577b34da6a3ce929d0e0e4736 windu *0000";
    bytes.extend_from_slice(&line.as_bytes()[..torn.min(line.len())]);
    sanctum_kernel::files::replace(&copy.path().join("budget.journal"), &bytes, 0o600).unwrap();
    for request in &mut model.requests {
        if let Some(held) = request.held.take() {
            request.real = Some(request.amount);
            std::mem::forget(held);
        }
    }
    copy
}

/// The ledger, the model, and where they are.
struct World {
    clock: Clock,
    model: Model,
    dir: tempfile::TempDir,
    ledger: Ledger,
}

impl World {
    fn new() -> Self {
        let clock = Clock::starting_at("2026-10-31T12:00:00Z".parse().unwrap());
        let agents = [("windu".to_owned(), Some(Nano(120)))].into();
        let caps = Caps { house: Some(Nano(250)), agents, other: Some(Nano(90)) };
        let model = Model { requests: Vec::new(), zone: TimeZone::get(ZONES[0]).unwrap(), caps };
        let dir = tempfile::tempdir().unwrap();
        let ledger = open(dir.path(), &clock, &model);
        Self { clock, model, dir, ledger }
    }

    fn act(&mut self, act: Act) -> Result<(), TestCaseError> {
        match act {
            Act::Reserve { agent, amount } => return self.reserve(agent, amount),
            Act::Change { which, amount } => return self.change(which, amount),
            Act::Settle { which, real } => self.settle(which, Some(real)),
            Act::Drop { which } => self.settle(which, None),
            Act::Logged { which } => {
                let settled = self.model.requests.iter().filter(|request| request.real.is_some());
                let settled: Vec<u64> = settled.map(|request| request.id).collect();
                if !settled.is_empty() {
                    self.ledger.logged(vec![settled[which.index(settled.len())]]);
                }
            }
            // Not further than the days that are remembered reach.
            Act::Step { minutes } => {
                let to = self.clock.now() + SignedDuration::from_mins(minutes);
                let [first, last] =
                    ["2026-10-29T00:00:00Z", "2026-11-03T23:00:00Z"].map(|at| at.parse().unwrap());
                if (first..last).contains(&to) {
                    self.clock.set(to);
                }
            }
            Act::Zone { zone } => {
                self.model.zone = TimeZone::get(ZONES[zone]).unwrap();
                self.ledger.set_zone(self.model.zone.clone());
            }
            Act::Caps { house, windu, other } => {
                let agents = [("windu".to_owned(), windu.map(Nano))].into();
                self.model.caps = Caps { house: house.map(Nano), agents, other: other.map(Nano) };
                self.ledger.set_caps(self.model.caps.clone());
            }
            Act::Tend => self.ledger.tend(),
            Act::Compact => self.ledger.compact().unwrap(),
            Act::Crash { torn } => {
                self.dir = crash(self.dir.path(), &mut self.model, torn);
                self.ledger = open(self.dir.path(), &self.clock, &self.model);
            }
        }
        Ok(())
    }

    fn reserve(&mut self, agent: usize, amount: u64) -> Result<(), TestCaseError> {
        let at = self.clock.now();
        let outcome = self.ledger.reserve(AGENTS[agent], Trace::start().id(), Nano(amount));
        prop_assert_eq!(outcome.is_ok(), self.model.fits(agent, at, amount));
        if let Ok(held) = outcome {
            let id = held.id();
            self.model.requests.push(Request { agent, at, amount, real: None, held: Some(held), id });
        }
        Ok(())
    }

    fn change(&mut self, which: prop::sample::Index, amount: u64) -> Result<(), TestCaseError> {
        let Some(at) = held(&self.model, which) else { return Ok(()) };
        let request = &self.model.requests[at];
        let fits = self.model.fits(request.agent, request.at, amount.saturating_sub(request.amount));
        let request = &mut self.model.requests[at];
        let outcome: Result<(), Spent> = request.held.as_mut().unwrap().change_to(Nano(amount));
        prop_assert_eq!(outcome.is_ok(), fits);
        if fits {
            request.amount = amount;
        }
        Ok(())
    }

    /// `None` drops it.
    fn settle(&mut self, which: prop::sample::Index, real: Option<u64>) {
        let Some(at) = held(&self.model, which) else { return };
        let request = &mut self.model.requests[at];
        let held = request.held.take().unwrap();
        match real {
            Some(real) => held.settle(Nano(real)),
            None => drop(held),
        }
        request.real = Some(real.unwrap_or(request.amount));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn it_is_a_plain_list_of_requests(acts in acts()) {
        let mut world = World::new();
        for act in acts {
            world.act(act)?;
            agree(&world.ledger, &world.model, world.clock.now())?;
        }
    }
}
