//! JSON taken apart field by field and put together field by field, without a tree in between.

mod read;
mod write;

pub(crate) use read::{Fields, items, malformed, raw, string};
pub(crate) use write::{List, Object, list, object, quoted};
