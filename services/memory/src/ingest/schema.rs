//! What must survive the index: exchanges that wait to be read, and what consolidation is in the middle of.

/// Brings the database from nothing to the schema this build knows.
pub(crate) const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE queue(
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  agent TEXT NOT NULL,
  at INTEGER NOT NULL,
  session TEXT NOT NULL,
  body TEXT,
  tries INTEGER NOT NULL DEFAULT 0,
  due INTEGER NOT NULL DEFAULT 0,
  done INTEGER,
  outcome TEXT,
  note TEXT
);
CREATE INDEX queue_open ON queue(id) WHERE done IS NULL;
CREATE INDEX queue_done ON queue(done) WHERE done IS NOT NULL;
CREATE INDEX queue_agent ON queue(agent, at);
CREATE TABLE starts(
  agent TEXT NOT NULL,
  head BLOB NOT NULL,
  seen INTEGER NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY(agent, head)
) WITHOUT ROWID;
CREATE TABLE runs(
  name TEXT PRIMARY KEY,
  began INTEGER NOT NULL,
  ended INTEGER,
  dry INTEGER NOT NULL,
  report TEXT NOT NULL
);
CREATE TABLE tasks(
  run TEXT NOT NULL,
  at INTEGER NOT NULL,
  body TEXT NOT NULL,
  done INTEGER NOT NULL DEFAULT 0,
  trouble TEXT,
  PRIMARY KEY(run, at)
) WITHOUT ROWID;
CREATE TABLE archived(
  id TEXT PRIMARY KEY,
  since INTEGER NOT NULL
) WITHOUT ROWID;
",
    "
CREATE TABLE asked(
  id TEXT PRIMARY KEY
) WITHOUT ROWID;
",
];
