//! Failures in Google's words (`google.rpc.Status`).

use std::time::Duration;

use serde_json::Value;

use crate::write::object;
use crate::{Fault, FaultKind, fault};

/// Google refuses a wrong key with the status of a wrong request; only the reason among the details tells them apart.
pub(super) fn read(status: u16, body: &[u8]) -> Fault {
    let mut fault = fault::read(status, body);
    let text = String::from_utf8_lossy(body);
    if fault.kind == FaultKind::Invalid
        && (text.contains("API_KEY_INVALID") || text.contains("API key expired"))
    {
        fault.kind = FaultKind::Unauthorized;
    }
    fault
}

/// How long to wait before the next try, from the `RetryInfo` among the details of a failure.
pub fn retry_delay(body: &[u8]) -> Option<Duration> {
    let mut value: Value = serde_json::from_slice(body).ok()?;
    if let Value::Array(list) = &mut value {
        value = list.first_mut()?.take();
    }
    let details = value.get("error")?.get("details")?.as_array()?;
    let delay = details.iter().find_map(|detail| detail.get("retryDelay")?.as_str())?;
    let seconds: f64 = delay.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn word(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Invalid | FaultKind::TooLarge | FaultKind::ContextLength => "INVALID_ARGUMENT",
        FaultKind::Unauthorized => "UNAUTHENTICATED",
        FaultKind::Forbidden => "PERMISSION_DENIED",
        FaultKind::NotFound => "NOT_FOUND",
        FaultKind::RateLimited | FaultKind::Budget => "RESOURCE_EXHAUSTED",
        FaultKind::Overloaded => "UNAVAILABLE",
        FaultKind::Timeout => "DEADLINE_EXCEEDED",
        FaultKind::Internal => "INTERNAL",
    }
}

pub(super) fn write(fault: &Fault) -> Vec<u8> {
    // Inside a stream there is no status of HTTP's.
    let status = if fault.status < 400 { fault.kind.status() } else { fault.status };
    let mut out = Vec::with_capacity(256);
    object(&mut out, |o| {
        o.with("error", |o| {
            o.put("code", &status);
            o.put("message", &fault.message);
            o.put("status", word(fault.kind));
        });
    });
    out
}
