//! The database: notifications, their deliveries and attempts; timers are rows too.
//!
//! There is no index over random values (identities, traces) on the way of an acceptance: each would cost a page of
//! its own in every commit. They are indexed later, in batches; see `history` and `recent`.
//!
//! A delivery that waits is in exactly one index, the one of its state; a statement must name that state by its number,
//! or SQLite reads the whole table (sqlite.org/partialindex.html §3.1). `plans` in the tests looks at that.
//!
//! `notifications.sends` is whom to tell, as long as no delivery of it is a row; see `spread`.
//!
//! `deliveries.spent` are the tries before somebody sent it again by hand, `created` is that moment: patience begins anew.
//!
//! Instants are microseconds since 1970. States of a delivery: 0 pending, 1 in flight, 2 failed (will be tried
//! again), 3 dead, 4 delivered. Phases: 0 fire, 1 resolve, 2 acknowledged.

pub(crate) const MIGRATIONS: &[&str] = &["
CREATE TABLE notifications(
  id INTEGER PRIMARY KEY,
  trace TEXT NOT NULL,
  accepted INTEGER NOT NULL,
  source TEXT NOT NULL,
  severity INTEGER NOT NULL,
  title TEXT NOT NULL,
  message TEXT NOT NULL,
  rest TEXT,
  dedup_key TEXT,
  hash BLOB NOT NULL,
  first INTEGER,
  latest INTEGER,
  count INTEGER NOT NULL DEFAULT 1,
  flags INTEGER NOT NULL DEFAULT 0,
  reasons TEXT NOT NULL,
  fold INTEGER,
  resolved INTEGER,
  snoozed INTEGER,
  undelivered INTEGER NOT NULL DEFAULT 0,
  own INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX notifications_key ON notifications(dedup_key) WHERE dedup_key IS NOT NULL AND resolved IS NULL;
CREATE INDEX notifications_fold ON notifications(fold) WHERE fold IS NOT NULL;
CREATE TABLE deliveries(
  id INTEGER PRIMARY KEY,
  notification INTEGER NOT NULL,
  channel TEXT NOT NULL,
  phase INTEGER NOT NULL,
  manner TEXT NOT NULL,
  state INTEGER NOT NULL,
  reason TEXT NOT NULL,
  created INTEGER NOT NULL,
  due INTEGER NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0,
  started INTEGER,
  far_id TEXT,
  confirmed INTEGER,
  about INTEGER,
  word TEXT
);
CREATE INDEX deliveries_notification ON deliveries(notification);
CREATE INDEX deliveries_open ON deliveries(channel, state, due) WHERE state < 4;
CREATE TABLE attempts(
  delivery INTEGER NOT NULL,
  number INTEGER NOT NULL,
  started INTEGER NOT NULL,
  ended INTEGER,
  outcome TEXT NOT NULL,
  far_id TEXT,
  PRIMARY KEY(delivery, number)
) WITHOUT ROWID;
CREATE TABLE acks(
  notification INTEGER NOT NULL,
  who TEXT NOT NULL,
  channel TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY(notification, who)
) WITHOUT ROWID;
CREATE TABLE banners(
  id INTEGER PRIMARY KEY,
  shown INTEGER NOT NULL
);
CREATE TABLE silences(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  matchers TEXT NOT NULL,
  author TEXT NOT NULL,
  reason TEXT NOT NULL,
  until INTEGER NOT NULL
);
CREATE TABLE rate(hour INTEGER NOT NULL, source TEXT NOT NULL, sent INTEGER NOT NULL, PRIMARY KEY(hour, source)) WITHOUT ROWID;
CREATE TABLE folds(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  due INTEGER NOT NULL,
  done INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX folds_open ON folds(kind, name) WHERE done = 0;
CREATE TABLE timers(kind TEXT NOT NULL, name INTEGER NOT NULL, due INTEGER NOT NULL, PRIMARY KEY(kind, name)) WITHOUT ROWID;
CREATE TABLE keys(key TEXT PRIMARY KEY, answer TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE standing(channel TEXT PRIMARY KEY, success INTEGER, error TEXT) WITHOUT ROWID;
CREATE TABLE subscriptions(
  endpoint TEXT PRIMARY KEY,
  channel TEXT NOT NULL,
  p256dh TEXT NOT NULL,
  auth TEXT NOT NULL,
  who TEXT NOT NULL,
  since INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE traces(trace TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY(trace, id)) WITHOUT ROWID;
CREATE TABLE marks(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(source, title, message, content='notifications', content_rowid='id');
", "
ALTER TABLE deliveries ADD COLUMN severity INTEGER NOT NULL DEFAULT 1;
ALTER TABLE deliveries ADD COLUMN spent INTEGER NOT NULL DEFAULT 0;
UPDATE deliveries SET severity=(SELECT severity FROM notifications n WHERE n.id=notification) WHERE state<4;
DROP INDEX deliveries_open;
CREATE INDEX deliveries_pending ON deliveries(channel, severity DESC) WHERE state=0;
CREATE INDEX deliveries_flying ON deliveries(channel) WHERE state=1;
CREATE INDEX deliveries_failed ON deliveries(channel, due) WHERE state=2;
CREATE INDEX deliveries_dead ON deliveries(channel) WHERE state=3;
CREATE INDEX deliveries_about ON deliveries(about) WHERE about IS NOT NULL;
", "
ALTER TABLE notifications ADD COLUMN sends TEXT;
"];

/// Bits of `notifications.flags`.
pub(crate) mod flag {
    pub(crate) const DEDUPLICATED: i64 = 1;
    pub(crate) const RATE_LIMITED: i64 = 2;
    pub(crate) const QUIET: i64 = 4;
    pub(crate) const SILENCED: i64 = 8;
    pub(crate) const INHIBITED: i64 = 16;
    pub(crate) const GROUPED: i64 = 32;
    /// It says that something is over.
    pub(crate) const RESOLVES: i64 = 64;
}

/// States of a delivery.
pub(crate) mod state {
    pub(crate) const PENDING: i64 = 0;
    pub(crate) const IN_FLIGHT: i64 = 1;
    pub(crate) const FAILED: i64 = 2;
    pub(crate) const DEAD: i64 = 3;
    pub(crate) const DELIVERED: i64 = 4;
}
