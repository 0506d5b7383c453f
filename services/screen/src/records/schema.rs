//! The tables. Times are milliseconds since 1970 in UTC, days are ISO dates of the house's zone.

pub(super) const MIGRATIONS: &[&str] = &["
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE act(
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, deed TEXT NOT NULL, minutes INTEGER, kind TEXT NOT NULL, target TEXT,
  until INTEGER, author TEXT NOT NULL, reason TEXT NOT NULL, trace TEXT NOT NULL, undone INTEGER);
CREATE INDEX act_at ON act(at);
CREATE TABLE credit(
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, day TEXT NOT NULL, person TEXT NOT NULL, what TEXT NOT NULL,
  minutes INTEGER NOT NULL CHECK(minutes > 0), author TEXT NOT NULL, reason TEXT NOT NULL);
CREATE INDEX credit_day ON credit(day, person);
-- One row a credit: spending it twice is a constraint and not a check.
CREATE TABLE redemption(credit INTEGER PRIMARY KEY REFERENCES credit(id), act INTEGER NOT NULL REFERENCES act(id), at INTEGER NOT NULL);
CREATE TABLE answer(key TEXT PRIMARY KEY, at INTEGER NOT NULL, asked TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE request(
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, person TEXT NOT NULL, minutes INTEGER NOT NULL, reason TEXT NOT NULL,
  state TEXT NOT NULL, expires INTEGER NOT NULL, answered INTEGER, answered_by TEXT, trace TEXT NOT NULL);
CREATE TABLE guest(
  device TEXT PRIMARY KEY, name TEXT NOT NULL, since INTEGER NOT NULL, pass TEXT NOT NULL, expires INTEGER,
  author TEXT, told INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE usage(
  kind TEXT NOT NULL, who TEXT NOT NULL, day TEXT NOT NULL, seconds INTEGER NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY(kind, who, day)) WITHOUT ROWID;
CREATE TABLE violation(
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, device TEXT NOT NULL, name TEXT NOT NULL, mac TEXT, owner TEXT,
  rule TEXT NOT NULL, action TEXT NOT NULL, verdict TEXT NOT NULL, trace TEXT NOT NULL, notification INTEGER,
  tries INTEGER NOT NULL DEFAULT 1, open INTEGER NOT NULL DEFAULT 1, written INTEGER NOT NULL);
CREATE INDEX violation_open ON violation(device) WHERE open=1;
CREATE INDEX violation_trace ON violation(trace);
CREATE TABLE holiday(date TEXT NOT NULL, source TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY(date, source)) WITHOUT ROWID;
CREATE TABLE warning(key TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE outbox(
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, at INTEGER NOT NULL, trace TEXT NOT NULL, notice TEXT NOT NULL,
  violation INTEGER REFERENCES violation(id), told INTEGER, notification INTEGER, refused TEXT);
CREATE INDEX outbox_waiting ON outbox(id) WHERE told IS NULL AND refused IS NULL;
", "
-- A letter's own key says that it was written; a claim in a commit before it lost it in a crash between the two.
DROP TABLE warning;
"];
