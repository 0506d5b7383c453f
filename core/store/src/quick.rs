//! Whether somebody's database is whole, without touching it.

use std::path::Path;

use rusqlite::{Connection, InterruptHandle, OpenFlags};
use tokio::sync::oneshot;

use crate::StoreError;

/// More complaints than this say nothing new.
const MOST: i64 = 5;

/// What `quick_check` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quick {
    Whole,
    /// Its first complaints.
    Damaged(Vec<String>),
}

/// Stops a question nobody waits for any more: a large database keeps a disk busy for minutes.
struct Stopping(Option<InterruptHandle>);

impl Drop for Stopping {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.interrupt();
        }
    }
}

/// Opens any database read-only and asks for `PRAGMA quick_check` (sqlite.org/pragma.html). Dropping the future ends it.
pub async fn quick_check(path: &Path) -> Result<Quick, StoreError> {
    let path = path.to_owned();
    let (hand, handle) = oneshot::channel();
    let work = tokio::task::spawn_blocking(move || {
        let of = |error: rusqlite::Error| StoreError::of(&path, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).map_err(of)?;
        connection.execute_batch("PRAGMA busy_timeout=2000; PRAGMA cache_size=-2000;").map_err(of)?;
        hand.send(connection.get_interrupt_handle()).ok();
        let mut ask = connection.prepare(&format!("PRAGMA quick_check({MOST})")).map_err(of)?;
        let lines = ask.query_map([], |row| row.get::<_, String>(0)).map_err(of)?;
        let lines = lines.collect::<Result<Vec<_>, _>>().map_err(of)?;
        Ok(if lines == ["ok"] { Quick::Whole } else { Quick::Damaged(lines) })
    });
    let _stopping = Stopping(handle.await.ok());
    work.await.unwrap_or(Err(StoreError::Stopped))
}
