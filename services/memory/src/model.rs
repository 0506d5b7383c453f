//! The words that vault, index, recall and consolidation share.

use sanctum_api::memory::Head;

/// A note as the index has it.
#[derive(Debug, Clone)]
pub(crate) struct Indexed {
    /// Its row: small, dense, and never given to another note while the index lives.
    pub(crate) row: u32,
    pub(crate) head: Head,
    /// The note in pieces that are found by themselves, in their order.
    pub(crate) passages: Vec<Passage>,
    /// Names of wiki links in the text.
    pub(crate) links: Vec<String>,
}

/// A piece of a note: a heading's section, a list item of a conversation, a few sentences; never more than about 200 words.
#[derive(Debug, Clone)]
pub(crate) struct Passage {
    pub(crate) text: String,
    /// SHA-256 of the text: the name of its vector, which outlives the index.
    pub(crate) hash: [u8; 32],
}

/// What one commit of the index has changed, in the order of the commits.
#[derive(Debug, Clone)]
pub(crate) enum Delta {
    /// New, or in place of what had this row.
    Put(std::sync::Arc<Indexed>),
    Gone(u32),
}
