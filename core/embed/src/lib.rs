//! Sentences as vectors: MiniLM-L6 on the CPU, in this process, from weights that were proven by their SHA-256.
//!
//! The only crate that names the inference engine.

/// Numbers in a vector.
pub const DIMENSIONS: usize = 384;

/// Why there are no vectors.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    #[error("there are no weights in {0}")]
    Missing(String),
}
