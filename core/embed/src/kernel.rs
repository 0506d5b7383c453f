//! The two loops that search spends its time in, once for every machine and once for those with wider registers.

/// Which numbers of a vector are above zero.
pub(crate) type Signs = [u64; 6];

/// The sum of products of two rows.
pub(crate) fn dot(one: &[i8], two: &[i8]) -> i32 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "a function for wider registers than every machine has")]
        // SAFETY: this machine was just seen to have them.
        return unsafe { wide::dot(one, two) };
    }
    plain_dot(one, two)
}

/// Appends for each of `rows` how many of its signs differ from those of `sought`.
pub(crate) fn differing(rows: &[Signs], sought: &Signs, into: &mut Vec<u16>) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("popcnt") {
        #[expect(unsafe_code, reason = "a function for an instruction that not every machine has")]
        // SAFETY: this machine was just seen to have it.
        return unsafe { wide::differing(rows, sought, into) };
    }
    plain_differing(rows, sought, into);
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it takes the instructions of who calls it")]
fn plain_dot(one: &[i8], two: &[i8]) -> i32 {
    one.iter().zip(two).map(|(one, two)| i32::from(i16::from(*one) * i16::from(*two))).sum()
}

#[inline(always)]
#[expect(clippy::inline_always, reason = "it takes the instructions of who calls it")]
fn plain_differing(rows: &[Signs], sought: &Signs, into: &mut Vec<u16>) {
    into.extend(rows.iter().map(|row| {
        let differ: u32 = row.iter().zip(sought).map(|(one, two)| (one ^ two).count_ones()).sum();
        u16::try_from(differ).unwrap_or(u16::MAX)
    }));
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use super::{Signs, plain_differing, plain_dot};

    #[target_feature(enable = "avx2")]
    pub(super) fn dot(one: &[i8], two: &[i8]) -> i32 {
        plain_dot(one, two)
    }

    #[target_feature(enable = "popcnt")]
    pub(super) fn differing(rows: &[Signs], sought: &Signs, into: &mut Vec<u16>) {
        plain_differing(rows, sought, into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_and_plain_agree() {
        let one: Vec<i8> = (0..384).map(|at| (at * 7 % 255 - 127) as i8).collect();
        let two: Vec<i8> = (0..384).map(|at| (at * 11 % 255 - 127) as i8).collect();
        assert_eq!(dot(&one, &two), plain_dot(&one, &two));
        let rows = [[0, 1, 2, 3, 4, u64::MAX], [7; 6]];
        let (mut wide, mut plain) = (Vec::new(), Vec::new());
        differing(&rows, &[1; 6], &mut wide);
        plain_differing(&rows, &[1; 6], &mut plain);
        assert_eq!(wide, plain);
        assert_eq!(plain, [1 + 0 + 2 + 1 + 2 + 63, 12]);
    }
}
