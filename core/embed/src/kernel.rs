//! The loops that reading and searching spend their time in: once as every machine has them, and once for wider registers.
//! Both count in whole numbers, or in the same order, and give the same.

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

/// Which numbers of a vector are above zero.
pub(crate) type Signs = [u64; 6];

/// Numbers of one head of the model.
const HEAD: usize = 32;

/// Outputs whose weights lie together.
pub(crate) const TOGETHER: usize = 16;

/// Tokens in whole numbers, one after the other, each with its scale.
#[derive(Debug)]
pub(crate) struct Wide {
    /// Two neighbouring numbers of a token each, the first in the lower half.
    pub(crate) pairs: Vec<i32>,
    pub(crate) scales: Vec<f32>,
    /// Pairs of a token.
    pub(crate) width: usize,
}

/// Puts weights into the order that [`multiply`] goes through them in: of [`TOGETHER`] outputs the first two each, then the
/// next two each, and so on. `by_input`: for each input the weights to all outputs.
pub(crate) fn packed(by_input: &[i8], outputs: usize) -> Vec<i8> {
    let rows: Vec<&[i8]> = by_input.chunks_exact(outputs.max(1)).collect();
    let mut packed = Vec::with_capacity(by_input.len());
    for block in (0..outputs).step_by(TOGETHER) {
        for pair in rows.chunks(2) {
            for output in block..block + TOGETHER {
                packed.extend(
                    (0..2).map(|row| pair.get(row).and_then(|row| row.get(output)).copied().unwrap_or(0)),
                );
            }
        }
    }
    packed
}

/// Calls the widest of a function's forms that this machine has.
macro_rules! widest {
    ($name:ident($($argument:expr),*)) => {{
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni") {
                #[expect(unsafe_code, reason = "registers that not every machine has")]
                // SAFETY: this machine was just seen to have them.
                return unsafe { wide512::$name($($argument),*) };
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("popcnt") {
                #[expect(unsafe_code, reason = "registers that not every machine has")]
                // SAFETY: this machine was just seen to have them.
                return unsafe { wide256::$name($($argument),*) };
            }
        }
        plain::$name($($argument),*)
    }};
}

/// The sum of products of two rows.
pub(crate) fn dot(one: &[i8], two: &[i8]) -> i32 {
    widest!(dot(one, two))
}

/// Appends for each of `rows` how many of its signs differ from those of `sought`.
pub(crate) fn differing(rows: &[Signs], sought: &Signs, into: &mut Vec<u16>) {
    widest!(differing(rows, sought, into));
}

/// For each token the sums of its products with the weights to each output, as [`packed`] has put them.
pub(crate) fn multiply(tokens: &Wide, cells: &[i8]) -> Vec<f32> {
    widest!(multiply(tokens, cells))
}

/// The Gaussian error linear unit of each.
pub(crate) fn gelu(cells: &mut [f32]) {
    widest!(gelu(cells));
}

/// What a head sees: the mean of `values`, each by how much its key is like the query. `keys` has the first number of all
/// keys, then the second of all, and so on.
pub(crate) fn look(query: &[f32; HEAD], keys: &[f32], values: &[[f32; HEAD]]) -> [f32; HEAD] {
    widest!(look(query, keys, values))
}

mod plain {
    #![expect(clippy::inline_always, reason = "they take the instructions of who calls them")]

    use super::{FRAC_1_SQRT_2, HEAD, Signs, TOGETHER, Wide, exp};

    #[inline(always)]
    pub(super) fn dot(one: &[i8], two: &[i8]) -> i32 {
        one.iter().zip(two).map(|(one, two)| i32::from(*one) * i32::from(*two)).sum()
    }

    #[inline(always)]
    pub(super) fn differing(rows: &[Signs], sought: &Signs, into: &mut Vec<u16>) {
        into.extend(rows.iter().map(|row| {
            let differ: u32 = row.iter().zip(sought).map(|(one, two)| (one ^ two).count_ones()).sum();
            u16::try_from(differ).unwrap_or(u16::MAX)
        }));
    }

    #[inline(always)]
    #[expect(clippy::cast_precision_loss, reason = "it is scaled afterwards")]
    pub(super) fn multiply(tokens: &Wide, cells: &[i8]) -> Vec<f32> {
        let outputs = cells.len() / (2 * tokens.width);
        let mut out = vec![0.0; outputs * tokens.scales.len()];
        for (block, weights) in cells.chunks_exact(TOGETHER * 2 * tokens.width).enumerate() {
            for (token, pairs) in tokens.pairs.chunks_exact(tokens.width).enumerate() {
                let mut sums = [0_i32; TOGETHER];
                for (pair, weights) in pairs.iter().zip(weights.as_chunks::<{ TOGETHER * 2 }>().0) {
                    let (low, high) = (*pair << 16 >> 16, *pair >> 16);
                    for (sum, [first, second]) in sums.iter_mut().zip(weights.as_chunks::<2>().0) {
                        *sum += low * i32::from(*first) + high * i32::from(*second);
                    }
                }
                let to = out.iter_mut().skip(token * outputs + block * TOGETHER);
                to.zip(sums).for_each(|(to, sum)| *to = sum as f32);
            }
        }
        out
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
    #[expect(clippy::cast_precision_loss, reason = "32")]
    pub(super) fn look(query: &[f32; HEAD], keys: &[f32], values: &[[f32; HEAD]]) -> [f32; HEAD] {
        let mut scores = vec![0.0_f32; values.len()];
        for (number, keys) in query.iter().zip(keys.chunks_exact(values.len().max(1))) {
            scores.iter_mut().zip(keys).for_each(|(score, key)| *score += number * key);
        }
        let scale = (HEAD as f32).sqrt().recip();
        let most = scores.iter().fold(f32::MIN, |most, score| most.max(*score));
        for score in &mut scores {
            *score = exp((*score - most) * scale);
        }
        let sum: f32 = scores.iter().sum();
        let mut seen = [0.0; HEAD];
        for (score, value) in scores.iter().zip(values) {
            let share = score / sum;
            seen.iter_mut().zip(value).for_each(|(seen, value)| *seen += share * value);
        }
        seen
    }
}

/// The exponential of what is not above zero, to about one part in ten million.
#[inline(always)]
fn exp(of: f32) -> f32 {
    /// Added to a small number, it leaves no place for what is behind its point.
    const ROUND: f32 = 12_582_912.0;
    let of = of.max(-87.0);
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

#[cfg(target_arch = "x86_64")]
mod wide256 {
    use super::{HEAD, Signs, Wide, plain};

    #[target_feature(enable = "avx2,popcnt")]
    pub(super) fn dot(one: &[i8], two: &[i8]) -> i32 {
        plain::dot(one, two)
    }

    #[target_feature(enable = "avx2,popcnt")]
    pub(super) fn differing(rows: &[Signs], sought: &Signs, into: &mut Vec<u16>) {
        plain::differing(rows, sought, into);
    }

    #[target_feature(enable = "avx2,popcnt")]
    pub(super) fn multiply(tokens: &Wide, cells: &[i8]) -> Vec<f32> {
        plain::multiply(tokens, cells)
    }

    #[target_feature(enable = "avx2,popcnt")]
    pub(super) fn gelu(cells: &mut [f32]) {
        plain::gelu(cells);
    }

    #[target_feature(enable = "avx2,popcnt")]
    pub(super) fn look(query: &[f32; HEAD], keys: &[f32], values: &[[f32; HEAD]]) -> [f32; HEAD] {
        plain::look(query, keys, values)
    }
}

#[cfg(target_arch = "x86_64")]
mod wide512 {
    use std::arch::x86_64::{
        __m512i, _mm256_loadu_si256, _mm512_cvtepi8_epi16, _mm512_dpwssd_epi32, _mm512_set1_epi32,
        _mm512_setzero_si512, _mm512_storeu_si512,
    };

    use super::{HEAD, Signs, TOGETHER, Wide, plain};

    /// Tokens whose sums are in registers at once.
    const ROWS: usize = 8;
    /// Registers of outputs beside each other.
    const BESIDE: usize = 2;

    #[target_feature(enable = "avx2,popcnt")]
    pub(super) fn dot(one: &[i8], two: &[i8]) -> i32 {
        plain::dot(one, two)
    }

    #[target_feature(enable = "avx2,popcnt")]
    pub(super) fn differing(rows: &[Signs], sought: &Signs, into: &mut Vec<u16>) {
        plain::differing(rows, sought, into);
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn gelu(cells: &mut [f32]) {
        plain::gelu(cells);
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn look(query: &[f32; HEAD], keys: &[f32], values: &[[f32; HEAD]]) -> [f32; HEAD] {
        plain::look(query, keys, values)
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    #[expect(clippy::cast_precision_loss, reason = "it is scaled afterwards")]
    pub(super) fn multiply(tokens: &Wide, cells: &[i8]) -> Vec<f32> {
        let width = tokens.width;
        let outputs = cells.len() / (2 * width);
        if !outputs.is_multiple_of(BESIDE * TOGETHER) {
            return plain::multiply(tokens, cells);
        }
        let mut out = vec![0.0; outputs * tokens.scales.len()];
        for (block, weights) in cells.chunks_exact(BESIDE * TOGETHER * 2 * width).enumerate() {
            for (some, rows) in tokens.pairs.chunks(ROWS * width).enumerate() {
                let mut sums = [[[0; TOGETHER]; BESIDE]; ROWS];
                match rows.len() / width {
                    1 => rows_of::<1>(rows, weights, width, &mut sums),
                    2 => rows_of::<2>(rows, weights, width, &mut sums),
                    3 => rows_of::<3>(rows, weights, width, &mut sums),
                    4 => rows_of::<4>(rows, weights, width, &mut sums),
                    5 => rows_of::<5>(rows, weights, width, &mut sums),
                    6 => rows_of::<6>(rows, weights, width, &mut sums),
                    7 => rows_of::<7>(rows, weights, width, &mut sums),
                    _ => rows_of::<8>(rows, weights, width, &mut sums),
                }
                for (row, sums) in sums.iter().enumerate().take(rows.len() / width) {
                    let at = (some * ROWS + row) * outputs + block * BESIDE * TOGETHER;
                    let to = out.get_mut(at..at + BESIDE * TOGETHER).unwrap_or_default();
                    to.iter_mut().zip(sums.as_flattened()).for_each(|(to, sum)| *to = *sum as f32);
                }
            }
        }
        out
    }

    /// Sums for `COUNT` tokens and two registers of outputs.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn rows_of<const COUNT: usize>(
        rows: &[i32],
        weights: &[i8],
        width: usize,
        into: &mut [[[i32; TOGETHER]; BESIDE]; ROWS],
    ) {
        assert!(rows.len() >= COUNT * width && weights.len() >= BESIDE * TOGETHER * 2 * width);
        let mut sums: [[__m512i; BESIDE]; COUNT] = [[_mm512_setzero_si512(); BESIDE]; COUNT];
        for at in 0..width {
            let mut held = [_mm512_setzero_si512(); BESIDE];
            for (beside, held) in held.iter_mut().enumerate() {
                #[expect(unsafe_code, reason = "a load of 32 bytes")]
                // SAFETY: the assertion says that `weights` has `BESIDE` times `width` of 32 bytes.
                let bytes = unsafe {
                    _mm256_loadu_si256(weights.as_ptr().add((beside * width + at) * TOGETHER * 2).cast())
                };
                *held = _mm512_cvtepi8_epi16(bytes);
            }
            for (row, sums) in sums.iter_mut().enumerate() {
                #[expect(unsafe_code, reason = "the assertion outside of the loop is enough")]
                // SAFETY: it says that `rows` has `COUNT` times `width`.
                let pair = _mm512_set1_epi32(unsafe { *rows.get_unchecked(row * width + at) });
                for (sum, held) in sums.iter_mut().zip(&held) {
                    *sum = _mm512_dpwssd_epi32(*sum, pair, *held);
                }
            }
        }
        for (into, sums) in into.iter_mut().zip(&sums) {
            for (into, sum) in into.iter_mut().zip(sums) {
                #[expect(unsafe_code, reason = "a store of 64 bytes")]
                // SAFETY: `into` is 16 numbers of four bytes.
                unsafe {
                    _mm512_storeu_si512(into.as_mut_ptr().cast(), *sum);
                };
            }
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "small whole numbers, exact in every type here"
)]
mod tests {
    use super::*;

    #[test]
    fn wide_and_plain_agree() {
        let one: Vec<i8> = (0..384).map(|at| (at * 7 % 255 - 127) as i8).collect();
        let two: Vec<i8> = (0..384).map(|at| (at * 11 % 255 - 127) as i8).collect();
        assert_eq!(dot(&one, &two), plain::dot(&one, &two));
        let rows = [[0, 1, 2, 3, 4, u64::MAX], [7; 6]];
        let (mut wide, mut plain) = (Vec::new(), Vec::new());
        differing(&rows, &[1; 6], &mut wide);
        plain::differing(&rows, &[1; 6], &mut plain);
        assert_eq!(wide, plain);
        assert_eq!(plain, [1 + 2 + 1 + 2 + 63, 12]);
    }

    #[test]
    fn sums_of_products_are_exact_for_every_number_of_tokens() {
        for tokens in 1..20 {
            let pairs = (0..tokens * 32)
                .map(|at: i32| (at * 7919 % 16_383 - 8191) << 16 | (at * 31 % 8191))
                .collect();
            let wide = Wide { pairs, scales: vec![1.0; tokens as usize], width: 32 };
            let by_input: Vec<i8> = (0..64 * 96).map(|at: i32| (at * 31 % 255 - 127) as i8).collect();
            let weights = packed(&by_input, 96);
            let sums = multiply(&wide, &weights);
            assert_eq!(sums, plain::multiply(&wide, &weights));
            let sum: i32 = (0..64)
                .map(|at| {
                    let pair = wide.pairs[at / 2];
                    i32::from(by_input[at * 96 + 17])
                        * if at % 2 == 0 { pair << 16 >> 16 } else { pair >> 16 }
                })
                .sum();
            assert_eq!(sums[17], sum as f32);
        }
    }

    #[test]
    fn functions_are_what_they_approach() {
        for of in [-80.0_f32, -9.5, -1.0, -0.3, -1e-4, 0.0] {
            assert!((exp(of) / of.exp() - 1.0).abs() < 1e-6, "{of}");
        }
        let mut cells = [-3.0, -1.0, 0.0, 0.5, 1.0, 3.0];
        gelu(&mut cells);
        // torch.nn.functional.gelu
        let expected = [-0.004_049_7, -0.158_655_25, 0.0, 0.345_731_2, 0.841_344_7, 2.995_950_2];
        assert!(cells.iter().zip(expected).all(|(one, two)| (one - two).abs() < 1e-5), "{cells:?}");
        let seen = look(&[1.0; HEAD], &[0.0; HEAD * 2], &[[1.0; HEAD], [3.0; HEAD]]);
        assert!(seen.iter().all(|cell| (cell - 2.0).abs() < 1e-6));
    }
}
