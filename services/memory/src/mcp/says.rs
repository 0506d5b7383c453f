//! Answers of tools: structured with the same as text, and errors that say what to do.

use sanctum_api::Problem;
use sanctum_mcp::rmcp::ErrorData;
use sanctum_mcp::rmcp::model::{CallToolResponse, CallToolResult, ContentBlock};
use serde::Serialize;

use crate::library::Error;

/// A result that agrees with the tool's output schema.
pub(super) fn done<T: Serialize>(value: &T) -> CallToolResult {
    match serde_json::to_value(value) {
        Ok(value) => CallToolResult::structured(value),
        Err(error) => wrong(error.to_string()),
    }
}

/// Something the model can mend, or should tell.
pub(super) fn wrong(words: impl Into<String>) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(words)])
}

pub(super) fn answered<T: Serialize>(outcome: &Result<T, Error>) -> CallToolResponse {
    match outcome {
        Ok(value) => done(value),
        Err(error) => refused(error),
    }
    .into()
}

pub(super) fn refused(error: &Error) -> CallToolResult {
    wrong(sentence(&error.problem()))
}

/// What is wrong, which argument it is about, and the way out, in one line.
fn sentence(problem: &Problem) -> String {
    let mut said = problem.title.clone();
    if let Some(field) = &problem.field {
        said.push_str(&format!("; `{field}`"));
        if let Some(value) = &problem.value {
            said.push_str(&format!(" is `{value}`"));
        }
        if let Some(allowed) = &problem.allowed {
            said.push_str(&format!(", allowed: {allowed}"));
        }
    }
    for more in [&problem.detail, &problem.hint].into_iter().flatten() {
        said.push_str(&format!(". {more}"));
    }
    said
}

/// For what is asked outside of a tool, where the protocol has errors of its own.
pub(super) fn failed(error: &Error) -> ErrorData {
    let problem = error.problem();
    let data = serde_json::to_value(&problem).ok();
    match problem.status {
        400..=499 => ErrorData::invalid_params(sentence(&problem), data),
        _ => ErrorData::internal_error(sentence(&problem), data),
    }
}
