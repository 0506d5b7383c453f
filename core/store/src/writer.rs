//! The one thread that writes, committing whatever has gathered while it waited for the disk.

use std::os::unix::fs::MetadataExt;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::StoreError;

/// A group larger than this makes the first of it wait too long.
const GROUP: usize = 512;
/// Writers beyond this wait before they may submit: memory stays bounded.
const QUEUE: usize = 4096;

/// Does the work inside the group's transaction, or learns why there is none. Says whether its changes may stay,
/// and how to answer once the commit's outcome is known.
type Job = Box<dyn FnOnce(Result<&Transaction<'_>, &StoreError>) -> (bool, Answer) + Send>;
type Answer = Box<dyn FnOnce(Option<&StoreError>) + Send>;

#[derive(Debug)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
    path: PathBuf,
}

impl Writer {
    pub(crate) fn start(path: PathBuf, connection: Connection) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let name =
            path.file_stem().map_or_else(|| "store".to_owned(), |name| name.to_string_lossy().into_owned());
        let writer = Self { jobs, path: path.clone() };
        let thread = std::thread::Builder::new().name(name).spawn(move || run(&path, connection, queue));
        match thread {
            Ok(_) => Ok(writer),
            Err(error) => Err(StoreError::Open { path: writer.path, reason: error.to_string() }),
        }
    }

    pub(crate) async fn submit<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let path = self.path.clone();
        let job: Job = Box::new(move |transaction| {
            let outcome = match transaction {
                Ok(transaction) => guarded(&path, || work(transaction)),
                Err(error) => Err(error.clone()),
            };
            let stays = outcome.is_ok();
            let answer = move |failed: Option<&StoreError>| {
                let outcome = failed.map_or(outcome, |error| Err(error.clone()));
                if reply.send(outcome).is_err() {
                    tracing::debug!("nobody waits for this write any more");
                }
            };
            (stays, Box::new(answer))
        });
        self.jobs.send(job).await.map_err(|_| StoreError::Stopped)?;
        answer.await.unwrap_or(Err(StoreError::Stopped))
    }
}

/// A job that panics answers an error and is rolled back; the thread and the others of its group go on.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, rusqlite::Error>) -> Result<T, StoreError> {
    // Nothing of a half-done job is seen again: its savepoint is rolled back, and what it captured is dropped.
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(work));
    let outcome = outcome.map_err(|_| {
        let error = StoreError::Panicked(path.to_owned());
        tracing::error!(%error, "its changes are rolled back");
        error
    });
    outcome?.map_err(|error| StoreError::of(path, &error))
}

/// Which file a path leads to: SQLite writes on into one that has been removed, and what it commits there is lost.
fn file_at(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

fn run(path: &Path, mut connection: Connection, mut queue: mpsc::Receiver<Job>) {
    let opened = file_at(path);
    while let Some(first) = queue.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP {
            match queue.try_recv() {
                Ok(job) => group.push(job),
                Err(_) => break,
            }
        }
        if opened == file_at(path) {
            commit(path, &mut connection, group);
        } else {
            let gone = StoreError::Gone(path.to_owned());
            tracing::error!(error = %gone, "nothing can be kept");
            for job in group {
                job(Err(&gone)).1(None);
            }
        }
    }
}

fn commit(path: &Path, connection: &mut Connection, group: Vec<Job>) {
    let transaction = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(transaction) => transaction,
        Err(error) => {
            let error = StoreError::of(path, &error);
            tracing::error!(%error, "a transaction could not be begun");
            return group.into_iter().for_each(|job| job(Err(&error)).1(None));
        }
    };
    let answers: Vec<Answer> = group.into_iter().map(|job| alone(path, &transaction, job)).collect();
    let outcome = transaction.commit().map_err(|error| StoreError::of(path, &error));
    if let Err(error) = &outcome {
        tracing::error!(%error, "a commit failed");
    }
    for answer in answers {
        answer(outcome.as_ref().err());
    }
}

/// Runs one job in a savepoint of its own, so that its failure leaves the others of the group alone.
fn alone(path: &Path, transaction: &Transaction<'_>, job: Job) -> Answer {
    let run =
        |sql: &str| transaction.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map(drop);
    if let Err(error) = run("SAVEPOINT job") {
        return job(Err(&StoreError::of(path, &error))).1;
    }
    let (stays, answer) = job(Ok(transaction));
    let ended =
        if stays { run("RELEASE job") } else { run("ROLLBACK TO job").and_then(|()| run("RELEASE job")) };
    match ended {
        Ok(()) => answer,
        Err(error) => {
            let error = StoreError::of(path, &error);
            Box::new(move |failed| answer(Some(failed.unwrap_or(&error))))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Db, StoreError};

    fn db() -> (tempfile::TempDir, Db) {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&dir.path().join("t.db"), &["CREATE TABLE t(x INTEGER PRIMARY KEY)"]).unwrap();
        (dir, db)
    }

    #[tokio::test]
    async fn a_failing_job_leaves_the_others_of_its_group_alone() {
        let (_dir, db) = db();
        let insert = |x: i64| db.write(move |tx| tx.execute("INSERT INTO t VALUES(?1)", [x]));
        let (a, b, c) = tokio::join!(insert(1), insert(1), insert(2));
        assert_eq!([a.is_ok(), b.is_ok(), c.is_ok()], [true, false, true]);
        let count =
            db.read(|c| c.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0))).await.unwrap();
        assert_eq!(count, 2);
    }

    #[tokio::test]
    async fn a_panicking_job_leaves_the_thread_and_the_others_of_its_group_alone() {
        let (_dir, db) = db();
        let insert = |x: i64| db.write(move |tx| tx.execute("INSERT INTO t VALUES(?1)", [x]));
        let panics = db.write::<(), _>(|tx| {
            tx.execute("INSERT INTO t VALUES(7)", [])?;
            panic!("a job that goes wrong")
        });
        let (a, b, c) = tokio::join!(insert(1), panics, insert(2));
        assert!(matches!(b, Err(StoreError::Panicked(_))), "{b:?}");
        assert_eq!([a.is_ok(), c.is_ok(), insert(3).await.is_ok()], [true, true, true]);
        let kept =
            db.read(|c| c.query_row("SELECT group_concat(x) FROM t", [], |row| row.get::<_, String>(0)));
        assert_eq!(kept.await.unwrap(), "1,2,3");
    }

    #[tokio::test]
    async fn a_database_of_a_newer_version_is_refused_by_name() {
        let (dir, db) = db();
        drop(db);
        let refused = Db::open(&dir.path().join("t.db"), &[]);
        assert!(matches!(refused, Err(StoreError::Newer { found: 1, known: 0, .. })));
    }

    #[tokio::test]
    async fn nothing_is_kept_in_a_file_that_was_removed_and_that_is_said() {
        let (dir, db) = db();
        let insert = |x: i64| db.write(move |tx| tx.execute("INSERT INTO t VALUES(?1)", [x]));
        insert(1).await.unwrap();
        std::fs::remove_file(dir.path().join("t.db")).unwrap();
        let refused = insert(2).await;
        assert!(matches!(refused, Err(StoreError::Gone(_))), "{refused:?}");
        drop(Db::open(&dir.path().join("t.db"), &["CREATE TABLE t(x INTEGER PRIMARY KEY)"]).unwrap());
        let refused = insert(2).await;
        assert!(matches!(refused, Err(StoreError::Gone(_))), "{refused:?}");
    }

    #[test]
    fn a_file_that_is_no_database_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.db");
        sanctum_kernel::files::replace(&path, &[7; 4096], 0o600).unwrap();
        assert!(matches!(Db::open(&path, &[]), Err(StoreError::Damaged(named)) if named == path));
    }
}
