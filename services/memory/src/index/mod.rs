//! The index of the vault: quick to ask, made of nothing but the files, thrown away when it is damaged.

pub(crate) mod read;
mod schema;
pub(crate) mod write;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use sanctum_store::{Connection, Db, Quick, SqlError, StoreError, Transaction, quick_check};

/// The database, and whether it is still to be trusted.
#[derive(Debug)]
pub(crate) struct Index {
    path: PathBuf,
    db: RwLock<Db>,
    damaged: AtomicBool,
}

impl Index {
    /// Opens `memory.db` in the folder; one that is damaged or of another shape is put aside and begun anew. Says why.
    pub(crate) fn open(state: &Path) -> Result<(Self, Option<String>), StoreError> {
        let path = state.join("memory.db");
        let (db, why) = match Db::open(&path, schema::MIGRATIONS) {
            Err(
                error @ (StoreError::Damaged(_) | StoreError::Newer { .. } | StoreError::Statement { .. }),
            ) => {
                set_aside(&path);
                (Db::open(&path, schema::MIGRATIONS)?, Some(error.to_string()))
            }
            opened => (opened?, None),
        };
        Ok((Self { path, db: RwLock::new(db), damaged: AtomicBool::new(false) }, why))
    }

    fn db(&self) -> Db {
        self.db.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, SqlError> + Send + 'static,
    {
        let outcome = self.db().read(work).await;
        self.notice(outcome)
    }

    /// Not waiting for the disk: what a power cut takes away is found in the files again.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, SqlError> + Send + 'static,
    {
        let outcome = self.db().write_soon(work).await;
        self.notice(outcome)
    }

    fn notice<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if matches!(outcome, Err(StoreError::Damaged(_) | StoreError::Gone(_))) {
            self.damaged.store(true, Ordering::Relaxed);
        }
        outcome
    }

    /// Whether it must be made again.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Looks at every page; an index that is not whole is damaged from then on.
    pub(crate) async fn prove(&self) -> Option<String> {
        match quick_check(&self.path).await {
            Ok(Quick::Damaged(complaints)) => {
                self.damaged.store(true, Ordering::Relaxed);
                Some(complaints.join("; "))
            }
            Err(error @ StoreError::Damaged(_)) => {
                self.damaged.store(true, Ordering::Relaxed);
                Some(error.to_string())
            }
            _ => None,
        }
    }

    /// Puts the damaged one aside and begins an empty one.
    pub(crate) fn begin_anew(&self) -> Result<(), StoreError> {
        set_aside(&self.path);
        let db = Db::open(&self.path, schema::MIGRATIONS)?;
        *self.db.write().unwrap_or_else(PoisonError::into_inner) = db;
        self.damaged.store(false, Ordering::Relaxed);
        Ok(())
    }
}

/// The last damaged one is kept for whoever wants to know why.
fn set_aside(path: &Path) {
    for end in ["", "-wal", "-shm"] {
        let mut from = path.as_os_str().to_owned();
        from.push(end);
        let mut to = path.with_extension("damaged").into_os_string();
        to.push(end);
        if let Err(error) = std::fs::rename(&from, &to)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "a damaged index could not be put aside");
            std::fs::remove_file(&from).ok();
        }
    }
}
