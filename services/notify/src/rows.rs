//! Reading rows back as what they mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use sanctum_api::notify::{Ack, Action, Attempt, Delivery, DeliveryState, Notice, Notification, Severity};
use sanctum_kernel::trace::TraceId;
use sanctum_store::{Connection, OptionalExtension, Row, SqlError, params};
use serde::{Deserialize, Serialize};

use crate::schema::{flag, state};

/// What is stored of a notice beside its own columns; absent where it is empty.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Rest {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    force_channels: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<Action>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
}

pub(crate) fn rest_of(notice: &Notice) -> Option<String> {
    let rest = Rest {
        labels: notice.labels.clone(),
        force_channels: notice.force_channels.clone(),
        actions: notice.actions.clone(),
        url: notice.url.clone(),
        image: notice.image.clone(),
    };
    (rest != Rest::default()).then(|| serde_json::to_string(&rest).unwrap_or_default())
}

pub(crate) const fn severity_number(severity: Severity) -> i64 {
    match severity {
        Severity::Info => 0,
        Severity::Warn => 1,
        Severity::Error => 2,
        Severity::Critical => 3,
    }
}

pub(crate) const fn severity_of(number: i64) -> Severity {
    match number {
        0 => Severity::Info,
        1 => Severity::Warn,
        2 => Severity::Error,
        _ => Severity::Critical,
    }
}

pub(crate) fn instant(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(crate) fn trace_of(text: &str) -> TraceId {
    text.parse().unwrap_or_else(|_| sanctum_kernel::Trace::start().id())
}

/// The columns that [`notice`] reads, in its order.
pub(crate) const NOTICE: &str = "n.source, n.severity, n.title, n.message, n.rest, n.dedup_key, n.flags";

/// Reads a notice from the columns of [`NOTICE`], which begin at `at`.
pub(crate) fn notice(row: &Row<'_>, at: usize) -> Result<Notice, SqlError> {
    let rest: Option<String> = row.get(at + 4)?;
    let rest: Rest = rest.and_then(|rest| serde_json::from_str(&rest).ok()).unwrap_or_default();
    let flags: i64 = row.get(at + 6)?;
    Ok(Notice {
        source: row.get(at)?,
        severity: severity_of(row.get(at + 1)?),
        title: row.get(at + 2)?,
        message: row.get(at + 3)?,
        labels: rest.labels,
        force_channels: rest.force_channels,
        actions: rest.actions,
        url: rest.url,
        image: rest.image,
        dedup_key: row.get(at + 5)?,
        resolved: flags & flag::RESOLVES != 0,
    })
}

/// The whole life of a notification.
pub(crate) fn life(db: &Connection, id: i64) -> Result<Option<Notification>, SqlError> {
    let sql = format!(
        "SELECT n.trace, n.accepted, n.count, n.reasons, n.resolved, n.snoozed, {NOTICE} FROM notifications n WHERE n.id=?1"
    );
    let head = db.prepare_cached(&sql)?.query_row([id], |row| {
        let flags: i64 = row.get(12)?;
        let reasons: String = row.get(3)?;
        Ok(Notification {
            id,
            trace_id: trace_of(&row.get::<_, String>(0)?),
            accepted: instant(row.get(1)?),
            notice: notice(row, 6)?,
            count: row.get(2)?,
            deduplicated: flags & flag::DEDUPLICATED != 0,
            rate_limited: flags & flag::RATE_LIMITED != 0,
            quiet_hours: flags & flag::QUIET != 0,
            reasons: reasons.lines().map(str::to_owned).collect(),
            deliveries: Vec::new(),
            acks: Vec::new(),
            resolved: row.get::<_, Option<i64>>(4)?.map(instant),
            snoozed_until: row.get::<_, Option<i64>>(5)?.map(instant),
        })
    });
    let Some(mut life) = head.optional()? else { return Ok(None) };
    life.deliveries = deliveries(db, id)?;
    life.acks = acks(db, id)?;
    Ok(Some(life))
}

fn deliveries(db: &Connection, id: i64) -> Result<Vec<Delivery>, SqlError> {
    let mut found = db.prepare_cached("SELECT id, channel, state, reason, confirmed, started, tries, far_id FROM deliveries WHERE notification=?1 ORDER BY id")?;
    let found = found.query_map([id], |row| {
        let state: i64 = row.get(2)?;
        let delivery = Delivery {
            id: row.get(0)?,
            channel: row.get(1)?,
            state: match state {
                state::PENDING => DeliveryState::Pending,
                state::IN_FLIGHT => DeliveryState::InFlight,
                state::FAILED => DeliveryState::Failed,
                state::DEAD => DeliveryState::Dead,
                _ => DeliveryState::Delivered,
            },
            reason: row.get(3)?,
            attempts: Vec::new(),
            confirmed: row.get::<_, Option<i64>>(4)?.map(instant),
        };
        let flying = (state == state::IN_FLIGHT).then(|| row.get::<_, Option<i64>>(5)).transpose()?.flatten();
        Ok((delivery, flying))
    })?;
    let mut deliveries = Vec::new();
    for found in found {
        let (mut delivery, flying) = found?;
        let mut attempts = db.prepare_cached(
            "SELECT started, ended, outcome, far_id FROM attempts WHERE delivery=?1 ORDER BY number",
        )?;
        let attempts = attempts.query_map([delivery.id], |row| {
            Ok(Attempt {
                started: instant(row.get(0)?),
                ended: row.get::<_, Option<i64>>(1)?.map(instant),
                outcome: row.get(2)?,
                far_id: row.get(3)?,
            })
        })?;
        delivery.attempts = attempts.collect::<Result<_, _>>()?;
        delivery.attempts.extend(flying.map(|started| Attempt {
            started: instant(started),
            ended: None,
            outcome: "in flight".to_owned(),
            far_id: None,
        }));
        deliveries.push(delivery);
    }
    Ok(deliveries)
}

pub(crate) fn acks(db: &Connection, id: i64) -> Result<Vec<Ack>, SqlError> {
    let mut acks =
        db.prepare_cached("SELECT who, channel, at FROM acks WHERE notification=?1 ORDER BY at")?;
    let acks = acks.query_map(params![id], |row| {
        Ok(Ack { who: row.get(0)?, channel: row.get(1)?, at: instant(row.get(2)?) })
    })?;
    acks.collect()
}

/// A notice behind an `Arc`, for messages that share it.
pub(crate) fn shared(row: &Row<'_>, at: usize) -> Result<Arc<Notice>, SqlError> {
    notice(row, at).map(Arc::new)
}
