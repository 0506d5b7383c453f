//! The loops for machines with AVX2: the plain ones, compiled for it.

use super::{Linear, Signs, Wide, plain};

#[target_feature(enable = "avx2,popcnt")]
pub(super) fn dot(one: &[i8], two: &[i8]) -> i32 {
    plain::dot(one, two)
}

#[target_feature(enable = "avx2,popcnt")]
pub(super) fn differing(blocks: &[Signs], sought: &[u64; 6], into: &mut Vec<u16>) {
    plain::differing(blocks, sought, into);
}

#[target_feature(enable = "avx2,popcnt")]
pub(super) fn widen(rows: &[f32], width: usize, into: &mut Wide) {
    plain::widen(rows, width, into);
}

#[target_feature(enable = "avx2,popcnt")]
pub(super) fn multiply(tokens: &Wide, by: &Linear, into: &mut [f32]) {
    plain::multiply(tokens, by, into);
}

#[target_feature(enable = "avx2,popcnt")]
pub(super) fn gelu(cells: &mut [f32]) {
    plain::gelu(cells);
}

#[target_feature(enable = "avx2,popcnt")]
pub(super) fn norm(rows: &mut [f32], more: &[f32], weight: &[f32], bias: &[f32]) {
    plain::norm(rows, more, weight, bias);
}

#[target_feature(enable = "avx2,popcnt")]
pub(super) fn attend(together: &[f32], tokens: usize, heads: usize, keys: &mut Vec<f32>, into: &mut [f32]) {
    plain::attend(together, tokens, heads, keys, into);
}
