//! What can be asked: model requests, which pass without the layers of the other routes, and the operations of the house.

mod fast;
mod models;
mod ops;
pub(crate) mod read;

pub(crate) use fast::Front;
pub(crate) use ops::{providers, routes};
