//! How well passages, their surroundings and their sessions match a question by words.

use crate::recall::postings::{Asked, saturated};
use crate::recall::store::Store;

/// Scores of one question, by passage and by session; kept from question to question, so that nobody asks for memory.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    own: Vec<f32>,
    near: Vec<f32>,
    session: Vec<f32>,
    counts: Vec<f32>,
    counted: Vec<u32>,
    sessions_counted: Vec<u32>,
    /// Passages that have a score, or whose neighbour has one.
    touched: Vec<u32>,
    sessions_touched: Vec<u32>,
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
        for word in asked {
            self.word(store, *word);
        }
    }

    /// Passages of which anything is known.
    pub(crate) fn touched(&self) -> &[u32] {
        &self.touched
    }

    pub(crate) fn of(&self, passage: u32, session: u32) -> Match {
        let get = |from: &[f32], at: u32| from.get(at as usize).copied().unwrap_or(0.0);
        Match {
            own: get(&self.own, passage),
            near: get(&self.near, passage),
            session: get(&self.session, session),
        }
    }

    fn clear(&mut self, store: &Store) {
        for passage in self.touched.drain(..) {
            for scores in [&mut self.own, &mut self.near] {
                if let Some(score) = scores.get_mut(passage as usize) {
                    *score = 0.0;
                }
            }
        }
        for session in self.sessions_touched.drain(..) {
            if let Some(score) = self.session.get_mut(session as usize) {
                *score = 0.0;
            }
        }
        // Numbers may be fewer than at the last question; what was touched then is clear.
        self.own.resize(store.places.len(), 0.0);
        self.near.resize(store.places.len(), 0.0);
        self.session.resize(store.sessions.len(), 0.0);
        self.counts.resize(store.places.len().max(store.sessions.len()), 0.0);
    }

    fn word(&mut self, store: &Store, word: Asked) {
        let mean = store.postings.mean();
        for (passage, count) in store.postings.with(word) {
            let length = f32::from(store.postings.length(passage));
            if let Some(score) = self.own.get_mut(passage as usize) {
                *score += word.weight * saturated(count, length, mean);
            }
            add(&mut self.counts, &mut self.counted, passage, count);
            for near in store.around(passage) {
                add(&mut self.counts, &mut self.counted, near, count);
            }
        }
        self.surroundings(store, word);
        self.conversations(store, word);
    }

    fn surroundings(&mut self, store: &Store, word: Asked) {
        #[expect(clippy::cast_precision_loss, reason = "a few passages")]
        let mean = store.postings.mean() * (2 * super::store::REACH + 1) as f32;
        for passage in self.counted.drain(..) {
            let count = self.counts.get_mut(passage as usize).map_or(0.0, std::mem::take);
            let length = store.place(passage).map_or(0.0, |place| f32::from(place.around));
            let Some(near) = self.near.get_mut(passage as usize) else { continue };
            if *near == 0.0 {
                self.touched.push(passage);
            }
            *near += word.weight * saturated(count, length, mean);
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "words of a conversation")]
    fn conversations(&mut self, store: &Store, word: Asked) {
        let mean = store.mean_session();
        for (passage, count) in store.postings.with(word) {
            let Some(place) = store.place(passage) else { continue };
            add(&mut self.counts, &mut self.sessions_counted, place.session, count);
        }
        for number in self.sessions_counted.drain(..) {
            let count = self.counts.get_mut(number as usize).map_or(0.0, std::mem::take);
            let length = store.sessions.get(number as usize).map_or(0.0, |session| session.length as f32);
            let Some(score) = self.session.get_mut(number as usize) else { continue };
            if *score == 0.0 {
                self.sessions_touched.push(number);
            }
            *score += word.weight * saturated(count, length, mean);
        }
    }
}

fn add(counts: &mut [f32], counted: &mut Vec<u32>, at: u32, count: f32) {
    let Some(sum) = counts.get_mut(at as usize) else { return };
    if *sum == 0.0 {
        counted.push(at);
    }
    *sum += count;
}
