//! Jobs that go before others: how they gather, and how those who share a commit learn of its outcome.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::StoreError;
use crate::transaction::Transaction;
use crate::writer::guarded;

/// A job that goes before others, in the group's transaction itself: a savepoint for each would copy every page it
/// touches once more. For that it must bear being done again.
pub(crate) trait First: Send {
    /// Whether its changes may stay.
    fn work(&mut self, transaction: &Transaction<'_>) -> bool;
    /// Answers whoever waits for it, and gives them the answers of others to pass on.
    fn answer(self: Box<Self>, failed: Option<&StoreError>, others: Answers);
}

/// Jobs that go first and wait to be taken together: waking the thread for each of them costs more than their work.
#[derive(Default)]
pub(crate) struct Gathering(Mutex<Vec<Box<dyn First>>>);

impl Gathering {
    pub(crate) fn jobs(&self) -> MutexGuard<'_, Vec<Box<dyn First>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Gathering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gathering").finish_non_exhaustive()
    }
}

/// The outcome of a commit for those who share it. One of them is woken by the writer and wakes the rest, which within a
/// runtime costs next to nothing. Wherever this is dropped, they are answered: also where nobody takes it any more.
pub(crate) struct Answers {
    pub(crate) jobs: Vec<Box<dyn First>>,
    pub(crate) failed: Option<StoreError>,
}

impl Answers {
    pub(crate) const NONE: Self = Self { jobs: Vec::new(), failed: None };

    /// Answers the first of them, who answers the others.
    pub(crate) fn pass_on(mut self) {
        let Some(job) = self.jobs.pop() else { return };
        let failed = self.failed.clone();
        job.answer(failed.as_ref(), self);
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        for job in std::mem::take(&mut self.jobs) {
            job.answer(self.failed.as_ref(), Self::NONE);
        }
    }
}

/// One job: its work, what came of it, and who waits for that.
pub(crate) struct Repeatable<T, F> {
    pub(crate) path: Arc<Path>,
    pub(crate) work: F,
    pub(crate) outcome: Result<T, StoreError>,
    pub(crate) reply: oneshot::Sender<(Result<T, StoreError>, Answers)>,
}

impl<T, F> First for Repeatable<T, F>
where
    T: Send + 'static,
    F: Fn(&Transaction<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
{
    fn work(&mut self, transaction: &Transaction<'_>) -> bool {
        self.outcome = guarded(&self.path, || (self.work)(transaction));
        self.outcome.is_ok()
    }

    fn answer(self: Box<Self>, failed: Option<&StoreError>, others: Answers) {
        let outcome = failed.map_or(self.outcome, |error| Err(error.clone()));
        if self.reply.send((outcome, others)).is_err() {
            tracing::debug!("nobody waits for this write any more");
        }
    }
}
