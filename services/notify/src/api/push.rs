//! Browsers subscribe to Web Push, and leave.

use sanctum_api::Problem;
use sanctum_api::notify::{PushKey, Subscription};
use sanctum_http::{Json, Query, Refusal, State, StatusCode};
use sanctum_store::params;
use serde::Deserialize;

use super::{House, refuse};
use crate::channels::webpush::Keys;
use crate::hub::Line;

pub(crate) const WHICH: &[(&str, &str)] =
    &[("channel", "which channel of the kind `webpush`; the first if absent")];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    channel: Option<String>,
}

fn line<'a>(hub: &'a House, which: &Which) -> Result<(&'a Line, String), Problem> {
    let mut lines = hub.lines.values().filter_map(|line| Some((line, line.channel.push_key()?)));
    let found = lines.find(|(line, _)| which.channel.as_ref().is_none_or(|name| *name == line.name));
    found.ok_or_else(|| {
        let problem =
            Problem::not_found("channel of the kind `webpush`", which.channel.clone().unwrap_or_default());
        problem.hint("add `[notify.channel.webpush.push]` with `contact = \"mailto:…\"` to sanctum.toml")
    })
}

pub(crate) async fn key(
    State(hub): State<House>,
    Query(which): Query<Which>,
) -> Result<Json<PushKey>, Refusal> {
    Ok(Json(PushKey { key: line(&hub, &which)?.1 }))
}

/// A push service speaks https; only one on this machine, for trying out, need not.
fn endpoint(url: &str) -> Result<(), Problem> {
    let https = url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    if (https || url.starts_with("http://127.0.0.1:")) && url.len() <= 2048 {
        return Ok(());
    }
    Err(Problem::field(
        "endpoint",
        url.chars().take(100).collect::<String>(),
        "an `https://` URL of at most 2048 bytes",
    ))
}

pub(crate) async fn subscribe(
    State(hub): State<House>,
    Query(which): Query<Which>,
    Json(subscription): Json<Subscription>,
) -> Result<(StatusCode, Json<PushKey>), Refusal> {
    let (line, key) = line(&hub, &which)?;
    endpoint(&subscription.endpoint)?;
    if Keys::read(&subscription.keys.p256dh, &subscription.keys.auth).is_none() {
        let allowed = "an uncompressed P-256 point (65 bytes) and a secret of 16 bytes, both base64url";
        return Err(Refusal(Problem::field("keys", "", allowed)));
    }
    let (channel, now) = (line.name.clone(), hub.now().as_microsecond());
    let kept = hub.db.write(move |tx| {
        let Subscription { endpoint, keys, who, .. } = subscription;
        tx.execute(
            "INSERT OR REPLACE INTO subscriptions(endpoint, channel, p256dh, auth, who, since) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
            params![endpoint, channel, keys.p256dh, keys.auth, who, now],
        )
    });
    kept.await.map_err(|error| refuse(&error))?;
    Ok((StatusCode::CREATED, Json(PushKey { key })))
}

pub(crate) async fn unsubscribe(
    State(hub): State<House>,
    Json(subscription): Json<Subscription>,
) -> Result<StatusCode, Refusal> {
    let gone = hub
        .db
        .write(move |tx| tx.execute("DELETE FROM subscriptions WHERE endpoint=?1", [subscription.endpoint]));
    match gone.await.map_err(|error| refuse(&error))? {
        0 => Err(Refusal(Problem::not_found("subscription", ""))),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}
