//! What is done with an answer once the client has it whole: kept for the same question, told to memory.

use std::sync::Arc;

use sanctum_http::Bytes;
use sanctum_kernel::OnError;
use sanctum_llm::{Delta, Dialect, Event, Part, Request};

use crate::gate::Gate;
use crate::shelving::{self, Shelves};
use crate::stages::cache::{Kept, Key};
use crate::stages::recall::Said;

/// The largest exchange that memory is told.
const LARGEST: usize = 1024 * 1024;

/// Gathers what the client gets, where anybody wants it.
#[derive(Debug, Default)]
pub(crate) struct Aftermath {
    pub(crate) key: Option<Key>,
    pub(crate) said: Option<Box<Said>>,
    /// What was asked, where the client may name the answer later.
    asked: Option<Arc<Request>>,
    most: usize,
    size: usize,
    pieces: Vec<Bytes>,
}

impl Aftermath {
    /// `None` where nobody wants it.
    pub(crate) fn new(gate: &Gate, key: Option<Key>, said: Option<Said>) -> Option<Self> {
        let most = if said.is_some() {
            LARGEST.max(gate.stages.cache.largest())
        } else {
            gate.stages.cache.largest()
        };
        let wanted = key.is_some() || said.is_some();
        wanted.then(|| Self { key, said: said.map(Box::new), most, ..Self::default() })
    }

    /// The answer will be named by its client, who asked this; nobody names it if `None`.
    pub(crate) fn shelve(&mut self, asked: Option<Arc<Request>>) {
        if asked.is_some() {
            self.most = self.most.max(shelving::LARGEST);
        }
        self.asked = asked;
    }

    /// The client has the answer, and may name it.
    pub(crate) fn keep(&mut self, shelves: &Shelves, owner: &str) {
        if let Some(asked) = self.asked.take()
            && self.size <= self.most
        {
            shelves.keep(owner, &asked, &self.pieces);
        }
    }

    pub(crate) fn see(&mut self, bytes: &Bytes) {
        self.size += bytes.len();
        if self.size <= self.most {
            self.pieces.push(bytes.clone());
        } else {
            self.pieces = Vec::new();
        }
    }

    /// The answer is complete and good.
    pub(crate) fn done(self, gate: &Arc<Gate>, dialect: Dialect, media: &str, served: Option<String>) {
        if self.size > self.most {
            return;
        }
        let served = served.unwrap_or_default();
        if let Some(mut said) = self.said {
            said.assistant = words(dialect, media, &self.pieces);
            said.model.clone_from(&served);
            let gate = Arc::clone(gate);
            gate.house.shared.tasks.clone().spawn("tell memory", OnError::Log, |_| async move {
                Ok(gate.house.outbox.after(&gate.stages.recall, *said).await?)
            });
        }
        if let Some(key) = self.key {
            let now = gate.house.shared.clock.now();
            gate.stages.cache.after(key, Kept { media: media.to_owned(), pieces: self.pieces, served }, now);
        }
    }
}

/// The text of an answer, whole or streamed.
fn words(dialect: Dialect, media: &str, pieces: &[Bytes]) -> String {
    if media.starts_with("text/event-stream") {
        let (mut decoder, mut events) = (dialect.codec().decoder(), Vec::new());
        for piece in pieces {
            decoder.push(piece, &mut events);
        }
        decoder.finish(&mut events);
        let texts = events.into_iter().map(|event| match event {
            Event::Delta { delta: Delta::Text(text), .. } => text,
            _ => String::new(),
        });
        return texts.collect();
    }
    let answer = dialect.codec().read_answer(&pieces.concat()).map(|answer| answer.parts).unwrap_or_default();
    let texts = answer.into_iter().filter_map(|part| match part {
        Part::Text { text, .. } => Some(text),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}
