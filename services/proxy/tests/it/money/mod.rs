//! Money and what is written of it.

mod crash;
mod disk;
mod keys;
mod ledger;
mod usage;

use std::path::Path;

use jiff::tz::TimeZone;
use sanctum_kernel::trace::TraceId;
use sanctum_kernel::{Clock, Trace};
use sanctum_proxy::budget::{Caps, Ledger};
use sanctum_proxy::kinds::Nano;

/// Noon of a winter day in Toronto.
pub(crate) const NOON: &str = "2026-11-22T12:00:00-05:00";

pub(crate) fn toronto() -> TimeZone {
    TimeZone::get("America/Toronto").unwrap()
}

pub(crate) fn clock(at: &str) -> Clock {
    Clock::starting_at(at.parse().unwrap())
}

pub(crate) fn trace() -> TraceId {
    Trace::start().id()
}

pub(crate) fn cents(cents: u64) -> Nano {
    Nano(cents * 10_000_000)
}

/// Two dollars for windu, half a dollar for whoever has no line, and this much for everybody together.
pub(crate) fn caps(house: Option<u64>) -> Caps {
    Caps {
        house: house.map(cents),
        agents: [("windu".to_owned(), Some(cents(200))), ("free".to_owned(), None)].into(),
        other: Some(cents(50)),
    }
}

pub(crate) fn ledger(dir: &Path, at: &str) -> Ledger {
    Ledger::open(dir, clock(at), toronto(), caps(None)).unwrap()
}

/// What an agent has settled and reserved today, in nanos.
pub(crate) fn spent(ledger: &Ledger, agent: &str) -> (u64, u64) {
    let spends = ledger.spends();
    let own = spends.iter().find(|spend| spend.agent == agent).cloned().unwrap_or_default();
    (nanos(own.settled_usd), nanos(own.reserved_usd))
}

/// Back from dollars; exact for what a test spends.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and never negative")]
pub(crate) fn nanos(dollars: f64) -> u64 {
    (dollars * 1e9).round() as u64
}
