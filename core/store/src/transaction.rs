//! A transaction whose own statements are prepared once: a group commits thousands of times a second.

use std::ops::Deref;

use rusqlite::{Connection, Error};

/// What a job of the writer works in. It is rolled back unless it was committed.
#[derive(Debug)]
pub struct Transaction<'c>(&'c Connection);

impl<'c> Transaction<'c> {
    /// Takes the write lock at once, so that no later statement finds it taken.
    pub(crate) fn begin(connection: &'c mut Connection) -> Result<Self, Error> {
        run(connection, "BEGIN IMMEDIATE")?;
        Ok(Self(connection))
    }

    /// When this fails, everything is rolled back.
    pub(crate) fn commit(self) -> Result<(), Error> {
        run(self.0, "COMMIT")
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // After a commit, and after the failures that SQLite rolls back itself, there is nothing left to end.
        if !self.0.is_autocommit()
            && let Err(error) = run(self.0, "ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }
}

fn run(connection: &Connection, sql: &str) -> Result<(), Error> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}
