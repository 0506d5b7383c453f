//! Browsers that have come in: random ids, kept only as hashes, each until it expires.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use sanctum_kernel::trace::{hex, random};
use sanctum_kernel::{Clock, Well};
use sanctum_store::{Db, OptionalExtension, params};

/// More browsers than a family has; a script that comes in again and again pushes out the oldest.
const MOST: usize = 256;

/// Who may see the page.
#[derive(Debug)]
pub(crate) struct Sessions {
    recent: Mutex<HashMap<String, Timestamp>>,
    db: Option<Db>,
    clock: Clock,
    well: Well,
    length: Duration,
}

impl Sessions {
    pub(crate) fn new(db: Option<Db>, clock: Clock, well: Well, length: Duration) -> Self {
        Self { recent: Mutex::default(), db, clock, well, length }
    }

    /// How long a session lasts.
    pub(crate) const fn length(&self) -> Duration {
        self.length
    }

    /// Begins a session; returns its id, which is nowhere kept. It is good at once and, if the disk allows,
    /// also after a restart.
    pub(crate) async fn begin(&self) -> String {
        let id = hex(&random::<32>());
        let (hash, now) = (hashed(&id), self.clock.now());
        let expires =
            now.checked_add(SignedDuration::try_from(self.length).unwrap_or_default()).unwrap_or(now);
        self.remember(hash.clone(), expires);
        if let Some(db) = &self.db {
            let (now, expires) = (now.as_second(), expires.as_second());
            let written = db
                .write(move |tx| {
                    tx.execute("DELETE FROM session WHERE expires <= ?1", params![now])?;
                    tx.execute("INSERT INTO session (hash, expires) VALUES (?1, ?2)", params![hash, expires])
                })
                .await;
            crate::service::report(&self.well, written.as_ref().err());
        }
        id
    }

    /// Whether this id belongs to a session that has not expired. Looking up its hash tells a guesser nothing.
    pub(crate) async fn is_good(&self, id: &str) -> bool {
        let (hash, now) = (hashed(id), self.clock.now());
        let known = self.recent.lock().unwrap_or_else(PoisonError::into_inner).get(&hash).copied();
        if let Some(expires) = known {
            return now < expires;
        }
        let Some(db) = &self.db else { return false };
        let wanted = hash.clone();
        let kept = db
            .read(move |connection| {
                let mut select = connection.prepare_cached("SELECT expires FROM session WHERE hash = ?1")?;
                select.query_row([wanted], |row| row.get::<_, i64>(0)).optional()
            })
            .await;
        match kept.ok().flatten().and_then(|second| Timestamp::from_second(second).ok()) {
            Some(expires) if now < expires => {
                self.remember(hash, expires);
                true
            }
            _ => false,
        }
    }

    fn remember(&self, hash: String, expires: Timestamp) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.insert(hash, expires);
        while recent.len() > MOST {
            let Some(first) =
                recent.iter().min_by_key(|(_, expires)| **expires).map(|(hash, _)| hash.clone())
            else {
                break;
            };
            recent.remove(&first);
        }
    }
}

fn hashed(id: &str) -> String {
    hex(digest(&SHA256, id.as_bytes()).as_ref())
}
