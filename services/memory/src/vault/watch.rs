//! What the operating system says of changes in the vault. It may miss some: a sweep finds those.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::is_hidden;

/// What was seen since the last look.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) paths: BTreeSet<PathBuf>,
    /// It has lost count: everything must be looked at.
    pub(crate) all: bool,
}

/// Watches until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    _watcher: RecommendedWatcher,
    events: mpsc::Receiver<Seen>,
}

/// Events that wait; when there are more, everything is looked at.
const QUEUE: usize = 8192;
/// Paths beyond which everything is looked at.
pub(crate) const MANY: usize = 4096;

impl Watch {
    /// Begins to watch the folder and everything below it.
    pub(crate) fn begin(root: &Path) -> Result<Self, notify::Error> {
        let (out, events) = mpsc::channel(QUEUE);
        let within = root.to_owned();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let seen = match event {
                Ok(event) => {
                    if matches!(event.kind, EventKind::Access(_)) {
                        return;
                    }
                    let all = event.need_rescan();
                    let paths = event.paths.into_iter().filter(|path| !is_hidden(&within, path)).collect();
                    Seen { paths, all }
                }
                Err(error) => {
                    tracing::warn!(%error, "the watch over the vault has missed something");
                    Seen { all: true, ..Seen::default() }
                }
            };
            if seen.all || !seen.paths.is_empty() {
                // A full queue is emptied by somebody who then looks at everything.
                out.try_send(seen).ok();
            }
        })?;
        watcher.watch(root, RecursiveMode::Recursive)?;
        Ok(Self { _watcher: watcher, events })
    }

    /// The next change, with those that come within `pause` after it.
    pub(crate) async fn next(&mut self, pause: std::time::Duration) -> Option<Seen> {
        let mut seen = self.events.recv().await?;
        tokio::time::sleep(pause).await;
        seen.all |= self.events.len() >= QUEUE - 1;
        while let Ok(more) = self.events.try_recv() {
            seen.all |= more.all;
            if seen.paths.len() <= MANY {
                seen.paths.extend(more.paths);
            }
        }
        seen.all |= seen.paths.len() > MANY;
        Some(seen)
    }
}
