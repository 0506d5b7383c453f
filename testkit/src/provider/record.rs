//! What the provider saw, and what it was told to do.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::Reply;

/// One request.
#[derive(Debug)]
pub struct Seen {
    /// Which connection it came on, counted from 0.
    pub connection: usize,
    pub method: String,
    /// With its query.
    pub path: String,
    /// In their order, names as they were written.
    pub headers: Vec<(String, String)>,
    /// The exact bytes, without the framing of chunks.
    pub body: Vec<u8>,
    pub(super) gone: AtomicBool,
    pub(super) done: AtomicBool,
}

impl Seen {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(have, _)| have.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON; `null` where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The client went away before the whole answer was written.
    pub fn cancelled(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// The whole answer was written (or the fault has run its course).
    pub fn answered(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }
}

/// One connection.
#[derive(Debug, Clone)]
pub struct Connection {
    pub peer: SocketAddr,
    /// Requests it carried.
    pub requests: usize,
    pub closed: bool,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) addr: SocketAddr,
    pub(super) requests: Mutex<Vec<Arc<Seen>>>,
    pub(super) connections: Mutex<Vec<Connection>>,
    pub(super) script: Mutex<VecDeque<Reply>>,
    pub(super) always: Mutex<HashMap<String, Reply>>,
    pub(super) key: Mutex<Option<String>>,
    counter: AtomicU64,
}

impl Shared {
    pub(super) fn new(addr: SocketAddr) -> Self {
        Self {
            addr,
            requests: Mutex::default(),
            connections: Mutex::default(),
            script: Mutex::default(),
            always: Mutex::default(),
            key: Mutex::default(),
            counter: AtomicU64::new(1),
        }
    }

    /// A number nobody else has, for ids.
    pub(super) fn number(&self) -> u64 {
        self.counter.fetch_add(1, Ordering::Relaxed)
    }

    /// What signs thinking here; another provider's signature is refused.
    pub(super) fn signature(&self) -> String {
        format!("EqQBCkYIBRgCKkD{}/sig==", self.addr.port())
    }
}
