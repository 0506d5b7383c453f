//! The model: a text goes in, a vector comes out.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};

use crate::tokens::Tokens;
use crate::{DIMENSIONS, EmbedError, Vector, proven};

const NAME: &str = "all-minilm-l6-v2";

/// Who waits for the vector. Readers of new notes have a thread of their own, so that no question waits behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Question,
    Background,
}

/// The model in memory. Its weights are stored in eight bits and computed with in 32, so nothing of a text's vector
/// depends on what is read together with it.
pub struct Embedder {
    model: Model,
    tokens: Tokens,
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
        let tokens = Tokens::by(tokens)?;
        let weights = proven(dir, &format!("{NAME}/model.onnx"))?;
        let model = ModelOptions::with_all_ops().prepack_weights(true).load(weights).map_err(|error| EmbedError::Load(error.to_string()))?;
        let input = |name| model.node_id(name).map_err(|error| EmbedError::Load(error.to_string()));
        let inputs = [input("input_ids")?, input("attention_mask")?, input("token_type_ids")?];
        let output =
            *model.output_ids().first().ok_or_else(|| EmbedError::Load("it has no output".into()))?;
        let pool = || Arc::new(ThreadPool::with_num_threads(1));
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let questions = (0..cores).map(|_| pool()).collect();
        Ok(Self {
            model,
            tokens,
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

    /// The directions of texts that are read together, in their order; the same for the same text, on every run and in
    /// every company. Blocks for some milliseconds for each.
    pub fn embed(&self, texts: &[&str], lane: Lane) -> Result<Vec<Vector>, EmbedError> {
        let failed = |error: &dyn fmt::Display| EmbedError::Run(error.to_string());
        let texts = texts.iter().map(|text| self.tokens.of(text)).collect::<Result<Vec<_>, _>>()?;
        let most = texts.iter().map(Vec::len).max().unwrap_or(0);
        let shape = [texts.len(), most];
        let pad = |value: fn(i32) -> i32| {
            let row = |ids: &Vec<i32>| -> Vec<i32> {
                ids.iter().map(|id| value(*id)).chain(std::iter::repeat_n(0, most - ids.len())).collect()
            };
            NdTensor::from_data(shape, texts.iter().flat_map(row).collect::<Vec<i32>>()).into()
        };
        let [ids_at, mask_at, types_at] = self.inputs;
        let inputs = vec![(ids_at, pad(|id| id)), (mask_at, pad(|_| 1)), (types_at, pad(|_| 0))];
        let options = RunOptions::default().with_thread_pool(Some(Arc::clone(self.pool(lane))));
        let output = self.model.run(inputs, &[self.output], Some(options)).map_err(|error| failed(&error))?;
        let hidden = output.into_iter().next().ok_or_else(|| failed(&"there is no output"))?;
        let hidden: Tensor<f32> = hidden.try_into().map_err(|_| failed(&"the output is of another kind"))?;
        let hidden = hidden.to_vec();
        let rows = hidden.chunks_exact((most * DIMENSIONS).max(1));
        let vectors: Option<Vec<Vector>> = rows.zip(&texts).map(|(row, ids)| mean(row, ids.len())).collect();
        vectors.filter(|vectors| vectors.len() == texts.len()).ok_or_else(|| failed(&"the output has no direction"))
    }

    fn pool(&self, lane: Lane) -> &Arc<ThreadPool> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let question = self.questions.get(turn % self.questions.len().max(1));
        question.filter(|_| lane == Lane::Question).unwrap_or(&self.background)
    }
}

/// The mean of the vectors of the first `tokens`, as the model's `1_Pooling` says.
fn mean(hidden: &[f32], tokens: usize) -> Option<Vector> {
    let mut sum = [0_f32; DIMENSIONS];
    for token in hidden.chunks_exact(DIMENSIONS).take(tokens) {
        sum.iter_mut().zip(token).for_each(|(sum, cell)| *sum += cell);
    }
    Vector::of(&sum)
}
