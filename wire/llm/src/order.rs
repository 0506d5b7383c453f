//! Parts that a provider interleaves, brought into the order in which they began.

use std::collections::VecDeque;

use crate::{Delta, Event, Opening};

/// Hands out one part at a time, numbered from 0; what belongs to a later one waits until it is its turn.
#[derive(Debug)]
pub(crate) struct Order<K> {
    next: usize,
    parts: VecDeque<Waiting<K>>,
}

#[derive(Debug)]
struct Waiting<K> {
    key: K,
    /// `None` once it was handed out, which is so for the first one only.
    opening: Option<Opening>,
    deltas: Vec<Delta>,
    closed: bool,
}

impl<K> Default for Order<K> {
    fn default() -> Self {
        Self { next: 0, parts: VecDeque::new() }
    }
}

impl<K: PartialEq> Order<K> {
    pub(crate) fn open(&mut self, key: K, opening: Opening, into: &mut Vec<Event>) {
        self.parts.push_back(Waiting { key, opening: Some(opening), deltas: Vec::new(), closed: false });
        self.advance(into);
    }

    /// Whether a part is open or waits to be closed.
    pub(crate) fn has(&self, key: &K) -> bool {
        self.parts.iter().any(|part| part.key == *key && !part.closed)
    }

    /// Adds to a part; one that is not open is left alone.
    pub(crate) fn delta(&mut self, key: &K, delta: Delta, into: &mut Vec<Event>) {
        let Some(at) = self.parts.iter().position(|part| part.key == *key && !part.closed) else { return };
        if at == 0 {
            into.push(Event::Delta { index: self.next, delta });
        } else if let Some(part) = self.parts.get_mut(at) {
            part.deltas.push(delta);
        }
    }

    pub(crate) fn close(&mut self, key: &K, into: &mut Vec<Event>) {
        if let Some(part) = self.parts.iter_mut().find(|part| part.key == *key && !part.closed) {
            part.closed = true;
        }
        self.advance(into);
    }

    /// Closes whatever is open.
    pub(crate) fn close_all(&mut self, into: &mut Vec<Event>) {
        self.parts.iter_mut().for_each(|part| part.closed = true);
        self.advance(into);
    }

    /// A part that is complete in itself.
    pub(crate) fn whole(&mut self, key: K, opening: Opening, into: &mut Vec<Event>) {
        self.parts.push_back(Waiting { key, opening: Some(opening), deltas: Vec::new(), closed: true });
        self.advance(into);
    }

    fn advance(&mut self, into: &mut Vec<Event>) {
        while let Some(part) = self.parts.front_mut() {
            let index = self.next;
            if let Some(opening) = part.opening.take() {
                into.push(Event::Open { index, part: opening });
                into.extend(part.deltas.drain(..).map(|delta| Event::Delta { index, delta }));
            }
            if !part.closed {
                return;
            }
            into.push(Event::Close { index });
            self.next += 1;
            self.parts.pop_front();
        }
    }
}
