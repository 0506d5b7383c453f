//! The end of a stream that is stopped here, as its dialect ends one that has reached its limit.

use sanctum_http::Bytes;
use sanctum_llm::Dialect;

use crate::scan::Scanner;

/// The last events of a stream that has reached its limit.
pub(crate) fn ending(dialect: Dialect, scanner: &Scanner) -> Bytes {
    let first: serde_json::Value = serde_json::from_slice(&scanner.first).unwrap_or_default();
    let text = match dialect {
        Dialect::Messages => {
            let mut text = String::new();
            if let Some(open) = scanner.open {
                text.push_str(&format!(
                    "event: content_block_stop\ndata: {{\"type\":\"content_block_stop\",\"index\":{open}}}\n\n"
                ));
            }
            let output = scanner.output_guess();
            text.push_str(&format!("event: message_delta\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"max_tokens\",\"stop_sequence\":null}},\"usage\":{{\"output_tokens\":{output}}}}}\n\nevent: message_stop\ndata: {{\"type\":\"message_stop\"}}\n\n"));
            text
        }
        Dialect::Responses => {
            let mut response =
                first.get("response").cloned().unwrap_or_else(|| serde_json::json!({ "object": "response" }));
            if let Some(response) = response.as_object_mut() {
                response.insert("status".to_owned(), "incomplete".into());
                response.insert(
                    "incomplete_details".to_owned(),
                    serde_json::json!({ "reason": "max_output_tokens" }),
                );
            }
            let event = serde_json::json!({
                "type": "response.incomplete", "sequence_number": scanner.events, "response": response,
            });
            format!("event: response.incomplete\ndata: {event}\n\n")
        }
        Dialect::Chat | Dialect::Gemini => {
            let word = |key: &str| first.get(key).cloned().unwrap_or_default();
            let chunk = serde_json::json!({
                "id": word("id"), "object": "chat.completion.chunk", "created": word("created"), "model": word("model"),
                "choices": [{ "index": 0, "delta": {}, "finish_reason": "length" }],
            });
            format!("data: {chunk}\n\ndata: [DONE]\n\n")
        }
    };
    Bytes::from(text)
}
