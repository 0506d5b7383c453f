//! How private a text is: weights of words that stand close together, and whether a person stands among them.

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

/// For one topic and one text.
#[derive(Debug, Default)]
pub(super) struct Meter {
    ring: [(usize, usize, u8, bool); RING],
    used: usize,
    /// Whatever stands there.
    pub(super) any: Most,
    /// Where a person stands close by.
    pub(super) personal: Most,
}

impl Meter {
    pub(super) fn add(&mut self, found: Found, weight: u8, personal: bool) {
        let (old, used) = (self.ring, self.used);
        let near = |item: &&(usize, usize, u8, bool)| item.1 + NEAR > found.start && item.0 != found.entry;
        let skip = (old.iter().take(used).filter(near).count() + 1).saturating_sub(RING);
        self.used = 0;
        let new = (found.entry, found.start, weight, personal);
        for item in old.iter().take(used).filter(near).skip(skip).chain([&new]) {
            if let Some(slot) = self.ring.get_mut(self.used) {
                *slot = *item;
                self.used += 1;
            }
        }
        let here = self.ring.get(..self.used).unwrap_or_default();
        let heaviest = here.iter().max_by_key(|item| item.2).map_or(found.entry, |item| item.0);
        let sum = here.iter().fold(0, |sum: u8, item| sum.saturating_add(item.2));
        if sum > self.any.weight {
            self.any = Most { weight: sum, entry: heaviest };
        }
        if here.iter().any(|item| item.3) && sum.saturating_add(1) > self.personal.weight {
            self.personal = Most { weight: sum.saturating_add(1), entry: heaviest };
        }
    }
}

const PEOPLE: &[&[u8]] = &[
    b"i",
    b"im",
    b"ive",
    b"my",
    b"me",
    b"we",
    b"our",
    b"us",
    b"he",
    b"she",
    b"his",
    b"her",
    b"their",
    b"mum",
    b"mom",
    b"dad",
    b"mother",
    b"father",
    b"son",
    b"daughter",
    b"wife",
    b"husband",
    b"baby",
    b"brother",
    b"sister",
    b"grandma",
    b"grandpa",
    b"kid",
    b"kids",
    b"partner",
    b"j",
    b"je",
    b"mon",
    b"ma",
    b"mes",
    b"moi",
    b"m",
    b"nous",
    b"on",
    b"notre",
    b"nos",
    b"il",
    b"elle",
    b"son",
    b"sa",
    b"ses",
    b"lui",
    b"maman",
    b"papa",
    b"mere",
    b"pere",
    b"fils",
    b"fille",
    b"femme",
    b"mari",
    b"bebe",
    b"frere",
    b"soeur",
    b"mamie",
    b"papi",
    b"petit",
    b"petite",
];

/// Whether somebody stands within four words before or three after.
pub(super) fn is_personal(text: &[u8], found: Found) -> bool {
    let person = |word: fold::Word| PEOPLE.contains(&word.letters());
    let inside = fold::word(text, found.start);
    if person(inside) {
        return true;
    }
    let mut start = found.start;
    for _ in 0..4 {
        let Some(word) = fold::before(text, start) else { break };
        if person(word) {
            return true;
        }
        start = word.start;
    }
    let mut end = found.end;
    for _ in 0..3 {
        let Some(word) = fold::next(text, end) else { break };
        if person(word) {
            return true;
        }
        end = word.end;
    }
    false
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
