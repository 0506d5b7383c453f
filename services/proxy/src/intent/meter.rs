//! How private a text is: weights of words that stand close together, and whether a person stands among them.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::fold;
use super::lexicon::{Entry, Found, Topic};

/// Words further apart than this, in bytes, do not speak of the same thing.
const NEAR: usize = 400;
const RING: usize = 12;

/// The most that was said of one topic in one place.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Most {
    pub(super) weight: u8,
    /// The entry that weighed most there.
    pub(super) entry: usize,
}

/// Something found, and whether a person stands beside it, where that was looked at.
#[derive(Debug, Clone, Copy)]
struct Item {
    found: Found,
    weight: u8,
    personal: Option<bool>,
}

/// For one topic and one text.
#[derive(Debug, Default)]
pub(super) struct Meter {
    ring: [Option<Item>; RING],
    /// Whatever stands there.
    pub(super) any: Most,
    /// Where a person stands close by.
    pub(super) personal: Most,
}

/// With less than this nobody need stand there.
const TELLING: u8 = 3;

impl Meter {
    pub(super) fn add(&mut self, text: &[u8], found: Found, weight: u8) {
        let near = |item: &Item| item.found.start + NEAR > found.start && item.found.entry != found.entry;
        let old = std::mem::take(&mut self.ring);
        let kept = old.iter().flatten().filter(|item| near(item));
        // The newest come first: the oldest falls off the end.
        let new = Item { found, weight, personal: None };
        for (slot, item) in self.ring.iter_mut().zip(std::iter::once(&new).chain(kept)) {
            *slot = Some(*item);
        }
        let here = self.ring.iter().flatten();
        let sum = here.clone().fold(0, |sum: u8, item| sum.saturating_add(item.weight));
        let entry = here.max_by_key(|item| item.weight).map_or(found.entry, |item| item.found.entry);
        if sum > self.any.weight {
            self.any = Most { weight: sum, entry };
        }
        if sum >= TELLING && sum >= self.personal.weight {
            let personal =
                |item: &mut Item| *item.personal.get_or_insert_with(|| is_personal(text, item.found));
            if self.ring.iter_mut().flatten().any(personal) {
                self.personal = Most { weight: sum.saturating_add(1), entry };
            }
        }
    }
}

/// Who may stand beside a word, in letters without accents.
const PEOPLE: &[u8] = b"i im ive my me we our us he she his her their mum mom dad mother father son daughter wife husband \
    baby brother sister grandma grandpa kid kids partner j je mon ma mes moi m nous on notre nos il elle sa ses lui maman papa \
    mere pere fils fille femme mari bebe frere soeur mamie papi petit petite";

static PERSONS: LazyLock<HashSet<Box<[u8]>>> = LazyLock::new(|| {
    PEOPLE.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).map(Box::from).collect()
});

fn is_person(letters: &[u8]) -> bool {
    letters.len() <= 8 && PERSONS.contains(letters)
}

/// Whether somebody stands within four words before or three after.
fn is_personal(text: &[u8], found: Found) -> bool {
    let mut start = found.start;
    for _ in 0..4 {
        let Some(word) = fold::before(text, start) else { break };
        if is_person(word.letters()) {
            return true;
        }
        start = word.start;
    }
    let inside = fold::word(text, found.start);
    let mut next = Some(inside);
    for _ in 0..7 {
        let Some(word) = next.filter(|word| !is_person(word.letters())) else { break };
        next = fold::next(text, word.end);
    }
    next.is_some_and(|word| is_person(word.letters()))
}

/// What an entry weighs here: a name in a program says little of anybody.
pub(super) fn weight(text: &[u8], found: Found, entry: &Entry, topic: Topic) -> u8 {
    let weight = topic.of(entry);
    let before = found.start.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(b' ');
    let after = text.get(found.end).copied().unwrap_or(b' ');
    let name = matches!(before, b'_' | b'.' | b'/' | b'#' | b'$' | b'@' | b'<')
        || matches!(after, b'_' | b'(' | b'=' | b'[' | b'`' | b'/');
    if name { weight.min(1) } else { weight }
}
