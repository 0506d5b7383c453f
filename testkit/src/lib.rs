//! A whole house in one process, for tests: real sockets, a home of its own, a clock that can be moved.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this crate exists for tests; a panic is how it fails"
)]

pub mod apart;
pub mod browser;
pub mod disk;
pub mod gateway;
mod house;
pub mod provider;

pub use house::{House, Stopped};
pub use sanctum_kernel as kernel;

use std::time::Duration;

/// A free port of the loopback that stays free while its owner is down: it is none of those that the kernel gives to whoever
/// connects or asks for any (Linux begins with those at 32768).
pub fn port() -> u16 {
    const FROM: u16 = 20_000;
    const BELOW: u16 = 32_768;
    let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let chance = || FROM + u16::from_le_bytes(kernel::trace::random::<2>()) % (BELOW - FROM);
    std::iter::repeat_with(chance).find(free).unwrap()
}

/// Asks until `look` has an answer; panics at the deadline with the name of what was waited for.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> F,
) -> T {
    let until = tokio::time::Instant::now() + deadline;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(tokio::time::Instant::now() < until, "waited {} s for: {what}", deadline.as_secs_f32());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
