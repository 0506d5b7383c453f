//! The history of the vault: what was changed is committed a moment later, by who changed it.

pub(crate) mod config;
pub(crate) mod git;
mod lock;
mod worker;

use std::path::Path;
use std::sync::Arc;

use sanctum_kernel::service::Shared;
use sanctum_kernel::{OnError, Status};
use tokio::sync::{mpsc, oneshot};

pub(crate) use git::{Git, Logged};
pub(crate) use worker::Entry;

use crate::library::Error;
use crate::vault::Rel;

/// Changes that wait to be committed; when there are more, everything is looked at instead.
const QUEUE: usize = 16_384;
/// Part of the service's health.
pub(crate) const PART: &str = "history";

/// What the worker is told.
#[derive(Debug)]
enum Item {
    Changed(Entry),
    /// Notes may have been changed by nobody we know.
    Everything,
    Settle(oneshot::Sender<Result<(), String>>),
}

/// The history; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct History(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    git: Result<Git, String>,
    out: mpsc::Sender<Item>,
}

impl History {
    /// Opens or makes the repository, and begins to commit. Without git the house remembers all the same.
    pub(crate) async fn begin(vault: &Path, nested: bool, on: bool, shared: &Shared) -> Self {
        let (out, items) = mpsc::channel(QUEUE);
        let git = if on {
            Git::open(vault, nested).await.map_err(|error| error.to_string())
        } else {
            Err("it is switched off (`[memory.git] on = false`)".to_owned())
        };
        match &git {
            Ok(git) => {
                let whose = if git.ours {
                    "every change is committed"
                } else {
                    "in your own repository: only what the house changes is committed"
                };
                shared.well.set(PART, Status::Well, whose);
                let work = worker::Worker::new(git.clone(), shared.clone());
                shared.tasks.spawn("history", OnError::Log, |stop| work.run(items, stop));
            }
            Err(_) if !on => shared.well.set(PART, Status::Well, "switched off: nothing can be undone"),
            Err(reason) => shared.well.set_hint(
                PART,
                Status::Degraded,
                format!("there is no history, and nothing can be undone: {reason}"),
                "install git and restart the memory",
            ),
        }
        let history = Self(Arc::new(Inner { git, out }));
        history.look_at_everything();
        history
    }

    /// Something was changed; it will be committed within a second or so.
    pub(crate) fn note(&self, entry: Entry) {
        // In somebody's own repository their own changes are theirs to commit.
        if self.0.git.as_ref().is_ok_and(|git| !git.ours && entry.by_hand) {
            return;
        }
        if self.0.git.is_ok() && self.0.out.try_send(Item::Changed(entry)).is_err() {
            tracing::warn!("more is changed than the history takes down one by one");
        }
    }

    /// Something may have been changed while nobody looked.
    pub(crate) fn look_at_everything(&self) {
        // A full queue says that much is being committed; another look comes.
        self.0.out.try_send(Item::Everything).ok();
    }

    pub(crate) fn git(&self) -> Result<&Git, Error> {
        self.0.git.as_ref().map_err(|reason| Error::NoHistory(reason.clone()))
    }

    /// Returns when everything that was changed until now is committed.
    pub(crate) async fn settle(&self) -> Result<(), Error> {
        self.git()?;
        let (reply, answer) = oneshot::channel();
        let gone = || Error::NoHistory("the memory is stopping".to_owned());
        self.0.out.send(Item::Settle(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map_err(Error::NoHistory)
    }
}

/// Whether a path in the repository is a note of the vault.
pub(crate) fn is_note(path: &str) -> bool {
    Rel::parse(path).is_some_and(|rel| rel.is_note())
}
