//! Devices that nobody has named.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sanctum_api::screen::{GuestState, Pass};
use sanctum_store::{Connection, OptionalExtension, Row, SqlError, StoreError, params};

use super::{Records, as_tag, instant, maybe_instant, ms, tag};
use crate::engine;

/// A device that was seen without a name.
#[derive(Debug, Clone)]
pub(crate) struct Sighting {
    pub(crate) device: String,
    pub(crate) name: String,
    pub(crate) pass: Pass,
}

const COLUMNS: &str = "device,name,pass,since,expires,author";

impl Records {
    /// Writes those that are new and returns them.
    pub(crate) async fn discover(
        &self,
        now: Timestamp,
        seen: Vec<Sighting>,
    ) -> Result<Vec<Sighting>, StoreError> {
        self.db
            .write(move |tx| {
                let mut insert = tx.prepare_cached(
                    "INSERT OR IGNORE INTO guest(device,name,since,pass) VALUES(?1,?2,?3,?4)",
                )?;
                let mut new = Vec::new();
                for guest in seen {
                    if insert.execute(params![guest.device, guest.name, ms(now), as_tag(&guest.pass)])? == 1 {
                        new.push(guest);
                    }
                }
                Ok(new)
            })
            .await
    }

    pub(crate) async fn guests(&self) -> Result<Vec<GuestState>, StoreError> {
        self.db
            .read(|db| {
                let mut statement =
                    db.prepare_cached(&format!("SELECT {COLUMNS} FROM guest ORDER BY since DESC"))?;
                let rows = statement.query_map([], read)?;
                rows.collect()
            })
            .await
    }

    /// Changes a guest's pass; `None` if there is no such guest.
    pub(crate) async fn set_pass(
        &self,
        device: String,
        pass: Pass,
        expires: Option<Timestamp>,
        author: String,
    ) -> Result<Option<GuestState>, StoreError> {
        self.db
            .write(move |tx| {
                tx.execute(
                    "UPDATE guest SET pass=?2,expires=?3,author=?4 WHERE device=?1",
                    params![device, as_tag(&pass), expires.map(ms), author],
                )?;
                tx.query_row(&format!("SELECT {COLUMNS} FROM guest WHERE device=?1"), [device], read)
                    .optional()
            })
            .await
    }

    /// A device that has a name now is no guest any more.
    pub(crate) async fn forget_guests(&self, devices: Vec<String>) -> Result<(), StoreError> {
        self.db
            .write(move |tx| {
                let mut delete = tx.prepare_cached("DELETE FROM guest WHERE device=?1")?;
                devices.iter().try_for_each(|device| delete.execute([device]).map(drop))
            })
            .await
    }
}

pub(super) fn load(db: &Connection) -> Result<BTreeMap<String, engine::Guest>, SqlError> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM guest"))?;
    let rows = statement.query_map([], read)?;
    rows.map(|guest| {
        let guest = guest?;
        let pass = match guest.pass {
            Pass::Waiting => engine::Pass::Waiting,
            Pass::Approved => engine::Pass::Approved,
            Pass::Refused => engine::Pass::Refused,
            Pass::Resident => engine::Pass::Resident,
        };
        Ok((guest.device, engine::Guest { pass, expires: guest.expires }))
    })
    .collect()
}

fn read(row: &Row<'_>) -> Result<GuestState, SqlError> {
    Ok(GuestState {
        device: row.get(0)?,
        name: row.get(1)?,
        pass: tag(row, 2)?,
        since: instant(row, 3)?,
        expires: maybe_instant(row, 4)?,
        author: row.get(5)?,
    })
}
