//! Every loop as every machine has it; the wider forms are these, compiled for wider registers, where nothing better is known.
#![expect(clippy::inline_always, reason = "they take the instructions of who calls them")]

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

use super::{GROUP, HEAD, LANES, Linear, Signs, Span, TOGETHER, Wide};

/// `layer_norm_eps` of the model's `config.json`.
const EPSILON: f32 = 1e-12;
/// Tokens whose scores are held at once: all that the model was trained to read.
const TOKENS: usize = 256;
/// Added to a small number, it leaves no place for what is behind its point: what is in front of it ends the number's bits.
const ROUND: f32 = 12_582_912.0;
/// Steps of a token.
const MOST: f32 = 255.0;

#[inline(always)]
pub(super) fn dot(one: &[i8], two: &[i8]) -> i32 {
    one.iter().zip(two).map(|(one, two)| i32::from(*one) * i32::from(*two)).sum()
}

#[inline(always)]
pub(super) fn differing(blocks: &[Signs], sought: &[u64; 6], into: &mut Vec<u16>) {
    for block in blocks {
        let mut differ = [0_u64; 8];
        for (row, sought) in block.iter().zip(sought) {
            for (differ, word) in differ.iter_mut().zip(row) {
                *differ += u64::from((word ^ sought).count_ones());
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "384 at most")]
        into.extend_from_slice(&differ.map(|differ| differ as u16));
    }
}

#[inline(always)]
pub(super) fn widen(rows: &[f32], width: usize, into: &mut Wide) {
    into.width = width;
    into.bytes.clear();
    into.spans.clear();
    for row in rows.chunks_exact(width.max(1)) {
        let (mut low, mut high) = ([f32::MAX; LANES], [f32::MIN; LANES]);
        for some in row.as_chunks::<LANES>().0 {
            for ((low, high), cell) in low.iter_mut().zip(&mut high).zip(some) {
                *low = if *cell < *low { *cell } else { *low };
                *high = if *cell > *high { *cell } else { *high };
            }
        }
        let least = low.iter().fold(f32::MAX, |least, lane| least.min(*lane));
        let most = high.iter().fold(f32::MIN, |most, lane| most.max(*lane));
        let span = (most - least).max(f32::MIN_POSITIVE);
        let factor = MOST / span;
        #[expect(clippy::cast_possible_truncation, reason = "the last byte is what is wanted")]
        let whole = |cell: &f32| ((cell - least) * factor + ROUND).to_bits() as u8;
        into.bytes.extend(row.iter().map(whole));
        into.spans.push(Span { least, step: span / MOST });
    }
}

#[inline(always)]
pub(super) fn multiply(tokens: &Wide, by: &Linear, into: &mut [f32]) {
    let outputs = by.outputs();
    for (block, weights) in by.cells.chunks_exact(TOGETHER * by.inputs).enumerate() {
        let rows = tokens.bytes.chunks_exact(by.inputs).zip(into.chunks_exact_mut(outputs));
        for ((bytes, to), span) in rows.zip(&tokens.spans) {
            let mut sums = [0_i32; TOGETHER];
            let groups = bytes.as_chunks::<GROUP>().0.iter();
            for (group, weights) in groups.zip(weights.as_chunks::<{ TOGETHER * GROUP }>().0) {
                for (sum, weights) in sums.iter_mut().zip(weights.as_chunks::<GROUP>().0) {
                    let products =
                        group.iter().zip(weights).map(|(one, two)| i32::from(*one) * i32::from(*two));
                    *sum += products.sum::<i32>();
                }
            }
            let begin = block * TOGETHER;
            finish(&sums, by, begin, *span, to.get_mut(begin..begin + TOGETHER).unwrap_or_default());
        }
    }
}

/// From the sums of some outputs, `begin` the first of them, to what they are worth.
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "a millionth of what eight bits have lost")]
fn finish(sums: &[i32], by: &Linear, begin: usize, span: Span, to: &mut [f32]) {
    let of = by.sums.iter().zip(&by.scales).zip(&by.bias).skip(begin);
    for ((to, sum), ((all, own), bias)) in to.iter_mut().zip(sums).zip(of) {
        *to = (*sum as f32 * span.step + all * span.least) * own + bias;
    }
}

#[inline(always)]
pub(super) fn gelu(cells: &mut [f32]) {
    for cell in cells {
        *cell *= 0.5 * (1.0 + erf(*cell * FRAC_1_SQRT_2));
    }
}

/// The error function to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
#[inline(always)]
fn erf(of: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * of.abs());
    let sum =
        ((((1.061_405_4 * t - 1.453_152_1) * t + 1.421_413_8) * t - 0.284_496_72) * t + 0.254_829_6) * t;
    (1.0 - sum * exp(-of * of)).copysign(of)
}

#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "some hundreds")]
pub(super) fn norm(rows: &mut [f32], more: &[f32], weight: &[f32], bias: &[f32]) {
    let width = weight.len().max(1);
    for (row, more) in rows.chunks_exact_mut(width).zip(more.chunks_exact(width)) {
        row.iter_mut().zip(more).for_each(|(to, what)| *to += what);
        let mean = sum(row, |cell| cell) / width as f32;
        let spread = sum(row, |cell| (cell - mean) * (cell - mean)) / width as f32;
        let factor = (spread + EPSILON).sqrt().recip();
        for ((cell, weight), bias) in row.iter_mut().zip(weight).zip(bias) {
            *cell = (*cell - mean) * factor * weight + bias;
        }
    }
}

/// A sum in the order of [`LANES`].
#[inline(always)]
fn sum(cells: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (some, rest) = cells.as_chunks::<LANES>();
    for some in some {
        lanes.iter_mut().zip(some).for_each(|(lane, cell)| *lane += of(*cell));
    }
    lanes.iter().copied().chain(rest.iter().map(|cell| of(*cell))).sum()
}

#[inline(always)]
pub(super) fn attend(together: &[f32], tokens: usize, heads: usize, keys: &mut Vec<f32>, into: &mut [f32]) {
    let (tokens, width) = (tokens.min(TOKENS), heads * HEAD);
    let room = tokens.next_multiple_of(LANES);
    let part = |token: usize, begin: usize| -> &[f32; HEAD] {
        let row = together.get(token * 3 * width + begin..).and_then(<[f32]>::first_chunk);
        row.unwrap_or(&[0.0; HEAD])
    };
    for head in 0..heads {
        // Turned round, so that the same number of many keys lies side by side; then the values.
        keys.clear();
        keys.resize(HEAD * room, 0.0);
        for token in 0..tokens {
            let key = part(token, width + head * HEAD);
            keys.iter_mut().skip(token).step_by(room).zip(key).for_each(|(to, cell)| *to = *cell);
        }
        for token in 0..tokens {
            let mut scores = [0.0_f32; TOKENS];
            let scores = scores.get_mut(..room).unwrap_or_default();
            like(part(token, head * HEAD), keys, scores);
            let share = shares(scores, tokens);
            let mut seen = [0.0_f32; HEAD];
            for (at, score) in scores.iter().take(tokens).enumerate() {
                let value = part(at, 2 * width + head * HEAD);
                let share = score * share;
                seen.iter_mut().zip(value).for_each(|(seen, value)| *seen += share * value);
            }
            let begin = token * width + head * HEAD;
            if let Some(to) = into.get_mut(begin..begin + HEAD) {
                to.copy_from_slice(&seen);
            }
        }
    }
}

/// How much each of `keys` is like the query.
#[inline(always)]
fn like(query: &[f32; HEAD], keys: &[f32], scores: &mut [f32]) {
    let room = scores.len();
    for (block, to) in scores.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
        let mut sums = [0.0_f32; LANES];
        for (number, row) in query.iter().zip(keys.chunks_exact(room.max(1))) {
            if let Some(row) = row.get(block * LANES..(block + 1) * LANES) {
                sums.iter_mut().zip(row).for_each(|(sum, key)| *sum += number * key);
            }
        }
        *to = sums;
    }
}

/// Brings the first `tokens` scores to shares of a whole, but for the factor it returns.
#[inline(always)]
#[expect(clippy::cast_precision_loss, reason = "32")]
fn shares(scores: &mut [f32], tokens: usize) -> f32 {
    // What is behind them is no token.
    scores.iter_mut().skip(tokens).for_each(|score| *score = f32::MIN);
    let mut lanes = [f32::MIN; LANES];
    for some in scores.as_chunks::<LANES>().0 {
        for (most, score) in lanes.iter_mut().zip(some) {
            *most = if *score > *most { *score } else { *most };
        }
    }
    let most = lanes.iter().fold(f32::MIN, |most, lane| most.max(*lane));
    let scale = (HEAD as f32).sqrt().recip();
    for score in scores.iter_mut() {
        *score = exp((*score - most) * scale);
    }
    sum(scores, |score| score).recip()
}

/// The exponential of what is not above zero, to about one part in ten million.
#[inline(always)]
pub(super) fn exp(of: f32) -> f32 {
    // A comparison, because a maximum asks first whether either is a number.
    let of = if of > -87.0 { of } else { -87.0 };
    let shifted = of * LOG2_E + ROUND;
    let whole = shifted - ROUND;
    // ln 2 in two parts, so that the rest is exact (Cody and Waite).
    let rest = (of - whole * 0.693_359_4) + whole * 2.121_944_4e-4;
    let power = 1.0
        + rest
            * (1.0
                + rest
                    * (0.5 + rest * (1.0 / 6.0 + rest * (1.0 / 24.0 + rest * (1.0 / 120.0 + rest / 720.0)))));
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    power * f32::from_bits(exponent)
}
