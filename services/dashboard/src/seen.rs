//! When a banner first reached a browser: the dashboard's own moment in a story.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use sanctum_api::Moment;
use sanctum_api::notify::Banner;
use sanctum_kernel::trace::TraceId;
use sanctum_kernel::{OnError, Tasks, Well};
use sanctum_store::{Db, OptionalExtension, params};

/// Stories kept in memory; older ones are in the database.
const REMEMBERED: usize = 1000;

/// First showings, by story.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    recent: Arc<Mutex<BTreeMap<TraceId, Moment>>>,
    db: Option<Db>,
    tasks: Tasks,
    well: Well,
}

impl Seen {
    pub(crate) fn new(db: Option<Db>, tasks: Tasks, well: Well) -> Self {
        Self { recent: Arc::default(), db, tasks, well }
    }

    /// A browser has been given this banner; only the first time counts.
    pub(crate) fn shown(&self, banner: &Banner, at: Timestamp) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.contains_key(&banner.trace_id) {
            return;
        }
        let detail = format!("“{}” glowed on the dashboard", banner.title);
        // To the microsecond, as the database keeps it: a story reads the same after a restart.
        let at = Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at);
        let moment = moment(banner.trace_id, at, detail);
        recent.insert(banner.trace_id, moment.clone());
        while recent.len() > REMEMBERED {
            let Some(oldest) = recent.iter().min_by_key(|(_, moment)| moment.at).map(|(trace, _)| *trace)
            else {
                break;
            };
            recent.remove(&oldest);
        }
        drop(recent);
        self.keep(moment);
    }

    /// Written behind the browser's back: the page does not wait for a disk.
    fn keep(&self, moment: Moment) {
        let Some(db) = self.db.clone() else { return };
        let well = self.well.clone();
        self.tasks.spawn("keep a showing", OnError::Log, move |_| async move {
            let insert = "INSERT INTO shown (trace, at, detail) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
            let written = db
                .write(move |tx| {
                    let (trace, at) = (moment.trace_id.to_string(), moment.at.as_microsecond());
                    tx.execute(insert, params![trace, at, moment.detail])
                })
                .await;
            crate::service::report(&well, written.as_ref().err());
            Ok(())
        });
    }

    /// The dashboard's part of a story.
    pub(crate) async fn of(&self, trace: TraceId) -> Vec<Moment> {
        let kept = match &self.db {
            Some(db) => db.read(move |connection| find(connection, trace)).await.unwrap_or_default(),
            None => None,
        };
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner).get(&trace).cloned();
        // After a restart the banner is shown again; the database knows the first time.
        kept.into_iter().chain(recent).min_by_key(|moment| moment.at).into_iter().collect()
    }
}

fn find(
    connection: &sanctum_store::Connection,
    trace: TraceId,
) -> Result<Option<Moment>, sanctum_store::SqlError> {
    let mut select = connection.prepare_cached("SELECT at, detail FROM shown WHERE trace = ?1")?;
    let found =
        select.query_row([trace.to_string()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)));
    Ok(found
        .optional()?
        .and_then(|(at, detail)| Some(moment(trace, Timestamp::from_microsecond(at).ok()?, detail))))
}

fn moment(trace_id: TraceId, at: Timestamp, detail: String) -> Moment {
    Moment { at, service: "dashboard".to_owned(), what: "banner".to_owned(), detail, trace_id }
}
