//! Asking for more, and the answer.

use jiff::Timestamp;
use sanctum_api::Problem;
use sanctum_api::screen::{MoreTime, RequestState};
use sanctum_kernel::trace::TraceId;
use sanctum_store::{OptionalExtension, Row, SqlError, StoreError, params};

use super::acts::{NewAct, insert};
use super::{Records, as_tag, instant, maybe_instant, ms, tag, word};

const COLUMNS: &str = "id,at,person,minutes,reason,state,answered_by,answered,trace";

impl Records {
    pub(crate) async fn ask(
        &self,
        at: Timestamp,
        expires: Timestamp,
        wish: (String, u32, String),
        trace: TraceId,
    ) -> Result<MoreTime, StoreError> {
        self.db
            .write(move |tx| {
                let (person, minutes, reason) = wish;
                tx.execute(
                    "INSERT INTO request(at,person,minutes,reason,state,expires,trace) VALUES(?1,?2,?3,?4,'waiting',?5,?6)",
                    params![ms(at), person, minutes, reason, ms(expires), trace.to_string()],
                )?;
                tx.query_row(&format!("SELECT {COLUMNS} FROM request WHERE id=?1"), [tx.last_insert_rowid()], read)
            })
            .await
    }

    /// The newest first; those whose night is over are expired.
    pub(crate) async fn requests(&self, now: Timestamp) -> Result<Vec<MoreTime>, StoreError> {
        self.db
            .read(move |db| {
                let state = "CASE WHEN state='waiting' AND expires<=?1 THEN 'expired' ELSE state END";
                let columns = COLUMNS.replace("state", state);
                let mut statement =
                    db.prepare_cached(&format!("SELECT {columns} FROM request ORDER BY id DESC LIMIT 100"))?;
                let rows = statement.query_map([ms(now)], read)?;
                rows.collect()
            })
            .await
    }

    /// Answers a waiting request, with the act that grants it, in one transaction: nobody can answer it twice.
    pub(crate) async fn answer(
        &self,
        id: i64,
        now: Timestamp,
        by: String,
        grant: impl FnOnce(&MoreTime) -> Option<NewAct> + Send + 'static,
    ) -> Result<Result<MoreTime, Problem>, StoreError> {
        self.db
            .write(move |tx| {
                let sql = format!("SELECT {COLUMNS},expires FROM request WHERE id=?1");
                let found = tx.query_row(&sql, [id], |row| Ok((read(row)?, instant(row, 9)?))).optional()?;
                let Some((request, expires)) = found else {
                    return Ok(Err(Problem::not_found("request", id.to_string())));
                };
                if request.state != RequestState::Waiting {
                    let who = request.answered_by.unwrap_or_default();
                    return Ok(Err(Problem::conflict(format!("request {id} has been answered by {who}"))));
                }
                if expires <= now {
                    return Ok(Err(Problem::conflict(format!("request {id} was for a night that is over"))));
                }
                let act = grant(&request);
                let state = if act.is_some() { RequestState::Approved } else { RequestState::Denied };
                if let Some(act) = &act {
                    insert(tx, act)?;
                }
                let granted = act.as_ref().and_then(|new| new.act.deed.minutes()).unwrap_or(request.minutes);
                tx.execute(
                    "UPDATE request SET state=?2,answered=?3,answered_by=?4,minutes=?5 WHERE id=?1",
                    params![id, as_tag(&state), ms(now), by, granted],
                )?;
                tx.query_row(&format!("SELECT {COLUMNS} FROM request WHERE id=?1"), [id], read).map(Ok)
            })
            .await
    }
}

fn read(row: &Row<'_>) -> Result<MoreTime, SqlError> {
    Ok(MoreTime {
        id: row.get(0)?,
        at: instant(row, 1)?,
        person: row.get(2)?,
        minutes: row.get(3)?,
        reason: row.get(4)?,
        state: tag(row, 5)?,
        answered_by: row.get(6)?,
        answered: maybe_instant(row, 7)?,
        trace_id: word(row, 8)?,
    })
}
