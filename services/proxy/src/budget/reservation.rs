//! Money for one request: given, changed, and settled.

use jiff::civil::Date;

use super::record::Record;
use super::{Ledger, Spent};
use crate::kinds::Nano;

/// Money for one request. Settle it with what the request really cost; dropped unsettled, it counts whole.
#[derive(Debug)]
pub struct Reservation {
    pub(super) ledger: Ledger,
    pub(super) id: u64,
    pub(super) amount: Nano,
    pub(super) day: Date,
    pub(super) settled: bool,
}

impl Reservation {
    /// Its number, which the request's line in the usage log carries.
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// The local day it counts for, whenever it ends.
    pub const fn day(&self) -> Date {
        self.day
    }

    pub const fn amount(&self) -> Nano {
        self.amount
    }

    /// Reserves `more` on top.
    pub fn extend(&mut self, more: Nano) -> Result<(), Spent> {
        self.change_to(self.amount.plus(more))
    }

    /// Makes it this large instead, for another candidate; smaller is always granted. When refused it stays as it was.
    /// What is added counts for the day the request began on.
    pub fn change_to(&mut self, amount: Nano) -> Result<(), Spent> {
        let mut state = self.ledger.today();
        let state = &mut *state;
        let Some(open) = state.book.open.get(&self.id).cloned() else { return Ok(()) };
        let more = amount.minus(self.amount);
        state.book.fits_in(open.agent, open.slot, more.0)?;
        let record = if open.kept {
            Record::Change { id: self.id, amount: amount.0 }
        } else {
            let agent = state.book.name(open.agent).to_owned();
            Record::Open { id: self.id, slot: open.slot, amount: amount.0, trace: open.trace, agent }
        };
        let kept = if more > Nano(0) {
            let written = state.journal.write(&record);
            state.say(written)?;
            true
        } else {
            if open.kept && amount != self.amount {
                state.note(&record);
            }
            open.kept
        };
        state.book.resize(self.id, amount.0, kept);
        self.amount = amount;
        Ok(())
    }

    /// What the request really cost; the rest is free again. More than was reserved counts as what it is.
    pub fn settle(mut self, real: Nano) {
        self.settled = true;
        self.ledger.settle(self.id, real);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.settled {
            self.ledger.settle(self.id, self.amount);
        }
    }
}
