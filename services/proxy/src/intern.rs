//! Names of providers that live as long as the process: the board of health keeps names that are known for ever.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

static WORDS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// The same text for ever. There are as many as the configuration has ever named providers.
pub(crate) fn word(text: &str) -> &'static str {
    let mut words = WORDS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = words.get(text) {
        return known;
    }
    let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
    words.insert(kept);
    kept
}

pub(crate) fn all() -> Vec<&'static str> {
    WORDS.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
}
