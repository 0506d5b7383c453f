//! Home Assistant's `rest` notify and automations: `title`, `message`, `data` (home-assistant.io/integrations/notify.rest).

use sanctum_api::Problem;
use sanctum_api::notify::Notice;
use serde_json::Value;

use super::{needed, severity, text};
use crate::api::post::plain;

pub(super) fn read(body: &Value) -> Result<Vec<Notice>, Problem> {
    let message = text(body, "/message").ok_or_else(|| needed("message", "a text"))?;
    // The companion app's own word for it, where an automation already says it.
    let level = match text(body, "/data/push/interruption-level") {
        Some("critical") => Some("critical"),
        Some("time-sensitive") => Some("error"),
        Some("passive") => Some("info"),
        _ => text(body, "/data/severity").or_else(|| text(body, "/severity")),
    };
    let mut notice = plain(
        "home-assistant".to_owned(),
        severity(level),
        text(body, "/title").map(str::to_owned),
        message.to_owned(),
    );
    notice.url = text(body, "/data/url")
        .or_else(|| text(body, "/data/clickAction"))
        .filter(|url| url.starts_with("http"))
        .map(str::to_owned);
    notice.image = text(body, "/data/image").map(str::to_owned);
    notice.dedup_key = text(body, "/data/tag").map(str::to_owned);
    if let Some(group) = text(body, "/data/group") {
        notice.labels.insert("group".to_owned(), group.to_owned());
    }
    // `clear_notification` takes back what has the same tag.
    if message == "clear_notification" {
        notice.dedup_key.as_ref().ok_or_else(|| needed("data.tag", "the tag of what is to be cleared"))?;
        notice.resolved = true;
    }
    Ok(vec![notice])
}
