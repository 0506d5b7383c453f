//! Healing, each recipe against the fault it is for.

mod audit;
mod classify;
mod machine;
mod network;
mod processes;
mod scripts;
mod storage;
mod ward;
