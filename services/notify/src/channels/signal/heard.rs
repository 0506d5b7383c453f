//! What people and phones say back: receipts, reactions, `ack 17`.
#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for what is not there")]

use serde_json::Value;

use super::Config;
use crate::channels::Heard;

/// Reads one received envelope, bare or as a JSON-RPC notification. Only who may get messages may acknowledge them.
pub(crate) fn read(event: &Value, config: &Config) -> Vec<Heard> {
    let params = if event["params"].is_object() { &event["params"] } else { event };
    let envelope = if params["result"]["envelope"].is_object() { &params["result"]["envelope"] } else { &params["envelope"] };
    let ids = ["sourceNumber", "sourceUuid", "source"].map(|field| envelope[field].as_str());
    let receipt = &envelope["receiptMessage"];
    if receipt["isDelivery"] == true || receipt["isRead"] == true {
        let stamps = receipt["timestamps"].as_array().map(Vec::as_slice).unwrap_or_default();
        return stamps.iter().filter_map(Value::as_u64).map(|stamp| Heard::Confirmed { far_id: stamp.to_string() }).collect();
    }
    let data = &envelope["dataMessage"];
    let group = data["groupInfo"]["groupId"].as_str();
    let in_group = group.is_some() && group == config.group.as_deref();
    let known = ids.iter().flatten().any(|id| config.recipients.iter().any(|recipient| recipient == id));
    if !(in_group || known) {
        return Vec::new();
    }
    let who = envelope["sourceName"].as_str().filter(|name| !name.is_empty()).or_else(|| ids.into_iter().flatten().next());
    let who = who.unwrap_or("somebody").to_owned();
    let reaction = &data["reaction"];
    if let Some(target) = reaction["targetSentTimestamp"].as_u64() {
        let meant = reaction["isRemove"] != true;
        return meant.then(|| Heard::AckedMessage { far_id: target.to_string(), who }).into_iter().collect();
    }
    let text = data["message"].as_str().unwrap_or_default().trim().to_lowercase();
    let quoted = data["quote"]["id"].as_u64();
    match (text.strip_prefix("ack").map(str::trim), quoted) {
        (Some(""), Some(quoted)) => vec![Heard::AckedMessage { far_id: quoted.to_string(), who }],
        (Some(number), _) => number.parse().map(|id| Heard::AckedNumber { id, who }).into_iter().collect(),
        (None, _) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn people_and_phones_are_understood() {
        let config = Config { recipients: vec!["+15550001".to_owned()], ..Config::default() };
        let from = |number: &str, rest: (&str, Value)| {
            json!({ "method": "receive", "params": { "envelope": { "sourceNumber": number, "sourceName": "Ann", rest.0: rest.1 } } })
        };
        let ann = |rest| read(&from("+15550001", rest), &config);
        let who = || "Ann".to_owned();
        let receipt = json!({ "isDelivery": true, "timestamps": [7, 8] });
        assert_eq!(ann(("receiptMessage", receipt)).len(), 2);
        assert_eq!(ann(("dataMessage", json!({ "message": " Ack 17 " }))), [Heard::AckedNumber { id: 17, who: who() }]);
        let reaction = json!({ "reaction": { "emoji": "👍", "targetSentTimestamp": 7, "isRemove": false } });
        assert_eq!(ann(("dataMessage", reaction.clone())), [Heard::AckedMessage { far_id: "7".to_owned(), who: who() }]);
        assert_eq!(ann(("dataMessage", json!({ "message": "hello" }))), []);
        assert_eq!(read(&from("+15559999", ("dataMessage", reaction)), &config), [], "a stranger acknowledges nothing");
    }
}
