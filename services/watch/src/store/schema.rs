//! The tables. Times are microseconds since 1970 in UTC.

/// One list for the whole database: ours, then those of healing, then what came later.
pub(crate) const MIGRATIONS: &[&str] = &["
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
-- Only ever appended to; what is too old goes as a whole.
CREATE TABLE transition(
  id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, service TEXT NOT NULL, was TEXT NOT NULL, now TEXT NOT NULL,
  why TEXT NOT NULL);
CREATE INDEX transition_service ON transition(service, at);
CREATE TRIGGER transition_stays BEFORE UPDATE ON transition
  BEGIN SELECT RAISE(ABORT, 'transitions are only appended'); END;
CREATE TABLE incident(
  id INTEGER PRIMARY KEY, root TEXT NOT NULL, fingerprint TEXT NOT NULL, began INTEGER NOT NULL, detected INTEGER NOT NULL,
  escalated INTEGER, resolved INTEGER, trace TEXT NOT NULL, told TEXT, body TEXT NOT NULL);
CREATE INDEX incident_began ON incident(began);
CREATE INDEX incident_fingerprint ON incident(fingerprint, began);
CREATE INDEX incident_open ON incident(id) WHERE resolved IS NULL;
CREATE INDEX incident_trace ON incident(trace);
CREATE TABLE entry(
  id INTEGER PRIMARY KEY, incident INTEGER NOT NULL, at INTEGER NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL);
CREATE INDEX entry_incident ON entry(incident);
CREATE TABLE outcome(
  service TEXT NOT NULL, pattern TEXT NOT NULL, action TEXT NOT NULL, tries INTEGER NOT NULL, helped INTEGER NOT NULL,
  PRIMARY KEY(service, pattern, action)) WITHOUT ROWID;
CREATE TABLE hold(service TEXT PRIMARY KEY, until INTEGER NOT NULL, author TEXT NOT NULL, why TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE outbox(
  id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, trace TEXT NOT NULL, notice TEXT NOT NULL, told INTEGER,
  refused TEXT);
CREATE INDEX outbox_waiting ON outbox(id) WHERE told IS NULL AND refused IS NULL;
", crate::heal::schema::MIGRATION, "
-- The service of whose lock it tells people, where the supervisor would otherwise.
ALTER TABLE outbox ADD COLUMN claims TEXT;
"];
