//! The usage log: one line of JSONL for every request, and what is computed from it.
