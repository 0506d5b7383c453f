//! A text as the words it is found by.

use std::collections::HashMap;

use rust_stemmers::{Algorithm, Stemmer};

/// Words that say how a thing is asked and not what is asked.
const EMPTY: &[&str] = &[
    "a", "about", "after", "also", "am", "an", "and", "are", "as", "at", "be", "been", "before", "being",
    "but", "by", "can", "could", "d", "did", "do", "does", "doing", "during", "for", "from", "had", "has",
    "have", "having", "he", "her", "hers", "him", "his", "how", "i", "if", "in", "into", "is", "it", "its",
    "just", "ll", "m", "me", "my", "no", "nor", "not", "of", "on", "or", "our", "ours", "re", "s", "she",
    "should", "so", "some", "such", "t", "than", "that", "the", "their", "theirs", "them", "then", "there",
    "these", "they", "this", "those", "to", "too", "us", "ve", "was", "we", "were", "what", "when", "where",
    "which", "while", "who", "whom", "whose", "why", "will", "with", "would", "you", "your", "yours",
];
/// A longer run of letters and digits is a key or a blob, which nobody asks for in words.
const LONGEST: usize = 40;

/// Brings words to their stems (Snowball's English), and remembers the ones it has seen while it lives.
pub(crate) struct Terms {
    stemmer: Stemmer,
    seen: HashMap<String, Option<Box<str>>>,
}

impl Terms {
    pub(crate) fn new() -> Self {
        Self { stemmer: Stemmer::create(Algorithm::English), seen: HashMap::new() }
    }

    /// Calls `each` with every word of `text` in its order, stemmed; empty words are left out.
    pub(crate) fn each(&mut self, text: &str, mut each: impl FnMut(&str)) {
        let lower = text.to_lowercase();
        for word in lower.split(|letter: char| !letter.is_alphanumeric()) {
            if word.is_empty() || word.len() > LONGEST {
                continue;
            }
            if !self.seen.contains_key(word) {
                let stem = EMPTY.binary_search(&word).is_err().then(|| self.stemmer.stem(word).into());
                self.seen.insert(word.to_owned(), stem);
            }
            if let Some(Some(stem)) = self.seen.get(word) {
                each(stem);
            }
        }
    }

    pub(crate) fn all(&mut self, text: &str) -> Vec<String> {
        let mut all = Vec::new();
        self.each(text, |term| all.push(term.to_owned()));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_words_are_sorted() {
        assert!(EMPTY.is_sorted());
    }

    #[test]
    fn a_question_and_its_answer_share_stems() {
        let mut terms = Terms::new();
        assert_eq!(terms.all("When did Anna's dentist move?"), ["anna", "dentist", "move"]);
        assert_eq!(
            terms.all("The dentists moved: Anna, 5 Hafenstraße"),
            ["dentist", "move", "anna", "5", "hafenstraß"]
        );
        assert_eq!(terms.all(&"x".repeat(50)), Vec::<String>::new());
    }
}
