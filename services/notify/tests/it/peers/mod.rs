//! The far sides.

pub(crate) mod hook;
