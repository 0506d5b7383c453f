//! What went wrong with a request, as RFC 9457 has it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An `application/problem+json` document. `field`, `value` and `allowed` say what a caller can mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{title}{}", detail.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default())]
pub struct Problem {
    /// A stable name for this kind of problem, such as `urn:sanctum:unknown-field`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in words, the same every time.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// What happened this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The field at fault, as a path: `labels.room`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The value that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What is allowed instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// The way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The story this request belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

impl Problem {
    /// `kind` is the last part of the URN, such as `unknown-device`.
    pub fn new(status: u16, kind: &str, title: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:sanctum:{kind}"),
            title: title.into(),
            status,
            detail: None,
            field: None,
            value: None,
            allowed: None,
            hint: None,
            trace_id: None,
        }
    }

    /// A field whose value is not allowed: 422.
    pub fn field(field: impl Into<String>, value: impl Into<String>, allowed: impl Into<String>) -> Self {
        let field = field.into();
        Self {
            value: Some(value.into()),
            allowed: Some(allowed.into()),
            field: Some(field.clone()),
            ..Self::new(422, "bad-field", format!("`{field}` has a value that is not allowed"))
        }
    }

    /// Something that is not there: 404.
    pub fn not_found(what: &str, name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            value: Some(name.clone()),
            ..Self::new(404, "not-found", format!("there is no {what} `{name}`"))
        }
    }

    /// Something that has changed since the caller looked: 409.
    pub fn conflict(title: impl Into<String>) -> Self {
        Self::new(409, "conflict", title)
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
