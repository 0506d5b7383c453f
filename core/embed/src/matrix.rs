//! All vectors of an index in memory, and the search for the nearest.

use crate::kernel::{Signs, differing, dot, fetch};
use crate::{DIMENSIONS, Small, Vector};

/// Vectors that are allocated together.
const CHUNK: usize = 1024;
/// Of so many vectors each is looked at; of more, those whose signs are most like the question's…
const EXACT: usize = 4096;
/// …one in so many, for the signs alone put the nearest ten among them (measured in `benches`, `memory`)…
const SHARE: usize = 48;
/// …and at least so many.
const LEAST: usize = 2048;

/// Vectors whose signs lie together.
const ABREAST: usize = 8;

/// So many vectors before it is looked at, one is asked for: memory is far away.
const AHEAD: usize = 8;

/// A vector to look for.
#[derive(Debug, Clone)]
pub struct Sought {
    small: Small,
    signs: [u64; 6],
}

/// Vectors by number: 436 bytes each.
#[derive(Debug, Default)]
pub struct Matrix {
    chunks: Vec<Box<[i8]>>,
    /// Zero where there is no vector.
    scales: Vec<f32>,
    /// Of eight vectors each.
    signs: Vec<Signs>,
    live: u32,
}

impl From<&Vector> for Sought {
    fn from(vector: &Vector) -> Self {
        Self::from(vector.small())
    }
}

impl From<Small> for Sought {
    fn from(small: Small) -> Self {
        let signs = signs(&small);
        Self { small, signs }
    }
}

impl Matrix {
    pub fn set(&mut self, at: u32, vector: &Small) {
        let index = at as usize;
        if self.scales.len() <= index {
            self.scales.resize(index + 1, 0.0);
            self.signs.resize(index / ABREAST + 1, Signs::default());
            let chunks = index / CHUNK + 1;
            self.chunks.resize_with(chunks, || vec![0; CHUNK * DIMENSIONS].into_boxed_slice());
        }
        let Some(scale) = self.scales.get_mut(index) else { return };
        self.live += u32::from(*scale == 0.0);
        *scale = vector.scale;
        if let Some(block) = self.signs.get_mut(index / ABREAST) {
            for (words, word) in block.iter_mut().zip(signs(vector)) {
                words.iter_mut().skip(index % ABREAST).take(1).for_each(|own| *own = word);
            }
        }
        let begin = index % CHUNK * DIMENSIONS;
        let cells =
            self.chunks.get_mut(index / CHUNK).and_then(|chunk| chunk.get_mut(begin..begin + DIMENSIONS));
        if let Some(cells) = cells {
            cells.copy_from_slice(&vector.cells[..]);
        }
    }

    pub fn clear(&mut self, at: u32) {
        if let Some(scale) = self.scales.get_mut(at as usize).filter(|scale| **scale != 0.0) {
            *scale = 0.0;
            self.live -= 1;
        }
    }

    pub fn get(&self, at: u32) -> Option<Small> {
        let scale = *self.scales.get(at as usize).filter(|scale| **scale != 0.0)?;
        Some(Small { cells: Box::new(self.cells(at)?.try_into().ok()?), scale })
    }

    /// Vectors that are there.
    pub fn live(&self) -> u32 {
        self.live
    }

    /// `None` where there is no vector.
    #[expect(clippy::cast_precision_loss, reason = "384 products of two bytes")]
    pub fn cosine(&self, at: u32, sought: &Sought) -> Option<f32> {
        let scale = *self.scales.get(at as usize).filter(|scale| **scale != 0.0)?;
        Some(dot(self.cells(at)?, &sought.small.cells[..]) as f32 * scale * sought.small.scale)
    }

    /// The `most` vectors nearest to `sought` among those that `fits` lets through, the nearest first, with their cosines.
    /// Where there are many, this is nearly exact and not quite; where few fit, it is exact.
    pub fn nearest(&self, sought: &Sought, most: usize, fits: impl Fn(u32) -> bool) -> Vec<(u32, f32)> {
        let all = u32::try_from(self.scales.len()).unwrap_or(u32::MAX);
        if self.scales.len() > EXACT {
            let like = self.like(sought, LEAST.max(self.scales.len() / SHARE));
            let found = self.best(like.into_iter(), sought, most, &fits);
            if found.len() >= most {
                return found;
            }
        }
        self.best(0..all, sought, most, &fits)
    }

    /// Says that a vector will be looked at in a moment.
    pub fn fetch(&self, at: u32) {
        if let Some(cells) = self.cells(at) {
            fetch(cells);
        }
    }

    fn best(
        &self,
        among: impl Iterator<Item = u32>,
        sought: &Sought,
        most: usize,
        fits: &impl Fn(u32) -> bool,
    ) -> Vec<(u32, f32)> {
        let order = |one: &(u32, f32), two: &(u32, f32)| two.1.total_cmp(&one.1).then(one.0.cmp(&two.0));
        let among: Vec<u32> = among.collect();
        let mut found = Vec::with_capacity(among.len());
        for (number, at) in among.iter().enumerate() {
            if let Some(next) = among.get(number + AHEAD) {
                self.fetch(*next);
            }
            found.extend(self.cosine(*at, sought).map(|cosine| (*at, cosine)));
        }
        let mut kept = Vec::new();
        let mut take = most.saturating_mul(4).max(1);
        // Who fits is asked of the nearest first: mostly nearly all do.
        loop {
            let part = take.min(found.len());
            if part == 0 {
                break;
            }
            if part < found.len() {
                found.select_nth_unstable_by(part - 1, order);
            }
            let rest = found.split_off(part);
            found.sort_unstable_by(order);
            kept.extend(found.iter().filter(|(at, _)| fits(*at)).take(most - kept.len()));
            if kept.len() >= most {
                break;
            }
            found = rest;
            take = take.saturating_mul(4);
        }
        kept
    }

    /// About `most` vectors with the fewest signs that differ from those of `sought`.
    fn like(&self, sought: &Sought, most: usize) -> Vec<u32> {
        let mut distances = Vec::with_capacity(self.signs.len() * ABREAST);
        differing(&self.signs, &sought.signs, &mut distances);
        distances.truncate(self.scales.len());
        let mut counts = [0_usize; DIMENSIONS + 1];
        for distance in &distances {
            if let Some(count) = counts.get_mut(usize::from(*distance)) {
                *count += 1;
            }
        }
        let mut sum = 0;
        let reached = |count: &usize| {
            sum += count;
            sum >= most
        };
        let limit = counts.iter().position(reached).unwrap_or(DIMENSIONS);
        let near = (0..).zip(&distances).filter(|(_, distance)| usize::from(**distance) <= limit);
        near.map(|(at, _)| at).collect()
    }

    fn cells(&self, at: u32) -> Option<&[i8]> {
        let begin = at as usize % CHUNK * DIMENSIONS;
        self.chunks.get(at as usize / CHUNK)?.get(begin..begin + DIMENSIONS)
    }
}

fn signs(small: &Small) -> [u64; 6] {
    let mut signs = [0; 6];
    for (word, cells) in signs.iter_mut().zip(small.cells.chunks(64)) {
        *word = cells.iter().rev().fold(0, |word, cell| word << 1 | u64::from(*cell > 0));
    }
    signs
}

#[cfg(test)]
#[expect(clippy::cast_precision_loss, reason = "any number will do")]
mod tests {
    use super::*;

    fn vector(seed: u64) -> Vector {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let numbers: Vec<f32> = (0..DIMENSIONS)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 40) as f32 / (1_u64 << 23) as f32 - 1.0
            })
            .collect();
        Vector::of(&numbers).unwrap()
    }

    #[test]
    fn the_nearest_is_the_vector_itself_among_few_and_among_many() {
        for many in [100_u32, 6000] {
            let mut matrix = Matrix::default();
            for at in 0..many {
                matrix.set(at, &vector(u64::from(at) + 1).small());
            }
            let sought = Sought::from(&vector(43));
            let found = matrix.nearest(&sought, 3, |_| true);
            assert_eq!(found.len(), 3);
            assert_eq!(found[0].0, 42);
            assert!((found[0].1 - 1.0).abs() < 0.01, "{found:?}");
            let fit = matrix.nearest(&sought, 3, |at| at < 2);
            assert_eq!(fit.len(), 2);
            matrix.clear(42);
            matrix.clear(42);
            assert_eq!(matrix.live(), many - 1);
            assert_ne!(matrix.nearest(&sought, 1, |_| true)[0].0, 42);
            assert_eq!(matrix.get(7), Some(vector(8).small()));
            assert_eq!(matrix.get(42), None);
        }
    }
}
