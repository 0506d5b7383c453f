//! Opening the database, whatever state it is in: a watch that does not start watches nothing.

use std::path::{Path, PathBuf};

use sanctum_kernel::service::Shared;
use sanctum_kernel::{Chain, Failure};
use sanctum_store::{Db, StoreError};

use super::schema::MIGRATIONS;
use super::{Backlog, Store};

impl Store {
    /// Opens `watch.db`. One that is damaged is put aside, and a new one begun; where none can be had it works on one
    /// beside the system's temporary files. Both are said on the board.
    ///
    /// # Errors
    /// It was written by a newer version, or not even a temporary one can be made.
    pub(crate) async fn open(shared: &Shared) -> Result<Self, Failure> {
        let path = shared.paths.state().join("watch.db");
        let opened = match whole(&path).await {
            Err(StoreError::Damaged(_)) => {
                let aside = put_aside(&path, shared.clock.now().as_second());
                tracing::error!(aside = %aside.display(), "the memory was damaged: it is put aside, and a new one begun");
                let note =
                    format!("it was damaged and is put aside as `{}`: a new one was begun", aside.display());
                whole(&path).await.map(|db| {
                    (db, Some((note, "restore it from a backup, or remove the file when you do not need it")))
                })
            }
            opened => opened.map(|db| (db, None)),
        };
        let (db, note) = match opened {
            Ok(opened) => opened,
            Err(error @ StoreError::Newer { .. }) => return Err(error.hinted()),
            Err(error) => {
                let why = Chain(&error).to_string();
                tracing::error!(
                    error = why,
                    "the memory cannot be opened: it is kept beside the temporary files"
                );
                let hint = error.hint().unwrap_or("restart the watch when it can be opened");
                (
                    temporary(shared).await.map_err(|_| error.hinted())?,
                    Some((format!("{why}; nothing survives a restart of the machine"), hint)),
                )
            }
        };
        let store = Self {
            db,
            well: shared.well.clone(),
            note,
            backlog: tokio::sync::Mutex::new(Backlog::default()),
        };
        store.say_well(0);
        Ok(store)
    }
}

/// Opens it and looks whether it is whole.
async fn whole(path: &Path) -> Result<Db, StoreError> {
    let db = Db::open(path, MIGRATIONS)?;
    let said: String = db.read(|db| db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))).await?;
    if said == "ok" { Ok(db) } else { Err(StoreError::Damaged(path.to_owned())) }
}

fn put_aside(path: &Path, second: i64) -> PathBuf {
    let with = |path: &Path, end: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    };
    let aside = with(path, &format!(".damaged-{second}"));
    for end in ["", "-wal", "-shm"] {
        let (from, to) = (with(path, end), with(&aside, end));
        if let Err(error) = std::fs::rename(&from, &to)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::error!(%error, file = %from.display(), "it could not be put aside");
        }
    }
    aside
}

async fn temporary(shared: &Shared) -> Result<Db, StoreError> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hash = DefaultHasher::new();
    shared.paths.home().hash(&mut hash);
    let dir = std::env::temp_dir().join(format!("sanctum-watch-{:016x}", hash.finish()));
    let path = dir.join("watch.db");
    sanctum_kernel::files::private_dir(&dir)
        .map_err(|error| StoreError::Open { path: path.clone(), reason: Chain(&error).to_string() })?;
    whole(&path).await
}
