//! One question, answered from the index.

use std::cmp::Ordering;

use jiff::Timestamp;
use sanctum_embed::Sought;

use crate::recall::card::{Card, Fit};
use crate::recall::lexical::Scratch;
use crate::recall::manner::Wanted;
use crate::recall::rank::{self, Known};
use crate::recall::store::Store;
use crate::recall::{Answer, Query, Scored, when};

/// Passages of which everything is found out: of those with the question's words, and of those with its meaning.
const BY_WORDS: usize = 400;
const BY_MEANING: usize = 200;
/// Results whose links are followed.
const LINKING: usize = 8;
/// Below this nearness, meaning alone makes no result.
const FAR: f32 = 0.25;

/// So many passages before it is looked at, a vector is asked for: memory is far away.
const AHEAD: usize = 4;

/// What is asked, in all its forms.
pub(crate) struct Asking<'a> {
    query: &'a Query,
    words: Vec<String>,
    meaning: Option<Sought>,
    wanted: Wanted,
    named: Option<(Timestamp, Timestamp)>,
    /// The time that is asked about, and whether it is one of the past.
    at: (Timestamp, Timestamp),
    then: bool,
}

impl<'a> Asking<'a> {
    pub(crate) fn new(query: &'a Query, words: Vec<String>, meaning: Option<Sought>) -> Self {
        let named = when::named(&query.text, query.now, &query.zone);
        let (at, then) = match (query.as_of, named) {
            (Some(at), _) => (instant(at), at < query.now),
            (None, Some((from, until))) => ((from, until.max(instant(query.now).1)), from < query.now),
            (None, None) => (instant(query.now), false),
        };
        Self { query, words, meaning, wanted: Wanted::by(&query.text), named, at, then }
    }

    fn fit(&self, card: &Card) -> Fit {
        card.fits(&self.query.filter, self.at, self.then)
    }

    pub(crate) fn answer(&self, store: &Store, scratch: &mut Scratch) -> Answer {
        let asked = store.postings.asked(&self.words);
        scratch.fill(store, &asked);
        // The most that BM25 gives is `k1 + 1` for each word.
        let most = asked.iter().map(|word| word.weight).sum::<f32>() * rank::MOST;
        let mut passages = self.by_words(store, scratch);
        if let Some(sought) = &self.meaning {
            let fits = |at| card(store, at).is_some_and(|card| self.fit(card) != Fit::No);
            let near = store.vectors.nearest(sought, BY_MEANING, fits);
            passages.extend(near.iter().filter(|(_, cosine)| *cosine >= FAR).map(|(at, _)| *at));
        }
        passages.sort_unstable();
        passages.dedup();
        let known = passages.iter().enumerate().filter_map(|(number, at)| {
            if let Some(next) = passages.get(number + AHEAD) {
                store.vectors.fetch(*next);
            }
            self.scored(store, scratch, *at, most)
        });
        let mut found: Vec<(Scored, Fit)> = known.collect();
        found.sort_unstable_by(|one, two| order(&one.0, &two.0));
        follow(store, &mut found);
        self.cut(found)
    }

    /// The passages that words speak for, the best of those that fit.
    fn by_words(&self, store: &Store, scratch: &Scratch) -> Vec<u32> {
        let score = |at: u32| {
            let session = store.tied(at).map_or(u32::MAX, |tie| tie.session);
            rank::by_words(scratch.of(at, session))
        };
        let mut rest: Vec<(f32, u32)> = scratch.touched().iter().map(|at| (score(*at), *at)).collect();
        let order = |one: &(f32, u32), two: &(f32, u32)| two.0.total_cmp(&one.0).then(one.1.cmp(&two.1));
        let mut kept = Vec::new();
        let mut take = BY_WORDS * 2;
        while !rest.is_empty() && kept.len() < BY_WORDS {
            let part = take.min(rest.len());
            if part < rest.len() {
                rest.select_nth_unstable_by(part - 1, order);
            }
            let next = rest.split_off(part);
            rest.sort_unstable_by(order);
            let fits = |at: u32| card(store, at).is_some_and(|card| self.fit(card) != Fit::No);
            let room = BY_WORDS - kept.len();
            kept.extend(rest.iter().map(|(_, at)| *at).filter(|at| fits(*at)).take(room));
            rest = next;
            take *= 4;
        }
        kept
    }

    fn scored(&self, store: &Store, scratch: &Scratch, at: u32, most: f32) -> Option<(Scored, Fit)> {
        let place = store.place(at)?;
        let card = store.card(place.row)?;
        let cosine =
            |at| self.meaning.as_ref().and_then(|sought| store.vectors.cosine(at, sought)).unwrap_or(0.0);
        let known = Known {
            words: scratch.of(at, store.tied(at)?.session),
            most,
            length: store.postings.length(at),
            cosine: cosine(at),
            cosine_near: store.around(at).map(cosine).fold(0.0, f32::max),
            speaker: self.wanted.names(place.manner),
            asks: place.manner.asks,
            times: if self.wanted.time { place.manner.times } else { 0 },
            timely: self.named.is_some_and(|(from, until)| card.began(from, until)),
        };
        let (score, why) = rank::score(&known, card, self.query.now);
        Some((Scored { row: place.row, passage: place.passage, score, why }, self.fit(card)))
    }

    /// The best, and how many notes were left out among them.
    fn cut(&self, found: Vec<(Scored, Fit)>) -> Answer {
        let mut answer = Answer::default();
        let mut withheld = Vec::new();
        for (scored, fit) in found {
            if answer.hits.len() >= self.query.limit {
                break;
            }
            match fit {
                Fit::Yes => answer.hits.push(scored),
                Fit::Withheld if !withheld.contains(&scored.row) => withheld.push(scored.row),
                Fit::Withheld | Fit::No => {}
            }
        }
        answer.withheld = u32::try_from(withheld.len()).unwrap_or(u32::MAX);
        answer
    }
}

/// Raises what the best are linked with.
fn follow(store: &Store, found: &mut [(Scored, Fit)]) {
    let best: Vec<u32> = found.iter().take(LINKING).map(|(scored, _)| scored.row).collect();
    let linked: Vec<u32> = best.into_iter().flat_map(|row| store.links.of(row)).collect();
    if linked.is_empty() {
        return;
    }
    for (scored, _) in found.iter_mut().filter(|(scored, _)| linked.contains(&scored.row)) {
        scored.why.links = rank::LINKED;
        scored.score = rank::total(&scored.why);
    }
    found.sort_unstable_by(|one, two| order(&one.0, &two.0));
}

fn order(one: &Scored, two: &Scored) -> Ordering {
    two.score.total_cmp(&one.score).then((one.row, one.passage).cmp(&(two.row, two.passage)))
}

/// The shortest time from `at` on.
fn instant(at: Timestamp) -> (Timestamp, Timestamp) {
    (at, at.checked_add(jiff::Span::new().nanoseconds(1)).unwrap_or(at))
}

fn card(store: &Store, passage: u32) -> Option<&Card> {
    store.card(store.place(passage)?.row)
}
