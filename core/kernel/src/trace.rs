//! One id from the first packet to the last message, as W3C Trace Context carries it.

use std::cell::RefCell;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

tokio::task_local! {
    static CURRENT: Trace;
}

/// A trace id (16 bytes) and the id of the step that speaks (8 bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Trace {
    id: TraceId,
    step: [u8; 8],
}

/// The id that ties the parts of one story together: 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct TraceId([u8; 16]);

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a trace id: 32 hexadecimal digits, not all zero")]
pub struct NotATrace(String);

impl Trace {
    /// A new story.
    pub fn start() -> Self {
        let (mut id, mut step) = ([0; 16], [0; 8]);
        let both = chance::<24>();
        id.iter_mut().chain(&mut step).zip(both).for_each(|(byte, chance)| *byte = chance);
        Self { id: TraceId(id), step }
    }

    /// A new step in the story `id`.
    pub fn within(id: TraceId) -> Self {
        Self { id, step: chance() }
    }

    /// The story the current task belongs to; a new one if it belongs to none.
    pub fn current() -> Self {
        CURRENT.try_with(|trace| *trace).unwrap_or_else(|_| Self::start())
    }

    pub const fn id(&self) -> TraceId {
        self.id
    }

    /// Runs `work` as part of this story. (An `async fn` would hold the work twice, and every layer like it would double that.)
    pub fn scope<T>(self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        CURRENT.scope(self, work)
    }

    /// The value of a `traceparent` header, version 00, sampled (W3C Trace Context §3.2).
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.id, hex(&self.step))
    }

    /// Reads a `traceparent`; `None` if it is malformed, as the specification asks.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let (version, id, step, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if version.len() != 2
            || version == "ff"
            || flags.len() != 2
            || (version == "00" && parts.next().is_some())
        {
            return None;
        }
        unhex::<8>(step).filter(|step| *step != [0; 8])?;
        Some(Self::within(id.parse().ok()?))
    }
}

impl FromStr for TraceId {
    type Err = NotATrace;

    fn from_str(text: &str) -> Result<Self, NotATrace> {
        unhex(text).filter(|id| *id != [0; 16]).map(Self).ok_or_else(|| NotATrace(text.to_owned()))
    }
}

impl TryFrom<String> for TraceId {
    type Error = NotATrace;
    fn try_from(text: String) -> Result<Self, NotATrace> {
        text.parse()
    }
}

impl From<TraceId> for String {
    fn from(id: TraceId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Bytes from the system's generator; the time if it has none to give, because an id must still be had.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if getrandom::fill(&mut bytes).is_err() {
        let now = crate::Clock::system().now().as_nanosecond().to_le_bytes();
        bytes.iter_mut().zip(now.iter().cycle()).for_each(|(byte, now)| *byte = *now);
    }
    bytes
}

thread_local! {
    /// Bytes of the system's generator that nobody has had yet.
    static STORE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Bytes for ids, which must be rare and need not be secret: they are fetched many at a time, because every request needs
/// some. What must not be guessed takes [`random`].
pub fn chance<const N: usize>() -> [u8; N] {
    STORE.with(|store| {
        let Ok(mut store) = store.try_borrow_mut() else { return random() };
        if store.len() < N {
            store.clear();
            store.extend_from_slice(&random::<512>());
        }
        let from = store.len().saturating_sub(N);
        let bytes = store.get(from..).and_then(|last| <[u8; N]>::try_from(last).ok());
        store.truncate(from);
        bytes.unwrap_or_else(random)
    })
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    // Every request has four of these; formatting byte by byte was a twentieth of its cost.
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' - 10 + value };
    let mut text = Vec::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    String::from_utf8(text).unwrap_or_default()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_story_goes_on_in_whoever_reads_its_header() {
        let trace = Trace::start();
        assert_eq!(Trace::parse(&trace.traceparent()).map(|read| read.id()), Some(trace.id()));
    }

    #[test]
    fn malformed_headers_are_ignored_as_the_specification_asks() {
        let zero_id = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        let zero_step = "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01";
        let upper = "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01";
        let reserved = "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for header in ["", "00", zero_id, zero_step, upper, reserved] {
            assert!(Trace::parse(header).is_none(), "{header}");
        }
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        assert!(Trace::parse(later).is_some(), "a later version may say more");
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(header in ".{0,80}") {
            if Trace::parse(&header).is_none() {}
        }
    }
}
