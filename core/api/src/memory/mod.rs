//! memory: what the house remembers.

mod client;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time;

pub use client::Client;

/// What sort of knowledge a note holds.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What is so.
    #[default]
    Semantic,
    /// What happened.
    Episodic,
    /// How something is done.
    Procedural,
    /// What somebody noticed, not yet sorted.
    Observation,
    /// What a session came to.
    SessionSummary,
}

/// Whether a note may leave the house.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    #[default]
    General,
    /// Never recalled into a request that leaves the house.
    Health,
    /// Never recalled into a request that leaves the house.
    Finance,
}

/// Where the words of a note come from. The service sets it from who writes; no body of a request can.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A person of the house, by hand or by the command line.
    Owner,
    /// An agent of the house.
    Agent,
    /// From outside: a page, a mail, an import.
    #[default]
    Untrusted,
    /// The house itself.
    System,
}

/// A whole note.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    #[serde(flatten)]
    pub head: Head,
    /// The Markdown below the front matter.
    pub text: String,
    /// Ids of notes that say something else under the same key and are valid at the same time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradicts: Vec<String>,
}

/// What is known of a note without its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Head {
    /// Stays with the note wherever its file is moved.
    pub id: String,
    /// Path in the vault, with `/`.
    pub path: String,
    pub title: String,
    #[serde(rename = "type")]
    pub kind: Kind,
    pub class: Class,
    pub origin: Origin,
    /// The agent it belongs to, if it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What it was taken from: a URL, a conversation, a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The conversation it belongs to; notes of one are neighbours in the order of their time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What the note is a statement about, such as `dentist.phone`: a newer one supersedes an older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[schemars(schema_with = "time::instant")]
    pub created: Timestamp,
    #[schemars(schema_with = "time::instant")]
    pub updated: Timestamp,
    /// From when on it holds; absent for always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::maybe_instant")]
    pub valid_from: Option<Timestamp>,
    /// Until when it held; absent while it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::maybe_instant")]
    pub valid_until: Option<Timestamp>,
    /// From 0 to 1, as use and age have made it.
    pub importance: f32,
    /// What it was given when it was written (`importance_base`); absent: it has not been scored since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<f32>,
    /// How often it was recalled or read.
    pub accesses: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<String>,
    /// The note that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// How many days it is kept without being used; absent for what its importance gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_days: Option<u32>,
    /// Changes with every change of the file: a write may say which one it means to replace.
    pub version: String,
    /// What is wrong with the file, such as broken front matter; it is kept and found by its words all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// `POST /write`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Write {
    /// The note to change; absent for a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The version that is replaced; a note that was changed since is left alone and answered with 409.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Where, such as `knowledge/garden`; absent: the inbox of the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::maybe_instant")]
    pub valid_from: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::maybe_instant")]
    pub valid_until: Option<Timestamp>,
    /// From 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub importance: Option<f32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_days: Option<u32>,
}

/// What came of a write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Written {
    pub outcome: Outcome,
    /// The note as it is now; for what was not kept, the one that says it already, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Head>,
    /// Why it was not kept, or what was done with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Notes this one has taken the place of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded: Vec<String>,
}

/// What the gate has made of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Created,
    Changed,
    /// It says word for word what a note says.
    Duplicate,
    /// It says nearly what a note says.
    NearDuplicate,
    /// It was recalled to this session a moment ago.
    RecallLoop,
    /// It holds a secret.
    Secret,
    /// It is what an agent reads at every start.
    BootNoise,
    /// The agent has written enough for now.
    Quota,
}

/// `POST /search`, and with fewer words `POST /recall`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Search {
    pub query: String,
    /// At most so many results: 1 to 100; absent: 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Who asks: its own inbox is searched besides what is common.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The conversation that gets the answer: what was recalled to it does not come back as new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Classes that may be in the answer; empty: what the asker may see.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
    /// What held then, not now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::maybe_instant")]
    pub as_of: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<Kind>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Only below this folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Archived and superseded notes as well.
    pub history: bool,
    /// The answer goes to a model outside of the house: what is private is left out whoever asks.
    pub egress: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    pub results: Vec<Hit>,
    /// Why recall is less than it should be, such as missing weights; absent while it is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded: Option<String>,
    /// Notes left out because of their class.
    pub withheld: u32,
    /// How long it took, in microseconds.
    pub took_us: u64,
}

/// One result, the best first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hit {
    /// The note.
    pub id: String,
    pub path: String,
    pub title: String,
    /// The passage that was found.
    pub text: String,
    /// Position of the passage in its note, from 0.
    pub passage: u32,
    pub class: Class,
    pub origin: Origin,
    #[serde(rename = "type")]
    pub kind: Kind,
    pub score: f32,
    pub why: Why,
    #[schemars(schema_with = "time::instant")]
    pub updated: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::maybe_instant")]
    pub valid_from: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::maybe_instant")]
    pub valid_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// Ids of notes that say something else under the same key and are valid at the same time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradicts: Vec<String>,
}

/// Why a result is where it is: what each part has added to its score, before the factors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    /// Its own words (BM25).
    pub words: f32,
    /// Its meaning (cosine).
    pub meaning: f32,
    /// The words of its neighbours.
    pub neighbours: f32,
    /// The words of its session or note.
    pub session: f32,
    /// Notes it is linked with.
    pub links: f32,
    /// A time the question names.
    pub time: f32,
    /// Factor of its importance.
    pub importance: f32,
    /// Factor of its age.
    pub recency: f32,
}

/// `POST /recall`: for a prompt, so few and whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Recall {
    pub agent: String,
    pub query: String,
    /// At most so many: 1 to 50; absent: 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time::maybe_instant")]
    pub as_of: Option<Timestamp>,
    /// The most tokens of all texts together, as bytes over three: to 2048, which is also the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u32>,
}

/// `POST /ingest`: one exchange that a model has answered. The header `idempotency-key`, or `key`, makes it one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exchange {
    #[serde(default)]
    pub key: String,
    pub agent: String,
    /// When, in milliseconds since 1970.
    #[serde(default)]
    pub at: i64,
    /// `general`, `health` or `finance`.
    #[serde(default)]
    pub class: String,
    pub user: String,
    pub assistant: String,
    /// `provider/model` that answered.
    #[serde(default)]
    pub model: String,
    #[serde(default)]
    pub session: Option<String>,
}

/// What became of an exchange: it is kept, and read into notes afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ingested {
    pub key: String,
    /// It was here before.
    pub repeated: bool,
}

/// `GET /list`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct List {
    pub folder: Option<String>,
    pub agent: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<Kind>,
    pub tag: Option<String>,
    /// Only files that something is wrong with.
    pub trouble: bool,
    /// Where to go on, from the page before.
    pub cursor: Option<String>,
    /// At most so many: 1 to 1000; absent: 100.
    pub limit: Option<u32>,
}

/// A page of notes, the newest change first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    pub notes: Vec<Head>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `GET /links/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Links {
    pub out: Vec<Link>,
    pub back: Vec<Link>,
}

/// A wiki link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    /// As it is written.
    pub name: String,
    /// The note it leads to, or comes from; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// One change of a note, as the vault's history has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The commit.
    pub commit: String,
    #[schemars(schema_with = "time::instant")]
    pub at: Timestamp,
    /// Who and what, in one line.
    pub what: String,
    pub path: String,
}

/// What one pass over the notes did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Report {
    /// Name of the run, by which it is undone.
    pub run: String,
    #[schemars(schema_with = "time::maybe_instant")]
    pub began: Option<Timestamp>,
    #[schemars(schema_with = "time::maybe_instant")]
    pub ended: Option<Timestamp>,
    /// Nothing was changed.
    pub dry_run: bool,
    /// It took up a run that was interrupted.
    pub resumed: bool,
    pub scanned: u32,
    pub steps: Vec<Step>,
    /// What the pass could not do.
    pub troubles: Vec<String>,
    /// Recall of a frozen set of questions before and after, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recall_before: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recall_after: Option<f32>,
}

/// One thing a pass did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// `merge`, `supersede`, `classify`, `promote`, `re-score`, `expire`, `evict`, `empty`.
    pub what: String,
    /// The note.
    pub id: String,
    pub path: String,
    /// Where it went, or which note took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    pub why: String,
}

/// `GET /audit`: what is wrong with what is remembered. Reading only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Audit {
    pub notes: u32,
    pub duplicates: Vec<Vec<String>>,
    pub near_duplicates: Vec<Vec<String>>,
    pub recall_loops: Vec<String>,
    /// Past their validity or superseded, and still where current ones are.
    pub stale: Vec<String>,
    pub contradictions: Vec<Vec<String>>,
    pub secrets: Vec<String>,
    /// Where the index and the files, or the vectors and the passages, differ.
    pub mismatches: Vec<String>,
    /// Files something is wrong with.
    pub troubles: Vec<String>,
}

/// How memory is, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct State {
    pub vault: String,
    pub notes: u32,
    pub passages: u32,
    /// Passages that have a vector; fewer than `passages` while they are being read.
    pub vectors: u32,
    pub links: u32,
    /// Exchanges kept and not yet read into notes.
    pub queued: u32,
    /// The weights in use; absent: recall goes by words alone.
    pub model: Option<String>,
    pub degraded: Option<String>,
    pub troubles: Vec<String>,
    #[schemars(schema_with = "time::maybe_instant")]
    pub consolidated: Option<Timestamp>,
}

/// `GET /graph`: notes and links, for drawing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Graph {
    pub nodes: Vec<Dot>,
    /// Positions in `nodes`.
    pub edges: Vec<(u32, u32)>,
    /// Notes that are not drawn.
    pub left_out: u32,
}

/// One note of the drawing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dot {
    pub id: String,
    pub title: String,
    #[serde(rename = "type")]
    pub kind: Kind,
    pub importance: f32,
}

/// `POST /import`: what was taken and what was not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Imported {
    pub taken: u32,
    pub duplicates: u32,
    /// What could not be taken: where it is, and why. At most 1,000 lines.
    pub left: Vec<String>,
    /// How much could not be taken.
    pub left_out: u32,
}

/// How far long work is; also the event `progress`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// `rebuild`, `consolidate`, `import`.
    pub what: String,
    pub done: u64,
    /// Absent while it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

/// `POST /rebuild`: what the index was made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rebuilt {
    pub notes: u64,
    pub passages: u64,
    pub links: u64,
    /// Files something is wrong with.
    pub troubles: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// The event `note`: one has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Noted {
    pub id: String,
    pub path: String,
    pub title: String,
    /// `created`, `changed`, `moved` or `gone`.
    pub what: String,
    /// Who did it: an agent, `hand` for an editor.
    pub by: String,
}

/// `GET /export`: a page of notes as another program reads them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Exported {
    /// What the format writes for each note, line end included: all of them one behind the other are the file.
    pub pieces: Vec<String>,
    /// Where to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
