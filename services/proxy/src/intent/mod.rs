//! What a request wants and how private it is, told from its words in microseconds, by rules a person can read.
//!
//! Words weigh for topics (`data/words/*.txt`), the shape of the text weighs for programs, and the sums decide. No model,
//! no chance, no clock: the same words always read the same. In doubt it is the stronger intent and the stricter class.

mod decide;
pub mod evaluate;
mod fold;
mod lexicon;
mod meter;
mod shape;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use decide::classify;

use crate::kinds::{Intent, Privacy};

/// What is looked at. Texts are best given unescaped; text as JSON writes it (`\n`, `\u00e9`) is read as well.
#[derive(Debug, Clone, Copy, Default)]
pub struct Prompt<'a> {
    /// The last words of the user.
    pub latest: &'a str,
    /// Everything said before, answers and results of tools included; newest first.
    pub earlier: &'a [&'a str],
    pub system: Option<&'a str>,
    /// Names of the tools it may call.
    pub tools: &'a [&'a str],
    /// Whether it carries pictures.
    pub images: bool,
}

/// What was read, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub intent: Intent,
    /// In people's words: `the word "refactor"`, `a stack trace`.
    pub intent_because: Cow<'static, str>,
    pub privacy: Privacy,
    pub privacy_because: Cow<'static, str>,
    /// Whether the evidence of the intent is clear; who is not sure keeps the stronger model.
    pub sure: bool,
}
