//! Money: reserved before a request, settled after it, exact under concurrency and across a SIGKILL.
//!
//! `settled + reserved ≤ cap` holds for each agent and for the house on each local day. A decision is taken and written
//! down under one lock; what is written with write(2) survives the death of the process, not a power cut of the
//! machine (then the usage log makes up for what is missing).

mod book;
mod cost;
mod day;
mod error;
mod journal;
mod ledger;
#[cfg(test)]
mod model;
mod record;
mod replay;
mod reservation;
mod warn;

pub use cost::cost;
pub(crate) use day::Day;
pub use error::{Dollars, LedgerError, Spent};
pub use ledger::{Ledger, Stranded};
pub use reservation::Reservation;
pub use warn::{Level, Warning};

use std::collections::BTreeMap;

use jiff::civil::Date;
use sanctum_api::proxy::Spend;

use crate::kinds::Nano;

/// The most that may be spent on one local day; `None` has no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caps {
    /// Everybody together.
    pub house: Option<Nano>,
    /// Agents by name.
    pub agents: BTreeMap<String, Option<Nano>>,
    /// Each agent that has no line of its own.
    pub other: Option<Nano>,
}

impl Caps {
    pub fn of(&self, agent: &str) -> Option<Nano> {
        self.agents.get(agent).copied().unwrap_or(self.other)
    }
}

/// What a page of the operators shows of the money.
#[derive(Debug, Clone, PartialEq)]
pub struct Spending {
    /// The local day it belongs to.
    pub day: Date,
    pub house: Spend,
    /// By name: everyone who has a cap of its own or spent something today.
    pub agents: Vec<Spend>,
}
