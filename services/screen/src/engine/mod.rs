//! What the rules say: pure functions from policy, ledger and an instant to a ruling. No clock, no input, no output.
//!
//! The order of the rules is fixed: tier, guest's pass, override, homework, daily limit, then the night's own
//! schedule, which is the holiday's, the weekend's or the weekday's. The night decides, not the calendar day.

mod decide;
mod explain;
mod frame;
mod ledger;
mod night;
mod policy;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod scenes;

pub use decide::{Rule, Ruling, Stretch, allowed_from, decide, newcomers, next_change, next_lock, timeline};
pub use explain::explain;
pub use frame::{Frame, over};
pub use ledger::{Act, Deed, Guest, Ledger, Pass, Target};
pub use night::{Night, NightKind, describe};
pub use policy::{Hours, Policy, Subject, WindDown};
