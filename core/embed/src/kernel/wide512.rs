//! The loops for machines with AVX-512 and its instructions for neural networks.

use std::arch::x86_64::{
    __m512i, _mm_storeu_si128, _mm512_add_epi64, _mm512_add_ps, _mm512_cvtepi32_ps, _mm512_cvtepi64_epi16,
    _mm512_dpbusd_epi32, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mul_ps, _mm512_popcnt_epi64,
    _mm512_set1_epi32, _mm512_set1_epi64, _mm512_set1_ps, _mm512_setzero_si512, _mm512_storeu_ps,
    _mm512_xor_si512,
};

use super::{GROUP, Linear, Signs, Span, TOGETHER, Wide, plain};

/// Tokens whose sums are in registers at once.
const ROWS: usize = 8;
/// Registers of outputs beside each other.
const BESIDE: usize = 2;
/// Outputs that are summed at once.
const BLOCK: usize = BESIDE * TOGETHER;

#[target_feature(enable = "avx512f,avx512bw,avx512vpopcntdq")]
pub(super) fn dot(one: &[i8], two: &[i8]) -> i32 {
    plain::dot(one, two)
}

#[target_feature(enable = "avx512f,avx512bw,avx512vpopcntdq")]
pub(super) fn differing(blocks: &[Signs], sought: &[u64; 6], into: &mut Vec<u16>) {
    let wanted = sought.map(|word| _mm512_set1_epi64(word.cast_signed()));
    for block in blocks {
        let mut differ = _mm512_setzero_si512();
        for (words, wanted) in block.iter().zip(&wanted) {
            #[expect(unsafe_code, reason = "a load of 64 bytes")]
            // SAFETY: `words` is eight numbers of eight bytes.
            let words = unsafe { _mm512_loadu_si512(words.as_ptr().cast()) };
            differ = _mm512_add_epi64(differ, _mm512_popcnt_epi64(_mm512_xor_si512(words, *wanted)));
        }
        let mut some = [0_u16; 8];
        #[expect(unsafe_code, reason = "a store of 16 bytes")]
        // SAFETY: `some` is eight numbers of two bytes.
        unsafe {
            _mm_storeu_si128(some.as_mut_ptr().cast(), _mm512_cvtepi64_epi16(differ));
        };
        into.extend_from_slice(&some);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vpopcntdq")]
pub(super) fn widen(rows: &[f32], width: usize, into: &mut Wide) {
    plain::widen(rows, width, into);
}

#[target_feature(enable = "avx512f,avx512bw,avx512vpopcntdq")]
pub(super) fn gelu(cells: &mut [f32]) {
    plain::gelu(cells);
}

#[target_feature(enable = "avx512f,avx512bw,avx512vpopcntdq")]
pub(super) fn norm(rows: &mut [f32], more: &[f32], weight: &[f32], bias: &[f32]) {
    plain::norm(rows, more, weight, bias);
}

#[target_feature(enable = "avx512f,avx512bw,avx512vpopcntdq")]
pub(super) fn attend(together: &[f32], tokens: usize, heads: usize, keys: &mut Vec<f32>, into: &mut [f32]) {
    plain::attend(together, tokens, heads, keys, into);
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) fn multiply(tokens: &Wide, by: &Linear, into: &mut [f32]) {
    let (width, outputs) = (by.inputs, by.outputs());
    if !outputs.is_multiple_of(BLOCK) || !width.is_multiple_of(GROUP) {
        return plain::multiply(tokens, by, into);
    }
    for block in 0..outputs / BLOCK {
        let rows = tokens.bytes.chunks(ROWS * width).zip(into.chunks_mut(ROWS * outputs));
        for ((bytes, to), spans) in rows.zip(tokens.spans.chunks(ROWS)) {
            match spans.len() {
                1 => rows_of::<1>(bytes, spans, by, block, to),
                2 => rows_of::<2>(bytes, spans, by, block, to),
                3 => rows_of::<3>(bytes, spans, by, block, to),
                4 => rows_of::<4>(bytes, spans, by, block, to),
                5 => rows_of::<5>(bytes, spans, by, block, to),
                6 => rows_of::<6>(bytes, spans, by, block, to),
                7 => rows_of::<7>(bytes, spans, by, block, to),
                _ => rows_of::<8>(bytes, spans, by, block, to),
            }
        }
    }
}

/// A block of outputs of `COUNT` tokens.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn rows_of<const COUNT: usize>(bytes: &[u8], spans: &[Span], by: &Linear, block: usize, to: &mut [f32]) {
    let (width, outputs) = (by.inputs, by.outputs());
    let begin = block * BLOCK;
    assert!(begin + BLOCK <= outputs && width.is_multiple_of(GROUP));
    assert!(bytes.len() >= COUNT * width && spans.len() >= COUNT && to.len() >= COUNT * outputs);
    assert!(by.cells.len() >= outputs * width && by.sums.len() >= outputs && by.bias.len() >= outputs);
    let mut sums: [[__m512i; BESIDE]; COUNT] = [[_mm512_setzero_si512(); BESIDE]; COUNT];
    for at in (0..width).step_by(GROUP) {
        let mut held = [_mm512_setzero_si512(); BESIDE];
        for (beside, held) in held.iter_mut().enumerate() {
            let from = (begin + beside * TOGETHER) * width + at * TOGETHER;
            #[expect(unsafe_code, reason = "a load of 64 bytes")]
            // SAFETY: the assertions say that `cells` has `width` bytes for each output.
            unsafe {
                *held = _mm512_loadu_si512(by.cells.as_ptr().add(from).cast());
            };
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            #[expect(unsafe_code, reason = "the assertions outside of the loop are enough")]
            // SAFETY: they say that `bytes` has `COUNT` times `width`, and `at` is four before its end at most.
            let group = unsafe { bytes.as_ptr().add(row * width + at).cast::<i32>().read_unaligned() };
            for (sum, held) in sums.iter_mut().zip(&held) {
                *sum = _mm512_dpbusd_epi32(*sum, _mm512_set1_epi32(group), *held);
            }
        }
    }
    for (row, (sums, span)) in sums.iter().zip(spans).enumerate() {
        for (beside, sum) in sums.iter().enumerate() {
            let at = begin + beside * TOGETHER;
            #[expect(unsafe_code, reason = "loads and a store of 64 bytes")]
            // SAFETY: the assertions say that each has 16 numbers of four bytes from there on.
            unsafe {
                let (all, own, bias) = (
                    _mm512_loadu_ps(by.sums.as_ptr().add(at)),
                    _mm512_loadu_ps(by.scales.as_ptr().add(at)),
                    _mm512_loadu_ps(by.bias.as_ptr().add(at)),
                );
                let steps = _mm512_mul_ps(_mm512_cvtepi32_ps(*sum), _mm512_set1_ps(span.step));
                let worth = _mm512_add_ps(steps, _mm512_mul_ps(all, _mm512_set1_ps(span.least)));
                let made = _mm512_add_ps(_mm512_mul_ps(worth, own), bias);
                _mm512_storeu_ps(to.as_mut_ptr().add(row * outputs + at), made);
            };
        }
    }
}
