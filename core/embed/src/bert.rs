//! MiniLM-L6 (a BERT of six layers; Wang et al., 2020): token numbers go in, a vector comes out.
//!
//! Its weights have eight bits, and what they are multiplied with gets fourteen, each token with a scale of its own, so
//! the products are summed exactly, on every machine and in every company alike.

use crate::kernel::{TOGETHER, Wide, gelu, look, multiply, packed};
use crate::onnx::Tensors;
use crate::{DIMENSIONS, Vector};

const LAYERS: usize = 6;
const HEADS: usize = 12;
const HEAD: usize = DIMENSIONS / HEADS;
const INNER: usize = 1536;
/// `layer_norm_eps` of its `config.json`.
const EPSILON: f32 = 1e-12;
/// Products of numbers up to this with bytes, 1536 of them, sum to less than 2³¹.
const MOST: f32 = 8191.0;

/// Weights from one width to another: for each output its bytes, its scale and what is added to it.
struct Linear {
    inputs: usize,
    cells: Vec<i8>,
    scales: Vec<f32>,
    bias: Vec<f32>,
}

struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attended: Linear,
    attended_norm: Norm,
    inner: Linear,
    outer: Linear,
    norm: Norm,
}

/// Rows of bytes, each with a scale.
struct Table {
    cells: Vec<i8>,
    scales: Vec<f32>,
}

/// The model: 23 MB.
pub(crate) struct Bert {
    words: Table,
    positions: Table,
    kind: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

impl Bert {
    /// `None` if something is not there or has another size.
    pub(crate) fn read(file: &[u8]) -> Option<Self> {
        let tensors = Tensors::read(file)?;
        // The matrices have no names of their own; they come in the order in which they are used.
        let mut matrices = tensors
            .names
            .iter()
            .filter_map(|name| name.strip_suffix("_q"))
            .filter(|name| name.starts_with("val_"));
        let layers =
            (0..LAYERS).map(|number| Layer::read(&tensors, number, &mut matrices)).collect::<Option<_>>()?;
        let table = |name: &str| {
            let cells = tensors.bytes(&format!("inner.embeddings.{name}.weight_q"))?;
            let scales = tensors.floats(&format!("inner.embeddings.{name}.weight_scale"))?;
            (cells.len() == scales.len() * DIMENSIONS).then_some(Table { cells, scales })
        };
        let mut kind = tensors.floats("inner.embeddings.token_type_embeddings.weight")?;
        kind.truncate(DIMENSIONS);
        Some(Self {
            words: table("word_embeddings")?,
            positions: table("position_embeddings")?,
            kind,
            norm: Norm::read(&tensors, "inner.embeddings.LayerNorm")?,
            layers,
        })
    }

    /// The mean of the tokens' vectors, as the model's `1_Pooling` says; `None` for no or unknown tokens.
    pub(crate) fn vector(&self, ids: &[u32]) -> Option<Vector> {
        let mut hidden = Vec::with_capacity(ids.len() * DIMENSIONS);
        for (position, id) in ids.iter().enumerate() {
            let (word, place) = (self.words.row(*id as usize)?, self.positions.row(position)?);
            hidden.extend(word.zip(place).zip(&self.kind).map(|((word, place), kind)| word + place + kind));
        }
        self.norm.apply(&mut hidden);
        for layer in &self.layers {
            layer.apply(&mut hidden);
        }
        let mut sum = [0.0; DIMENSIONS];
        for token in hidden.chunks_exact(DIMENSIONS) {
            sum.iter_mut().zip(token).for_each(|(sum, cell)| *sum += cell);
        }
        Vector::of(&sum)
    }
}

impl Table {
    fn row(&self, at: usize) -> Option<impl Iterator<Item = f32>> {
        let scale = *self.scales.get(at)?;
        let cells = self.cells.get(at * DIMENSIONS..(at + 1) * DIMENSIONS)?;
        Some(cells.iter().map(move |cell| f32::from(*cell) * scale))
    }
}

impl Layer {
    fn read<'a>(
        tensors: &Tensors<'_>,
        number: usize,
        matrices: &mut impl Iterator<Item = &'a str>,
    ) -> Option<Self> {
        let name = |part: &str| format!("inner.encoder.layer.{number}.{part}");
        let mut linear = |part: &str| Linear::read(tensors, matrices.next()?, &name(part));
        Some(Self {
            query: linear("attention.self.query.bias")?,
            key: linear("attention.self.key.bias")?,
            value: linear("attention.self.value.bias")?,
            attended: linear("attention.output.dense.bias")?,
            attended_norm: Norm::read(tensors, &name("attention.output.LayerNorm"))?,
            inner: linear("intermediate.dense.bias")?,
            outer: linear("output.dense.bias")?,
            norm: Norm::read(tensors, &name("output.LayerNorm"))?,
        })
    }

    fn apply(&self, hidden: &mut [f32]) {
        let wide = widened(hidden, DIMENSIONS);
        let (query, key, value) = (self.query.apply(&wide), self.key.apply(&wide), self.value.apply(&wide));
        let attended = self.attended.apply(&widened(&attend(&query, &key, &value), DIMENSIONS));
        add(hidden, &attended);
        self.attended_norm.apply(hidden);
        let mut inner = self.inner.apply(&widened(hidden, DIMENSIONS));
        gelu(&mut inner);
        add(hidden, &self.outer.apply(&widened(&inner, INNER)));
        self.norm.apply(hidden);
    }
}

impl Linear {
    fn read(tensors: &Tensors<'_>, matrix: &str, bias: &str) -> Option<Self> {
        let by_input = tensors.bytes(&format!("{matrix}_q"))?;
        let scales = tensors.floats(&format!("{matrix}_scale"))?;
        let bias = tensors.floats(bias)?;
        let outputs = scales.len();
        let inputs = by_input.len().checked_div(outputs)?;
        if bias.len() != outputs || by_input.len() != inputs * outputs || inputs % 2 + outputs % TOGETHER != 0
        {
            return None;
        }
        let cells = packed(&by_input, outputs);
        Some(Self { inputs, cells, scales, bias })
    }

    fn apply(&self, tokens: &Wide) -> Vec<f32> {
        debug_assert_eq!(tokens.width * 2, self.inputs);
        let mut out = multiply(tokens, &self.cells);
        for (row, scale) in out.chunks_exact_mut(self.scales.len()).zip(&tokens.scales) {
            for ((cell, own), bias) in row.iter_mut().zip(&self.scales).zip(&self.bias) {
                *cell = *cell * scale * own + bias;
            }
        }
        out
    }
}

impl Norm {
    fn read(tensors: &Tensors<'_>, name: &str) -> Option<Self> {
        let part =
            |part: &str| tensors.floats(&format!("{name}.{part}")).filter(|part| part.len() == DIMENSIONS);
        Some(Self { weight: part("weight")?, bias: part("bias")? })
    }

    #[expect(clippy::cast_precision_loss, reason = "384")]
    fn apply(&self, rows: &mut [f32]) {
        for row in rows.chunks_exact_mut(DIMENSIONS) {
            let mean = row.iter().sum::<f32>() / DIMENSIONS as f32;
            let spread =
                row.iter().map(|cell| (cell - mean) * (cell - mean)).sum::<f32>() / DIMENSIONS as f32;
            let factor = (spread + EPSILON).sqrt().recip();
            for ((cell, weight), bias) in row.iter_mut().zip(&self.weight).zip(&self.bias) {
                *cell = (*cell - mean) * factor * weight + bias;
            }
        }
    }
}

/// Each token in whole numbers, with its scale.
fn widened(rows: &[f32], width: usize) -> Wide {
    let mut wide = Wide { pairs: Vec::with_capacity(rows.len() / 2), scales: Vec::new(), width: width / 2 };
    for row in rows.chunks_exact(width) {
        let most = row.iter().fold(f32::MIN_POSITIVE, |most, cell| most.max(cell.abs()));
        let factor = MOST / most;
        #[expect(clippy::cast_possible_truncation, reason = "at most 8192 by its factor")]
        let whole = |cell: f32| (cell * factor + 0.5_f32.copysign(cell)) as i32;
        let (pairs, _) = row.as_chunks::<2>();
        wide.pairs.extend(pairs.iter().map(|[low, high]| whole(*high) << 16 | whole(*low) & 0xffff));
        wide.scales.push(most / MOST);
    }
    wide
}

/// Each head of each token looks at that head of all tokens.
fn attend(query: &[f32], key: &[f32], value: &[f32]) -> Vec<f32> {
    let tokens = query.len() / DIMENSIONS;
    let mut out = vec![0.0; query.len()];
    let mut keys = vec![0.0; tokens * HEAD];
    for head in 0..HEADS {
        let part = |rows: &[f32], token: usize| -> [f32; HEAD] {
            let begin = token * DIMENSIONS + head * HEAD;
            rows.get(begin..begin + HEAD).and_then(|part| part.try_into().ok()).unwrap_or([0.0; HEAD])
        };
        // Turned round, so that the same number of many keys lies side by side.
        for token in 0..tokens {
            for (number, cell) in part(key, token).into_iter().enumerate() {
                if let Some(to) = keys.get_mut(number * tokens + token) {
                    *to = cell;
                }
            }
        }
        let values: Vec<[f32; HEAD]> = (0..tokens).map(|token| part(value, token)).collect();
        for token in 0..tokens {
            let seen = look(&part(query, token), &keys, &values);
            let begin = token * DIMENSIONS + head * HEAD;
            if let Some(to) = out.get_mut(begin..begin + HEAD) {
                to.copy_from_slice(&seen);
            }
        }
    }
    out
}

fn add(to: &mut [f32], what: &[f32]) {
    to.iter_mut().zip(what).for_each(|(to, what)| *to += what);
}
