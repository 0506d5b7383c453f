//! Sentences as vectors: MiniLM-L6 on the CPU, in this process, from weights that were proven by their SHA-256.
//!
//! The only crate that knows the model: its loops are here, because eight-bit weights used as they are take a fifth of the
//! memory, and a third less time for a question, than an engine that widens them first (measured beside rten 0.27).

mod bert;
mod kernel;
mod matrix;
mod model;
mod onnx;
mod tokens;
mod vector;
mod weights;

pub use matrix::{Matrix, Sought};
pub use model::{Embedder, NAME};
pub use vector::{DIMENSIONS, Small, Vector};
pub use weights::{default_dir, proven};

/// Why there are no vectors.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    #[error("there are no weights in {0}")]
    Missing(String),
    #[error("the weights could not be read: {path}")]
    Read {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} is not the file that its SHA-256 was taken of")]
    Changed { path: String },
    #[error("the weights do not fit the engine: {0}")]
    Load(String),
    #[error("a text could not be turned into a vector: {0}")]
    Run(String),
}
