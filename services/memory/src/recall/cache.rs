//! Vectors on disk, by the text they were made of: a new index finds them again and reads nothing twice.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use sanctum_embed::Small;
use sanctum_kernel::Chain;
use sanctum_store::{Connection, Db, OptionalExtension, StoreError, params};

const MIGRATIONS: &[&str] = &[
    "CREATE TABLE vectors (
    hash BLOB NOT NULL,
    model TEXT NOT NULL,
    vector BLOB NOT NULL,
    PRIMARY KEY (hash, model)
 ) WITHOUT ROWID, STRICT",
    // All were made by an engine that counted in another way; nobody asks for them again.
    "DELETE FROM vectors",
];

const FIND: &str = "SELECT vector FROM vectors WHERE hash = ?1 AND model = ?2";

/// SHA-256 of a text.
pub(crate) type Hash = [u8; 32];

/// `vectors.db`.
pub(crate) struct Cache {
    db: Db,
    /// For starts, which read before anything runs.
    reading: Mutex<Option<Connection>>,
    model: &'static str,
}

impl Cache {
    pub(crate) fn open(path: &Path, model: &'static str) -> Result<Self, StoreError> {
        let db = match Db::open(path, MIGRATIONS) {
            Err(error @ StoreError::Damaged(_)) => {
                tracing::warn!(error = %Chain(&error), "the vectors on disk are damaged: they are made again");
                for end in ["", "-wal", "-shm"] {
                    let mut file = path.as_os_str().to_owned();
                    file.push(end);
                    std::fs::remove_file(file).ok();
                }
                Db::open(path, MIGRATIONS)?
            }
            opened => opened?,
        };
        Ok(Self { db, reading: Mutex::new(Connection::open(path).ok()), model })
    }

    /// Those of `hashes` that are here. A row that cannot be read is none: its text is read again.
    pub(crate) fn find(&self, hashes: &[Hash]) -> HashMap<Hash, Small> {
        let connection = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = HashMap::new();
        let Some(mut ask) = connection.as_ref().and_then(|connection| connection.prepare_cached(FIND).ok())
        else {
            return found;
        };
        for hash in hashes {
            let bytes = ask.query_row(params![&hash[..], self.model], |row| row.get::<_, Vec<u8>>(0));
            if let Some(small) = bytes.optional().ok().flatten().and_then(|bytes| Small::from_bytes(&bytes)) {
                found.insert(*hash, small);
            }
        }
        found
    }

    pub(crate) async fn keep(&self, made: Vec<(Hash, Small)>) -> Result<(), StoreError> {
        let model = self.model;
        let write = move |tx: &sanctum_store::Transaction<'_>| {
            for (hash, small) in &made {
                let bytes = small.to_bytes();
                tx.execute(
                    "INSERT OR REPLACE INTO vectors VALUES (?1, ?2, ?3)",
                    params![&hash[..], model, bytes],
                )?;
            }
            Ok(())
        };
        self.db.write_soon(write).await
    }
}
