//! The lists of words, compiled once: which entry begins at a word, and what it says of which topic.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::fold::{self, Gate, Word};

/// What a word may speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    Health,
    Finance,
    Security,
    Code,
    Reasoning,
    Image,
    Chat,
}

pub(super) const TOPICS: usize = 7;

/// Idioms come first of all: they have no topic.
const LISTS: [(Option<Topic>, &str); 8] = [
    (None, include_str!("../../data/words/idioms.txt")),
    (Some(Topic::Health), include_str!("../../data/words/health.txt")),
    (Some(Topic::Finance), include_str!("../../data/words/finance.txt")),
    (Some(Topic::Security), include_str!("../../data/words/security.txt")),
    (Some(Topic::Code), include_str!("../../data/words/code.txt")),
    (Some(Topic::Reasoning), include_str!("../../data/words/reasoning.txt")),
    (Some(Topic::Image), include_str!("../../data/words/image.txt")),
    (Some(Topic::Chat), include_str!("../../data/words/chat.txt")),
];

/// Words too common to look at on their own; an entry is found by another of its words where it has one.
static COMMON: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let lines = include_str!("../../data/words/common.txt").lines();
    lines.filter(|line| !line.starts_with('#')).flat_map(str::split_ascii_whitespace).collect()
});

#[derive(Debug)]
enum Token {
    /// The word, or its plural.
    Exact(Box<[u8]>),
    /// Every word that begins so.
    Begins(Box<[u8]>),
    /// In these capitals only.
    Capitals(Box<[u8]>),
}

impl Token {
    fn new(text: &str) -> Self {
        let capitals = text.len() > 1 && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        if capitals && !text.bytes().all(|b| b.is_ascii_digit()) {
            return Self::Capitals(text.as_bytes().into());
        }
        let folded = |text: &str| fold::word(text.as_bytes(), 0).letters().into();
        match text.strip_suffix('*') {
            Some(begin) => Self::Begins(folded(begin)),
            None => Self::Exact(folded(text)),
        }
    }

    fn letters(&self) -> Vec<u8> {
        match self {
            Self::Exact(letters) | Self::Begins(letters) | Self::Capitals(letters) => {
                letters.to_ascii_lowercase()
            }
        }
    }

    fn length(&self) -> usize {
        match self {
            Self::Exact(letters) | Self::Begins(letters) | Self::Capitals(letters) => letters.len(),
        }
    }

    fn fits(&self, word: &Word, text: &[u8]) -> bool {
        match self {
            Self::Exact(letters) => word
                .letters()
                .strip_prefix(&**letters)
                .is_some_and(|rest| matches!(rest, b"" | b"s" | b"es" | b"x" | b"e")),
            Self::Begins(letters) => word.letters().starts_with(letters),
            Self::Capitals(letters) => text.get(word.start..word.end) == Some(letters),
        }
    }
}

/// One line's worth of the lists: some words in a row.
#[derive(Debug)]
pub(super) struct Entry {
    /// As the list writes it.
    pub(super) words: &'static str,
    pub(super) weights: [u8; TOPICS],
    /// What stands before the word it is found by.
    ahead: Box<[Token]>,
    found_by: Token,
    behind: Box<[Token]>,
}

/// Where an entry was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) entry: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

#[derive(Debug)]
pub(super) struct Lexicon {
    entries: Vec<Entry>,
    /// Entries by the first four letters of the word they are found by (three and a space), open addressing.
    slots: Vec<(u32, u16, u16)>,
    order: Vec<usize>,
    /// How the words of the private lists begin.
    private_words: HashSet<u32>,
    /// Everything, and what matters to privacy only.
    pub(super) wide: Gate,
    pub(super) private: Gate,
}

const SLOTS: usize = 1 << 13;

pub(super) static LEXICON: LazyLock<Lexicon> = LazyLock::new(Lexicon::load);

impl Lexicon {
    fn load() -> Self {
        let mut entries = Vec::<Entry>::new();
        let mut known = HashMap::new();
        // An idiom is found by the word it disarms, so that nothing need be looked at on its account alone.
        let lists = LISTS.iter().filter(|(topic, _)| matches!(topic, Some(Topic::Health | Topic::Finance)));
        let private: HashSet<u32> = lists
            .flat_map(|(_, list)| lines(list))
            .filter_map(|(_, words)| entry(words, |_| true))
            .map(|entry| key(&entry.found_by.letters()))
            .collect();
        for (topic, list) in LISTS {
            for (weight, words) in lines(list) {
                let at = *known.entry(words.to_lowercase()).or_insert_with(|| {
                    let first = |token: &str| topic.is_some() || private.contains(&beginning(token));
                    entries.extend(entry(words, first));
                    entries.len().saturating_sub(1)
                });
                let slot = topic.and_then(|topic| entries.get_mut(at)?.weights.get_mut(topic as usize));
                if let Some(slot) = slot {
                    *slot = weight.max(*slot);
                }
            }
        }
        let mut lexicon = Self {
            slots: vec![(0, 0, 0); SLOTS],
            order: Vec::with_capacity(entries.len()),
            private_words: private,
            wide: Gate::default(),
            private: Gate::default(),
            entries,
        };
        lexicon.index();
        lexicon
    }

    fn index(&mut self) {
        let mut by_key = HashMap::<u32, Vec<usize>>::new();
        for (at, entry) in self.entries.iter().enumerate() {
            let letters = entry.found_by.letters();
            by_key.entry(key(&letters)).or_default().push(at);
            let begins = matches!(entry.found_by, Token::Begins(_));
            self.wide.admit(&letters, begins);
            let idiom = entry.weights.iter().all(|weight| *weight == 0);
            let disarms = idiom && self.private_words.contains(&key(&letters));
            if disarms || Topic::Health.of(entry) > 0 || Topic::Finance.of(entry) > 0 {
                self.private.admit(&letters, begins);
            }
        }
        for (key, found) in by_key {
            let (from, many) = (self.order.len(), found.len());
            self.order.extend(found);
            let mut slot = home(key);
            while self.slots.get(slot).is_some_and(|slot| slot.2 != 0) {
                slot = (slot + 1) % SLOTS;
            }
            if let (Some(slot), Ok(from), Ok(many)) =
                (self.slots.get_mut(slot), u16::try_from(from), u16::try_from(many))
            {
                *slot = (key, from, many);
            }
        }
    }

    fn bucket(&self, key: u32) -> &[usize] {
        let mut slot = home(key);
        loop {
            match self.slots.get(slot) {
                Some(&(found, from, many)) if many != 0 => {
                    if found == key {
                        return self
                            .order
                            .get(usize::from(from)..usize::from(from) + usize::from(many))
                            .unwrap_or_default();
                    }
                    slot = (slot + 1) % SLOTS;
                }
                _ => return &[],
            }
        }
    }

    pub(super) fn entry(&self, at: usize) -> Option<&Entry> {
        self.entries.get(at)
    }

    /// The longest entry that is found by this word.
    pub(super) fn find(&self, text: &[u8], word: &Word) -> Option<Found> {
        let letters = word.letters();
        let three = letters.get(..3)?;
        let candidates = self.bucket(key(letters)).iter().chain(match letters.len() {
            3 => [].iter(),
            _ => self.bucket(key(three)).iter(),
        });
        let longest = candidates.filter_map(|&at| {
            let (start, end) = self.entry(at)?.spans(text, word)?;
            Some(Found { entry: at, start, end })
        });
        longest.max_by_key(|found| (found.end - found.start, self.entry(found.entry).map(Entry::precision)))
    }
}

impl Topic {
    pub(super) fn of(self, entry: &Entry) -> u8 {
        entry.weights.get(self as usize).copied().unwrap_or(0)
    }
}

impl Entry {
    /// Of two that cover the same text, the one that says more of its words, then the one that weighs more.
    fn precision(&self) -> (usize, u8) {
        (self.found_by.length(), self.weights.iter().copied().max().unwrap_or(0))
    }

    /// From where to where it stands, if it is found by `word` here.
    fn spans(&self, text: &[u8], word: &Word) -> Option<(usize, usize)> {
        if !self.found_by.fits(word, text) {
            return None;
        }
        let mut end = word.end;
        for token in &self.behind {
            let next = fold::next(text, end)?;
            if !token.fits(&next, text) {
                return None;
            }
            end = next.end;
        }
        let mut start = word.start;
        for token in self.ahead.iter().rev() {
            let before = fold::before(text, start)?;
            if !token.fits(&before, text) {
                return None;
            }
            start = before.start;
        }
        Some((start, end))
    }
}

/// The entries of a list, with the weight above them.
fn lines(list: &'static str) -> impl Iterator<Item = (u8, &'static str)> {
    let mut weight = 0;
    list.lines().filter(|line| !line.starts_with('#')).flat_map(move |line| {
        if let Some(number) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            weight = number.parse().unwrap_or(0);
            return Vec::new();
        }
        let entries = line.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries.map(|entry| (weight, entry)).collect::<Vec<_>>()
    })
}

fn beginning(token: &str) -> u32 {
    key(fold::word(token.as_bytes(), 0).letters())
}

/// `first` says which words it may be found by, where it has any of them.
fn entry(words: &'static str, first: impl Fn(&str) -> bool) -> Option<Entry> {
    let separates = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && c != '*';
    let texts: Vec<&str> = words.split(separates).filter(|token| !token.is_empty()).collect();
    let long = |token: &str| fold::word(token.as_bytes(), 0).letters().len() >= 3;
    // The longest is the rarest; of two the first.
    let rarest = |fits: &dyn Fn(&str) -> bool| {
        let long = texts.iter().enumerate().filter(|(_, token)| long(token) && fits(token));
        long.rev().max_by_key(|(_, token)| token.len()).map(|(at, _)| at)
    };
    let uncommon = |token: &str| !COMMON.contains(token);
    let at = rarest(&|token| uncommon(token) && first(token))
        .or_else(|| rarest(&uncommon))
        .or_else(|| rarest(&|_| true))?;
    let mut tokens: Vec<Token> = texts.into_iter().map(Token::new).collect();
    let behind = tokens.split_off(at + 1).into();
    let found_by = tokens.pop()?;
    Some(Entry { words, weights: [0; TOPICS], ahead: tokens.into(), found_by, behind })
}

fn key(letters: &[u8]) -> u32 {
    let at = |i: usize| letters.get(i).copied().unwrap_or(b' ');
    u32::from_le_bytes([at(0), at(1), at(2), at(3)])
}

const fn home(key: u32) -> usize {
    (key.wrapping_mul(0x85EB_CA6B) >> 19) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_the_lists_is_found_where_it_is_written() {
        let mut lost = Vec::new();
        for (_, words) in LISTS.iter().flat_map(|(_, list)| lines(list)) {
            let text = format!("x, {} .", words.replace('*', ""));
            let mut found = false;
            fold::scan(text.as_bytes(), &LEXICON.wide, |at| {
                let word = fold::word(text.as_bytes(), at);
                // Another entry may cover the same words: a plural of this one, or a beginning.
                let length = text.len() - "x,  .".len();
                found |= LEXICON
                    .find(text.as_bytes(), &word)
                    .is_some_and(|found| found.end - found.start + 2 >= length);
                word.end.max(at + 1)
            });
            if !found {
                lost.push(words);
            }
        }
        assert_eq!(lost, Vec::<&str>::new());
    }

    #[test]
    fn the_longest_entry_wins_and_capitals_count() {
        let find = |text: &'static str| {
            let mut words = Vec::new();
            fold::scan(text.as_bytes(), &LEXICON.wide, |at| {
                let word = fold::word(text.as_bytes(), at);
                let found = LEXICON.find(text.as_bytes(), &word);
                words.extend(found.and_then(|found| LEXICON.entry(found.entry)).map(|entry| entry.words));
                found.map_or(at + 1, |found| found.end)
            });
            words
        };
        assert_eq!(find("a heart of gold"), ["heart of gold"]);
        assert_eq!(find("it aids nobody"), Vec::<&str>::new());
        assert_eq!(find("AIDS test"), ["AIDS", "test"]);
        assert_eq!(find("Diabète !"), ["diabet*"]);
    }
}
