//! Grafana's alerting webhook (grafana.com/docs/grafana/latest/alerting, "webhook notifier").

use sanctum_api::Problem;
use sanctum_api::notify::Notice;
use serde_json::Value;

pub(super) fn read(body: &Value) -> Result<Vec<Notice>, Problem> {
    super::alertmanager::alerts(body, "grafana")
}
