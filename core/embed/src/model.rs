//! The model: a text goes in, a vector comes out.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rten::{Model, NodeId, RunOptions, ThreadPool};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};
use rten_text::tokenizer::{EncodeOptions, Tokenizer};

use crate::{DIMENSIONS, EmbedError, Vector, proven};

const NAME: &str = "all-minilm-l6-v2";
/// What the model was trained to read (its `sentence_bert_config.json`); the rest of a longer text is not seen.
const TOKENS: usize = 256;

/// Who waits for the vector. Readers of new notes have a thread of their own, so that no question waits behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Question,
    Background,
}

/// The model in memory, about 40 MB. One text is read at a time and by one thread: its weights are eight bits wide, the
/// scale of their inputs is taken from everything that is read together, and so a text's vector would depend on its company.
pub struct Embedder {
    model: Model,
    tokenizer: Tokenizer,
    inputs: [NodeId; 3],
    output: NodeId,
    questions: Vec<Arc<ThreadPool>>,
    background: Arc<ThreadPool>,
    next: AtomicUsize,
}

impl fmt::Debug for Embedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedder").field("name", &NAME).finish_non_exhaustive()
    }
}

impl Embedder {
    /// Reads and proves the weights below `dir`. About 0.2 s.
    pub fn open(dir: &Path) -> Result<Self, EmbedError> {
        let tokens = String::from_utf8_lossy(&proven(dir, &format!("{NAME}/tokenizer.json"))?).into_owned();
        let tokenizer = Tokenizer::from_json(&tokens).map_err(|error| EmbedError::Load(error.to_string()))?;
        let weights = proven(dir, &format!("{NAME}/model.onnx"))?;
        let model = Model::load(weights).map_err(|error| EmbedError::Load(error.to_string()))?;
        let input = |name| model.node_id(name).map_err(|error| EmbedError::Load(error.to_string()));
        let inputs = [input("input_ids")?, input("attention_mask")?, input("token_type_ids")?];
        let output =
            *model.output_ids().first().ok_or_else(|| EmbedError::Load("it has no output".into()))?;
        let pool = || Arc::new(ThreadPool::with_num_threads(1));
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let questions = (0..cores).map(|_| pool()).collect();
        Ok(Self {
            model,
            tokenizer,
            inputs,
            output,
            questions,
            background: pool(),
            next: AtomicUsize::new(0),
        })
    }

    /// The name under which vectors are kept: those of another model or of other weights are none of its own.
    pub fn name(&self) -> &'static str {
        "all-minilm-l6-v2-int8"
    }

    /// The direction of one text; the same for the same text, on every run. Blocks for a few milliseconds.
    pub fn embed(&self, text: &str, lane: Lane) -> Result<Vector, EmbedError> {
        let failed = |error: &dyn fmt::Display| EmbedError::Run(error.to_string());
        let options = EncodeOptions { max_chunk_len: Some(TOKENS), ..EncodeOptions::default() };
        let encoded = self.tokenizer.encode(text, Some(options)).map_err(|error| failed(&error))?;
        let ids: Vec<i32> = encoded.token_ids().iter().filter_map(|id| i32::try_from(*id).ok()).collect();
        let length = ids.len();
        let row = |values: Vec<i32>| NdTensor::from_data([1, length], values).into();
        let [ids_at, mask_at, types_at] = self.inputs;
        let inputs =
            vec![(ids_at, row(ids)), (mask_at, row(vec![1; length])), (types_at, row(vec![0; length]))];
        let pool = match lane {
            Lane::Background => &self.background,
            Lane::Question => {
                let turn = self.next.fetch_add(1, Ordering::Relaxed);
                self.questions.get(turn % self.questions.len().max(1)).unwrap_or(&self.background)
            }
        };
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(pool)));
        let output = self.model.run(inputs, &[self.output], Some(options)).map_err(|error| failed(&error))?;
        let hidden = output.into_iter().next().ok_or_else(|| failed(&"there is no output"))?;
        let hidden: Tensor<f32> = hidden.try_into().map_err(|_| failed(&"the output is of another kind"))?;
        mean(&hidden.to_vec()).ok_or_else(|| failed(&"the output has no direction"))
    }
}

/// The mean of the tokens' vectors, as the model's `1_Pooling` says.
fn mean(hidden: &[f32]) -> Option<Vector> {
    let mut sum = [0_f32; DIMENSIONS];
    for token in hidden.chunks_exact(DIMENSIONS) {
        sum.iter_mut().zip(token).for_each(|(sum, cell)| *sum += cell);
    }
    Vector::of(&sum)
}
