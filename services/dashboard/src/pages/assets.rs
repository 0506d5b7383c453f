//! The files a page needs, inside the binary.

pub(crate) const CSS: &str = include_str!("../assets/app.css");
pub(crate) const JS: &str = include_str!("../assets/app.js");
pub(crate) const ICON: &str = include_str!("../assets/icon.svg");

/// Changes when a file does, so that no browser keeps an old one beside a new page.
pub(crate) fn version() -> String {
    const VERSION: u64 = fnv(fnv(fnv(0xcbf2_9ce4_8422_2325, CSS), JS), ICON);
    format!("{VERSION:016x}")
}

/// FNV-1a (draft-eastlake-fnv), enough to tell one build from another.
#[expect(clippy::indexing_slicing, reason = "bounded by the loop; const fns have no iterators")]
const fn fnv(mut hash: u64, text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0100_0000_01b3);
        i += 1;
    }
    hash
}
