//! The released program, as a person uses it: words in, text and exit codes out.

mod config;
mod demo;
mod house;
mod program;
mod words;
