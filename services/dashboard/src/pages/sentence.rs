//! The one sentence on top.

use maud::{Markup, html};

use crate::{Sentence, Tone};

pub(crate) fn body(sentence: &Sentence) -> Markup {
    let tone = match sentence.tone {
        Tone::Well => "well",
        Tone::Quiet => "quiet",
        Tone::Unknown => "unknown",
        Tone::Needs => "needs",
    };
    html! {
        h1.sentence data-tone=(tone) data-title=(title(sentence)) {
            span.sentence-head { (sentence.head) ":" } " "
            span.sentence-rest { (sentence.rest) }
        }
    }
}

/// What the tab says.
pub(crate) fn title(sentence: &Sentence) -> String {
    format!("{} · Command Center", sentence.head)
}
