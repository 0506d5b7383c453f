//! Failures: every provider's shape is read, and each kind has its status and its words.

use serde_json::Value;

use crate::{Fault, FaultKind};

impl FaultKind {
    /// The status a client of OpenAI's APIs expects; Anthropic's differ in [`FaultKind::Overloaded`], which is 529 there.
    pub fn status(self) -> u16 {
        match self {
            Self::Invalid | Self::ContextLength => 400,
            Self::Unauthorized => 401,
            Self::Budget => 402,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::TooLarge => 413,
            Self::RateLimited => 429,
            Self::Internal => 500,
            Self::Overloaded => 503,
            Self::Timeout => 504,
        }
    }
}

impl Fault {
    /// A failure in this house's own words.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            status: kind.status(),
            kind,
            word: None,
            code: None,
            param: None,
            message: message.into(),
            request_id: None,
        }
    }
}

/// Longest text that is taken over from a body that is no error object.
const MOST: usize = 500;

/// Reads a failure of any provider: OpenAI's, Anthropic's and Google's objects, those of local servers (`error` as a plain
/// string, `detail`, `message`), and bodies that are no JSON at all. `status` is 200 inside a stream.
pub fn read(status: u16, body: &[u8]) -> Fault {
    let mut value = serde_json::from_slice::<Value>(body).unwrap_or(Value::Null);
    // Google wraps the failure of a stream into an array of one.
    if let Value::Array(list) = &mut value {
        value = list.first_mut().map(Value::take).unwrap_or_default();
    }
    let error = match value.get("error") {
        Some(error) if !error.is_null() => error,
        _ => &value,
    };
    let text = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
    let message = text("message")
        .or_else(|| error.as_str().map(str::to_owned))
        .or_else(|| text("detail"))
        .or_else(|| error.get("detail").map(Value::to_string))
        .or_else(|| value.get("message").and_then(Value::as_str).map(str::to_owned))
        .unwrap_or_else(|| plain(status, body));
    let number = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let word = text("type").or_else(|| text("status")).filter(|word| word != "error");
    let code = text("code");
    let told = if status == 200 { number.unwrap_or(200) } else { status };
    Fault {
        status,
        kind: kind(told, word.as_deref(), code.as_deref(), &message),
        word,
        code,
        param: text("param"),
        message,
        request_id: value.get("request_id").and_then(Value::as_str).map(str::to_owned),
    }
}

fn plain(status: u16, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.is_empty() {
        return format!("the provider answered {status} without a word");
    }
    text.chars().take(MOST).collect()
}

/// What kind of failure a status and the words of a provider mean.
pub fn kind(status: u16, word: Option<&str>, code: Option<&str>, message: &str) -> FaultKind {
    let words = [code.unwrap_or_default(), word.unwrap_or_default()];
    if matches!(status, 200 | 400 | 413 | 422 | 500) && too_long(words, message) {
        return FaultKind::ContextLength;
    }
    let spent = words
        .iter()
        .any(|word| matches!(*word, "insufficient_quota" | "billing_error" | "billing_hard_limit_reached"))
        || message.contains("credit balance is too low");
    if spent || status == 402 {
        return FaultKind::Budget;
    }
    match status {
        401 => FaultKind::Unauthorized,
        403 => FaultKind::Forbidden,
        404 => FaultKind::NotFound,
        408 | 504 => FaultKind::Timeout,
        413 => FaultKind::TooLarge,
        429 => FaultKind::RateLimited,
        503 | 529 => FaultKind::Overloaded,
        _ => words.iter().find_map(|word| by_word(word)).unwrap_or(match status {
            400..=499 => FaultKind::Invalid,
            _ => FaultKind::Internal,
        }),
    }
}

fn by_word(word: &str) -> Option<FaultKind> {
    Some(match word {
        "invalid_request_error" | "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "invalid_prompt" => {
            FaultKind::Invalid
        }
        "authentication_error" | "UNAUTHENTICATED" | "invalid_api_key" => FaultKind::Unauthorized,
        "permission_error" | "PERMISSION_DENIED" => FaultKind::Forbidden,
        "not_found_error" | "NOT_FOUND" | "model_not_found" => FaultKind::NotFound,
        "request_too_large" => FaultKind::TooLarge,
        "rate_limit_error" | "rate_limit_exceeded" | "RESOURCE_EXHAUSTED" => FaultKind::RateLimited,
        "overloaded_error" | "UNAVAILABLE" | "overloaded" | "server_is_overloaded" | "slow_down" => {
            FaultKind::Overloaded
        }
        "timeout_error" | "DEADLINE_EXCEEDED" => FaultKind::Timeout,
        "api_error" | "server_error" | "INTERNAL" => FaultKind::Internal,
        _ => return None,
    })
}

/// Every server says it in its own way; the words are those of OpenAI, Anthropic, Google, vLLM, llama.cpp and Ollama.
fn too_long(words: [&str; 2], message: &str) -> bool {
    const TELLS: [&str; 11] = [
        "maximum context length",
        "prompt is too long",
        "input is too long",
        "exceed context limit",
        "context window",
        "available context size",
        "context length exceeded",
        "exceeds the context",
        "maximum number of tokens allowed",
        "exceeds the maximum number of input tokens",
        "longer than the model's context length",
    ];
    words.iter().any(|word| matches!(*word, "context_length_exceeded" | "exceed_context_size_error"))
        || TELLS.iter().any(|tell| message.contains(tell))
}

#[cfg(test)]
mod tests {
    use FaultKind::*;

    use super::*;

    const CASES: &[(u16, &str, FaultKind, &str)] = &[
        (
            400,
            r#"{"error":{"message":"no","type":"invalid_request_error","param":"x","code":null}}"#,
            Invalid,
            "no",
        ),
        (
            400,
            r#"{"error":{"message":"This model's maximum context length is 8","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
            ContextLength,
            "This model's maximum context length is 8",
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}}"#,
            ContextLength,
            "prompt is too long: 9 tokens > 8 maximum",
        ),
        (
            429,
            r#"{"error":{"message":"gone","type":"insufficient_quota","code":"insufficient_quota"}}"#,
            Budget,
            "gone",
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#,
            Budget,
            "Your credit balance is too low",
        ),
        (429, r#"{"error":{"message":"slow"}}"#, RateLimited, "slow"),
        (
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Overloaded,
            "Overloaded",
        ),
        (
            200,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Overloaded,
            "Overloaded",
        ),
        (200, r#"{"error":{"code":502,"message":"upstream"}}"#, Internal, "upstream"),
        (200, r#"{"error":{"code":429,"message":"upstream"}}"#, RateLimited, "upstream"),
        (400, r#"[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}]"#, Invalid, "bad"),
        (404, r#"{"error":"model \"x\" not found"}"#, NotFound, "model \"x\" not found"),
        (422, r#"{"detail":[{"loc":["body"]}]}"#, Invalid, r#"[{"loc":["body"]}]"#),
        (400, r#"{"object":"error","message":"vllm","type":"BadRequestError","code":400}"#, Invalid, "vllm"),
        (502, "<html>Bad Gateway</html>", Internal, "<html>Bad Gateway</html>"),
        (503, "", Overloaded, "the provider answered 503 without a word"),
        (401, "\u{0}\u{1}", Unauthorized, ""),
    ];

    #[test]
    fn every_shape_is_understood() {
        for (status, body, kind, message) in CASES {
            let fault = read(*status, body.as_bytes());
            assert_eq!((fault.kind, fault.status), (*kind, *status), "{body}");
            if !message.is_empty() {
                assert_eq!(fault.message, *message);
            }
        }
    }
}
