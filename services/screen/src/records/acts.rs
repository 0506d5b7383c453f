//! Overrides, homework and redemptions: what people decided, and taking it back.

use jiff::Timestamp;
use sanctum_kernel::trace::TraceId;
use sanctum_store::{Connection, Row, SqlError, StoreError, Transaction, params};

use super::{Records, instant, maybe_instant, ms};
use crate::engine::{Act, Deed, Target};

/// An act that is about to be written.
#[derive(Debug, Clone)]
pub(crate) struct NewAct {
    pub(crate) act: Act,
    pub(crate) trace: TraceId,
}

const COLUMNS: &str = "deed,minutes,kind,target,at,until,author,reason";

impl Records {
    pub(crate) async fn add_act(&self, new: NewAct) -> Result<i64, StoreError> {
        self.db.write(move |tx| insert(tx, &new)).await
    }

    /// Acts that may still be in force, the newest first. Which of them are over is the engine's to say.
    pub(crate) async fn recent_acts(&self, now: Timestamp) -> Result<Vec<(i64, Act)>, StoreError> {
        self.db
            .read(move |db| {
                let sql = format!(
                    "SELECT {COLUMNS},id FROM act WHERE undone IS NULL AND at>=?1 AND (until IS NULL OR until>?2) ORDER BY id DESC"
                );
                let mut statement = db.prepare_cached(&sql)?;
                let rows = statement.query_map(params![ms(now) - super::LOOK_BACK_MS, ms(now)], |row| Ok((row.get(8)?, read(row)?)))?;
                rows.collect()
            })
            .await
    }

    /// Takes an act back; `false` if somebody was faster. A redemption's credits can be spent again.
    pub(crate) async fn undo(&self, id: i64, now: Timestamp) -> Result<bool, StoreError> {
        self.db
            .write(move |tx| {
                let taken = tx.execute(
                    "UPDATE act SET undone=?2 WHERE id=?1 AND undone IS NULL",
                    params![id, ms(now)],
                )? == 1;
                if taken {
                    tx.execute("DELETE FROM redemption WHERE act=?1", [id])?;
                }
                Ok(taken)
            })
            .await
    }

    /// How many overrides there were between two moments, redemptions left out.
    pub(crate) async fn count_overrides(&self, from: Timestamp, to: Timestamp) -> Result<u32, StoreError> {
        self.db
            .read(move |db| {
                let sql = "SELECT count(*) FROM act WHERE undone IS NULL AND deed IN ('extend','curfew','all-clear') AND at>=?1 AND at<?2";
                db.query_row(sql, params![ms(from), ms(to)], |row| row.get(0))
            })
            .await
    }

    pub(super) async fn acts_of(&self, trace: TraceId) -> Result<Vec<(Timestamp, String)>, StoreError> {
        self.db
            .read(move |db| {
                let mut statement =
                    db.prepare_cached(&format!("SELECT {COLUMNS} FROM act WHERE trace=?1"))?;
                let rows = statement.query_map([trace.to_string()], read)?;
                rows.map(|act| act.map(|act| (act.from, crate::words::act(&act)))).collect()
            })
            .await
    }
}

pub(super) fn insert(tx: &Transaction<'_>, new: &NewAct) -> Result<i64, SqlError> {
    let NewAct { act, trace } = new;
    let (kind, target) = match &act.target {
        Target::Everyone => ("everyone", None),
        Target::Person(name) => ("person", Some(name)),
        Target::Device(id) => ("device", Some(id)),
    };
    tx.prepare_cached("INSERT INTO act(at,deed,minutes,kind,target,until,author,reason,trace) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)")?.execute(params![
        ms(act.from),
        act.deed.word(),
        act.deed.minutes(),
        kind,
        target,
        act.until.map(ms),
        act.author,
        act.reason,
        trace.to_string()
    ])?;
    Ok(tx.last_insert_rowid())
}

pub(super) fn load(db: &Connection, since: i64, now: i64) -> Result<Vec<Act>, SqlError> {
    let sql = format!("SELECT {COLUMNS} FROM act WHERE undone IS NULL AND (at>=?1 OR until>?2) ORDER BY id");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([since, now], read)?;
    rows.collect()
}

fn read(row: &Row<'_>) -> Result<Act, SqlError> {
    let word: String = row.get(0)?;
    let minutes: u32 = row.get::<_, Option<u32>>(1)?.unwrap_or(0);
    let deed = match word.as_str() {
        "extend" => Deed::Extend { minutes },
        "credit" => Deed::Credit { minutes },
        "curfew" => Deed::Curfew,
        "homework" => Deed::Homework,
        _ => Deed::AllClear,
    };
    let kind: String = row.get(2)?;
    let name: Option<String> = row.get(3)?;
    let target = match (kind.as_str(), name) {
        ("person", Some(name)) => Target::Person(name),
        ("device", Some(id)) => Target::Device(id),
        _ => Target::Everyone,
    };
    Ok(Act {
        deed,
        target,
        from: instant(row, 4)?,
        until: maybe_instant(row, 5)?,
        author: row.get(6)?,
        reason: row.get(7)?,
    })
}
