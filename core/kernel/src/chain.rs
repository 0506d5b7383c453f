//! Errors as people read them: each cause once, and a way out.

use std::error::Error;
use std::fmt;

/// Prints an error and its causes, each once: `could not start: could not open state: disk is full`.
pub struct Chain<'e>(pub &'e (dyn Error + 'e));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.to_string();
        f.write_str(&shown)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Libraries often repeat their source in their own message; people need it once.
            if !shown.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            shown = text;
            source = cause.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An error with a way out and an exit code, for what a person can fix.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Hinted {
    message: String,
    hint: String,
    code: u8,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Hinted {
    /// `message` is a lower-case fragment; `hint` is what to do, as a sentence.
    pub fn new(code: u8, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), code, source: None }
    }

    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub const fn code(&self) -> u8 {
        self.code
    }
}

/// The first hint in a chain of errors, and its exit code.
pub fn hint<'e>(error: &'e (dyn Error + 'static)) -> Option<(&'e str, u8)> {
    let mut at: Option<&'e (dyn Error + 'static)> = Some(error);
    while let Some(error) = at {
        if let Some(hinted) = error.downcast_ref::<Hinted>() {
            return Some((&hinted.hint, hinted.code));
        }
        at = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not start")]
    struct Outer(#[source] Hinted);

    #[test]
    fn a_chain_reads_as_one_sentence_and_keeps_the_way_out() {
        let disk = std::io::Error::other("disk is full");
        let error = Outer(Hinted::new(73, "could not open state", "free some space").because(disk));
        assert_eq!(Chain(&error).to_string(), "could not start: could not open state: disk is full");
        assert_eq!(hint(&error), Some(("free some space", 73)));
    }
}
