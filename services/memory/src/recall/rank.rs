//! From what is known of a passage to its score.

use jiff::{SignedDuration, Timestamp};
use sanctum_api::memory::Why;

use crate::recall::card::Card;
use crate::recall::lexical::Match;

// What each part adds. Chosen by hand on the development half of a public set (`benches`, `memory`), so that its held-out half
// alone can judge them; what words say is taken as a share of the most that the question's words could say.
const OWN: f32 = 0.3;
const NEAR: f32 = 0.8;
const SESSION: f32 = 0.2;
const MEANING: f32 = 0.6;
/// The nearest of the passages around it.
const MEANING_NEAR: f32 = 0.2;
/// Said by whom the question names.
const SPEAKER: f32 = 0.18;
/// Who asks does not answer.
const ASKS: f32 = 0.06;
/// For each doubling of its length (as a natural logarithm), up to [`LONG`] words: short replies say little.
const LENGTH: f32 = 0.05;
const LONG: f32 = 60.0;
/// For each word of time, where the question asks when.
const TIMES: f32 = 0.06;
/// A note whose own time the question names.
const NAMED_TIME: f32 = 0.15;
/// The most that BM25 gives for one word of weight one: `k1 + 1`.
pub(crate) const MOST: f32 = 1.9;
/// Linked with one of the best.
pub(crate) const LINKED: f32 = 0.1;
/// How much importance, from 0 to 1 around 0.5, raises or lowers a score.
const IMPORTANCE: f32 = 0.2;
/// How much more a note of now is worth than one of long ago, and after how long it is half of that.
const RECENCY: f32 = 0.05;
const HALF: SignedDuration = SignedDuration::from_hours(30 * 24);

/// One passage and what is known of it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    /// As BM25 gives it.
    pub(crate) words: Match,
    /// All that the words of the question could be worth.
    pub(crate) most: f32,
    pub(crate) length: u16,
    pub(crate) cosine: f32,
    /// The highest of the passages around it.
    pub(crate) cosine_near: f32,
    /// The question names who speaks.
    pub(crate) speaker: bool,
    pub(crate) asks: bool,
    /// Words of time, where the question asks when.
    pub(crate) times: u8,
    /// The question names the note's time.
    pub(crate) timely: bool,
}

/// What words alone say; for choosing of what to find out more.
pub(crate) fn by_words(words: Match) -> f32 {
    OWN * words.own + NEAR * words.near + SESSION * words.session
}

/// The parts of a score, and the score.
pub(crate) fn score(known: &Known, card: &Card, now: Timestamp) -> (f32, Why) {
    let share = |score: f32| if known.most > 0.0 { score / known.most } else { 0.0 };
    let flag = |is: bool, worth: f32| if is { worth } else { 0.0 };
    let plain = LENGTH * f32::from(known.length).min(LONG).ln_1p() - flag(known.asks, ASKS);
    let why = Why {
        words: OWN * share(known.words.own) + flag(known.speaker, SPEAKER) + plain,
        meaning: MEANING * known.cosine,
        neighbours: NEAR * share(known.words.near) + MEANING_NEAR * known.cosine_near,
        session: SESSION * share(known.words.session),
        links: 0.0,
        time: TIMES * f32::from(known.times) + flag(known.timely, NAMED_TIME),
        importance: 1.0 + IMPORTANCE * (card.importance - 0.5),
        recency: 1.0 + RECENCY * fresh(card.updated, now),
    };
    (total(&why), why)
}

/// The score of these parts.
pub(crate) fn total(why: &Why) -> f32 {
    let sum = why.words + why.meaning + why.neighbours + why.session + why.links + why.time;
    sum * why.importance * why.recency
}

/// One for now, a half after [`HALF`], and so on.
#[expect(clippy::cast_possible_truncation, reason = "a factor")]
fn fresh(updated: Timestamp, now: Timestamp) -> f32 {
    let age = now.duration_since(updated).max(SignedDuration::ZERO);
    (-age.as_secs_f64() / HALF.as_secs_f64()).exp2() as f32
}
