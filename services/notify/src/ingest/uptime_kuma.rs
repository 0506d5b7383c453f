//! Uptime Kuma's webhook: `heartbeat`, `monitor` and `msg` (server/notification-providers/webhook.js).

use sanctum_api::Problem;
use sanctum_api::notify::{Notice, Severity};
use serde_json::Value;

use super::{needed, text};
use crate::api::post::plain;

pub(super) fn read(body: &Value) -> Result<Vec<Notice>, Problem> {
    let source = "uptime-kuma".to_owned();
    let message = text(body, "/msg");
    // Its test button and its certificate warnings have no heartbeat.
    let Some(status) = body.pointer("/heartbeat/status").and_then(Value::as_i64) else {
        let message = message.ok_or_else(|| needed("msg", "a text, or a `heartbeat` with a status"))?;
        return Ok(vec![plain(source, Severity::Warn, Some("Uptime Kuma".to_owned()), message.to_owned())]);
    };
    let name =
        text(body, "/monitor/name").ok_or_else(|| needed("monitor.name", "the name of the monitor"))?;
    // 0 down, 1 up, 2 pending, 3 maintenance (src/util.ts).
    let (word, severity) = match status {
        0 => ("down", Severity::Error),
        1 => ("up", Severity::Error),
        2 => ("uncertain", Severity::Info),
        3 => ("in maintenance", Severity::Info),
        _ => return Err(needed("heartbeat.status", "0, 1, 2 or 3")),
    };
    let detail = text(body, "/heartbeat/msg").or(message).unwrap_or_default().to_owned();
    let mut notice = plain(source, severity, Some(format!("{name} is {word}")), detail);
    notice.labels.insert("monitor".to_owned(), name.to_owned());
    notice.url = text(body, "/monitor/url").filter(|url| url.starts_with("http")).map(str::to_owned);
    if status < 2 {
        let id = body.pointer("/monitor/id").map_or_else(|| name.to_owned(), ToString::to_string);
        notice.dedup_key = Some(format!("uptime-kuma/{id}"));
        notice.resolved = status == 1;
    }
    Ok(vec![notice])
}
