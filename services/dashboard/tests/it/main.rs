//! The dashboard through its surface: over HTTP with scripted services behind it, and in a real browser.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail by panicking")]

mod access;
mod banners;
mod body;
mod browser;
mod house;
mod memory;
mod models;
mod night;
mod outage;
mod page;
mod stories;
mod stubs;
