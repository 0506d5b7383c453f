//! A message as ntfy takes it as JSON (docs.ntfy.sh/publish/#publish-as-json), or as its own webhooks send it.

use sanctum_api::Problem;
use sanctum_api::notify::{Action, Notice, Severity};
use serde_json::Value;

use super::{needed, text};
use crate::api::post::{of_priority, plain};

pub(super) fn read(body: &Value) -> Result<Vec<Notice>, Problem> {
    let topic = text(body, "/topic").ok_or_else(|| needed("topic", "the name of a topic"))?;
    let message = text(body, "/message").unwrap_or("triggered");
    let severity = match &body["priority"] {
        Value::Null => Severity::Info,
        Value::String(word) => of_priority("priority", word)?,
        number => of_priority("priority", &number.to_string())?,
    };
    let mut notice =
        plain("ntfy".to_owned(), severity, text(body, "/title").map(str::to_owned), message.to_owned());
    notice.labels.insert("topic".to_owned(), topic.to_owned());
    for tag in body["tags"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        notice.labels.insert(format!("tag.{tag}"), "true".to_owned());
    }
    notice.url = text(body, "/click").map(str::to_owned);
    notice.image = text(body, "/attach").map(str::to_owned);
    notice.dedup_key = text(body, "/sequence_id").map(str::to_owned);
    let actions = body["actions"].as_array().into_iter().flatten();
    let views = actions.filter_map(|action| {
        Some(Action { label: text(action, "/label")?.to_owned(), url: text(action, "/url")?.to_owned() })
    });
    notice.actions = views.take(5).collect();
    Ok(vec![notice])
}
