//! All that recall knows, in memory: passages with their words, and who is whose neighbour.

use std::collections::HashMap;

use sanctum_api::memory::Head;
use sanctum_embed::{Matrix, Small};

use crate::model::{Indexed, Passage};
use crate::recall::cache::Hash;
use crate::recall::card::Card;
use crate::recall::links::Links;
use crate::recall::manner::Manner;
use crate::recall::postings::Postings;
use crate::recall::terms::Terms;

/// No passage.
pub(crate) const NONE: u32 = u32::MAX;
/// Passages that may be gone before room is made.
const SPARE: usize = 4096;
/// How many passages to each side are a passage's surroundings.
pub(crate) const REACH: usize = 2;

/// Where a passage is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) row: u32,
    /// Its position in its note.
    pub(crate) passage: u32,
    pub(crate) manner: Manner,
    /// The beginning of the hash of its text.
    text: u64,
}

/// What a passage is tied to. Apart from its [`Place`], because a question looks at thousands of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tie {
    before: u32,
    after: u32,
    pub(crate) session: u32,
    /// Words of it and of its surroundings.
    pub(crate) around: u16,
}

/// A conversation, or a note by itself.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Its notes in the order of their time, by creation and row.
    notes: Vec<(i64, u32)>,
    /// Words of all of them.
    pub(crate) length: u32,
    name: Option<Box<str>>,
}

/// The index of recall.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) postings: Postings,
    pub(crate) places: Vec<Place>,
    /// Of each place.
    ties: Vec<Tie>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) vectors: Matrix,
    pub(crate) links: Links,
    cards: Vec<Option<Card>>,
    named: HashMap<Box<str>, u32>,
    unused: Vec<u32>,
    /// Of all sessions that have notes.
    pub(crate) talks: u32,
}

/// A note's place in time, its first and last passage, its words and its session.
struct Ends {
    own: (i64, u32),
    first: u32,
    last: u32,
    length: u32,
    session: u32,
}

impl Store {
    pub(crate) fn card(&self, row: u32) -> Option<&Card> {
        self.cards.get(row as usize).and_then(Option::as_ref)
    }

    pub(crate) fn place(&self, passage: u32) -> Option<&Place> {
        self.places.get(passage as usize)
    }

    pub(crate) fn tied(&self, passage: u32) -> Option<&Tie> {
        self.ties.get(passage as usize)
    }

    pub(crate) fn notes(&self) -> impl Iterator<Item = (u32, &Card)> {
        (0..).zip(&self.cards).filter_map(|(row, card)| Some((row, card.as_ref()?)))
    }

    /// Puts a note in, in place of what had its row. Says whether its words are new here.
    pub(crate) fn put(&mut self, terms: &mut Terms, note: &Indexed) -> bool {
        if self.touch(note) {
            return false;
        }
        self.remove(note.row);
        let first = u32::try_from(self.places.len()).unwrap_or(NONE);
        let count = u32::try_from(note.passages.len()).unwrap_or(0);
        let session = if count == 0 { NONE } else { self.session(&note.head) };
        let more = more(&note.head);
        for (passage, Passage { text, hash }) in (0..).zip(&note.passages) {
            self.postings.push(terms, text, &more);
            let number = first + passage;
            let before = if passage == 0 { NONE } else { number - 1 };
            let after = if passage + 1 == count { NONE } else { number + 1 };
            let (manner, text) = (Manner::of(text), beginning(hash));
            self.places.push(Place { row: note.row, passage, manner, text });
            self.ties.push(Tie { before, after, session, around: 0 });
        }
        let at = note.row as usize;
        if self.cards.len() <= at {
            self.cards.resize_with(at + 1, || None);
        }
        if let Some(card) = self.cards.get_mut(at) {
            *card = Some(Card::new(note, first, count, session, found_by(&more)));
        }
        self.join(note.row);
        self.links.join(note.row, note);
        true
    }

    /// Gives a passage its vector, if it is still the text that the vector was made of.
    pub(crate) fn mean(&mut self, row: u32, passage: u32, hash: &Hash, vector: &Small) {
        let at = self.card(row).filter(|card| passage < card.count).map(|card| card.first + passage);
        let Some(at) = at.filter(|at| self.place(*at).is_some_and(|place| place.text == beginning(hash)))
        else {
            return;
        };
        self.vectors.set(at, vector);
    }

    /// Takes over what changed besides the words, if nothing else did.
    fn touch(&mut self, note: &Indexed) -> bool {
        let Some(card) = self.card(note.row) else { return false };
        let (first, count, session) = (card.first, card.count, card.session);
        let texts = (first..first + count).filter_map(|at| self.place(at)).map(|place| place.text);
        let same = card.created == note.head.created
            && card.found_by == found_by(&more(&note.head))
            && texts.eq(note.passages.iter().map(|passage| beginning(&passage.hash)))
            && self.name_of(session) == note.head.session.as_deref();
        if !same {
            return false;
        }
        let card = Card::new(note, first, count, session, card.found_by);
        self.links.follow(note.row, note);
        // What is the same stays where it is: a rebuild brings every note again, and memory that is let go of and taken in
        // another order has holes that no system gets back.
        if let Some(Some(own)) = self.cards.get_mut(note.row as usize)
            && *own != card
        {
            *own = card;
        }
        true
    }

    fn name_of(&self, session: u32) -> Option<&str> {
        self.sessions.get(session as usize).and_then(|session| session.name.as_deref())
    }

    /// Lets go of what is gone, once it is more than what is there.
    pub(crate) fn compact(&mut self) {
        if self.postings.dead() <= self.postings.live() as usize + SPARE {
            return;
        }
        let numbers = self.postings.compact();
        let of = |passage: u32| numbers.get(passage as usize).copied().unwrap_or(NONE);
        let mut vectors = Matrix::default();
        let room = self.postings.live() as usize;
        let (mut places, mut ties) = (Vec::with_capacity(room), Vec::with_capacity(room));
        let old = std::mem::take(&mut self.places).into_iter().zip(std::mem::take(&mut self.ties));
        for (old, (place, mut tie)) in (0..).zip(old) {
            let new = of(old);
            if new == NONE {
                continue;
            }
            (tie.before, tie.after) = (of(tie.before), of(tie.after));
            if let Some(vector) = self.vectors.get(old) {
                vectors.set(new, &vector);
            }
            places.push(place);
            ties.push(tie);
        }
        (self.places, self.ties, self.vectors) = (places, ties, vectors);
        for card in self.cards.iter_mut().flatten().filter(|card| card.count > 0) {
            card.first = of(card.first);
        }
    }

    pub(crate) fn remove(&mut self, row: u32) -> Option<Card> {
        self.part(row);
        let card = self.cards.get_mut(row as usize)?.take()?;
        for passage in card.first..card.first + card.count {
            self.postings.remove(passage);
            self.vectors.clear(passage);
        }
        self.links.part(row);
        Some(card)
    }

    /// The passages around one, the nearest first: one before, one after, and so on.
    pub(crate) fn around(&self, passage: u32) -> impl Iterator<Item = u32> {
        let (mut before, mut after) = (passage, passage);
        (0..REACH).flat_map(move |_| {
            before = self.tied(before).map_or(NONE, |tie| tie.before);
            after = self.tied(after).map_or(NONE, |tie| tie.after);
            [before, after].into_iter().filter(|passage| *passage != NONE)
        })
    }

    /// Words of the mean session.
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    pub(crate) fn mean_session(&self) -> f32 {
        (self.postings.mean() * self.postings.live().max(1) as f32 / self.talks.max(1) as f32).max(1.0)
    }

    fn session(&mut self, head: &Head) -> u32 {
        if let Some(number) = head.session.as_deref().and_then(|name| self.named.get(name)) {
            return *number;
        }
        let name: Option<Box<str>> = head.session.as_deref().map(Into::into);
        let number = self.unused.pop().unwrap_or_else(|| {
            self.sessions.push(Session::default());
            u32::try_from(self.sessions.len() - 1).unwrap_or(NONE)
        });
        if let Some(name) = &name {
            self.named.insert(name.clone(), number);
        }
        if let Some(session) = self.sessions.get_mut(number as usize) {
            *session = Session { name, ..Session::default() };
        }
        number
    }

    /// Makes a note a neighbour of those of its session.
    fn join(&mut self, row: u32) {
        let Some(Ends { own, first, last, length, session: number }) = self.ends(row) else {
            return;
        };
        let Some(session) = self.sessions.get_mut(number as usize) else { return };
        self.talks += u32::from(session.notes.is_empty());
        let at = session.notes.partition_point(|other| *other < own);
        session.notes.insert(at, own);
        session.length += length;
        let (before, after) = self.beside(number, at);
        self.tie(before, first);
        self.tie(last, after);
        self.measure(first, last);
    }

    /// Takes a note out of its session.
    fn part(&mut self, row: u32) {
        let Some(Ends { own, first, last, length, session: number }) = self.ends(row) else { return };
        let Some(session) = self.sessions.get_mut(number as usize) else { return };
        let Ok(at) = session.notes.binary_search(&own) else { return };
        let (before, after) = self.beside(number, at);
        self.tie(NONE, first);
        self.tie(last, NONE);
        self.tie(before, after);
        let Some(session) = self.sessions.get_mut(number as usize) else { return };
        session.notes.remove(at);
        session.length = session.length.saturating_sub(length);
        if session.notes.is_empty() {
            if let Some(name) = session.name.take() {
                self.named.remove(&name);
            }
            self.unused.push(number);
            self.talks -= 1;
        }
        for end in [before, after] {
            if end != NONE {
                self.measure(end, end);
            }
        }
    }

    /// A note's place in time, its first and last passage, its words and its session; nothing for a note without words.
    fn ends(&self, row: u32) -> Option<Ends> {
        let card = self.card(row).filter(|card| card.count > 0)?;
        let passages = card.first..card.first + card.count;
        let length = passages.map(|passage| u32::from(self.postings.length(passage))).sum();
        let own = (card.created.as_microsecond(), row);
        Some(Ends {
            own,
            first: card.first,
            last: card.first + card.count - 1,
            length,
            session: card.session,
        })
    }

    /// The last passage of the note before the one at `at` of a session, and the first of the one after.
    fn beside(&self, session: u32, at: usize) -> (u32, u32) {
        let notes = self.sessions.get(session as usize).map_or(&[][..], |session| &session.notes);
        let card = |at: usize| notes.get(at).and_then(|(_, row)| self.card(*row));
        let before = at.checked_sub(1).and_then(card).map_or(NONE, |card| card.first + card.count - 1);
        (before, card(at + 1).map_or(NONE, |card| card.first))
    }

    fn tie(&mut self, before: u32, after: u32) {
        if let Some(tie) = self.ties.get_mut(before as usize) {
            tie.after = after;
        }
        if let Some(tie) = self.ties.get_mut(after as usize) {
            tie.before = before;
        }
    }

    /// Counts the words around the passages of a note anew, and around those that have them in their surroundings.
    fn measure(&mut self, first: u32, last: u32) {
        let mut passages: Vec<u32> = (first..=last).collect();
        passages.extend(self.around(first));
        passages.extend(self.around(last));
        for passage in passages {
            let words = |passage| u32::from(self.postings.length(passage));
            let sum = words(passage) + self.around(passage).map(words).sum::<u32>();
            if let Some(tie) = self.ties.get_mut(passage as usize) {
                tie.around = u16::try_from(sum).unwrap_or(u16::MAX);
            }
        }
    }
}

/// What a passage is found by besides its text.
fn more(head: &Head) -> Vec<&str> {
    let lists = head.tags.iter().chain(&head.entities).map(String::as_str);
    std::iter::once(head.title.as_str()).chain(head.key.as_deref()).chain(lists).collect()
}

/// One number for them all: whether they changed is all that is asked.
fn found_by(more: &[&str]) -> u64 {
    more.iter()
        .flat_map(|text| text.bytes().chain([0]))
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn beginning(hash: &Hash) -> u64 {
    hash.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
