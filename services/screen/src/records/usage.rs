//! Minutes online, by device and by person, a day at a time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use sanctum_api::screen::DayReport;
use sanctum_store::{Connection, SqlError, StoreError, params};

use super::{Records, day, ms};

impl Records {
    /// Adds time to devices and people.
    pub(crate) async fn add_usage(
        &self,
        now: Timestamp,
        day: Date,
        seconds: u32,
        devices: Vec<String>,
        people: Vec<String>,
    ) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                let mut add = tx.prepare_cached(
                    "INSERT INTO usage(kind,who,day,seconds,at) VALUES(?1,?2,?3,?4,?5) \
                     ON CONFLICT(kind,who,day) DO UPDATE SET seconds=seconds+?4, at=?5",
                )?;
                let devices = devices.iter().map(|who| ("device", who));
                let people = people.iter().map(|who| ("person", who));
                devices.chain(people).try_for_each(|(kind, who)| {
                    add.execute(params![kind, who, day.to_string(), seconds, ms(now)]).map(drop)
                })
            })
            .await
    }

    /// The last `days` days, the newest first.
    pub(crate) async fn report(&self, days: u32) -> Result<Vec<DayReport>, StoreError> {
        self.db
            .read(move |db| {
                let mut reports: BTreeMap<Date, DayReport> = BTreeMap::new();
                let mut statement =
                    db.prepare_cached("SELECT day,kind,who,seconds/60 FROM usage ORDER BY day DESC")?;
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    let date = day(row, 0)?;
                    if !reports.contains_key(&date)
                        && reports.len() >= usize::try_from(days).unwrap_or(usize::MAX)
                    {
                        break;
                    }
                    let report = reports.entry(date).or_insert_with(|| DayReport {
                        day: date,
                        people: BTreeMap::new(),
                        devices: BTreeMap::new(),
                    });
                    let kind: String = row.get(1)?;
                    let minutes = if kind == "person" { &mut report.people } else { &mut report.devices };
                    minutes.insert(row.get(2)?, row.get(3)?);
                }
                Ok(reports.into_values().rev().collect())
            })
            .await
    }
}

pub(super) fn load(
    db: &Connection,
    kind: &str,
    since: i64,
) -> Result<BTreeMap<(String, Date), u32>, SqlError> {
    let mut statement = db.prepare_cached("SELECT who,day,seconds/60 FROM usage WHERE kind=?1 AND at>=?2")?;
    let rows =
        statement.query_map(params![kind, since], |row| Ok(((row.get(0)?, day(row, 1)?), row.get(2)?)))?;
    rows.collect()
}
