//! The loops that reading and searching spend their time in: once as every machine has them, and once for wider registers.
//! Both count in whole numbers, or in the same order, and give the same.

mod plain;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod wide256;
#[cfg(target_arch = "x86_64")]
mod wide512;

/// Which numbers of eight vectors are above zero: the first 64 of each, then the next 64 of each, and so on.
pub(crate) type Signs = [[u64; 8]; 6];

/// Numbers of one head of the model.
pub(crate) const HEAD: usize = 32;

/// Outputs whose weights lie together.
pub(crate) const TOGETHER: usize = 16;

/// Inputs whose weights to one output lie together.
pub(crate) const GROUP: usize = 4;

/// Numbers that are summed beside each other, in every form of a loop: so all forms give the same sums.
pub(crate) const LANES: usize = 16;

/// Tokens in whole numbers, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Wide {
    pub(crate) bytes: Vec<u8>,
    /// Of each token.
    pub(crate) spans: Vec<Span>,
    /// Numbers of a token.
    pub(crate) width: usize,
}

/// What the bytes of a token stand for: zero for the least of its numbers, and each step from there on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    pub(crate) least: f32,
    pub(crate) step: f32,
}

/// Weights from one width to another: for each output its bytes, its scale and what is added to it.
#[derive(Debug)]
pub(crate) struct Linear {
    pub(crate) inputs: usize,
    /// As [`packed`] puts them.
    pub(crate) cells: Vec<i8>,
    /// The sum of the bytes of each output.
    pub(crate) sums: Vec<f32>,
    pub(crate) scales: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

impl Linear {
    /// `by_input`: for each input the weights to all outputs. `None` if the sizes are none that the loops know.
    pub(crate) fn new(by_input: &[i8], scales: Vec<f32>, bias: Vec<f32>) -> Option<Self> {
        let outputs = scales.len();
        let inputs = by_input.len().checked_div(outputs)?;
        let fits = bias.len() == outputs && by_input.len() == inputs * outputs;
        if !fits || inputs % GROUP + outputs % TOGETHER != 0 {
            return None;
        }
        let mut sums = vec![0.0; outputs];
        for row in by_input.chunks_exact(outputs) {
            sums.iter_mut().zip(row).for_each(|(sum, cell)| *sum += f32::from(*cell));
        }
        Some(Self { inputs, cells: packed(by_input, outputs), sums, scales, bias })
    }

    pub(crate) fn outputs(&self) -> usize {
        self.scales.len()
    }
}

/// Puts weights into the order that [`multiply`] goes through them in: of [`TOGETHER`] outputs the first four each, then the
/// next four each, and so on.
fn packed(by_input: &[i8], outputs: usize) -> Vec<i8> {
    let rows: Vec<&[i8]> = by_input.chunks_exact(outputs.max(1)).collect();
    let mut packed = Vec::with_capacity(by_input.len());
    for block in (0..outputs).step_by(TOGETHER) {
        for group in rows.chunks(GROUP) {
            for output in block..block + TOGETHER {
                packed.extend(group.iter().map(|row| row.get(output).copied().unwrap_or(0)));
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
            if is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vnni")
                && is_x86_feature_detected!("avx512vpopcntdq")
            {
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

/// Has a row brought nearer while other work is done; it changes nothing.
pub(crate) fn fetch(row: &[i8]) {
    #[cfg(target_arch = "x86_64")]
    for line in row.chunks(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        #[expect(unsafe_code, reason = "a hint")]
        // SAFETY: every x86-64 has it, and it reads nothing.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr());
        };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

/// The sum of products of two rows.
pub(crate) fn dot(one: &[i8], two: &[i8]) -> i32 {
    widest!(dot(one, two))
}

/// Appends for each row of `blocks` how many of its signs differ from those of `sought`.
pub(crate) fn differing(blocks: &[Signs], sought: &[u64; 6], into: &mut Vec<u16>) {
    widest!(differing(blocks, sought, into));
}

/// Each token in whole numbers.
pub(crate) fn widen(rows: &[f32], width: usize, into: &mut Wide) {
    widest!(widen(rows, width, into));
}

/// For each token all outputs; `into` is as long as they are.
pub(crate) fn multiply(tokens: &Wide, by: &Linear, into: &mut [f32]) {
    debug_assert_eq!(tokens.width, by.inputs);
    debug_assert_eq!(tokens.spans.len() * by.outputs(), into.len());
    widest!(multiply(tokens, by, into));
}

/// The Gaussian error linear unit of each.
pub(crate) fn gelu(cells: &mut [f32]) {
    widest!(gelu(cells));
}

/// Adds `more` to each row, and brings each to mean zero and spread one before its weights and bias are put to it.
pub(crate) fn norm(rows: &mut [f32], more: &[f32], weight: &[f32], bias: &[f32]) {
    widest!(norm(rows, more, weight, bias));
}

/// What a head sees for each of `tokens` rows of `together`, which begin with the query, the key and the value of all heads:
/// the mean of the values, each by how much its key is like the query. `keys` is room to work in.
pub(crate) fn attend(together: &[f32], tokens: usize, heads: usize, keys: &mut Vec<f32>, into: &mut [f32]) {
    widest!(attend(together, tokens, heads, keys, into));
}
