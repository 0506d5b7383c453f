//! A database of one service.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};

use crate::StoreError;
use crate::transaction::Transaction;
use crate::writer::{Lasting, Writer};

/// Connections kept for reading; a house does not read much at once.
const READERS: usize = 4;

/// One SQLite file: every write goes through one thread that commits groups, reads happen beside it. Clones
/// share it.
#[derive(Debug, Clone)]
pub struct Db(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    writer: Writer,
    readers: Mutex<Vec<Connection>>,
}

impl Db {
    /// Opens or makes the database and brings it to the last of `migrations`: the first makes schema 1, and so on.
    /// A migration that has shipped is never changed.
    pub fn open(path: &Path, migrations: &'static [&'static str]) -> Result<Self, StoreError> {
        let connection = connect(path)?;
        migrate(path, &connection, migrations)?;
        let writer = Writer::start(path.to_owned(), connection)?;
        Ok(Self(Arc::new(Inner { path: path.to_owned(), writer, readers: Mutex::default() })))
    }

    /// Runs `work` inside a transaction that is durable (fsync) when this returns. Concurrent calls share one
    /// commit; a `work` that fails is rolled back alone.
    pub async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        self.0.writer.submit(work, Lasting::Now).await
    }

    /// As [`Db::write`], but it does not wait for the disk: what it wrote survives the end of the process, and a power
    /// cut may undo it, together with all that was written after it. For what can be found out again.
    pub async fn write_soon<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        self.0.writer.submit(work, Lasting::Soon).await
    }

    /// As [`Db::write`], but before whatever else waits, and cheaper. For work that callers wait for in numbers: it may
    /// be run twice, when another of its group fails, and must have no effect outside the transaction that does not
    /// bear that.
    pub async fn write_first<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Transaction<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        self.0.writer.submit_first(work).await
    }

    /// Runs `work` on a reading connection, beside the writer; it sees every commit before it.
    pub async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        let inner = Arc::clone(&self.0);
        let outcome = tokio::task::spawn_blocking(move || {
            let pooled = inner.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match pooled {
                Some(connection) => connection,
                None => reader(&inner.path)?,
            };
            let outcome = work(&connection).map_err(|error| StoreError::of(&inner.path, &error));
            let mut readers = inner.readers.lock().unwrap_or_else(PoisonError::into_inner);
            if readers.len() < READERS {
                readers.push(connection);
            }
            outcome
        });
        outcome.await.unwrap_or(Err(StoreError::Stopped))
    }

    pub fn path(&self) -> &Path {
        &self.0.path
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let of = |error: rusqlite::Error| StoreError::of(path, &error);
    let connection = Connection::open(path).map_err(of)?;
    // WAL with FULL syncs the log at every commit: what was committed survives a power cut (sqlite.org/pragma.html).
    connection
        .execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=5000;
             PRAGMA cache_size=-2000; PRAGMA wal_autocheckpoint=2000; PRAGMA journal_size_limit=8388608;",
        )
        .map_err(of)?;
    // SQLite opens a file it may not write as read-only and says so only at the first write.
    if connection.is_readonly("main").map_err(of)? {
        return Err(StoreError::ReadOnly(path.to_owned()));
    }
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn reader(path: &Path) -> Result<Connection, StoreError> {
    let of = |error: rusqlite::Error| StoreError::of(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(of)?;
    connection.execute_batch("PRAGMA busy_timeout=5000; PRAGMA cache_size=-500;").map_err(of)?;
    Ok(connection)
}

fn migrate(path: &Path, connection: &Connection, migrations: &[&str]) -> Result<(), StoreError> {
    let of = |error: rusqlite::Error| StoreError::of(path, &error);
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(of)?;
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    for (version, migration) in (1..).zip(migrations).skip(usize::try_from(found).unwrap_or(0)) {
        let batch = format!("BEGIN IMMEDIATE; {migration}; PRAGMA user_version={version}; COMMIT;");
        connection.execute_batch(&batch).map_err(of)?;
    }
    Ok(())
}
