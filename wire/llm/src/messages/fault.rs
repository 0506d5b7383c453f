//! Failures in Anthropic's shape.

use crate::{Fault, FaultKind, json::Object};

/// `{"type":"error","error":{"type","message"},"request_id"}`.
pub(super) fn write(fault: &Fault, into: &mut Vec<u8>) {
    let mut body = Object::new(into);
    body.string("type", "error");
    body.object("error").string("type", word(fault.kind)).string("message", &message(fault));
    match &fault.request_id {
        Some(id) => body.string("request_id", id),
        None => body.null("request_id"),
    };
}

/// The kinds of <https://docs.anthropic.com/en/api/errors>.
fn word(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Invalid | FaultKind::ContextLength => "invalid_request_error",
        FaultKind::Unauthorized => "authentication_error",
        FaultKind::Forbidden => "permission_error",
        FaultKind::NotFound => "not_found_error",
        FaultKind::TooLarge => "request_too_large",
        FaultKind::RateLimited => "rate_limit_error",
        FaultKind::Budget => "billing_error",
        FaultKind::Overloaded => "overloaded_error",
        FaultKind::Timeout => "timeout_error",
        FaultKind::Internal => "api_error",
    }
}

/// There is no word for a prompt that does not fit: Claude Code and others know it by Anthropic's own sentence, and
/// compact the conversation when they see it.
fn message(fault: &Fault) -> std::borrow::Cow<'_, str> {
    if fault.kind == FaultKind::ContextLength && !fault.message.contains("prompt is too long") {
        format!("prompt is too long: {}", fault.message).into()
    } else {
        fault.message.as_str().into()
    }
}
