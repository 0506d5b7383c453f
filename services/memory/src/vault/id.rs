//! Names of notes that stay with them.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use sanctum_kernel::trace::{hex, random};

/// Crockford's base 32: no letter that is taken for a digit.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The last time in an id, in milliseconds: ids stay in order when the clock goes back.
static LAST: AtomicU64 = AtomicU64::new(0);

/// A new id: `n-`, 10 characters of time, 16 of chance.
pub(crate) fn fresh(now: Timestamp) -> String {
    let now = u64::try_from(now.as_millisecond()).unwrap_or(0);
    let time = LAST.fetch_max(now, Ordering::Relaxed).max(now);
    let mut id = String::from("n-");
    (0..10).rev().for_each(|digit| id.push(character(time >> (5 * digit))));
    id.extend(random::<16>().map(|byte| character(u64::from(byte))));
    id
}

fn character(bits: u64) -> char {
    let at = usize::try_from(bits & 31).unwrap_or(0);
    DIGITS.get(at).map_or('0', |digit| char::from(*digit))
}

/// The id of a file that names none: of its path, so that reading it again gives the same.
pub(crate) fn of_path(path: &str) -> String {
    let hash = sha256(path.as_bytes());
    format!("p-{}", hex(hash.get(..13).unwrap_or(&[])))
}

/// Whether front matter may give a note this id.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        && text.strip_suffix(".md").is_none()
}

/// What changes with every change of a file's bytes.
pub(crate) fn version(bytes: &[u8]) -> String {
    hex(sha256(bytes).get(..8).unwrap_or(&[]))
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(digest(&SHA256, bytes).as_ref()) {
        *to = *from;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_with_time_and_do_not_go_back_with_the_clock() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let first = fresh(time("2126-11-22T10:00:00Z"));
        let second = fresh(time("2126-11-22T10:00:01Z"));
        let back = fresh(time("2026-11-22T09:00:00Z"));
        assert_eq!(first.len(), 28);
        assert!(first < second, "{first} {second}");
        assert_eq!(second.get(..12), back.get(..12));
        assert!(is_id(&first) && is_id(&of_path("a.md")));
        assert!(!is_id("") && !is_id("../x") && !is_id("a b") && !is_id("x.md"));
    }
}
