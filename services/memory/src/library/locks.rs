//! One writer for each file at a time, and none while many files are read.

use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::sync::{Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Files that share a lock wait for each other without need; with so many locks, few do.
const STRIPES: usize = 64;

#[derive(Debug)]
pub(super) struct Locks {
    many: RwLock<()>,
    stripes: Vec<Mutex<()>>,
}

/// Holds one file or two.
#[derive(Debug)]
pub(super) struct Held<'l> {
    _many: RwLockReadGuard<'l, ()>,
    _stripes: [Option<MutexGuard<'l, ()>>; 2],
}

impl Locks {
    pub(super) fn new() -> Self {
        Self { many: RwLock::new(()), stripes: (0..STRIPES).map(|_| Mutex::new(())).collect() }
    }

    fn stripe(path: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        path.hash(&mut hasher);
        usize::try_from(hasher.finish() % STRIPES as u64).unwrap_or(0)
    }

    pub(super) async fn one(&self, path: &str) -> Held<'_> {
        self.two(path, path).await
    }

    /// Both, in an order that is the same for everybody.
    pub(super) async fn two(&self, one: &str, other: &str) -> Held<'_> {
        let many = self.many.read().await;
        let (a, b) = (Self::stripe(one), Self::stripe(other));
        let first = self.lock(a.min(b)).await;
        let second = if a == b { None } else { self.lock(a.max(b)).await };
        Held { _many: many, _stripes: [first, second] }
    }

    async fn lock(&self, at: usize) -> Option<MutexGuard<'_, ()>> {
        match self.stripes.get(at) {
            Some(stripe) => Some(stripe.lock().await),
            None => None,
        }
    }

    /// Every file there is.
    pub(super) async fn all(&self) -> RwLockWriteGuard<'_, ()> {
        self.many.write().await
    }
}
