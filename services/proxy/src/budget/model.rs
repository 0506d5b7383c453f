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

fn run(acts: Vec<Act>) -> Result<(), TestCaseError> {
    let clock = Clock::starting_at("2026-10-31T12:00:00Z".parse().unwrap());
    let caps = Caps {
        house: Some(Nano(250)),
        agents: [("windu".to_owned(), Some(Nano(120)))].into(),
        other: Some(Nano(90)),
    };
    let mut model = Model { requests: Vec::new(), zone: TimeZone::get(ZONES[0]).unwrap(), caps };
    let mut dir = tempfile::tempdir().unwrap();
    let mut ledger = open(dir.path(), &clock, &model);
    for act in acts {
        let now = clock.now();
        match act {
            Act::Reserve { agent, amount } => {
                let outcome = ledger.reserve(AGENTS[agent], Trace::start().id(), Nano(amount));
                prop_assert_eq!(outcome.is_ok(), model.fits(agent, now, amount));
                if let Ok(held) = outcome {
                    let id = held.id();
                    model.requests.push(Request { agent, at: now, amount, real: None, held: Some(held), id });
                }
            }
            Act::Change { which, amount } => {
                let Some(at) = held(&model, which) else { continue };
                let request = &model.requests[at];
                let more = amount.saturating_sub(request.amount);
                let fits = model.fits(request.agent, request.at, more);
                let held = model.requests[at].held.as_mut().unwrap();
                let outcome: Result<(), Spent> = held.change_to(Nano(amount));
                prop_assert_eq!(outcome.is_ok(), fits);
                if fits {
                    model.requests[at].amount = amount;
                }
            }
            Act::Settle { which, real } => {
                let Some(at) = held(&model, which) else { continue };
                model.requests[at].held.take().unwrap().settle(Nano(real));
                model.requests[at].real = Some(real);
            }
            Act::Drop { which } => {
                let Some(at) = held(&model, which) else { continue };
                model.requests[at].held = None;
                model.requests[at].real = Some(model.requests[at].amount);
            }
            Act::Logged { which } => {
                let settled: Vec<u64> = model
                    .requests
                    .iter()
                    .filter(|request| request.real.is_some())
                    .map(|request| request.id)
                    .collect();
                if !settled.is_empty() {
                    ledger.logged(vec![settled[which.index(settled.len())]]);
                }
            }
            // Not further than the days that are remembered reach.
            Act::Step { minutes } => {
                let to = now + SignedDuration::from_mins(minutes);
                let span = "2026-10-29T00:00:00Z".parse::<Timestamp>().unwrap()
                    .."2026-11-03T23:00:00Z".parse().unwrap();
                if span.contains(&to) {
                    clock.set(to);
                }
            }
            Act::Zone { zone } => {
                model.zone = TimeZone::get(ZONES[zone]).unwrap();
                ledger.set_zone(model.zone.clone());
            }
            Act::Caps { house, windu, other } => {
                let agents = [("windu".to_owned(), windu.map(Nano))].into();
                model.caps = Caps { house: house.map(Nano), agents, other: other.map(Nano) };
                ledger.set_caps(model.caps.clone());
            }
            Act::Tend => ledger.tend(),
            Act::Compact => ledger.compact().unwrap(),
            Act::Crash { torn } => {
                let copy = crash(dir.path(), &mut model, torn);
                dir = copy;
                ledger = open(dir.path(), &clock, &model);
            }
        }
        agree(&ledger, &model, clock.now())?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn it_is_a_plain_list_of_requests(acts in acts()) {
        run(acts)?;
    }
}
