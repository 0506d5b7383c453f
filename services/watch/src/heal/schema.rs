//! The tables of healing: one migration, appended to the list of the service's database.

/// The audit is only ever appended to: the database itself refuses anything else.
pub const MIGRATION: &str = "
CREATE TABLE heal_audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    recipe TEXT NOT NULL,
    service TEXT NOT NULL,
    incident INTEGER,
    asked_by TEXT NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL,
    undo TEXT,
    undo_steps TEXT,
    about INTEGER REFERENCES heal_audit (id)
);
CREATE INDEX heal_audit_at ON heal_audit (at);
CREATE INDEX heal_audit_about ON heal_audit (about);
CREATE TRIGGER heal_audit_stays BEFORE UPDATE ON heal_audit
    BEGIN SELECT RAISE(ABORT, 'the audit is only appended to'); END;
CREATE TRIGGER heal_audit_is_kept BEFORE DELETE ON heal_audit
    BEGIN SELECT RAISE(ABORT, 'the audit is only appended to'); END;
CREATE TRIGGER heal_audit_is_not_replaced BEFORE INSERT ON heal_audit
    WHEN EXISTS (SELECT 1 FROM heal_audit WHERE id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'the audit is only appended to'); END;
CREATE TABLE heal_pace (
    recipe TEXT NOT NULL,
    service TEXT NOT NULL,
    what TEXT NOT NULL,
    wall INTEGER NOT NULL,
    boot TEXT NOT NULL,
    up INTEGER NOT NULL,
    PRIMARY KEY (recipe, service, what)
) WITHOUT ROWID;
CREATE TABLE heal_fires (
    severity TEXT NOT NULL,
    wall INTEGER NOT NULL,
    boot TEXT NOT NULL,
    up INTEGER NOT NULL
);
CREATE TABLE heal_facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    at INTEGER NOT NULL
) WITHOUT ROWID";
