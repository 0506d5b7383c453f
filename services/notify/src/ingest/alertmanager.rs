//! Alertmanager's webhook, version 4 (prometheus.io/docs/alerting/latest/configuration/#webhook_config).

use sanctum_api::Problem;
use sanctum_api::notify::Notice;
use serde_json::Value;

use super::{labels, needed, severity, text};
use crate::api::post::plain;

pub(super) fn read(body: &Value) -> Result<Vec<Notice>, Problem> {
    alerts(body, "alertmanager")
}

/// Grafana sends the same document with more in it.
pub(super) fn alerts(body: &Value, source: &str) -> Result<Vec<Notice>, Problem> {
    let alerts = body["alerts"].as_array().filter(|alerts| !alerts.is_empty());
    let alerts = alerts.ok_or_else(|| needed("alerts", "a list of at least one alert"))?;
    alerts.iter().map(|alert| one(alert, source)).collect()
}

fn one(alert: &Value, source: &str) -> Result<Notice, Problem> {
    let status = text(alert, "/status").filter(|status| matches!(*status, "firing" | "resolved"));
    let status = status.ok_or_else(|| needed("alerts.status", "`firing` or `resolved`"))?;
    let title = text(alert, "/labels/alertname").or_else(|| text(alert, "/annotations/title"));
    let title = title.ok_or_else(|| needed("alerts.labels.alertname", "the name of the alert"))?.to_owned();
    let message = ["/annotations/summary", "/annotations/description", "/annotations/message"]
        .into_iter()
        .find_map(|at| text(alert, at));
    let mut notice = plain(
        source.to_owned(),
        severity(text(alert, "/labels/severity")),
        Some(title),
        message.unwrap_or_default().to_owned(),
    );
    notice.labels = labels(&alert["labels"]);
    notice.url = text(alert, "/panelURL").or_else(|| text(alert, "/generatorURL")).map(str::to_owned);
    // The fingerprint is the same for the same labels; without it the labels are.
    let fingerprint = text(alert, "/fingerprint").map_or_else(|| alert["labels"].to_string(), str::to_owned);
    notice.dedup_key = Some(format!("{source}/{fingerprint}"));
    notice.resolved = status == "resolved";
    Ok(notice)
}
