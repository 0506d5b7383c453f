//! What a sentence becomes: a direction in 384 dimensions.

/// Numbers in a vector.
pub const DIMENSIONS: usize = 384;

/// A vector of length one.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector(Box<[f32; DIMENSIONS]>);

/// A vector in a quarter of the space: whole numbers and one factor. A cosine of two differs from the exact one by less
/// than 0.002 (measured).
#[derive(Debug, Clone, PartialEq)]
pub struct Small {
    pub cells: Box<[i8; DIMENSIONS]>,
    pub scale: f32,
}

impl Vector {
    /// Brings `numbers` to length one; `None` if there are not [`DIMENSIONS`] of them, or if they have no direction.
    pub fn of(numbers: &[f32]) -> Option<Self> {
        let mut cells: Box<[f32; DIMENSIONS]> = Box::new(numbers.try_into().ok()?);
        let length = cells.iter().map(|cell| cell * cell).sum::<f32>().sqrt();
        if !length.is_finite() || length <= f32::EPSILON {
            return None;
        }
        for cell in cells.iter_mut() {
            *cell /= length;
        }
        Some(Self(cells))
    }

    pub fn cells(&self) -> &[f32; DIMENSIONS] {
        &self.0
    }

    pub fn cosine(&self, other: &Self) -> f32 {
        self.0.iter().zip(other.0.iter()).map(|(one, two)| one * two).sum()
    }

    pub fn small(&self) -> Small {
        let most = self.0.iter().fold(f32::MIN_POSITIVE, |most, cell| most.max(cell.abs()));
        #[expect(clippy::cast_possible_truncation, reason = "at most 127 by its scale")]
        let cells = Box::new(self.0.map(|cell| (cell / most * 127.0).round() as i8));
        Small { cells, scale: most / 127.0 }
    }
}

impl Small {
    /// As a cache keeps it: the factor as a little-endian `f32`, then the numbers.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.scale
            .to_le_bytes()
            .into_iter()
            .chain(self.cells.iter().map(|cell| cell.cast_unsigned()))
            .collect()
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (scale, cells) = bytes.split_first_chunk::<4>()?;
        let scale = f32::from_le_bytes(*scale);
        let cells: Vec<i8> = cells.iter().map(|byte| byte.cast_signed()).collect();
        let cells: Box<[i8; DIMENSIONS]> = cells.into_boxed_slice().try_into().ok()?;
        (scale.is_finite() && scale > 0.0).then_some(Self { cells, scale })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(seed: u32) -> Vector {
        let mut state = seed.wrapping_mul(2_654_435_761) | 1;
        let numbers: Vec<f32> = (0..DIMENSIONS)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                f32::from_bits(0x3f80_0000 | (state >> 9)) - 1.5
            })
            .collect();
        Vector::of(&numbers).unwrap()
    }

    #[test]
    fn a_small_vector_points_where_the_whole_one_does() {
        let (one, two) = (sample(1), sample(2));
        let (a, b) = (one.small(), two.small());
        let dot: i32 = a.cells.iter().zip(b.cells.iter()).map(|(x, y)| i32::from(*x) * i32::from(*y)).sum();
        #[expect(clippy::cast_precision_loss, reason = "384 products of two bytes")]
        let cosine = dot as f32 * a.scale * b.scale;
        assert!((cosine - one.cosine(&two)).abs() < 0.002, "{cosine} {}", one.cosine(&two));
    }

    #[test]
    fn bytes_bring_it_back() {
        let one = sample(3).small();
        assert_eq!(Small::from_bytes(&one.to_bytes()).as_ref(), Some(&one));
        assert_eq!(Small::from_bytes(&one.to_bytes()[1..]), None);
        assert_eq!(Vector::of(&[0.0; DIMENSIONS]), None);
    }
}
