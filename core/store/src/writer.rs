//! The one thread that writes, committing whatever has gathered while it waited for the disk.

use std::collections::VecDeque;
use std::os::unix::fs::MetadataExt;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::StoreError;
use crate::first::{Answers, First, Gathering, Repeatable};
use crate::transaction::Transaction;

/// A group larger than this makes the first of it wait too long.
const GROUP: usize = 512;
/// Writers beyond this wait before they may submit: memory stays bounded.
const QUEUE: usize = 4096;
/// Ordinary jobs that go with a commit of jobs that go first: they get on, and hold nobody up for long.
const BESIDE: usize = 4;

/// Does the work inside the group's transaction, or learns why there is none. Says whether its changes may stay,
/// and how to answer once the commit's outcome is known.
type Job = Box<dyn FnOnce(Result<&Transaction<'_>, &StoreError>) -> (bool, Answer) + Send>;
type Answer = Box<dyn FnOnce(Option<&StoreError>) + Send>;

enum Submitted {
    /// Jobs that go first have gathered.
    Gathered,
    Later(Job, Lasting),
}

/// Tells the writer of what is gathered when this is dropped: also when who was to do it is not there any more.
struct Telling<'a>(&'a Writer);

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        // Where there is no room, the writer has not looked yet and will.
        if let Err(mpsc::error::TrySendError::Closed(_)) = self.0.jobs.try_send(Submitted::Gathered) {
            let stopped = std::mem::take(&mut *self.0.gathering.jobs());
            drop(Answers { jobs: stopped, failed: Some(StoreError::Stopped) });
        }
    }
}

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lasting {
    /// The next commit that waits for the disk takes this one along; until then a power cut may undo it.
    Soon,
    /// The disk has it.
    Now,
}

impl Lasting {
    /// In WAL mode `NORMAL` syncs at checkpoints only, and `FULL` at each commit (sqlite.org/pragma.html).
    const fn pragma(self) -> &'static str {
        match self {
            Self::Soon => "PRAGMA synchronous=NORMAL",
            Self::Now => "PRAGMA synchronous=FULL",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Submitted>,
    gathering: Arc<Gathering>,
    path: Arc<Path>,
}

impl Writer {
    pub(crate) fn start(path: PathBuf, connection: Connection) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let name =
            path.file_stem().map_or_else(|| "store".to_owned(), |name| name.to_string_lossy().into_owned());
        let writer = Self { jobs, gathering: Arc::default(), path: Arc::from(path.as_path()) };
        let (within, gathering) = (Arc::clone(&writer.path), Arc::clone(&writer.gathering));
        let thread =
            std::thread::Builder::new().name(name).spawn(move || run(&within, connection, queue, &gathering));
        match thread {
            Ok(_) => Ok(writer),
            Err(error) => Err(StoreError::Open { path, reason: error.to_string() }),
        }
    }

    pub(crate) async fn submit<T, F>(&self, work: F, lasting: Lasting) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let path = Arc::clone(&self.path);
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
        self.jobs.send(Submitted::Later(job, lasting)).await.map_err(|_| StoreError::Stopped)?;
        answer.await.unwrap_or(Err(StoreError::Stopped))
    }

    pub(crate) async fn submit_first<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Transaction<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Repeatable { path: Arc::clone(&self.path), work, outcome: Err(StoreError::Stopped), reply };
        let first = {
            let mut gathering = self.gathering.jobs();
            gathering.push(Box::new(job));
            gathering.len() == 1
        };
        if first {
            // Who is about to submit comes along: a larger group shares one wait for the disk.
            let _telling = Telling(self);
            tokio::task::yield_now().await;
        }
        let Ok((outcome, others)) = answer.await else { return Err(StoreError::Stopped) };
        drop(others);
        outcome
    }
}

/// A job that panics answers an error and is rolled back; the thread and the others of its group go on.
pub(crate) fn guarded<T>(
    path: &Path,
    work: impl FnOnce() -> Result<T, rusqlite::Error>,
) -> Result<T, StoreError> {
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

fn run(path: &Path, mut connection: Connection, mut queue: mpsc::Receiver<Submitted>, gathering: &Gathering) {
    let opened = file_at(path);
    let (mut ahead, mut waiting) = (VecDeque::new(), VecDeque::new());
    let mut set = Lasting::Now;
    loop {
        let mut told = None;
        if ahead.is_empty() && waiting.is_empty() {
            told = queue.blocking_recv();
            if told.is_none() {
                return;
            }
        }
        for _ in 0..GROUP {
            match told.take().or_else(|| queue.try_recv().ok()) {
                Some(Submitted::Gathered) => {}
                Some(Submitted::Later(job, lasting)) => waiting.push_back((job, lasting)),
                None => break,
            }
        }
        ahead.extend(gathering.jobs().drain(..));
        let first: Vec<_> = ahead.drain(..GROUP.min(ahead.len())).collect();
        let most = if first.is_empty() { GROUP } else { BESIDE };
        let group: Vec<(Job, Lasting)> = waiting.drain(..most.min(waiting.len())).collect();
        let lasting = group.iter().map(|(_, lasting)| *lasting);
        let lasting = lasting.chain((!first.is_empty()).then_some(Lasting::Now)).max();
        let group: Vec<Job> = group.into_iter().map(|(job, _)| job).collect();
        if first.is_empty() && group.is_empty() {
            continue;
        }
        if let Some(lasting) = lasting.filter(|lasting| *lasting != set) {
            // Between transactions, as it must be. Where it fails the stricter one stays, or the commit says why.
            if connection.execute_batch(lasting.pragma()).is_ok() {
                set = lasting;
            }
        }
        if opened == file_at(path) {
            commit(path, &mut connection, first, group);
        } else {
            let gone = StoreError::Gone(path.to_owned());
            tracing::error!(error = %gone, "nothing can be kept");
            refuse(first, group, &gone);
        }
    }
}

fn refuse(first: Vec<Box<dyn First>>, group: Vec<Job>, error: &StoreError) {
    Answers { jobs: first, failed: Some(error.clone()) }.pass_on();
    for job in group {
        job(Err(error)).1(None);
    }
}

fn begin<'c>(path: &Path, connection: &'c mut Connection) -> Result<Transaction<'c>, StoreError> {
    Transaction::begin(connection).map_err(|error| {
        let error = StoreError::of(path, &error);
        tracing::error!(%error, "a transaction could not be begun");
        error
    })
}

fn commit(path: &Path, connection: &mut Connection, mut first: Vec<Box<dyn First>>, group: Vec<Job>) {
    let mut apart = false;
    if !first.is_empty() {
        match begin(path, connection) {
            Ok(transaction) if first.iter_mut().all(|job| job.work(&transaction)) => {
                return finish(path, transaction, first, Vec::new(), group);
            }
            // It is rolled back here, and each is done again by itself: who fails shall fail alone.
            Ok(_) => apart = true,
            Err(error) => return refuse(first, group, &error),
        }
    }
    let transaction = match begin(path, connection) {
        Ok(transaction) => transaction,
        Err(error) => return refuse(first, group, &error),
    };
    let alone = |job: Box<dyn First>| alone(path, &transaction, again(job));
    let answers = if apart { first.into_iter().map(alone).collect() } else { Vec::new() };
    finish(path, transaction, Vec::new(), answers, group);
}

fn again(mut job: Box<dyn First>) -> Job {
    Box::new(move |transaction| match transaction {
        Ok(transaction) => (job.work(transaction), Box::new(move |failed| job.answer(failed, Answers::NONE))),
        Err(error) => {
            let error = error.clone();
            (false, Box::new(move |failed| job.answer(Some(failed.unwrap_or(&error)), Answers::NONE)))
        }
    })
}

/// Runs the group after what is done already, commits, and answers.
fn finish(
    path: &Path,
    transaction: Transaction<'_>,
    first: Vec<Box<dyn First>>,
    mut answers: Vec<Answer>,
    group: Vec<Job>,
) {
    answers.extend(group.into_iter().map(|job| alone(path, &transaction, job)));
    let outcome = transaction.commit().map_err(|error| StoreError::of(path, &error));
    if let Err(error) = &outcome {
        tracing::error!(%error, "a commit failed");
    }
    let failed = outcome.err();
    for answer in answers {
        answer(failed.as_ref());
    }
    Answers { jobs: first, failed }.pass_on();
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

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_goes_first_fails_alone_as_well_and_shares_commits_with_the_rest() {
        let (_dir, db) = db();
        let mut all = tokio::task::JoinSet::new();
        for x in 0..400_i64 {
            let db = db.clone();
            all.spawn(async move {
                let insert =
                    move |tx: &crate::Transaction<'_>| tx.execute("INSERT INTO t VALUES(?1)", [x / 2]);
                let panics = move |tx: &crate::Transaction<'_>| {
                    tx.execute("INSERT INTO t VALUES(?1)", [1000 + x])?;
                    panic!("a job that goes wrong")
                };
                match x % 40 {
                    7 => db.write_first::<usize, _>(panics).await,
                    x if x % 3 == 0 => db.write(insert).await,
                    x if x % 5 == 0 => db.write_soon(insert).await,
                    _ => db.write_first(insert).await,
                }
            });
        }
        let kept = all.join_all().await.into_iter().flatten().count();
        let count = db.read(|c| c.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)));
        assert_eq!(
            (kept, count.await.unwrap()),
            (200, 200_i64),
            "one of each pair, and nothing of what panicked"
        );
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_goes_away_leaves_nobody_without_an_answer() {
        let (_dir, db) = db();
        let mut stay = tokio::task::JoinSet::new();
        for x in 0..600_i64 {
            let (db, insert) =
                (db.clone(), move |tx: &crate::Transaction<'_>| tx.execute("INSERT INTO t VALUES(?1)", [x]));
            let task = async move { db.write_first(insert).await };
            if x % 3 == 0 {
                // It is dropped wherever it is: gathering, waiting, or with the answers of others in its hands.
                let mut task = Box::pin(task);
                stay.spawn(async move {
                    for _ in 0..x % 4 {
                        tokio::select! {
                            biased;
                            _ = &mut task => break,
                            () = tokio::task::yield_now() => {}
                        }
                    }
                    Ok(1)
                });
            } else {
                stay.spawn(task);
            }
        }
        let answered =
            tokio::time::timeout(std::time::Duration::from_secs(20), stay.join_all()).await.unwrap();
        assert!(answered.iter().all(Result::is_ok), "{answered:?}");
        let count = db.read(|c| c.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)));
        assert!(count.await.unwrap() >= 400);
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
