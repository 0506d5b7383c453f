//! Commits what was changed, in groups of at most a second.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use sanctum_kernel::service::Shared;
use sanctum_kernel::{Failure, Status, Stop};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::git::{Git, GitError, Message};
use super::lock::Locks;
use super::{Item, PART};

/// How long the first change of a group waits for others.
const GROUP: Duration = Duration::from_secs(1);
/// Changes that wait while git cannot commit; then everything is looked at instead.
const MOST: usize = 50_000;
/// Commits between two looks at whether packing is worth it.
const PACK: u32 = 500;

/// One change of one note.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) who: String,
    pub(crate) id: String,
    pub(crate) title: String,
    /// `created`, `changed`, `moved`, `removed`.
    pub(crate) what: String,
    /// Where it is, and where it was.
    pub(crate) paths: Vec<String>,
    pub(crate) why: String,
    pub(crate) run: Option<String>,
    pub(crate) undoes: Option<String>,
    /// Somebody with an editor did it.
    pub(crate) by_hand: bool,
}

pub(crate) struct Worker {
    git: Git,
    shared: Shared,
    locks: Locks,
    todo: Vec<Entry>,
    everything: bool,
    settle: Vec<oneshot::Sender<Result<(), String>>>,
    failures: u32,
    commits: u32,
}

impl Worker {
    pub(crate) fn new(git: Git, shared: Shared) -> Self {
        let (locks, todo, settle) = (Locks::default(), Vec::new(), Vec::new());
        Self { git, shared, locks, todo, everything: false, settle, failures: 0, commits: 0 }
    }

    pub(crate) async fn run(mut self, mut items: mpsc::Receiver<Item>, stop: Stop) -> Result<(), Failure> {
        loop {
            let stopped = self.gather(&mut items, &stop).await;
            if stopped {
                items.close();
                while let Ok(item) = items.try_recv() {
                    self.take(item);
                }
            }
            match self.commit().await {
                Ok(()) => self.committed(),
                Err(error) => self.failed(&error).await,
            }
            if stopped {
                return Ok(());
            }
        }
    }

    /// Waits for something to do, and for what comes soon after it; whether the service stops.
    async fn gather(&mut self, items: &mut mpsc::Receiver<Item>, stop: &Stop) -> bool {
        let waiting = !self.todo.is_empty() || self.everything;
        let again = Duration::from_secs(2 << self.failures.min(5));
        let until = Instant::now() + if waiting { again } else { GROUP };
        if !waiting {
            match stop.or(items.recv()).await {
                Some(Some(item)) => self.take(item),
                _ => return true,
            }
        }
        // Who waits for the history waits for no others.
        while self.settle.is_empty() {
            tokio::select! {
                () = stop.requested() => return true,
                () = tokio::time::sleep_until(until) => return false,
                item = items.recv() => match item {
                    Some(item) => self.take(item),
                    None => return true,
                },
            }
        }
        false
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Changed(entry) if self.todo.len() < MOST => self.todo.push(entry),
            Item::Changed(_) | Item::Everything => self.everything |= self.git.ours,
            Item::Settle(reply) => self.settle.push(reply),
        }
    }

    async fn commit(&mut self) -> Result<(), GitError> {
        let now = self.shared.clock.now();
        let groups = group(&self.todo);
        for group in &groups {
            let paths: BTreeSet<String> =
                group.iter().flat_map(|entry| entry.paths.iter().cloned()).collect();
            let paths: Vec<String> = paths.into_iter().collect();
            self.git.commit(&paths, &message(group, now)).await?;
            self.commits += 1;
        }
        self.todo.clear();
        if self.everything {
            let text = "changed while nobody watched\n".to_owned();
            self.git.commit_all(&Message { author: "hand".to_owned(), text, at: now }).await?;
            self.everything = false;
        }
        if self.commits >= PACK {
            self.commits = 0;
            self.git.pack().await;
        }
        Ok(())
    }

    fn committed(&mut self) {
        if self.failures > 0 {
            self.failures = 0;
            self.shared.well.set(PART, Status::Well, "every change is committed");
        }
        self.settle.drain(..).for_each(|reply| drop(reply.send(Ok(()))));
    }

    async fn failed(&mut self, error: &GitError) {
        let mut detail = format!("what was changed is not committed yet: {error}");
        if error.is_locked() {
            let locks = self.git.locks().await;
            let removed = self.locks.clear(&locks).await;
            if !removed.is_empty() {
                let names: Vec<String> = removed.iter().map(|path| path.display().to_string()).collect();
                tracing::warn!(locks = names.join(", "), "a lock that a git had left behind was removed");
                detail = format!("a lock that was left behind was removed: {}", names.join(", "));
                self.failures = 0;
            }
        }
        self.failures += 1;
        tracing::warn!(%error, "the history of the vault could not be written");
        let hint = "git's own words say why; what was changed is committed when it works again";
        self.shared.well.set_hint(PART, Status::Degraded, detail.clone(), hint);
        self.settle.drain(..).for_each(|reply| drop(reply.send(Err(detail.clone()))));
    }
}

/// Changes in a row by the same hand make one commit, unless the same file was touched by two: what is on the disk is
/// the work of both.
fn group(entries: &[Entry]) -> Vec<Vec<Entry>> {
    let mut groups: Vec<Vec<Entry>> = Vec::new();
    for entry in entries {
        let touches = |group: &Vec<Entry>| {
            group.iter().any(|other| other.paths.iter().any(|path| entry.paths.contains(path)))
        };
        // From the first that it shares a file with on, they are one.
        if let Some(at) = groups.iter().position(touches) {
            let later = groups.split_off(at);
            groups.push(later.into_iter().flatten().chain([entry.clone()]).collect());
            continue;
        }
        match groups.last_mut() {
            Some(group) if group.last().is_some_and(|last| same_hand(last, entry)) => {
                group.push(entry.clone());
            }
            _ => groups.push(vec![entry.clone()]),
        }
    }
    groups
}

fn same_hand(one: &Entry, other: &Entry) -> bool {
    one.who == other.who && one.run == other.run && one.undoes == other.undoes
}

fn message(group: &[Entry], at: Timestamp) -> Message {
    let clean = |text: &str| {
        text.chars()
            .map(|c| if c.is_control() || matches!(c, '<' | '>') { ' ' } else { c })
            .collect::<String>()
    };
    let mut text = match group {
        [only] => format!("{} {}\n\n", only.what, clean(&only.title)),
        many => {
            let count = |what: &str| many.iter().filter(|entry| entry.what == what).count();
            let counts: Vec<String> = ["created", "changed", "moved", "removed"]
                .iter()
                .map(|what| (count(what), what))
                .filter(|(count, _)| *count > 0)
                .map(|(count, what)| format!("{count} {what}"))
                .collect();
            format!("{} changes: {}\n\n", many.len(), counts.join(", "))
        }
    };
    for entry in group {
        let why = if entry.why.is_empty() { String::new() } else { format!(": {}", clean(&entry.why)) };
        let path = entry.paths.first().map_or("", String::as_str);
        writeln!(text, "{} {} {}, by {}{why}", entry.what, entry.id, path, clean(&entry.who)).ok();
    }
    let mut trailers: BTreeSet<String> = BTreeSet::new();
    for entry in group {
        // What others did in the same moment is no part of a run: undoing it must never take that back.
        let alone = group.iter().all(|other| other.run == entry.run);
        trailers.extend(entry.run.as_ref().filter(|_| alone).map(|run| format!("Run: {}", clean(run))));
        trailers.extend(entry.undoes.as_ref().map(|commit| format!("Undoes: {commit}")));
    }
    if !trailers.is_empty() {
        text.push('\n');
        for trailer in &trailers {
            writeln!(text, "{trailer}").ok();
        }
    }
    let author = group.last().map(|entry| clean(&entry.who)).filter(|who| !who.trim().is_empty());
    Message { author: author.unwrap_or_else(|| "nobody".to_owned()), text, at }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(who: &str, path: &str) -> Entry {
        Entry { who: who.into(), paths: vec![path.into()], what: "changed".into(), ..Entry::default() }
    }

    #[test]
    fn changes_in_a_row_by_one_hand_are_one_commit() {
        let entries = [entry("a", "1"), entry("a", "2"), entry("b", "3"), entry("a", "4")];
        let sizes: Vec<usize> = group(&entries).iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1, 1]);
    }

    #[test]
    fn a_file_that_two_have_touched_is_the_work_of_both() {
        let entries = [entry("a", "1"), entry("b", "2"), entry("c", "1"), entry("c", "3")];
        let groups = group(&entries);
        assert_eq!(groups.len(), 1);
        let message = message(&groups[0], Timestamp::UNIX_EPOCH);
        assert_eq!(message.author, "c");
        assert!(message.text.contains("by a") && message.text.contains("by b"), "{}", message.text);
    }
}
