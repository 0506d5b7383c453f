//! Between the provider's frames and the client's: as they are, or in another dialect; what they say is noted either way.

use sanctum_http::Bytes;
use sanctum_llm::count::Output;
use sanctum_llm::{Decode, Delta, Dialect, Encode, Event, Fault, Finish as Said, Loss, Usage};

use crate::recast::{Recast, created};
use crate::scan::Scanner;
use crate::stages::mask::Restore;
use crate::usage::Finish;

/// What a stream has said so far.
pub(crate) enum Relay {
    Same(Box<Scanner>),
    Other(Box<Translator>),
}

/// A stream of one dialect becoming one of another.
pub(crate) struct Translator {
    decode: Box<dyn Decode>,
    encode: Box<dyn Encode>,
    restore: Restore,
    events: Vec<Event>,
    restored: Vec<Event>,
    tally: Output,
    usage: Option<Usage>,
    finish: Option<Finish>,
    fault: Option<Fault>,
    done: bool,
    seen: u64,
    content: u64,
    open: Option<usize>,
    /// Seconds since 1970.
    now: i64,
    /// Signatures that passed, for who repairs conversations.
    pub(crate) signatures: Vec<String>,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Same(_) => "Same",
            Self::Other(_) => "Other",
        })
    }
}

impl Relay {
    pub(crate) fn other(recast: &Recast, from: Dialect, to: Dialect) -> Self {
        Self::Other(Box::new(Translator {
            decode: from.codec().decoder(),
            encode: to.codec().encoder(&recast.asked),
            restore: recast.masked.stream(),
            events: Vec::new(),
            restored: Vec::new(),
            tally: Output::default(),
            usage: None,
            finish: None,
            fault: None,
            done: false,
            seen: 0,
            content: 0,
            open: None,
            now: recast.now,
            signatures: Vec::new(),
        }))
    }

    /// Bytes of the provider become bytes for the client; none if they are only half of something.
    pub(crate) fn push(&mut self, bytes: Bytes) -> Option<Bytes> {
        match self {
            Self::Same(scanner) => {
                scanner.push(&bytes);
                Some(bytes)
            }
            Self::Other(other) => {
                other.decode.push(&bytes, &mut other.events);
                other.flush()
            }
        }
    }

    /// The provider's side has ended.
    pub(crate) fn close(&mut self) -> Option<Bytes> {
        match self {
            Self::Same(_) => None,
            Self::Other(other) => {
                other.decode.finish(&mut other.events);
                other.flush()
            }
        }
    }

    pub(crate) const fn usage(&self) -> Option<Usage> {
        match self {
            Self::Same(scanner) => scanner.usage,
            Self::Other(other) => other.usage,
        }
    }

    pub(crate) const fn finish(&self) -> Option<Finish> {
        match self {
            Self::Same(scanner) => scanner.finish,
            Self::Other(other) => other.finish,
        }
    }

    pub(crate) fn take_fault(&mut self) -> Option<Fault> {
        match self {
            Self::Same(scanner) => scanner.fault.take(),
            Self::Other(other) => other.fault.take(),
        }
    }

    pub(crate) const fn done(&self) -> bool {
        match self {
            Self::Same(scanner) => scanner.done,
            Self::Other(other) => other.done,
        }
    }

    /// Events with data.
    pub(crate) const fn events(&self) -> u64 {
        match self {
            Self::Same(scanner) => scanner.events,
            Self::Other(other) => other.seen,
        }
    }

    /// Events that say something a reader would see.
    pub(crate) const fn content(&self) -> u64 {
        match self {
            Self::Same(scanner) => scanner.content,
            Self::Other(other) => other.content,
        }
    }

    /// Tokens of output so far, as far as can be told.
    pub(crate) fn output_guess(&self) -> u64 {
        match self {
            Self::Same(scanner) => scanner.output_guess(),
            Self::Other(other) => other.tally.totals().0.max(other.content),
        }
    }

    /// Whether something may be put in here.
    pub(crate) const fn between(&self) -> bool {
        match self {
            Self::Same(scanner) => scanner.between(),
            Self::Other(_) => true,
        }
    }

    pub(crate) fn losses(&mut self) -> Vec<Loss> {
        match self {
            Self::Same(_) => Vec::new(),
            Self::Other(other) => other.encode.losses(),
        }
    }

    pub(crate) fn signatures(&mut self) -> Vec<String> {
        match self {
            Self::Same(_) => Vec::new(),
            Self::Other(other) => std::mem::take(&mut other.signatures),
        }
    }

    /// The event that tells a failure, numbered where the dialect numbers its events. `error` is the failure's body.
    pub(crate) fn failure(&mut self, dialect: Dialect, fault: &Fault, error: &[u8]) -> Bytes {
        match self {
            Self::Same(scanner) => crate::body::failure(dialect, error, scanner.events),
            Self::Other(other) => {
                let mut bytes = Vec::new();
                other.encode.event(&Event::Fault(fault.clone()), &mut bytes);
                Bytes::from(bytes)
            }
        }
    }

    /// The last events of a stream that has reached its limit.
    pub(crate) fn ending(&mut self, dialect: Dialect) -> Bytes {
        match self {
            Self::Same(scanner) => super::ending::ending(dialect, scanner),
            Self::Other(other) => {
                let usage = Usage { output: other.tally.totals().0, ..other.usage.unwrap_or_default() };
                other.events.extend(other.open.map(|index| Event::Close { index }));
                other.events.push(Event::Finish { finish: Said::Length, stop_sequence: None });
                other.events.push(Event::Usage(usage));
                other.events.push(Event::End);
                other.flush().unwrap_or_default()
            }
        }
    }
}

impl Translator {
    fn flush(&mut self) -> Option<Bytes> {
        let mut out = Vec::new();
        let mut events = std::mem::take(&mut self.events);
        for mut event in events.drain(..) {
            if let Event::Start { created: at, .. } = &mut event {
                *at = created(*at, self.now);
            }
            self.note(&event);
            self.restore.event(event, &mut self.restored);
            for event in self.restored.drain(..) {
                self.encode.event(&event, &mut out);
            }
        }
        self.events = events;
        (!out.is_empty()).then(|| Bytes::from(out))
    }

    fn note(&mut self, event: &Event) {
        self.tally.event(event);
        self.seen += 1;
        match event {
            Event::Open { index, .. } => self.open = Some(*index),
            Event::Close { .. } => self.open = None,
            Event::Delta { delta, .. } => {
                self.content += 1;
                if let Delta::Signature(signature) = delta {
                    self.signatures.push(signature.clone());
                }
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { finish, .. } => self.finish = Some(Finish::from(finish)),
            Event::Fault(fault) => self.fault = Some(fault.clone()),
            Event::End => self.done = true,
            Event::Start { .. } | Event::Ping => {}
        }
    }
}
