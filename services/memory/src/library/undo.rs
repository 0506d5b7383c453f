//! Taking changes back, by the vault's history.

use std::collections::HashSet;

use sanctum_api::memory::Change;

use super::{Error, Hand, Library, Who};
use crate::history::Logged;
use crate::index::read;
use crate::vault::{Rel, file};

impl Library {
    /// The path of a note, or of one that was: a path may be named that leads nowhere any more.
    async fn path_of(&self, id: &str, who: &Who) -> Result<Option<Rel>, Error> {
        match self.find(id).await {
            Ok((_, head)) if who.may_see(head.class) => Ok(Rel::parse(&head.path)),
            Ok(_) => Err(Error::Unknown(id.to_owned())),
            Err(Error::Unknown(_)) => Ok(Rel::parse(id).filter(Rel::is_note)),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn changes_of(&self, id: &str) -> Result<Vec<Change>, Error> {
        let who = Who::house("history");
        let rel = self.path_of(id, &who).await?.ok_or_else(|| Error::Unknown(id.to_owned()))?;
        let git = self.0.history.git()?;
        self.0.history.settle().await?;
        let logged = git.log(rel.as_str()).await.map_err(|error| Error::NoHistory(error.to_string()))?;
        if logged.is_empty() && self.find(id).await.is_err() {
            return Err(Error::Unknown(id.to_owned()));
        }
        Ok(logged.iter().map(said).collect())
    }

    pub(super) async fn take_back(&self, id: &str, who: &Who) -> Result<Vec<Change>, Error> {
        let git = self.0.history.git()?;
        let rel = self.path_of(id, who).await?;
        if let Some(rel) = &rel {
            // What an editor has just saved is a change like any other.
            self.look_at(rel).await?;
        }
        self.0.history.settle().await?;
        let failed = |error: crate::history::git::GitError| Error::NoHistory(error.to_string());
        let Some(rel) = rel else {
            let logged = git.run_log(id).await.map_err(failed)?;
            if logged.is_empty() {
                return Err(Error::Unknown(id.to_owned()));
            }
            return self.revert(&logged, None, id, who).await;
        };
        let logged = git.log(rel.as_str()).await.map_err(failed)?;
        let last = last_standing(&logged).ok_or_else(|| {
            Error::NothingToUndo(format!("nothing of `{rel}` is in the history that could be undone"))
        })?;
        self.revert(std::slice::from_ref(last), Some(&rel), id, who).await
    }

    /// Takes changes back, the newest first. Of a run, what was changed since by somebody else is left alone.
    async fn revert(
        &self,
        logged: &[Logged],
        now_at: Option<&Rel>,
        id: &str,
        who: &Who,
    ) -> Result<Vec<Change>, Error> {
        let git = self.0.history.git()?;
        let before = |change: &Logged| {
            let path = change.old.clone().unwrap_or_else(|| change.path.clone());
            (format!("{}^", change.commit), path)
        };
        let after = |change: &Logged| (change.commit.clone(), change.path.clone());
        let wanted: Vec<(String, String)> =
            logged.iter().flat_map(|change| [before(change), after(change)]).collect();
        let contents = git.contents(&wanted).await.map_err(|error| Error::NoHistory(error.to_string()))?;
        let mut done = Vec::new();
        let mut left = Vec::new();
        for (change, pair) in logged.iter().zip(contents.chunks(2)) {
            let (before, after) = match pair {
                [before, after] => (before.clone(), after.as_deref()),
                _ => (None, None),
            };
            let Some(rel) = now_at.cloned().or_else(|| Rel::parse(&change.path)).filter(Rel::is_note) else {
                continue;
            };
            let path = self.0.vault.path(&rel);
            let now = file::read(&path, u64::MAX).ok().map(|seen| seen.bytes);
            if now_at.is_none() && now.as_deref() != after {
                left.push(format!("`{rel}` was changed since"));
                continue;
            }
            let hand = Hand {
                undoes: Some(change.commit.clone()),
                ..Hand::new(who, format!("undid {} of {}", short(&change.commit), id))
            };
            self.revert_one(change, &rel, before, &hand).await?;
            done.push(said(change));
        }
        if done.is_empty() {
            return Err(Error::NothingToUndo(left.join("; ")));
        }
        self.0.history.settle().await?;
        Ok(done)
    }

    async fn revert_one(
        &self,
        change: &Logged,
        rel: &Rel,
        before: Option<Vec<u8>>,
        hand: &Hand,
    ) -> Result<(), Error> {
        let Some(before) = before else {
            // There was nothing before: it was new.
            return self.discard(rel, hand).await;
        };
        let old = change.old.as_deref().and_then(Rel::parse).unwrap_or_else(|| rel.clone());
        if old != *rel {
            self.rename(rel, &old, hand).await?;
        }
        self.restore(&old, before, hand).await.map(drop)
    }

    pub(super) async fn find(&self, name: &str) -> Result<(u32, sanctum_api::memory::Head), Error> {
        let wanted = name.to_owned();
        let found = self.0.index.read(move |db| read::find(db, &wanted)).await?;
        found.ok_or_else(|| Error::Unknown(name.chars().take(200).collect()))
    }
}

fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

fn said(change: &Logged) -> Change {
    let Logged { commit, at, who, subject, path, .. } = change;
    Change { commit: commit.clone(), at: *at, what: format!("{who}: {subject}"), path: path.clone() }
}

/// The newest change that was not taken back: undoing twice goes two steps back.
fn last_standing(logged: &[Logged]) -> Option<&Logged> {
    let mut undone: HashSet<&str> = HashSet::new();
    for change in logged {
        if let Some(undoes) = change.undoes.as_deref() {
            undone.extend(undoes.split(',').map(str::trim));
        } else if !undone.contains(change.commit.as_str()) {
            return Some(change);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undoing_twice_goes_two_steps_back() {
        let change = |commit: &str, undoes: Option<&str>| Logged {
            commit: commit.into(),
            at: jiff::Timestamp::UNIX_EPOCH,
            who: String::new(),
            subject: String::new(),
            undoes: undoes.map(Into::into),
            status: 'M',
            path: "a.md".into(),
            old: None,
        };
        let mut log = vec![change("c", None), change("b", None), change("a", None)];
        assert_eq!(last_standing(&log).unwrap().commit, "c");
        log.insert(0, change("d", Some("c")));
        assert_eq!(last_standing(&log).unwrap().commit, "b");
        log.insert(0, change("e", Some("b")));
        assert_eq!(last_standing(&log).unwrap().commit, "a");
        log.insert(0, change("f", Some("a")));
        assert!(last_standing(&log).is_none());
        log.insert(0, change("g", None));
        assert_eq!(last_standing(&log).unwrap().commit, "g");
    }
}
