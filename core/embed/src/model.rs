//! The model: a text goes in, a vector comes out.

use std::fmt;
use std::path::Path;

use crate::bert::Bert;
use crate::tokens::Tokens;
use crate::{EmbedError, Vector, proven};

/// The folder of the weights.
const FOLDER: &str = "all-minilm-l6-v2";
/// The name under which vectors are kept: those of another model, of other weights or of another way to count are none of
/// its own.
pub const NAME: &str = "all-minilm-l6-v2-int8-8";

/// The model in memory, about 30 MB. It works in the thread of who calls it, and many may.
pub struct Embedder {
    bert: Bert,
    tokens: Tokens,
}

impl fmt::Debug for Embedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedder").field("name", &NAME).finish_non_exhaustive()
    }
}

impl Embedder {
    /// Reads and proves the weights below `dir`. About 0.1 s.
    pub fn open(dir: &Path) -> Result<Self, EmbedError> {
        let json = proven(dir, &format!("{FOLDER}/tokenizer.json"))?;
        let tokens = Tokens::by(String::from_utf8_lossy(&json).into_owned())?;
        let weights = proven(dir, &format!("{FOLDER}/model.onnx"))?;
        let bert =
            Bert::read(&weights).ok_or_else(|| EmbedError::Load("a part of them is missing".into()))?;
        Ok(Self { bert, tokens })
    }

    /// [`NAME`].
    pub fn name(&self) -> &'static str {
        NAME
    }

    /// The direction of a text; the same for the same text, on every run and every machine. Blocks for a millisecond, and
    /// for some of them where the text is long; what is behind its first 256 tokens is not seen.
    pub fn embed(&self, text: &str) -> Result<Vector, EmbedError> {
        let ids = self.tokens.of(text)?;
        self.bert.vector(&ids).ok_or_else(|| EmbedError::Run("it has no tokens of the model".into()))
    }
}
