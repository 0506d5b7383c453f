//! Readiness without a flag: starting parts hold a clone, ready is when the last one is gone.

use std::sync::{Arc, Weak};

/// Held by whatever is not ready yet; drop it (all clones) to become ready. Nothing becomes unready again.
#[derive(Debug, Clone)]
pub struct Latch(#[expect(dead_code, reason = "its life is its meaning")] Arc<()>);

/// The question; answers `true` once no [`Latch`] is left.
#[derive(Debug, Clone)]
pub struct Ready(Weak<()>);

/// A latch and its question.
pub fn latch() -> (Latch, Ready) {
    let held = Arc::new(());
    let weak = Arc::downgrade(&held);
    (Latch(held), Ready(weak))
}

impl Latch {
    /// This part is ready.
    pub fn release(self) {
        drop(self);
    }
}

impl Ready {
    pub fn is_ready(&self) -> bool {
        self.0.strong_count() == 0
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn ready_is_when_the_last_part_has_let_go() {
        let (latch, ready) = super::latch();
        let part = latch.clone();
        latch.release();
        assert!(!ready.is_ready());
        part.release();
        assert!(ready.is_ready());
    }
}
