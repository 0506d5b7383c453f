//! Chance that can be had again: a failure tells the seed.

use proptest::prelude::Rng;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Where a seed is read from, to see a failure again.
const SEED: &str = "SANCTUM_LAWS_SEED";

#[derive(Debug)]
pub(crate) struct Dice {
    rng: TestRng,
    seed: u64,
}

impl Dice {
    pub(crate) fn new() -> Self {
        let given = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| TestRunner::new(Config::default()).rng().next_u64());
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self { rng: TestRng::from_seed(RngAlgorithm::ChaCha, &bytes), seed }
    }

    /// From 0, and less than `most`.
    pub(crate) fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.rng.next_u64() % most.max(1) as u64).unwrap()
    }

    /// Once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// Up to `most` of them, in any order.
    pub(crate) fn some<T: Clone>(&mut self, from: &[T], most: usize) -> Vec<T> {
        let count = self.below(most + 1);
        (0..count).map(|_| self.pick(from)).collect()
    }

    /// A `traceparent`, and the trace in it.
    pub(crate) fn trace(&mut self) -> (String, String) {
        let trace = format!("{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64() | 1);
        (format!("00-{trace}-00f067aa0ba902b7-01"), trace)
    }
}

impl Drop for Dice {
    #[expect(clippy::print_stderr, reason = "it is read where the failure is read")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to see it again: {SEED}={}", self.seed);
        }
    }
}
