//! The tools of the tests, tested themselves.

mod provider;
