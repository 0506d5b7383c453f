//! SQLite as every service keeps it: WAL, `synchronous=FULL`, one writer with group commit, a few readers.
//!
//! The only crate that names rusqlite; it re-exports what a service needs to write its own statements.

mod db;
mod error;
mod first;
mod quick;
mod transaction;
mod writer;

pub use db::Db;
pub use error::StoreError;
pub use quick::{Quick, quick_check};
pub use rusqlite::Error as SqlError;
pub use rusqlite::{Connection, OptionalExtension, Row, ToSql, named_params, params, params_from_iter};
pub use transaction::Transaction;
