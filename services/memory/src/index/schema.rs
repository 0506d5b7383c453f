//! The index's tables. It is made of the files and can be thrown away: a change of its shape is a new first migration.

/// Brings an index from nothing to the schema this build knows.
pub(crate) const MIGRATIONS: &[&str] = &["
CREATE TABLE notes(
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  claim TEXT,
  path TEXT NOT NULL UNIQUE,
  size INTEGER NOT NULL,
  modified INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  kind TEXT NOT NULL,
  class TEXT NOT NULL,
  agent TEXT,
  session TEXT,
  key TEXT,
  tags TEXT NOT NULL,
  whole TEXT NOT NULL,
  stem TEXT NOT NULL,
  named TEXT NOT NULL,
  body BLOB NOT NULL,
  importance REAL NOT NULL,
  trouble INTEGER NOT NULL,
  head TEXT NOT NULL
);
CREATE INDEX notes_claim ON notes(claim) WHERE claim IS NOT NULL;
CREATE INDEX notes_updated ON notes(updated, row);
CREATE INDEX notes_key ON notes(key) WHERE key IS NOT NULL;
CREATE INDEX notes_session ON notes(session) WHERE session IS NOT NULL;
CREATE INDEX notes_whole ON notes(whole);
CREATE INDEX notes_stem ON notes(stem);
CREATE INDEX notes_named ON notes(named);
CREATE INDEX notes_body ON notes(body);
CREATE TABLE passages(row INTEGER NOT NULL, at INTEGER NOT NULL, hash BLOB NOT NULL, text TEXT NOT NULL, PRIMARY KEY(row, at)) WITHOUT ROWID;
CREATE TABLE links(row INTEGER NOT NULL, at INTEGER NOT NULL, name TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY(row, at)) WITHOUT ROWID;
CREATE INDEX links_target ON links(target);
CREATE TABLE accesses(id TEXT PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID;
"];
