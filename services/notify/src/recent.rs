//! Which notifications are new enough to be repeated: a memory of the dedup window, so that the disk needs no index
//! over random values. The rows stay the truth: whatever is found here is looked up there before it counts.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

/// In a flood the window is shorter than it says: memory stays bounded (about 60 bytes each).
const MOST: usize = 100_000;

/// The beginning of an identity, and the newest notification that has it.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    newest: HashMap<u64, i64, BuildHasherDefault<Known>>,
    ages: VecDeque<(i64, u64, i64)>,
}

/// The keys are from a hash already, and nobody can choose them without breaking that.
#[derive(Debug, Default)]
struct Known(u64);

impl Hasher for Known {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The first eight bytes of an identity; two that share them are told apart by the row.
fn short(hash: &[u8]) -> u64 {
    hash.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

impl Recent {
    /// Remembers `id`, which was accepted at `at` (microseconds), and forgets what is older than `oldest`.
    pub(crate) fn add(&mut self, hash: &[u8], id: i64, at: i64, oldest: i64) {
        let key = short(hash);
        self.newest.insert(key, id);
        self.ages.push_back((at, key, id));
        while self.ages.len() > MOST || self.ages.front().is_some_and(|(at, ..)| *at < oldest) {
            let Some((_, key, id)) = self.ages.pop_front() else { break };
            // What came again since is still young.
            if self.newest.get(&key) == Some(&id) {
                self.newest.remove(&key);
            }
        }
    }

    pub(crate) fn find(&self, hash: &[u8]) -> Option<i64> {
        self.newest.get(&short(hash)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_again_is_remembered_longer() {
        let mut recent = Recent::default();
        recent.add(&[1; 32], 1, 10, 0);
        recent.add(&[2; 32], 2, 11, 0);
        recent.add(&[1; 32], 3, 12, 12);
        assert_eq!((recent.find(&[1; 32]), recent.find(&[2; 32])), (Some(3), None));
    }
}
