//! Keys as the database has them, and the table in memory that follows it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use sanctum_api::proxy::{Created, Key, NewKey};
use sanctum_kernel::{Chain, Clock, Failure, Nudge, Stop};
use sanctum_store::{Db, Row, SqlError, StoreError, params};

use super::admit::{Admitted, Denied, Table};
use super::secret;

/// The table of keys, as a migration. Instants are microseconds since 1970; lists are JSON.
pub const SCHEMA: &str = "
CREATE TABLE keys(
  id TEXT PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE,
  prefix TEXT NOT NULL,
  agent TEXT NOT NULL,
  note TEXT NOT NULL,
  scopes TEXT NOT NULL,
  models TEXT NOT NULL,
  created INTEGER NOT NULL,
  expires INTEGER,
  revoked INTEGER,
  last_used INTEGER
) WITHOUT ROWID;
";

/// How often the last uses are written.
const PERIOD: Duration = Duration::from_secs(15);

/// The virtual keys. Clones share them.
#[derive(Debug, Clone)]
pub struct Keys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    clock: Clock,
    table: ArcSwap<Table>,
    /// Held while the table is made anew, so that no two changes forget each other.
    changing: Mutex<()>,
}

/// Why a key could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CreateError {
    #[error("the system has no randomness to give")]
    NoRandomness,
    #[error("the key could not be kept")]
    Store(#[source] StoreError),
}

impl Keys {
    /// Reads every key; `db` has [`SCHEMA`] among its migrations.
    pub async fn open(db: Db, clock: Clock) -> Result<Self, StoreError> {
        let read = |connection: &sanctum_store::Connection| {
            let mut statement = connection.prepare("SELECT * FROM keys")?;
            let keys = statement.query_map([], of_row)?.collect::<Result<Vec<_>, _>>()?;
            Ok(keys)
        };
        let keys = db.read(read).await?;
        let table = ArcSwap::from_pointee(Table::of(keys.into_iter().map(Arc::new)));
        Ok(Self(Arc::new(Inner { db, clock, table, changing: Mutex::new(()) })))
    }

    /// Whose secret this is. In memory; under a microsecond.
    pub fn admit(&self, secret: &str) -> Result<Arc<Admitted>, Denied> {
        let hash = secret::hash(secret).ok_or(Denied::Unknown)?;
        self.0.table.load().admit(&hash, self.0.clock.now())
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// A new key, whose secret nobody can show again.
    pub(crate) async fn create(&self, new: NewKey) -> Result<Created, CreateError> {
        let secret = secret::generate().ok_or(CreateError::NoRandomness)?;
        let hash = secret::hash(&secret).ok_or(CreateError::NoRandomness)?;
        let NewKey { agent, note, mut scopes, models, expires } = new;
        scopes.sort_unstable();
        scopes.dedup();
        let key = Key {
            id: format!("key-{}", sanctum_kernel::trace::hex(&sanctum_kernel::trace::random::<6>())),
            prefix: secret::shown(&secret),
            agent,
            note,
            scopes,
            models,
            created: whole(self.0.clock.now()),
            expires: expires.map(whole),
            revoked: None,
            last_used: None,
        };
        let row = key.clone();
        let kept = self.0.db.write(move |tx| {
            let [scopes, models] = [&row.scopes, &row.models].map(|list| serde_json::json!(list).to_string());
            let expires = row.expires.map(Timestamp::as_microsecond);
            let sql = "INSERT INTO keys(id, hash, prefix, agent, note, scopes, models, created, expires)
                       VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
            let Key { id, prefix, agent, note, created, .. } = row;
            tx.execute(
                sql,
                params![id, hash, prefix, agent, note, scopes, models, created.as_microsecond(), expires],
            )
        });
        kept.await.map_err(CreateError::Store)?;
        let added = Arc::new(Admitted::new(hash, key.clone()));
        let held = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let table = self.0.table.load();
        self.0.table.store(Arc::new(Table::of(table.all().cloned().chain([added]))));
        drop(held);
        Ok(Created { secret, key })
    }

    /// Every key, oldest first, the revoked and expired ones too.
    pub(crate) fn list(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = self.0.table.load().all().map(|key| key.key()).collect();
        keys.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        keys
    }

    /// From now on its secret is refused; `None` when there is no such key. Revoked again it stays as it was.
    pub(crate) async fn revoke(&self, id: &str) -> Result<Option<Key>, StoreError> {
        let Some(key) = self.0.table.load().all().find(|key| key.id() == id).cloned() else {
            return Ok(None);
        };
        let (id, now) = (id.to_owned(), whole(self.0.clock.now()));
        let sql = "UPDATE keys SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL";
        let changed = self.0.db.write(move |tx| tx.execute(sql, params![id, now.as_microsecond()])).await?;
        if changed > 0 {
            key.revoke(now);
        }
        Ok(Some(key.key()))
    }

    /// Writes when keys were last used, a few times a minute and at the end.
    pub async fn keep(self, stop: Stop) -> Result<(), Failure> {
        let nudge = Nudge::default();
        sanctum_kernel::reconcile::reconcile(&stop, PERIOD, &nudge, || self.save_used()).await;
        self.save_used().await
    }

    /// Writes the last uses that the database does not know, in one transaction.
    pub(crate) async fn save_used(&self) -> Result<(), Failure> {
        let table = self.0.table.load_full();
        let used: HashMap<String, i64> =
            table.all().filter_map(|key| Some((key.id().to_owned(), key.take_used()?))).collect();
        if used.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = used.keys().cloned().collect();
        let saved = self.0.db.write(move |tx| {
            let mut statement = tx.prepare_cached("UPDATE keys SET last_used = ?2 WHERE id = ?1")?;
            used.iter().try_for_each(|(id, used)| statement.execute(params![id, used]).map(drop))
        });
        if let Err(error) = saved.await {
            table.all().filter(|key| ids.iter().any(|id| id == key.id())).for_each(|key| key.still_unsaved());
            tracing::warn!(error = %Chain(&error), "when keys were last used is not written yet");
        }
        Ok(())
    }
}

/// To the microsecond, as the database has it.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

fn of_row(row: &Row<'_>) -> Result<Admitted, SqlError> {
    let instant = |micros: i64| Timestamp::from_microsecond(micros).unwrap_or_default();
    let maybe = |name: &str| row.get::<_, Option<i64>>(name).map(|micros| micros.map(instant));
    // A list that cannot be read allows nothing: an empty one would allow everything.
    let list = |name: &str| {
        let read =
            |text: String| serde_json::from_str(&text).unwrap_or_else(|_| vec!["unreadable".to_owned()]);
        row.get::<_, String>(name).map(read)
    };
    let key = Key {
        id: row.get("id")?,
        prefix: row.get("prefix")?,
        agent: row.get("agent")?,
        note: row.get("note")?,
        scopes: list("scopes")?,
        models: list("models")?,
        created: instant(row.get("created")?),
        expires: maybe("expires")?,
        revoked: maybe("revoked")?,
        last_used: maybe("last_used")?,
    };
    Ok(Admitted::new(row.get("hash")?, key))
}
