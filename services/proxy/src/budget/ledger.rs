//! The ledger: one lock, one journal, and every decision about money inside.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use sanctum_api::proxy::Spend;
use sanctum_kernel::trace::TraceId;
use sanctum_kernel::{Clock, files};

use super::book::{Book, Open, Sums};
use super::journal::{Journal, Replacement};
use super::record::Record;
use super::replay::{lock, replay};
use super::warn::{Warning, reached};
use super::{Caps, Day, LedgerError, Level, Reservation, Spending, Spent};
use crate::kinds::Nano;

/// A journal longer than this is written anew, also in the middle of a day.
const LONG: u64 = 16 << 20;

/// The ledgers of this process, by directory: while the house reloads, the service that goes and the one that comes
/// must share one, or each would give out the same money.
static OPEN: Mutex<BTreeMap<PathBuf, Weak<Inner>>> = Mutex::new(BTreeMap::new());

/// Who spent what, and what is under way. Clones share it.
#[derive(Debug, Clone)]
pub struct Ledger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    state: Mutex<State>,
    /// Held for the life of the ledger: keeps other processes out.
    _lock: File,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) book: Book,
    pub(super) journal: Journal,
    /// The day the journal was last written anew for.
    compacted: Date,
    /// Why the last act could not be written down.
    trouble: Option<String>,
    /// The journal did not know everything: the usage log must be asked.
    gaps: bool,
}

/// A request that a dead process had under way, or had settled without its line being known to be in the usage log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranded {
    pub id: u64,
    pub trace: TraceId,
    pub agent: String,
    pub day: Date,
    /// Where in the day it was opened, to a quarter of an hour.
    pub since: Timestamp,
    /// What it counts for.
    pub cost: Nano,
}

impl Ledger {
    /// Opens or makes `budget.journal` in `dir` and replays it. What was reserved when the last process died counts at its
    /// reservation. Opened again in one process, it is the same ledger, with these caps and this zone from now on.
    pub fn open(dir: &Path, clock: Clock, zone: TimeZone, caps: Caps) -> Result<Self, LedgerError> {
        files::private_dir(dir).map_err(|error| LedgerError::on("make", dir)(error.kind().into()))?;
        let dir = dir.canonicalize().map_err(LedgerError::on("find", dir))?;
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, ledger| ledger.strong_count() > 0);
        if let Some(ledger) = open.get(&dir).and_then(Weak::upgrade).map(Self) {
            drop(open);
            ledger.set_zone(zone);
            ledger.set_caps(caps);
            return Ok(ledger);
        }
        let lock = lock(&dir.join("budget.lock"))?;
        let path = dir.join("budget.journal");
        let now = clock.now();
        let (mut book, good, gaps) = replay(&path, Book::new(now, zone, caps))?;
        book.strand();
        // Numbers never come twice, also when the journal was lost: they begin with the time.
        book.next = book.next.max(u64::try_from(now.as_microsecond()).unwrap_or(0));
        let journal = Journal::open(&path, good).map_err(LedgerError::on("open", &path))?;
        let compacted = book.day.date;
        let state = Mutex::new(State { book, journal, compacted, trouble: None, gaps });
        let ledger = Self(Arc::new(Inner { clock, state, _lock: lock }));
        // Without room for a new journal the old one goes on: what costs nothing is still answered.
        if let Err(error) = ledger.compact() {
            ledger.state().fail(sanctum_kernel::Chain(&error).to_string());
        }
        open.insert(dir, Arc::downgrade(&ledger.0));
        Ok(ledger)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, with today's sums.
    pub(super) fn today(&self) -> MutexGuard<'_, State> {
        let now = self.0.clock.now();
        let mut state = self.state();
        state.book.turn(now);
        state
    }

    /// Takes `amount` out of what `agent` and the house may still spend today. It is written down before this returns,
    /// with `trace`, so that a request that never ends is known after a restart. Nothing (a model without a price) is
    /// always given, also when it cannot be written down.
    pub fn reserve(&self, agent: &str, trace: TraceId, amount: Nano) -> Result<Reservation, Spent> {
        let now = self.0.clock.now();
        let mut state = self.state();
        let state = &mut *state;
        state.book.turn(now);
        let at = state.book.agent(agent);
        state.book.fits(at, amount.0)?;
        let (id, slot, day) = (state.book.next, state.book.day.slot(now.as_second()), state.book.day.date);
        let record = Record::Open { id, slot, amount: amount.0, trace, agent: agent.to_owned() };
        let written = state.journal.write(&record);
        let kept = written.is_ok();
        state.say(written).or_else(|error| if amount == Nano(0) { Ok(()) } else { Err(error) })?;
        let open = Open {
            agent: at,
            slot,
            amount: amount.0,
            trace,
            real: None,
            kept,
            stranded: false,
            logged: false,
        };
        state.book.add(id, open);
        Ok(Reservation { ledger: self.clone(), id, amount, day, settled: false })
    }

    /// The most `agent` could reserve now.
    pub fn room(&self, agent: &str) -> Nano {
        self.today().book.room(agent)
    }

    /// New caps, for every reservation from now on. What is reserved stays reserved.
    pub fn set_caps(&self, caps: Caps) {
        self.state().book.set_caps(caps);
    }

    /// A new zone: what was spent is found again in the day it now belongs to.
    pub fn set_zone(&self, zone: TimeZone) {
        let now = self.0.clock.now();
        let mut state = self.state();
        if state.book.zone != zone {
            state.book.set_zone(zone, now);
        }
    }

    /// Today's spend: the house first, with an empty name, then every agent that has a cap or spent something.
    pub fn spends(&self) -> Vec<Spend> {
        let look = self.today().book.look();
        look.into_iter().map(|(agent, cap, sums)| spend(agent, cap, sums)).collect()
    }

    /// The same, as the page of the operators shows it.
    pub fn spending(&self) -> Spending {
        let state = self.today();
        let mut look = state.book.look().into_iter().map(|(agent, cap, sums)| spend(agent, cap, sums));
        let house = look.next().unwrap_or_default();
        Spending { day: state.book.day.date, house, agents: look.collect() }
    }

    /// The local day it is, and when it ends: then there is new money.
    pub fn day(&self) -> (Date, Timestamp) {
        let day = self.today().book.day;
        (day.date, Timestamp::from_second(day.end).unwrap_or(Timestamp::MAX))
    }

    /// What should be told and has not been yet. Say so with [`Ledger::told`] once it is.
    pub fn warnings(&self) -> Vec<Warning> {
        let state = self.today();
        let book = &state.book;
        let due = |(agent, cap, sums): (String, Option<Nano>, Sums)| {
            let cap = cap?;
            let level = reached(cap, sums, book.was_refused(&agent))?;
            // Who has been told that it is gone need not hear that it is nearly gone.
            if book.was_warned(&agent, level) || book.was_warned(&agent, Level::Gone) {
                return None;
            }
            let settled = Nano(u64::try_from(sums.settled).unwrap_or(u64::MAX));
            Some(Warning { agent, day: book.day.date, level, settled, cap })
        };
        book.look().into_iter().filter_map(due).collect()
    }

    /// The warning has been given: it is not given again, also after a restart.
    pub fn told(&self, warning: &Warning) {
        let mut state = self.state();
        let Warning { agent, day: date, level, .. } = warning.clone();
        state.book.warned(date, agent.clone(), level);
        state.note(&Record::Warned { date, level, agent });
    }

    /// Why spend cannot be written down at the moment.
    pub fn trouble(&self) -> Option<String> {
        self.state().trouble.clone()
    }

    /// What a dead process left, oldest first; each is to get its line in the usage log and then to be [`Ledger::logged`].
    pub fn stranded(&self) -> Vec<Stranded> {
        let state = self.state();
        let book = &state.book;
        let tell = |(id, open): (&u64, &Open)| {
            let since = Timestamp::from_second(open.slot).unwrap_or_default();
            Stranded {
                id: *id,
                trace: open.trace,
                agent: book.name(open.agent).to_owned(),
                day: Day::of(since, &book.zone).date,
                since,
                cost: Nano(open.real.unwrap_or(open.amount)),
            }
        };
        book.open.iter().filter(|(_, open)| open.stranded).map(tell).collect()
    }

    /// The usage log knows better what a stranded request cost.
    pub(crate) fn correct(&self, id: u64, real: Nano) {
        self.settle(id, real);
    }

    /// Whether the usage log must be asked for today's spend: the journal is new, or was damaged.
    pub(crate) fn has_gaps(&self) -> bool {
        self.state().gaps
    }

    /// What the usage log says was spent by an agent in the quarter of an hour of an instant; counted where the ledger
    /// knows less.
    pub(crate) fn at_least(&self, spent: &BTreeMap<(String, i64), u128>) {
        let mut state = self.state();
        for ((agent, slot), settled) in spent {
            let missing = state.book.at_least(agent, *slot, *settled);
            if missing > 0 {
                tracing::warn!(agent, missing_nanos = missing, "spend was found in the usage log alone");
                let record = Record::Total { slot: *slot, settled: missing, agent: agent.clone() };
                state.note(&record);
            }
        }
        state.gaps = false;
    }

    /// Where in the ledger an instant lies.
    pub(crate) fn slots(&self) -> impl Fn(Timestamp) -> i64 + use<> {
        let zone = self.state().book.zone.clone();
        move |at| Day::of(at, &zone).slot(at.as_second())
    }

    /// Their lines are in the usage log: nothing more is to be remembered of them, once they are settled.
    pub(crate) fn logged(&self, ids: Vec<u64>) {
        let mut state = self.state();
        let state = &mut *state;
        let kept: Vec<u64> =
            ids.into_iter().filter(|id| state.book.open.get(id).is_some_and(|open| open.kept)).collect();
        let done: Vec<u64> = kept.into_iter().filter(|id| state.book.logged(*id)).collect();
        if !done.is_empty() {
            state.note(&Record::Logged(done));
        }
    }

    pub(super) fn settle(&self, id: u64, real: Nano) {
        let mut state = self.state();
        let state = &mut *state;
        let Some(open) = state.book.open.get(&id) else { return };
        let (kept, logged) = (open.kept, open.logged);
        state.book.settle(id, real.0);
        if kept {
            state.note(&Record::Settle { id, real: real.0 });
        }
        if logged || !kept {
            state.book.logged(id);
        }
        if logged && kept {
            state.note(&Record::Logged(vec![id]));
        }
    }

    /// What time asks for: writes what could not be written, and the journal anew when the day has changed, when it has
    /// grown long, or when somebody took it away. Called about once a second.
    pub fn tend(&self) {
        let mut state = self.today();
        let paid = state.journal.settle_debts();
        state.say(paid).ok();
        let due =
            state.book.day.date != state.compacted || state.journal.len() > LONG || !state.journal.is_there();
        drop(state);
        if due && let Err(error) = self.compact() {
            self.state().fail(sanctum_kernel::Chain(&error).to_string());
        }
    }

    /// Writes the journal anew, while others go on writing into the old one.
    pub(crate) fn compact(&self) -> Result<(), LedgerError> {
        let (path, snapshot, day) = {
            let mut state = self.today();
            if !state.journal.begin_copy() {
                return Ok(());
            }
            (state.journal.path().to_owned(), state.book.snapshot(), state.book.day.date)
        };
        let written = Replacement::write(&path, &snapshot);
        let mut state = self.state();
        let replaced =
            written.and_then(|new| state.journal.replace(new).map_err(LedgerError::on("replace", &path)));
        match replaced {
            Ok(()) => state.compacted = day,
            Err(_) => state.journal.abandon_copy(),
        }
        replaced
    }
}

impl State {
    /// Remembers whether acts can be written down.
    pub(super) fn say(&mut self, written: io::Result<()>) -> Result<(), Spent> {
        match written {
            Ok(()) => {
                if self.trouble.take().is_some() {
                    tracing::info!("spend can be written down again");
                }
                Ok(())
            }
            Err(error) => {
                let why = format!("`{}`: {error}", self.journal.path().display());
                self.fail(why.clone());
                Err(Spent::Unkept(why))
            }
        }
    }

    /// Writes down what has happened; if that is not possible, it is owed.
    pub(super) fn note(&mut self, record: &Record) {
        let noted = self.journal.note(record);
        self.say(noted).ok();
    }

    fn fail(&mut self, why: String) {
        if self.trouble.is_none() {
            tracing::error!(error = why, "spend cannot be written down");
        }
        self.trouble = Some(why);
    }
}

fn spend(agent: String, cap: Option<Nano>, sums: Sums) -> Spend {
    let dollars = |sum: u128| Nano(u64::try_from(sum).unwrap_or(u64::MAX)).as_dollars();
    Spend {
        agent,
        settled_usd: dollars(sums.settled),
        reserved_usd: dollars(sums.reserved),
        cap_usd: cap.map(Nano::as_dollars),
    }
}
