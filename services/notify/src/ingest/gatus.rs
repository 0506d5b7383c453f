//! Gatus' custom alert with this body: `{"group":"[ENDPOINT_GROUP]","name":"[ENDPOINT_NAME]","status":
//! "[ALERT_TRIGGERED_OR_RESOLVED]","description":"[ALERT_DESCRIPTION]","url":"[ENDPOINT_URL]"}` (its README, "custom alerts").

use sanctum_api::Problem;
use sanctum_api::notify::Notice;
use serde_json::Value;

use super::{needed, severity, text};
use crate::api::post::plain;

pub(super) fn read(body: &Value) -> Result<Vec<Notice>, Problem> {
    let name = text(body, "/name").ok_or_else(|| needed("name", "`[ENDPOINT_NAME]`"))?;
    let status = text(body, "/status").filter(|status| matches!(*status, "TRIGGERED" | "RESOLVED"));
    let status =
        status.ok_or_else(|| needed("status", "`[ALERT_TRIGGERED_OR_RESOLVED]`: TRIGGERED or RESOLVED"))?;
    let name = text(body, "/group").map_or_else(|| name.to_owned(), |group| format!("{group}/{name}"));
    let description = text(body, "/description").unwrap_or_default().to_owned();
    let level = severity(Some(text(body, "/severity").unwrap_or("error")));
    let mut notice = plain("gatus".to_owned(), level, Some(format!("{name}: {status}")), description);
    notice.url = text(body, "/url").filter(|url| url.starts_with("http")).map(str::to_owned);
    notice.dedup_key = Some(format!("gatus/{name}"));
    notice.resolved = status == "RESOLVED";
    Ok(vec![notice])
}
