//! Who may come in, decided in memory.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use jiff::Timestamp;
use sanctum_api::proxy::Key;
use subtle::ConstantTimeEq;

use super::glob;
use super::secret::Hash;

/// What a client whose key is not admitted is told, whatever the reason: who does not have a key learns nothing of it.
pub const DENIED: &str = "the key is not valid here";

/// Something a key may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    Chat,
    Embeddings,
    Models,
    Explain,
    Usage,
    /// What the house remembers, by HTTP and MCP.
    Memory,
}

impl Scope {
    pub const ALL: [Self; 6] =
        [Self::Chat, Self::Embeddings, Self::Models, Self::Explain, Self::Usage, Self::Memory];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
            Self::Models => "models",
            Self::Explain => "explain",
            Self::Usage => "usage",
            Self::Memory => "memory",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl FromStr for Scope {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|scope| scope.word() == word).ok_or(())
    }
}

/// A key that exists, and what it may do.
pub struct Admitted {
    hash: Hash,
    /// As it was made; what changes is beside it.
    key: Key,
    /// Bits of the scopes.
    scopes: u8,
    /// Microseconds since 1970, 0 for never.
    revoked: AtomicI64,
    used: AtomicI64,
    /// Whether `used` is newer than the database's.
    unsaved: AtomicBool,
}

impl fmt::Debug for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admitted")
            .field("id", &self.key.id)
            .field("agent", &self.key.agent)
            .finish_non_exhaustive()
    }
}

/// Why a secret is not admitted. For the log; a client is told [`DENIED`].
#[derive(Debug, Clone, thiserror::Error)]
pub enum Denied {
    #[error("no such key")]
    Unknown,
    #[error("key `{}` of `{}` has expired", .0.id(), .0.agent())]
    Expired(Arc<Admitted>),
    #[error("key `{}` of `{}` was revoked", .0.id(), .0.agent())]
    Revoked(Arc<Admitted>),
}

fn micros(at: Option<Timestamp>) -> AtomicI64 {
    AtomicI64::new(at.map_or(0, Timestamp::as_microsecond))
}

fn instant(micros: &AtomicI64) -> Option<Timestamp> {
    let micros = micros.load(Ordering::Relaxed);
    if micros == 0 { None } else { Timestamp::from_microsecond(micros).ok() }
}

impl Admitted {
    pub(crate) fn new(hash: Hash, key: Key) -> Self {
        let known = key.scopes.iter().filter_map(|word| word.parse().ok()).map(Scope::bit);
        // A scope of a newer version is none here, and not all of them.
        let scopes = if key.scopes.is_empty() { u8::MAX } else { known.fold(0, |bits, bit| bits | bit) };
        let (revoked, used) = (micros(key.revoked), micros(key.last_used));
        Self { hash, key, scopes, revoked, used, unsaved: AtomicBool::new(false) }
    }

    pub fn id(&self) -> &str {
        &self.key.id
    }

    pub fn agent(&self) -> &str {
        &self.key.agent
    }

    /// Whether it may be used for this.
    pub const fn may(&self, scope: Scope) -> bool {
        self.scopes & scope.bit() != 0
    }

    /// Whether it may ask for this model, by the name the client wrote.
    pub fn may_ask(&self, model: &str) -> bool {
        self.key.models.is_empty() || self.key.models.iter().any(|pattern| glob::matches(pattern, model))
    }

    /// As lists show it.
    pub fn key(&self) -> Key {
        Key { revoked: instant(&self.revoked), last_used: instant(&self.used), ..self.key.clone() }
    }

    pub(crate) fn revoke(&self, at: Timestamp) {
        self.revoked.store(at.as_microsecond(), Ordering::Relaxed);
    }

    /// When it was last used, if the database does not know yet; it is asked once.
    pub(crate) fn take_used(&self) -> Option<i64> {
        self.unsaved.swap(false, Ordering::Relaxed).then(|| self.used.load(Ordering::Relaxed))
    }

    pub(crate) fn still_unsaved(&self) {
        self.unsaved.store(true, Ordering::Relaxed);
    }
}

/// Every key there is, by the first bytes of its hash.
#[derive(Debug, Default)]
pub(crate) struct Table {
    by_hash: HashMap<u64, Vec<Arc<Admitted>>>,
}

fn place(hash: &Hash) -> u64 {
    hash.iter().take(8).fold(0, |place, byte| (place << 8) | u64::from(*byte))
}

impl Table {
    pub(crate) fn of(keys: impl IntoIterator<Item = Arc<Admitted>>) -> Self {
        let mut by_hash: HashMap<u64, Vec<Arc<Admitted>>> = HashMap::new();
        for key in keys {
            by_hash.entry(place(&key.hash)).or_default().push(key);
        }
        Self { by_hash }
    }

    /// Compares in constant time what could be compared too early; the place in the table is of a hash, which says
    /// nothing of the secret.
    pub(crate) fn admit(&self, hash: &Hash, now: Timestamp) -> Result<Arc<Admitted>, Denied> {
        let near = self.by_hash.get(&place(hash)).map(Vec::as_slice).unwrap_or_default();
        let key = near.iter().find(|key| bool::from(key.hash.ct_eq(hash))).ok_or(Denied::Unknown)?;
        if key.revoked.load(Ordering::Relaxed) != 0 {
            return Err(Denied::Revoked(Arc::clone(key)));
        }
        if key.key.expires.is_some_and(|expires| expires <= now) {
            return Err(Denied::Expired(Arc::clone(key)));
        }
        key.used.store(now.as_microsecond(), Ordering::Relaxed);
        key.unsaved.store(true, Ordering::Relaxed);
        Ok(Arc::clone(key))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Admitted>> {
        self.by_hash.values().flatten()
    }
}
