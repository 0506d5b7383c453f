//! What the tools take. Less than the house's own surface: who asks is never an argument.

use jiff::Timestamp;
use sanctum_api::memory::{Class, Kind, List, Search, Write};
use schemars::JsonSchema;
use serde::Deserialize;

/// No arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::mcp) struct Nothing {}

/// Which note.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::mcp) struct Which {
    /// The note's id, such as `n-…`, or its path in the vault.
    pub(in crate::mcp) id: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::mcp) struct Seek {
    /// What is looked for, in plain words or as a question. It may name a time.
    query: String,
    /// At most so many results: 1 to 100; absent: 10.
    limit: Option<u32>,
    /// A name of this conversation: what is recalled to it does not come back as new.
    session: Option<String>,
    /// What held then, not now: RFC 3339.
    #[schemars(with = "Option<String>")]
    as_of: Option<Timestamp>,
    /// Only these types of notes.
    #[serde(default)]
    types: Vec<Kind>,
    /// Only notes with all of these tags.
    #[serde(default)]
    tags: Vec<String>,
    /// Only below this folder, such as `knowledge/garden`.
    folder: Option<String>,
    /// Archived and superseded notes as well.
    #[serde(default)]
    history: bool,
}

impl From<Seek> for Search {
    fn from(seek: Seek) -> Self {
        let Seek { query, limit, session, as_of, types, tags, folder, history } = seek;
        Self { query, limit, session, as_of, types, tags, folder, history, ..Self::default() }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::mcp) struct Remember {
    /// What to keep, as Markdown: one fact, event or procedure.
    text: String,
    /// The note to change; absent for a new one.
    id: Option<String>,
    /// The version that is replaced, from `memory_read`; a note that was changed since is left alone.
    version: Option<String>,
    /// A short title; absent: the first heading.
    title: Option<String>,
    /// Where, such as `knowledge/garden`; absent: your inbox.
    folder: Option<String>,
    /// What sort of knowledge it is.
    #[serde(rename = "type")]
    kind: Option<Kind>,
    /// `health` and `finance` never leave the house.
    class: Option<Class>,
    /// What it was taken from: a URL, a file, a conversation.
    source: Option<String>,
    /// A name of this conversation: its notes are neighbours.
    session: Option<String>,
    /// What the note is a statement about, such as `dentist.phone`: a newer one takes the place of an older.
    key: Option<String>,
    /// From when on it holds: RFC 3339.
    #[schemars(with = "Option<String>")]
    valid_from: Option<Timestamp>,
    /// Until when it held: RFC 3339.
    #[schemars(with = "Option<String>")]
    valid_until: Option<Timestamp>,
    /// From 0 to 1.
    importance: Option<f32>,
    #[serde(default)]
    tags: Vec<String>,
    /// Names of people, places and things it is about.
    #[serde(default)]
    entities: Vec<String>,
    /// How many days it is kept without being used.
    ttl_days: Option<u32>,
}

impl From<Remember> for Write {
    fn from(given: Remember) -> Self {
        Self {
            id: given.id,
            version: given.version,
            text: given.text,
            title: given.title,
            folder: given.folder,
            kind: given.kind,
            class: given.class,
            agent: None,
            source: given.source,
            session: given.session,
            key: given.key,
            valid_from: given.valid_from,
            valid_until: given.valid_until,
            importance: given.importance,
            tags: given.tags,
            entities: given.entities,
            ttl_days: given.ttl_days,
        }
    }
}

/// Which note to forget.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::mcp) struct Forget {
    /// The note's id, or its path in the vault.
    pub(in crate::mcp) id: String,
    /// The note's `version` as `memory_read` gave it, once the user has agreed. Only where this client cannot ask the user by
    /// itself.
    pub(in crate::mcp) confirm: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::mcp) struct Listing {
    /// Only below this folder.
    folder: Option<String>,
    /// Only notes of this agent.
    agent: Option<String>,
    /// Only this type.
    #[serde(rename = "type")]
    kind: Option<Kind>,
    /// Only with this tag.
    tag: Option<String>,
    /// Only files that something is wrong with.
    #[serde(default)]
    trouble: bool,
    /// Where to go on: `next` of the page before.
    cursor: Option<String>,
    /// At most so many: 1 to 1000; absent: 100.
    limit: Option<u32>,
}

impl From<Listing> for List {
    fn from(given: Listing) -> Self {
        let Listing { folder, agent, kind, tag, trouble, cursor, limit } = given;
        Self { folder, agent, kind, tag, trouble, cursor, limit }
    }
}

/// How to put things in order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::mcp) struct Consolidate {
    /// Do it; otherwise it is only reported what would be done.
    #[serde(default)]
    pub(in crate::mcp) apply: bool,
}
