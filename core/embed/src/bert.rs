//! MiniLM-L6 (a BERT of six layers; Wang et al., 2020): token numbers go in, a vector comes out.
//!
//! Its weights have eight bits, and so has what they are multiplied with, each token with a scale of its own, so the
//! products are summed exactly, on every machine and in every company alike.

use std::sync::{Mutex, PoisonError};

use crate::kernel::{HEAD, Linear, Wide, attend, gelu, multiply, norm, widen};
use crate::onnx::Tensors;
use crate::{DIMENSIONS, Vector};

const LAYERS: usize = 6;
const HEADS: usize = DIMENSIONS / HEAD;
const INNER: usize = 1536;
/// Rooms that are kept for the next texts, and the tokens up to which one is: others are rare.
const ROOMS: usize = 4;
const USUAL: usize = 64;

struct Norm {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

struct Layer {
    /// Query, key and value of all heads.
    together: Linear,
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
    rooms: Mutex<Vec<Room>>,
}

/// What one text needs while it is read.
#[derive(Default)]
struct Room {
    hidden: Vec<f32>,
    wide: Wide,
    /// What a step makes, and what the next makes of it.
    made: Vec<f32>,
    next: Vec<f32>,
    keys: Vec<f32>,
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
            rooms: Mutex::default(),
        })
    }

    /// The mean of the tokens' vectors, as the model's `1_Pooling` says; `None` for no or unknown tokens.
    pub(crate) fn vector(&self, ids: &[u32]) -> Option<Vector> {
        let mut room = self.rooms.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        room.hidden.clear();
        room.made.clear();
        for (position, id) in ids.iter().enumerate() {
            let (word, place) = (self.words.row(*id as usize)?, self.positions.row(position)?);
            room.hidden.extend(word);
            room.made.extend(place.zip(&self.kind).map(|(place, kind)| place + kind));
        }
        self.norm.apply(&mut room.hidden, &room.made);
        for layer in &self.layers {
            layer.apply(&mut room, ids.len());
        }
        let mut sum = [0.0; DIMENSIONS];
        for token in room.hidden.chunks_exact(DIMENSIONS) {
            sum.iter_mut().zip(token).for_each(|(sum, cell)| *sum += cell);
        }
        let mut rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner);
        if rooms.len() < ROOMS && ids.len() <= USUAL {
            rooms.push(room);
        }
        drop(rooms);
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
        let mut weights = |part: &str| Weights::read(tensors, matrices.next()?, &name(part));
        let (query, key, value) = (
            weights("attention.self.query.bias")?,
            weights("attention.self.key.bias")?,
            weights("attention.self.value.bias")?,
        );
        Some(Self {
            together: query.beside(&key)?.beside(&value)?.linear()?,
            attended: weights("attention.output.dense.bias")?.linear()?,
            attended_norm: Norm::read(tensors, &name("attention.output.LayerNorm"))?,
            inner: weights("intermediate.dense.bias")?.linear()?,
            outer: weights("output.dense.bias")?.linear()?,
            norm: Norm::read(tensors, &name("output.LayerNorm"))?,
        })
    }

    fn apply(&self, room: &mut Room, tokens: usize) {
        let Room { hidden, wide, made, next, keys } = room;
        widen(hidden, DIMENSIONS, wide);
        through(&self.together, wide, made);
        next.resize(tokens * DIMENSIONS, 0.0);
        attend(made, tokens, HEADS, keys, next);
        widen(next, DIMENSIONS, wide);
        through(&self.attended, wide, next);
        self.attended_norm.apply(hidden, next);
        widen(hidden, DIMENSIONS, wide);
        through(&self.inner, wide, made);
        gelu(made);
        widen(made, INNER, wide);
        through(&self.outer, wide, next);
        self.norm.apply(hidden, next);
    }
}

fn through(linear: &Linear, tokens: &Wide, into: &mut Vec<f32>) {
    into.resize(tokens.spans.len() * linear.outputs(), 0.0);
    multiply(tokens, linear, into);
}

/// A matrix as the file has it: for each input the weights to all outputs.
struct Weights {
    by_input: Vec<i8>,
    scales: Vec<f32>,
    bias: Vec<f32>,
}

impl Weights {
    fn read(tensors: &Tensors<'_>, matrix: &str, bias: &str) -> Option<Self> {
        let by_input = tensors.bytes(&format!("{matrix}_q"))?;
        let scales = tensors.floats(&format!("{matrix}_scale"))?;
        let bias = tensors.floats(bias)?;
        (!scales.is_empty()).then_some(Self { by_input, scales, bias })
    }

    /// Both for the same inputs.
    fn beside(self, other: &Self) -> Option<Self> {
        let own = self.by_input.chunks_exact(self.scales.len());
        let others = other.by_input.chunks_exact(other.scales.len());
        if own.len() != others.len() {
            return None;
        }
        let by_input = own.zip(others).flat_map(|(own, other)| own.iter().chain(other)).copied().collect();
        let (scales, bias) = ([self.scales, other.scales.clone()], [self.bias, other.bias.clone()]);
        Some(Self { by_input, scales: scales.concat(), bias: bias.concat() })
    }

    fn linear(self) -> Option<Linear> {
        Linear::new(&self.by_input, self.scales, self.bias)
    }
}

impl Norm {
    fn read(tensors: &Tensors<'_>, name: &str) -> Option<Self> {
        let part =
            |part: &str| tensors.floats(&format!("{name}.{part}")).filter(|part| part.len() == DIMENSIONS);
        Some(Self { weight: part("weight")?, bias: part("bias")? })
    }

    fn apply(&self, rows: &mut [f32], more: &[f32]) {
        norm(rows, more, &self.weight, &self.bias);
    }
}
