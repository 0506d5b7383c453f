//! From what is known of passages to an order of them.

use jiff::{SignedDuration, Timestamp};
use sanctum_api::memory::Why;

use crate::recall::card::Card;
use crate::recall::lexical::Match;

/// What each part adds. Chosen on some conversations of a public set and checked on others (`benches`, `memory`).
const OWN: f32 = 0.6;
const NEAR: f32 = 1.0;
const SESSION: f32 = 0.15;
/// A note whose own time the question names, in units of a question's words.
const TIME: f32 = 0.15;
/// How much importance, from 0 to 1 around 0.5, raises or lowers a score.
const IMPORTANCE: f32 = 0.2;
/// How much more a note of now is worth than one of long ago, and after how long it is half of that.
const RECENCY: f32 = 0.05;
const HALF: SignedDuration = SignedDuration::from_hours(30 * 24);

/// One passage and what is known of it; numbers as BM25 and cosine give them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) words: Match,
    /// All that the words of the question could be worth.
    pub(crate) most: f32,
    /// The question names the note's time.
    pub(crate) timely: bool,
}

/// The parts of a score, and the score.
pub(crate) fn score(known: &Known, card: &Card, now: Timestamp) -> (f32, Why) {
    let share = |score: f32| score / known.most.max(f32::MIN_POSITIVE);
    let why = Why {
        words: OWN * share(known.words.own),
        meaning: 0.0,
        neighbours: NEAR * share(known.words.near),
        session: SESSION * share(known.words.session),
        links: 0.0,
        time: if known.timely { TIME } else { 0.0 },
        importance: 1.0 + IMPORTANCE * (card.importance - 0.5),
        recency: 1.0 + RECENCY * fresh(card.updated, now),
    };
    let sum = why.words + why.meaning + why.neighbours + why.session + why.links + why.time;
    (sum * why.importance * why.recency, why)
}

/// One for now, a half after [`HALF`], and so on.
#[expect(clippy::cast_possible_truncation, reason = "a factor")]
fn fresh(updated: Timestamp, now: Timestamp) -> f32 {
    let age = now.duration_since(updated).max(SignedDuration::ZERO);
    (-age.as_secs_f64() / HALF.as_secs_f64()).exp2() as f32
}
