//! Failures in OpenAI's words.

use crate::write::object;
use crate::{Fault, FaultKind};

/// `type`.
pub(super) fn word(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Invalid | FaultKind::NotFound | FaultKind::TooLarge | FaultKind::ContextLength => {
            "invalid_request_error"
        }
        FaultKind::Unauthorized => "authentication_error",
        FaultKind::Forbidden => "permission_error",
        FaultKind::RateLimited => "rate_limit_error",
        FaultKind::Budget => "insufficient_quota",
        FaultKind::Overloaded | FaultKind::Timeout | FaultKind::Internal => "server_error",
    }
}

/// `code` of a response that failed; Codex decides by it whether to try again.
pub(super) fn code(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::ContextLength => "context_length_exceeded",
        FaultKind::Budget => "insufficient_quota",
        FaultKind::RateLimited => "rate_limit_exceeded",
        FaultKind::Overloaded => "server_is_overloaded",
        FaultKind::Invalid | FaultKind::NotFound | FaultKind::TooLarge => "invalid_prompt",
        FaultKind::Unauthorized => "invalid_api_key",
        FaultKind::Forbidden | FaultKind::Timeout | FaultKind::Internal => "server_error",
    }
}

pub(super) fn write(fault: &Fault) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    object(&mut out, |o| {
        o.with("error", |o| {
            o.put("message", &fault.message);
            o.put("type", word(fault.kind));
            o.put("param", &fault.param);
            let known =
                matches!(fault.kind, FaultKind::ContextLength | FaultKind::Budget | FaultKind::RateLimited);
            o.put("code", &fault.code.as_deref().or(known.then(|| code(fault.kind))));
        });
    });
    out
}
