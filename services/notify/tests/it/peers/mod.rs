//! The far sides.

pub(crate) mod dbus;
pub(crate) mod hook;
pub(crate) mod signal;
