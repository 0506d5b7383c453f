//! What a text comes to, for comparing: its words without order and dress, and the few that make it a different statement.

use std::collections::HashSet;

/// A text as the gate compares it. Words are folded (case, a plural's or genitive's `s`) and kept as hashes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gist {
    /// Of all words in their order, small ones too: the same for texts that differ in space, case and punctuation only.
    pub(crate) print: u128,
    /// Words that carry something, in their order.
    pub(crate) words: Vec<u64>,
    /// The same, each once, sorted.
    pub(crate) set: Vec<u64>,
    /// Pairs of neighbouring words that carry something, sorted.
    pairs: Vec<u64>,
    /// Words that no paraphrase changes, in their order: with digits, or in capitals at their head.
    hard: Vec<u64>,
    /// How often it says no.
    negations: u32,
}

impl Gist {
    pub(crate) fn of(text: &str) -> Self {
        let mut gist = Self::default();
        let (mut left, mut right) = (SEED, SEED ^ 0x5bd1_e995_97f4_a7c5);
        for word in words(text) {
            let folded = fold(word);
            let hash = hash(&folded);
            left = mix(left ^ hash);
            right = mix(right.rotate_left(17) ^ hash);
            gist.negations += u32::from(negates(&folded));
            if is_small(&folded) {
                continue;
            }
            gist.words.push(hash);
            let named = word.starts_with(char::is_uppercase) || word.contains(|c: char| c.is_ascii_digit());
            if named || contrasts(&folded) {
                gist.hard.push(hash);
            }
        }
        gist.print = u128::from(left) << 64 | u128::from(right);
        gist.set = unique(gist.words.clone());
        gist.pairs = unique(gist.words.windows(2).map(pair).collect());
        gist
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Jaccard's share of common words: 0 to 1.
    pub(crate) fn likeness(&self, other: &Self) -> f32 {
        let common = common(&self.set, &other.set);
        share(common, self.set.len() + other.set.len() - common)
    }

    /// Whether somebody who has read `other` learns nothing from this: no word that carries something is new, it says no as
    /// often, and names and numbers come in the same order. A correction always adds something.
    pub(crate) fn adds_nothing_to(&self, other: &Self) -> bool {
        self.negations == other.negations
            && self.set.iter().all(|word| other.set.binary_search(word).is_ok())
            && is_subsequence(&self.hard, &other.words)
    }

    /// Whether one of the two may go for the other. `cosine` is of their meanings, where it is known.
    pub(crate) fn is_near(&self, other: &Self, cosine: Option<f32>) -> bool {
        !self.is_empty()
            && self.adds_nothing_to(other)
            && (self.likeness(other) >= NEAR || cosine.is_some_and(|cosine| cosine >= NEAR_IN_MEANING))
    }

    /// Whether both say the same in other words: near in meaning, and with the same names, numbers and opposites. Softer than
    /// [`Gist::is_near`], and for what can be undone only.
    pub(crate) fn is_paraphrase(&self, other: &Self, cosine: f32) -> bool {
        let set = |gist: &Self| unique(gist.hard.clone());
        cosine >= NEAR_IN_MEANING
            && !self.is_empty()
            && self.negations == other.negations
            && set(self) == set(other)
            && self.likeness(other) >= 0.5
    }

    /// Adds another text to this one, for asking whether a third is in any of them. The order across both is not kept.
    pub(crate) fn join(&mut self, other: &Self) {
        self.words.extend(&other.words);
        self.set = unique(self.words.clone());
        self.pairs = unique(self.pairs.iter().chain(&other.pairs).copied().collect());
        self.negations += other.negations;
    }

    /// Whether all of it is in `told`, apart from the words people put around what they repeat.
    pub(crate) fn echoes(&self, told: &Self) -> bool {
        let own: Vec<u64> = self.words.iter().copied().filter(|word| !AROUND.contains(word)).collect();
        let pairs = unique(own.windows(2).map(pair).collect());
        let told_all = own.iter().all(|word| told.set.binary_search(word).is_ok());
        unique(own).len() >= 3
            && told_all
            && share(common(&pairs, &told.pairs), pairs.len()) >= ECHO
            && (self.negations > 0) == (told.negations > 0)
    }
}

/// So many words of two texts are common when one is taken for the other.
const NEAR: f32 = 0.8;
/// The cosine of MiniLM from which two texts that add nothing to each other say the same.
const NEAR_IN_MEANING: f32 = 0.95;
/// So much of the order of words comes back when a text is repeated, with something around it.
const ECHO: f32 = 0.6;

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Words that stand around what is repeated: "as I recall, you told me earlier that …".
static AROUND: std::sync::LazyLock<HashSet<u64>> = std::sync::LazyLock::new(|| {
    let words = "recall remember remembered mentioned noted earlier said say told tell memory memories according user \
                 previously before note conversation yesterday last time rappelle souvenir dit note";
    words.split(' ').map(|word| hash(&fold(word))).collect()
});

/// Words as they stand: letters and digits, with an apostrophe inside.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '\u{2019}');
    let pieces = text.split(move |c| !inside(c)).map(|word| word.trim_matches(['\'', '\u{2019}']));
    pieces.filter(|word| !word.is_empty())
}

fn fold(word: &str) -> String {
    let mut folded: String = word.chars().flat_map(char::to_lowercase).map(straight).collect();
    if folded.ends_with("'s") {
        folded.truncate(folded.len() - 2);
    } else if folded.len() > 3 && folded.ends_with('s') && !folded.ends_with("ss") && folded.is_ascii() {
        folded.pop();
    }
    folded
}

const fn straight(c: char) -> char {
    if c == '\u{2019}' { '\'' } else { c }
}

fn negates(folded: &str) -> bool {
    folded.ends_with("n't")
        || matches!(
            folded,
            "no" | "not"
                | "never"
                | "none"
                | "nobody"
                | "nothing"
                | "without"
                | "cannot"
                | "neither"
                | "nor"
                | "pas"
                | "jamais"
                | "aucun"
                | "aucune"
                | "sans"
                | "rien"
                | "ni"
                | "stopped"
                | "longer"
        )
}

/// Words that make another statement when they are exchanged for their opposite, however near the two are in meaning.
#[expect(clippy::too_many_lines, reason = "a list of words")]
fn contrasts(folded: &str) -> bool {
    matches!(
        folded,
        "left"
            | "right"
            | "on"
            | "off"
            | "open"
            | "opened"
            | "closed"
            | "before"
            | "after"
            | "up"
            | "down"
            | "more"
            | "less"
            | "hot"
            | "cold"
            | "morning"
            | "evening"
            | "noon"
            | "night"
            | "start"
            | "stop"
            | "love"
            | "hate"
            | "like"
            | "dislike"
            | "true"
            | "false"
            | "first"
            | "last"
            | "old"
            | "new"
            | "north"
            | "south"
            | "east"
            | "west"
            | "always"
            | "sometime"
            | "allowed"
            | "forbidden"
            | "enabled"
            | "disabled"
            | "increase"
            | "decrease"
            | "gauche"
            | "droite"
            | "matin"
            | "soir"
            | "ouvert"
            | "fermé"
            | "one"
            | "two"
            | "three"
            | "four"
            | "five"
            | "six"
            | "seven"
            | "eight"
            | "nine"
            | "ten"
            | "black"
            | "white"
            | "red"
            | "green"
            | "blue"
            | "yellow"
            | "tea"
            | "coffee"
            | "son"
            | "daughter"
            | "mother"
            | "father"
            | "brother"
            | "sister"
    )
}

/// Words that carry nothing by themselves, English and French.
fn is_small(folded: &str) -> bool {
    const SMALL: &[&str] = &[
        "a", "an", "and", "are", "as", "at", "au", "aux", "avec", "be", "been", "but", "by", "ce", "ces",
        "cette", "d", "dan", "dans", "de", "des", "did", "do", "doe", "du", "elle", "en", "est", "et", "for",
        "from", "had", "has", "have", "he", "her", "his", "i", "il", "ils", "in", "is", "it", "its", "je",
        "l", "la", "le", "les", "mai", "me", "my", "of", "on", "or", "ou", "our", "par", "pour", "que",
        "qui", "sa", "se", "she", "so", "son", "sont", "sur", "that", "the", "their", "them", "there",
        "they", "thi", "this", "to", "un", "une", "wa", "was", "we", "were", "which", "will", "with",
        "would", "you", "your",
    ];
    negates(folded) || SMALL.binary_search(&folded).is_ok()
}

/// FNV-1a, then spread: cheap, and the same on every machine.
pub(crate) fn hash(word: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in word.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    mix(hash)
}

/// The finalizer of splitmix64.
pub(crate) const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn pair(two: &[u64]) -> u64 {
    two.iter().fold(SEED, |sum, word| mix(sum.rotate_left(23) ^ word))
}

fn unique(mut all: Vec<u64>) -> Vec<u64> {
    all.sort_unstable();
    all.dedup();
    all
}

fn common(a: &[u64], b: &[u64]) -> usize {
    let (few, many) = if a.len() < b.len() { (a, b) } else { (b, a) };
    few.iter().filter(|one| many.binary_search(one).is_ok()).count()
}

#[expect(clippy::cast_precision_loss, reason = "numbers of words")]
fn share(part: usize, whole: usize) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 / whole as f32 }
}

fn is_subsequence(few: &[u64], many: &[u64]) -> bool {
    let mut many = many.iter();
    few.iter().all(|one| many.any(|other| other == one))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(new: &str, old: &str) -> bool {
        Gist::of(new).is_near(&Gist::of(old), None)
    }

    #[test]
    fn what_only_looks_different_is_near_and_what_only_looks_the_same_is_not() {
        let same = [
            ("The dentist's phone number is 555-0199.", "the dentist's  phone number is 555 0199"),
            ("Phone number of the dentist: 555-0199", "The dentist's phone number is 555-0199."),
            ("Bert likes dark-roast coffee in the mornings.", "Bert likes dark roast coffee in the morning"),
        ];
        for (new, old) in same {
            assert!(near(new, old), "{new} / {old}");
        }
        let other = [
            ("The dentist's phone number is 555-0198.", "The dentist's phone number is 555-0199."),
            ("The key is under the left pot by the door", "The key is under the right pot by the door"),
            ("The gate is not locked at night", "The gate is locked at night"),
            ("The gate is locked at night", "The gate isn't locked at night"),
            ("On Monday Bob gave Alice fifty euros", "On Monday Alice gave Bob fifty euros"),
            ("Il ne mange pas de viande", "Il mange de la viande"),
            (
                "Bob is in Paris",
                "Bob wrote a long letter to Alice, who is a friend of Carol in Paris, about the garden",
            ),
            ("", ""),
        ];
        for (new, old) in other {
            assert!(!near(new, old), "{new} / {old}");
        }
    }

    #[test]
    fn a_paraphrase_keeps_names_numbers_and_opposites() {
        let same = |one: &str, other: &str| Gist::of(one).is_paraphrase(&Gist::of(other), 0.97);
        assert!(same("Bert prefers dark themes in all editors", "Bert prefers dark themes in every editor"));
        assert!(!same("The key is under the left pot", "The key is under the right pot"));
        assert!(!same("The meeting is on Monday", "The meeting is on Tuesday"));
        assert!(!same("Bert drinks tea in the evening", "Bert drinks coffee in the evening"));
        assert!(
            !Gist::of("Bert prefers dark themes")
                .is_paraphrase(&Gist::of("Bert prefers dark themes too"), 0.9)
        );
    }

    #[test]
    fn what_was_told_and_comes_back_is_an_echo_and_a_correction_is_none() {
        let told = Gist::of("Bert's dentist is Doctor Lamy, rue Haute 12, and her phone is 555-0199.");
        for echo in [
            "As I recall, Bert's dentist is Doctor Lamy, rue Haute 12.",
            "According to memory, the dentist is Doctor Lamy and her phone is 555-0199.",
        ] {
            assert!(Gist::of(echo).echoes(&told), "{echo}");
        }
        for news in [
            "Bert's dentist is Doctor Claes, rue Haute 12.",
            "her phone is 555-0200",
            "Lamy",
            "Bert sold the car",
        ] {
            assert!(!Gist::of(news).echoes(&told), "{news}");
        }
    }

    proptest! {
        #[test]
        fn dress_is_nothing(words in prop::collection::vec("[A-Za-z0-9]{1,8}", 1..30), gap in "[ ,.;\n]{1,3}") {
            let (plain, dressed) = (Gist::of(&words.join(" ")), Gist::of(&format!("{}.", words.join(&gap).to_uppercase())));
            prop_assert_eq!(plain.print, dressed.print);
            prop_assert!(plain.is_empty() || plain.is_near(&plain, None));
        }

        #[test]
        fn a_new_number_is_always_news(words in prop::collection::vec("[a-z]{3,8}", 1..60), number in 100_u32..999) {
            let old = words.join(" ");
            let new = format!("{old} {number}");
            prop_assert!(!Gist::of(&new).is_near(&Gist::of(&old), Some(1.0)));
        }

        #[test]
        fn any_text_is_read(text in "\\PC{0,200}") {
            let gist = Gist::of(&text);
            prop_assert!((0.0..=1.0).contains(&gist.likeness(&gist)));
        }
    }
}
