//! What is over: every channel that was told of the beginning is told of the end.

use jiff::Timestamp;
use sanctum_api::notify::Accepted;
use sanctum_store::{SqlError, Transaction, params};

use crate::accept::{After, Incoming, insert};
use crate::banners;
use crate::decide::Plan;
use crate::hub::Hub;
use crate::message::{Phase, span};
use crate::{rows, spread};

/// A notice says that the thing named by its key is over.
pub(crate) fn by_notice(
    tx: &Transaction<'_>,
    hub: &Hub,
    incoming: &Incoming,
    after: &mut After,
) -> Result<Accepted, SqlError> {
    let key = incoming.notice.dedup_key.clone().unwrap_or_default();
    let mut open = tx
        .prepare_cached("SELECT id FROM notifications WHERE dedup_key=?1 AND resolved IS NULL ORDER BY id")?;
    let open: Vec<i64> = open.query_map([&key], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut plan = Plan::default();
    plan.reasons.push(match open.as_slice() {
        [] => format!("nothing by the key `{key}` is open"),
        open => format!("ends {}: told wherever that was told", numbers(open)),
    });
    let id = insert(tx, incoming, &[], &plan, None, None)?;
    let mut channels = Vec::new();
    for fire in &open {
        end(tx, hub, (*fire, id), incoming.at, None, after)?.into_iter().for_each(|channel| {
            if !channels.contains(&channel) {
                channels.push(channel);
            }
        });
    }
    Ok(Accepted {
        id,
        status: if channels.is_empty() { "suppressed" } else { "accepted" }.to_owned(),
        channels,
        deduplicated: false,
        rate_limited: false,
        quiet_hours: false,
        trace_id: incoming.trace,
    })
}

fn numbers(ids: &[i64]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Marks `fire` as over and makes the deliveries that say so, as part of `told`. Returns their channels.
pub(crate) fn end(
    tx: &Transaction<'_>,
    hub: &Hub,
    (fire, told): (i64, i64),
    at: Timestamp,
    who: Option<&str>,
    after: &mut After,
) -> Result<Vec<String>, SqlError> {
    let micros = at.as_microsecond();
    let mut mark = tx.prepare_cached(
        "UPDATE notifications SET resolved=?2 WHERE id=?1 AND resolved IS NULL RETURNING accepted",
    )?;
    let Some(accepted) =
        mark.query_map(params![fire, micros], |row| row.get::<_, i64>(0))?.next().transpose()?
    else {
        return Ok(Vec::new());
    };
    let lasted = span(at.duration_since(rows::instant(accepted)));
    let word =
        who.map_or_else(|| format!("over after {lasted}"), |who| format!("over after {lasted}, says {who}"));
    after.change = std::mem::take(&mut after.change).and(banners::clear(tx, fire)?);
    follow(tx, hub, (fire, told), Phase::Resolve, &word, after)
}

/// A delivery of `phase` on every channel that got, or will get, the beginning.
pub(crate) fn follow(
    tx: &Transaction<'_>,
    hub: &Hub,
    (fire, told): (i64, i64),
    phase: Phase,
    word: &str,
    after: &mut After,
) -> Result<Vec<String>, SqlError> {
    spread::one(tx, fire)?;
    let mut fires = tx.prepare_cached("SELECT max(id), channel, manner, severity FROM deliveries WHERE notification=?1 AND phase=0 AND state<>3 GROUP BY channel")?;
    let fires: Vec<(i64, String, String, i64)> = fires
        .query_map([fire], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<_, _>>()?;
    let mut channels = Vec::new();
    let now = hub.now().as_microsecond();
    for (about, channel, manner, severity) in fires {
        let shows = hub.lines.get(&channel).is_some_and(|line| line.channel.abilities().shows_acks);
        if phase == Phase::Acked && !shows {
            continue;
        }
        let reason = format!("{} follows {fire} wherever that was told", phase.word());
        let mut insert = tx.prepare_cached(
            "INSERT INTO deliveries(notification, channel, phase, manner, state, reason, created, due, about, word, severity) VALUES(?1, ?2, ?3, ?4, 0, ?5, ?6, ?6, ?7, ?8, ?9)",
        )?;
        insert.execute(params![told, channel, phase.number(), manner, reason, now, about, word, severity])?;
        after.waiting.push(channel.clone());
        channels.push(channel);
    }
    Ok(channels)
}
