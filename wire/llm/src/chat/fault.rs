//! Failures in OpenAI's shape.

use crate::{Fault, FaultKind, json::Object};

/// `{"error":{"message","type","param","code"}}`.
pub(super) fn write(fault: &Fault, into: &mut Vec<u8>) {
    let (word, code) = words(fault.kind);
    let mut body = Object::new(into);
    let mut error = body.object("error");
    error.string("message", &fault.message).string("type", word);
    match &fault.param {
        Some(param) => error.string("param", param),
        None => error.null("param"),
    };
    match fault.code.as_deref().or(code) {
        Some(code) => error.string("code", code),
        None => error.null("code"),
    };
}

/// `type` and `code`. Where OpenAI has no type of its own the word is Anthropic's, so that a failure inside a stream,
/// which has no status, keeps its kind.
fn words(kind: FaultKind) -> (&'static str, Option<&'static str>) {
    match kind {
        FaultKind::Invalid => ("invalid_request_error", None),
        FaultKind::Unauthorized => ("authentication_error", Some("invalid_api_key")),
        FaultKind::Forbidden => ("permission_error", None),
        FaultKind::NotFound => ("not_found_error", None),
        FaultKind::TooLarge => ("request_too_large", None),
        FaultKind::ContextLength => ("invalid_request_error", Some("context_length_exceeded")),
        FaultKind::RateLimited => ("rate_limit_error", Some("rate_limit_exceeded")),
        FaultKind::Budget => ("insufficient_quota", Some("insufficient_quota")),
        FaultKind::Overloaded => ("overloaded_error", None),
        FaultKind::Timeout => ("timeout_error", None),
        FaultKind::Internal => ("server_error", None),
    }
}
