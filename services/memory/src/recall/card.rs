//! What recall keeps of a note besides its words: whether it may be shown, and when it held.

use jiff::Timestamp;
use sanctum_api::memory::{Class, Kind};

use crate::model::Indexed;

/// Where notes go that are out of use.
const ARCHIVE: &str = "archive/";
const INBOX: &str = "inbox/";
const META: &str = "meta/";

/// Which notes may be found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    /// Only these; empty: all.
    pub(crate) classes: Vec<Class>,
    /// Only these; empty: all.
    pub(crate) kinds: Vec<Kind>,
    /// Each of these.
    pub(crate) tags: Vec<String>,
    /// Only below this folder of the vault.
    pub(crate) folder: Option<String>,
    /// Of the inboxes only this agent's; absent: all.
    pub(crate) inbox: Option<String>,
    /// What is archived or superseded as well.
    pub(crate) history: bool,
}

/// One note.
#[derive(Debug, PartialEq)]
pub(crate) struct Card {
    /// Its first passage among all, and how many there are.
    pub(crate) first: u32,
    pub(crate) count: u32,
    /// Its session: its own if it belongs to none.
    pub(crate) session: u32,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) importance: f32,
    /// Of what its passages are found by besides their texts.
    pub(crate) found_by: u64,
    path: Box<str>,
    class: Class,
    kind: Kind,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    superseded: bool,
    tags: Box<[Box<str>]>,
}

/// Whether a note belongs into an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    Yes,
    /// It would, but for its class.
    Withheld,
    No,
}

impl Card {
    pub(crate) fn new(note: &Indexed, first: u32, count: u32, session: u32, found_by: u64) -> Self {
        let head = &note.head;
        Self {
            found_by,
            first,
            count,
            session,
            created: head.created,
            updated: head.updated,
            importance: head.importance.clamp(0.0, 1.0),
            path: head.path.as_str().into(),
            class: head.class,
            kind: head.kind,
            from: head.valid_from,
            until: head.valid_until,
            superseded: head.superseded_by.is_some(),
            tags: head.tags.iter().map(|tag| tag.as_str().into()).collect(),
        }
    }

    /// Whether it held at some time from `from` on and before `until`, both of the question.
    pub(crate) fn held(&self, from: Timestamp, until: Timestamp) -> bool {
        self.from.is_none_or(|begin| begin < until) && self.until.is_none_or(|end| end > from)
    }

    /// Whether its own time, which is when it began to hold, or when it was written, is in that of the question.
    pub(crate) fn began(&self, from: Timestamp, until: Timestamp) -> bool {
        let own = self.from.unwrap_or(self.created);
        from <= own && own < until
    }

    /// `at`: the time that is asked about; `then`: it is one of the past.
    pub(crate) fn fits(&self, filter: &Filter, at: (Timestamp, Timestamp), then: bool) -> Fit {
        let fits = (filter.history || self.stands(at, then))
            && (filter.kinds.is_empty() || filter.kinds.contains(&self.kind))
            && match filter.folder.as_deref() {
                Some(folder) => below(&self.path, folder),
                // What the house writes of itself is found by who looks for it there.
                None => !self.path.starts_with(META),
            }
            && filter.inbox.as_deref().is_none_or(|agent| self.common_or_of(agent))
            && filter.tags.iter().all(|tag| self.tags.iter().any(|own| **own == **tag));
        if !fits {
            return Fit::No;
        }
        if filter.classes.is_empty() || filter.classes.contains(&self.class) {
            Fit::Yes
        } else {
            Fit::Withheld
        }
    }

    /// What was superseded held until then; what was archived for another reason is gone.
    fn stands(&self, (from, until): (Timestamp, Timestamp), then: bool) -> bool {
        let replaced = self.superseded && !(then && self.until.is_some());
        let away = self.path.starts_with(ARCHIVE) && !(then && self.superseded);
        !replaced && !away && self.held(from, until)
    }

    fn common_or_of(&self, agent: &str) -> bool {
        let Some(rest) = self.path.strip_prefix(INBOX) else { return true };
        rest.split_once('/').is_none_or(|(owner, _)| owner == agent)
    }
}

fn below(path: &str, folder: &str) -> bool {
    let folder = folder.trim_matches('/');
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}
