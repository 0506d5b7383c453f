//! Signatures of other issuers, carried through clients of this dialect.
//!
//! Clients of OpenAI's Responses give reasoning back as they got it and look at `encrypted_content` no further. What
//! Anthropic and Gemini demand to see again (signatures of thinking, redacted thinking, the signature of a call)
//! travels there, so that a tool loop of Codex works against any provider.

use std::borrow::Cow;

/// Marks what this house has sealed; OpenAI's own begins with `gAAAA` (a Fernet token).
const MARK: &str = "sanctum.1.";

/// What `encrypted_content` holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sealed<'a> {
    /// The signature of this item's text.
    Thinking(Cow<'a, str>),
    /// Another issuer's redacted reasoning.
    Redacted(Cow<'a, str>),
    /// The signature of the call with this id.
    Call { id: Cow<'a, str>, signature: Cow<'a, str> },
    /// OpenAI's own.
    Own(Cow<'a, str>),
    /// OpenAI's own, which belongs to another id than that of the item it travels in: OpenAI checks that they fit.
    Kept { id: Cow<'a, str>, data: Cow<'a, str> },
}

impl Sealed<'_> {
    pub(crate) fn write(&self) -> String {
        match self {
            Self::Thinking(signature) => format!("{MARK}thinking.{signature}"),
            Self::Redacted(data) => format!("{MARK}redacted.{data}"),
            Self::Call { id, signature } => format!("{MARK}call.{}.{id}{signature}", id.len()),
            Self::Own(data) => data.to_string(),
            Self::Kept { id, data } => format!("{MARK}kept.{}.{id}{data}", id.len()),
        }
    }
}

/// Reads what [`Sealed::write`] wrote; anything else is OpenAI's.
pub(crate) fn open(content: Cow<'_, str>) -> Sealed<'_> {
    let ours = content.strip_prefix(MARK).and_then(|rest| {
        let (kind, rest) = rest.split_once('.')?;
        match kind {
            "thinking" => Some(Sealed::Thinking(rest.to_owned().into())),
            "redacted" => Some(Sealed::Redacted(rest.to_owned().into())),
            "call" | "kept" => {
                let (length, rest) = rest.split_once('.')?;
                let (id, data) = rest.split_at_checked(length.parse().ok()?)?;
                let (id, data) = (id.to_owned().into(), data.to_owned().into());
                Some(if kind == "kept" {
                    Sealed::Kept { id, data }
                } else {
                    Sealed::Call { id, signature: data }
                })
            }
            _ => None,
        }
    });
    ours.unwrap_or(Sealed::Own(content))
}

/// Whether a body holds what this house has sealed, which no issuer would accept as it is.
pub fn holds_seals(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"\"sanctum.1.").is_some()
}

/// Whether redacted reasoning is OpenAI's, also after it went through another dialect, which knows no id.
pub(crate) fn is_own(data: &str, id: Option<&str>) -> bool {
    id.is_some() || data.starts_with("gAAAA")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_again() {
        for sealed in [
            Sealed::Thinking("a.b=".into()),
            Sealed::Redacted("".into()),
            Sealed::Call { id: "call.1é".into(), signature: "x.y".into() },
            Sealed::Own("gAAAA".into()),
            Sealed::Kept { id: "rs_1".into(), data: "gAAAA".into() },
        ] {
            assert_eq!(open(sealed.write().into()), sealed);
        }
    }

    #[test]
    fn what_only_looks_sealed_is_left_alone() {
        for content in ["sanctum.1.call.9.short", "sanctum.1.other.x", "sanctum.1.", "sanctum.1.call.x.y"] {
            assert_eq!(open(content.into()), Sealed::Own(content.into()));
        }
    }
}
