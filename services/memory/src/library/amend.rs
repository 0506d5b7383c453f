//! Changes of a note that are not a person's writing: by consolidation, ingest and supersession.

use jiff::Timestamp;

use super::Who;

/// Who changes, in which run, and why: it becomes the message in the history.
#[derive(Debug, Clone)]
pub(crate) struct Hand {
    pub(crate) who: Who,
    /// The run of consolidation, by which all of it can be undone.
    pub(crate) run: Option<String>,
    /// One line, such as `merged into n-…`.
    pub(crate) why: String,
    /// The commit that is taken back.
    pub(crate) undoes: Option<String>,
}

impl Hand {
    pub(crate) fn new(who: &Who, why: impl Into<String>) -> Self {
        Self { who: who.clone(), run: None, why: why.into(), undoes: None }
    }

    pub(crate) fn in_run(mut self, run: &str) -> Self {
        self.run = Some(run.to_owned());
        self
    }
}

/// What to change; what is not named stays as it is, byte for byte.
#[derive(Debug, Clone, Default)]
pub(crate) struct Amend {
    /// Only if the note is at this version.
    pub(crate) version: Option<String>,
    /// Keys of the front matter; `None` removes the line.
    pub(crate) matter: Vec<(&'static str, Option<Value>)>,
    /// The Markdown below the front matter.
    pub(crate) text: Option<String>,
    /// Another folder, such as `knowledge/garden`.
    pub(crate) folder: Option<String>,
    /// `updated` becomes now, too.
    pub(crate) touch: bool,
}

/// A value of the front matter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Number(f64),
    Whole(u64),
    Time(Timestamp),
    List(Vec<String>),
}
