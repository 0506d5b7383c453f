//! How well passages, their surroundings and their sessions match a question by words.

use crate::recall::postings::{Asked, saturated};
use crate::recall::store::Store;

/// Passages that are gathered before a question's commoner words only count where a rarer one, or its surroundings, has
/// been found: among many, what has nothing but a word that everything has is no answer ("continue" of Moffat and Zobel,
/// Self-indexing inverted files for fast text retrieval, 1996). At least so many, and of many passages one in [`SHARE`]; of a
/// tenth of them everything is found out.
const GATHERED: usize = 4096;
const SHARE: usize = 64;

/// Scores of one question, by passage and by session; kept from question to question, so that nobody asks for memory.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    passages: Vec<Tally>,
    counted: Vec<u32>,
    /// Passages that have a score, or whose neighbour has one.
    touched: Vec<u32>,
    sessions: Vec<Tally>,
    sessions_counted: Vec<u32>,
    sessions_touched: Vec<u32>,
}

/// What is known of one passage, or of one session.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    /// Of the word that is being looked at.
    count: f32,
    own: f32,
    /// With its surroundings; of a session, all of it.
    near: f32,
}

/// What the words of a question say for one passage, in BM25's own unit.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Match {
    pub(crate) own: f32,
    /// It and its surroundings read as one.
    pub(crate) near: f32,
    /// Its session read as one.
    pub(crate) session: f32,
}

impl Scratch {
    pub(crate) fn fill(&mut self, store: &Store, asked: &[Asked]) {
        self.clear(store);
        let room = GATHERED.max(store.places.len() / SHARE);
        let mut asked = asked.to_vec();
        asked.sort_by(|one, two| two.weight.total_cmp(&one.weight));
        for word in asked {
            let full = self.touched.len() + store.postings.count(word) > room;
            self.word(store, word, full && !self.touched.is_empty());
        }
    }

    /// Passages of which anything is known.
    pub(crate) fn touched(&self) -> &[u32] {
        &self.touched
    }

    pub(crate) fn of(&self, passage: u32, session: u32) -> Match {
        let tally = |from: &[Tally], at: u32| from.get(at as usize).copied().unwrap_or_default();
        let (own, session) = (tally(&self.passages, passage), tally(&self.sessions, session));
        Match { own: own.own, near: own.near, session: session.near }
    }

    fn clear(&mut self, store: &Store) {
        let both =
            [(&mut self.passages, &mut self.touched), (&mut self.sessions, &mut self.sessions_touched)];
        for (tallies, touched) in both {
            for at in touched.drain(..) {
                if let Some(tally) = tallies.get_mut(at as usize) {
                    *tally = Tally::default();
                }
            }
        }
        // Numbers may be fewer than at the last question; what was touched then is clear.
        self.passages.resize(store.places.len(), Tally::default());
        self.sessions.resize(store.sessions.len(), Tally::default());
    }

    /// `known`: only where something has been found.
    fn word(&mut self, store: &Store, word: Asked, known: bool) {
        let mean = store.postings.mean();
        for (passage, count) in store.postings.with(word) {
            let found = |tally: &Tally| tally.near > 0.0;
            if known && !self.passages.get(passage as usize).is_some_and(found) {
                continue;
            }
            let length = f32::from(store.postings.length(passage));
            if let Some(tally) = self.passages.get_mut(passage as usize) {
                tally.own += word.weight * saturated(count, length, mean);
            }
            add(&mut self.passages, &mut self.counted, passage, count);
            for near in store.around(passage) {
                add(&mut self.passages, &mut self.counted, near, count);
            }
            if let Some(tie) = store.tied(passage) {
                add(&mut self.sessions, &mut self.sessions_counted, tie.session, count);
            }
        }
        self.surroundings(store, word);
        self.conversations(store, word);
    }

    fn surroundings(&mut self, store: &Store, word: Asked) {
        #[expect(clippy::cast_precision_loss, reason = "a few passages")]
        let mean = store.postings.mean() * (2 * super::store::REACH + 1) as f32;
        for passage in self.counted.drain(..) {
            let length = store.tied(passage).map_or(0.0, |tie| f32::from(tie.around));
            let Some(tally) = self.passages.get_mut(passage as usize) else { continue };
            if tally.near == 0.0 {
                self.touched.push(passage);
            }
            tally.near += word.weight * saturated(std::mem::take(&mut tally.count), length, mean);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "words of a conversation")]
    fn conversations(&mut self, store: &Store, word: Asked) {
        let mean = store.mean_session();
        for number in self.sessions_counted.drain(..) {
            let length = store.sessions.get(number as usize).map_or(0.0, |session| session.length as f32);
            let Some(tally) = self.sessions.get_mut(number as usize) else { continue };
            if tally.near == 0.0 {
                self.sessions_touched.push(number);
            }
            tally.near += word.weight * saturated(std::mem::take(&mut tally.count), length, mean);
        }
    }
}

fn add(tallies: &mut [Tally], counted: &mut Vec<u32>, at: u32, count: f32) {
    let Some(tally) = tallies.get_mut(at as usize) else { return };
    if tally.count == 0.0 {
        counted.push(at);
    }
    tally.count += count;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recall::bare::{Said, note};
    use crate::recall::terms::Terms;

    /// All speak of the boiler, one in a thousand of the chimney as well.
    fn store(terms: &mut Terms, notes: u32) -> Store {
        let mut store = Store::default();
        for row in 0..notes {
            let text = if row % 1000 == 7 { "the chimney and the boiler" } else { "the boiler hums" };
            let at = "2026-11-01T00:00:00Z".parse().unwrap();
            store.put(terms, &note(Said { row, session: None, at, until: None, text: text.to_owned() }));
        }
        store
    }

    #[test]
    fn among_many_a_common_word_counts_where_a_rare_one_is_and_alone() {
        let mut terms = Terms::new();
        for (notes, found) in [(3000, 3000), (6000, 6)] {
            let store = store(&mut terms, notes);
            let mut scratch = Scratch::default();
            let mut ask = |question: &str| {
                scratch.fill(&store, &store.postings.asked(&terms.all(question)));
                (scratch.touched().len(), scratch.of(7, u32::MAX).own)
            };
            let (both, own) = ask("boiler chimney");
            let (rare, chimney) = ask("chimney");
            let (common, boiler) = ask("boiler");
            assert_eq!((both, rare, common), (found, notes as usize / 1000, notes as usize));
            assert!((own - chimney - boiler).abs() < 1e-4, "{own} {chimney} {boiler}");
        }
    }
}
