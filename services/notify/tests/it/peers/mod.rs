//! The far sides.

pub(crate) mod hook;
pub(crate) mod signal;
