//! What signal-cli's answers mean. It answers 200 also for errors; the body decides.
#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for what is not there")]

use std::time::Duration;

use serde_json::Value;

use crate::channels::{Receipt, SendError};

/// A rejected captcha and an exhausted rate limit last this long when the daemon does not say.
const DAY: Duration = Duration::from_hours(24);
const LIMIT: Duration = Duration::from_mins(10);

/// Reads the answer to `send`. One recipient that got it makes it delivered: the others would get it twice.
pub(crate) fn sent(answer: &Value) -> Result<Receipt, SendError> {
    let error = &answer["error"];
    if let Some(code) = error["code"].as_i64() {
        let results = &error["data"]["response"]["results"];
        let reason = format!("signal-cli {code}: {}", error["message"].as_str().unwrap_or("no reason given"));
        return Err(refusal(code, reason, results));
    }
    let result = &answer["result"];
    let results = result["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    let success = results.is_empty() || results.iter().any(|result| result["type"] == "SUCCESS");
    match (result["timestamp"].as_u64(), success) {
        (Some(timestamp), true) => Ok(Receipt { far_id: Some(timestamp.to_string()), confirmed: false }),
        (Some(_), false) => Err(failures(results, "nobody got it".to_owned())),
        (None, _) => Err(SendError::later("the daemon answered without a timestamp")),
    }
}

fn refusal(code: i64, reason: String, results: &Value) -> SendError {
    let results = results.as_array().map(Vec::as_slice).unwrap_or_default();
    let asked = results.iter().filter_map(|result| result["retryAfterSeconds"].as_u64()).max().map(Duration::from_secs);
    match code {
        // -3 input/output, -32603 internal, -1 user error: only the results tell.
        -1 | -3 | -32603 if !results.is_empty() => failures(results, reason),
        -3 | -32603 => SendError::later(reason),
        -5 => SendError::Later { reason, after: Some(asked.unwrap_or(LIMIT)) },
        -6 => SendError::Later { reason: format!("{reason}: a captcha must be solved"), after: Some(DAY) },
        -4 => SendError::refused(format!("{reason}: the Signal identity of a recipient changed; trust it in signal-cli")),
        _ => SendError::refused(reason),
    }
}

/// The mildest of what went wrong decides: as long as one may get it later, it is tried again.
fn failures(results: &[Value], reason: String) -> SendError {
    let kinds: Vec<&str> = results.iter().filter_map(|result| result["type"].as_str()).collect();
    let asked = results.iter().filter_map(|result| result["retryAfterSeconds"].as_u64()).max().map(Duration::from_secs);
    let reason = format!("{reason} ({})", kinds.join(", "));
    if kinds.contains(&"RATE_LIMIT_FAILURE") {
        return SendError::Later { reason, after: Some(asked.unwrap_or(LIMIT)) };
    }
    if kinds.contains(&"NETWORK_FAILURE") {
        return SendError::later(reason);
    }
    if kinds.contains(&"IDENTITY_FAILURE") {
        return SendError::refused(format!("{reason}: the Signal identity of a recipient changed; trust it in signal-cli"));
    }
    if kinds.contains(&"UNREGISTERED_FAILURE") {
        return SendError::refused(format!("{reason}: a recipient is not on Signal"));
    }
    SendError::later(reason)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_code_has_its_consequence() {
        let result = |kind: &str| json!({ "result": { "timestamp": 7, "results": [{ "type": kind }] } });
        let error = |code: i64| json!({ "error": { "code": code, "message": "m", "data": null } });
        assert_eq!(sent(&result("SUCCESS")).unwrap().far_id.as_deref(), Some("7"));
        let later = |answer: &Value| matches!(sent(answer), Err(SendError::Later { .. }));
        let refused = |answer: &Value| matches!(sent(answer), Err(SendError::Refused { .. }));
        assert!(later(&result("NETWORK_FAILURE")) && later(&result("RATE_LIMIT_FAILURE")));
        assert!(refused(&result("IDENTITY_FAILURE")) && refused(&result("UNREGISTERED_FAILURE")));
        for code in [-3, -5, -6, -32603] {
            assert!(later(&error(code)), "{code}");
        }
        for code in [-1, -4, -32600, -32601, -32602, -32700] {
            assert!(refused(&error(code)), "{code}");
        }
        let asked = json!({ "error": { "code": -5, "message": "m", "data": { "response": { "results": [
            { "type": "RATE_LIMIT_FAILURE", "retryAfterSeconds": 42 }] } } } });
        assert!(matches!(sent(&asked), Err(SendError::Later { after: Some(after), .. }) if after.as_secs() == 42));
        let partly = json!({ "result": { "timestamp": 7, "results": [{ "type": "SUCCESS" }, { "type": "NETWORK_FAILURE" }] } });
        assert!(sent(&partly).is_ok());
    }
}
