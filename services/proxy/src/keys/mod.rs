//! Virtual keys: who calls, with which scopes, until when.
//!
//! A secret is 32 random bytes, so one round of SHA-256 is enough of a hash: there is no dictionary to try. Admission
//! looks into a table in memory; the database is for what must survive.

mod admit;
mod check;
mod glob;
mod http;
mod secret;
mod store;

pub use admit::{Admitted, DENIED, Denied, Scope};
pub use glob::matches;
pub use http::{create, holder, list, revoke};
pub use store::{Keys, SCHEMA};
