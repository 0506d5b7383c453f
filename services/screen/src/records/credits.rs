//! Credits: earned up to a cap, spent at most once.

use jiff::Timestamp;
use jiff::civil::Date;
use sanctum_api::Problem;
use sanctum_api::screen::{Balance, Credit};
use sanctum_store::{Connection, OptionalExtension, SqlError, StoreError, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::acts::{NewAct, insert};
use super::{Records, instant, ms};
use crate::engine::Ledger;

/// A credit that is about to be written.
#[derive(Debug, Clone)]
pub(crate) struct Earning {
    pub(crate) at: Timestamp,
    pub(crate) day: Date,
    pub(crate) person: String,
    pub(crate) what: String,
    pub(crate) minutes: u32,
    pub(crate) author: String,
    pub(crate) reason: String,
    /// The most a person can earn in a day, in minutes.
    pub(crate) cap: u32,
}

/// Credits that somebody wants to spend.
#[derive(Debug, Clone)]
pub(crate) struct Redemption {
    pub(crate) person: String,
    pub(crate) day: Date,
    /// One credit; all of the day if absent.
    pub(crate) only: Option<i64>,
    /// The request's key with what it asks.
    pub(crate) key: Option<(String, String)>,
    pub(crate) now: Timestamp,
}

/// What a redemption did.
#[derive(Debug)]
pub(crate) struct Spent {
    pub(crate) minutes: u32,
    /// Minutes of today that are not spent.
    pub(crate) left: u32,
    /// With the new act; without the configuration's own holidays.
    pub(crate) ledger: Ledger,
}

impl Records {
    /// Writes a credit, or says that the day's cap is reached.
    pub(crate) async fn earn(&self, new: Earning) -> Result<Result<(), Problem>, StoreError> {
        self.db
            .write(move |tx| {
                let sql = "SELECT coalesce(sum(minutes),0) FROM credit WHERE day=?1 AND person=?2";
                let earned: u32 = tx.query_row(sql, params![new.day.to_string(), new.person], |row| row.get(0))?;
                if earned.saturating_add(new.minutes) > new.cap {
                    let left = new.cap.saturating_sub(earned);
                    let allowed = format!("{left} more minutes today: {earned} of {} are earned", new.cap);
                    return Ok(Err(Problem::field("minutes", new.minutes.to_string(), allowed)));
                }
                tx.execute(
                    "INSERT INTO credit(at,day,person,what,minutes,author,reason) VALUES(?1,?2,?3,?4,?5,?6,?7)",
                    params![ms(new.at), new.day.to_string(), new.person, new.what, new.minutes, new.author, new.reason],
                )?;
                Ok(Ok(()))
            })
            .await
    }

    /// Spends unspent credits of the day (one, or all) on the act that `act` makes of their minutes, and keeps what
    /// `answer` says of it under the request's key: credit rows, act and answer are one transaction. A request under a
    /// key that was answered gets the first answer, however close behind it comes.
    pub(crate) async fn redeem<T>(
        &self,
        asked: Redemption,
        act: impl FnOnce(u32) -> NewAct + Send + 'static,
        answer: impl FnOnce(Spent) -> T + Send + 'static,
    ) -> Result<Result<T, Problem>, StoreError>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        self.db
            .write(move |tx| {
                let Redemption { person, day, only, key, now } = asked;
                if let Some((key, asked)) = &key
                    && let Some((before, body)) = answered(tx, key)?
                {
                    let other = || {
                        Problem::new(422, "key-reused", "this idempotency key was used for another request")
                    };
                    let first = || serde_json::from_str(&body).map_err(|_| SqlError::InvalidQuery);
                    return if before == *asked { first().map(Ok) } else { Ok(Err(other())) };
                }
                let minutes = match spend(tx, &person, day, only, act)? {
                    Ok(minutes) => minutes,
                    Err(problem) => return Ok(Err(problem)),
                };
                let left = credits(tx, &person, day)?
                    .iter()
                    .filter(|credit| !credit.redeemed)
                    .map(|credit| credit.minutes)
                    .sum();
                let answer = answer(Spent { minutes, left, ledger: super::ledger(tx, now)? });
                if let Some((key, asked)) = key {
                    let body = serde_json::to_string(&answer).map_err(|_| SqlError::InvalidQuery)?;
                    tx.execute("DELETE FROM answer WHERE at<?1", [ms(now) - super::LOOK_BACK_MS])?;
                    tx.execute(
                        "INSERT INTO answer(key,at,asked,body) VALUES(?1,?2,?3,?4)",
                        params![key, ms(now), asked, body],
                    )?;
                }
                Ok(Ok(answer))
            })
            .await
    }

    /// The credits of a day, by person.
    pub(crate) async fn balances(
        &self,
        day: Date,
        cap: u32,
        people: Vec<String>,
    ) -> Result<Vec<Balance>, StoreError> {
        self.db
            .read(move |db| {
                people
                    .into_iter()
                    .map(|person| {
                        let credits = credits(db, &person, day)?;
                        let sum = |redeemed: bool| {
                            credits
                                .iter()
                                .filter(|credit| !redeemed || credit.redeemed)
                                .map(|credit| credit.minutes)
                                .sum::<u32>()
                        };
                        let (earned, redeemed) = (sum(false), sum(true));
                        Ok(Balance { person, day, earned, redeemed, left: earned - redeemed, cap, credits })
                    })
                    .collect()
            })
            .await
    }

    /// Minutes earned and redeemed between two moments.
    pub(crate) async fn count_credits(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<(u32, u32), StoreError> {
        self.db
            .read(move |db| {
                let sql = "SELECT coalesce(sum(minutes),0), coalesce(sum(CASE WHEN r.credit IS NULL THEN 0 ELSE minutes END),0) \
                           FROM credit LEFT JOIN redemption r ON r.credit=credit.id WHERE credit.at>=?1 AND credit.at<?2";
                db.query_row(sql, params![ms(from), ms(to)], |row| Ok((row.get(0)?, row.get(1)?)))
            })
            .await
    }
}

/// The first answer to a request with this key, with what was asked then.
fn answered(db: &Connection, key: &str) -> Result<Option<(String, String)>, SqlError> {
    let sql = "SELECT asked,body FROM answer WHERE key=?1";
    db.query_row(sql, [key], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

/// Minutes of the credits that were spent, or why there are none.
fn spend(
    tx: &Transaction<'_>,
    person: &str,
    day: Date,
    only: Option<i64>,
    act: impl FnOnce(u32) -> NewAct,
) -> Result<Result<u32, Problem>, SqlError> {
    let mut unspent = tx.prepare_cached(
        "SELECT id,minutes FROM credit WHERE day=?1 AND person=?2 AND (?3 IS NULL OR id=?3) \
         AND id NOT IN (SELECT credit FROM redemption) ORDER BY id",
    )?;
    let rows = unspent.query_map(params![day.to_string(), person, only], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, u32>(1)?))
    })?;
    let credits = rows.collect::<Result<Vec<_>, _>>()?;
    if credits.is_empty() {
        return Ok(Err(nothing_left(tx, person, day, only)?));
    }
    let minutes = credits.iter().map(|(_, minutes)| minutes).sum();
    let new = act(minutes);
    let id = insert(tx, &new)?;
    let mut spend = tx.prepare_cached("INSERT INTO redemption(credit,act,at) VALUES(?1,?2,?3)")?;
    for (credit, _) in &credits {
        spend.execute(params![credit, id, ms(new.act.from)])?;
    }
    Ok(Ok(minutes))
}

fn credits(db: &Connection, person: &str, day: Date) -> Result<Vec<Credit>, SqlError> {
    let mut statement = db.prepare_cached(
        "SELECT id,credit.at,person,what,minutes,author,r.credit IS NOT NULL FROM credit LEFT JOIN redemption r ON r.credit=id \
         WHERE person=?1 AND day=?2 ORDER BY id",
    )?;
    let rows = statement.query_map(params![person, day.to_string()], |row| {
        Ok(Credit {
            id: row.get(0)?,
            at: instant(row, 1)?,
            person: row.get(2)?,
            what: row.get(3)?,
            minutes: row.get(4)?,
            author: row.get(5)?,
            redeemed: row.get(6)?,
        })
    })?;
    rows.collect()
}

fn nothing_left(db: &Connection, person: &str, day: Date, only: Option<i64>) -> Result<Problem, SqlError> {
    let all = credits(db, person, day)?;
    let left = all
        .iter()
        .filter(|credit| !credit.redeemed)
        .map(|credit| credit.id.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    let problem = match only {
        Some(id) if all.iter().any(|credit| credit.id == id) => {
            Problem::conflict(format!("credit {id} has been redeemed before"))
        }
        Some(id) => Problem::not_found("credit of today", id.to_string()),
        None if all.is_empty() => Problem::conflict(format!("`{person}` has earned no credits today")),
        None => Problem::conflict(format!("`{person}` has redeemed every credit of today")),
    };
    let hint = if left.is_empty() {
        "`sanctum screen credit` earns some; they do not last until tomorrow".to_owned()
    } else {
        format!("unspent: {left}")
    };
    Ok(problem.hint(hint))
}
