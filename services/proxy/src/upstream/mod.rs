//! Providers: what they are shown, when they are left alone, and how a letter gets to them.

mod breaker;
mod headers;
mod provider;
mod send;

pub(crate) use breaker::{Breaker, Standing};
pub(crate) use headers::{forwarded, returned};
pub(crate) use provider::{Endpoint, Provider};
pub(crate) use send::{Unanswered, With, send};
