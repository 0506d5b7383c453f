//! Which notes may say the same as a text, without asking each: fingerprints, and a MinHash of their words in bands.

use std::collections::HashMap;

use super::gist::{Gist, mix};

/// Bands of a sketch, of two numbers each: texts that share 80 of 100 words meet in one with a chance of 99.97 %, those that
/// share 30 with one of 53 %.
const BANDS: usize = 8;

/// Notes by what they say. Of each note it keeps 16 + 64 bytes, never the words.
#[derive(Debug, Default)]
pub(crate) struct Sketches {
    prints: HashMap<u128, Vec<u32>>,
    bands: HashMap<u64, Vec<u32>>,
    notes: HashMap<u32, (u128, [u64; BANDS])>,
}

impl Sketches {
    /// In place of what had this row.
    pub(crate) fn put(&mut self, row: u32, gist: &Gist) {
        self.gone(row);
        if gist.is_empty() {
            return;
        }
        let bands = bands(gist);
        self.prints.entry(gist.print).or_default().push(row);
        for band in bands {
            self.bands.entry(band).or_default().push(row);
        }
        self.notes.insert(row, (gist.print, bands));
    }

    pub(crate) fn gone(&mut self, row: u32) {
        let Some((print, bands)) = self.notes.remove(&row) else { return };
        leave(&mut self.prints, print, row);
        for band in bands {
            leave(&mut self.bands, band, row);
        }
    }

    /// Notes that say it word for word.
    pub(crate) fn same(&self, gist: &Gist) -> &[u32] {
        self.prints.get(&gist.print).map_or(&[], Vec::as_slice)
    }

    /// Notes that may say nearly the same: to be looked at, most likely first, at most `most`.
    pub(crate) fn alike(&self, gist: &Gist, most: usize) -> Vec<u32> {
        let mut votes: HashMap<u32, u32> = HashMap::new();
        for band in bands(gist) {
            for row in self.bands.get(&band).into_iter().flatten().take(most.max(64)) {
                *votes.entry(*row).or_default() += 1;
            }
        }
        let mut rows: Vec<(u32, u32)> = votes.into_iter().collect();
        rows.sort_unstable_by_key(|(row, votes)| (std::cmp::Reverse(*votes), *row));
        rows.into_iter().take(most).map(|(row, _)| row).collect()
    }

    /// Pairs of notes that say the same (word for word: `true`), or may. Each pair once; of notes that say the same word for
    /// word each with the first. Of a crowd in one band only neighbours are looked at.
    pub(crate) fn pairs(&self, most: usize) -> Vec<(u32, u32, bool)> {
        let mut found: Vec<(u32, u32, bool)> = Vec::new();
        for rows in self.prints.values() {
            let Some(first) = rows.iter().min() else { continue };
            found.extend(rows.iter().filter(|row| *row != first).map(|row| (*first, *row, true)));
        }
        let mut votes: HashMap<(u32, u32), u32> = HashMap::new();
        for rows in self.bands.values().filter(|rows| rows.len() > 1) {
            for (at, one) in rows.iter().enumerate() {
                for other in rows.iter().skip(at + 1).take(most) {
                    *votes.entry((*one.min(other), *one.max(other))).or_default() += 1;
                }
            }
        }
        // Texts of which one adds nothing to the other share most bands.
        let print = |row: &u32| self.notes.get(row).map(|(print, _)| *print);
        let near =
            votes.into_iter().filter(|((one, other), votes)| *votes >= 2 && print(one) != print(other));
        found.extend(near.map(|((one, other), _)| (one, other, false)));
        found.sort_unstable_by_key(|(one, other, exact)| (!exact, *one, *other));
        found
    }
}

fn leave<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Vec<u32>>, key: K, row: u32) {
    if let Some(rows) = map.get_mut(&key) {
        rows.retain(|other| *other != row);
        if rows.is_empty() {
            map.remove(&key);
        }
    }
}

fn bands(gist: &Gist) -> [u64; BANDS] {
    let mut bands = [0; BANDS];
    for (band, sum) in (1_u64..).zip(&mut bands) {
        let least = |salt: u64| gist.set.iter().map(|word| mix(word ^ mix(salt))).min().unwrap_or(0);
        *sum = mix(least(band * 2) ^ least(band * 2 + 1).rotate_left(32) ^ band);
    }
    bands
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_said_again_is_found_until_it_is_gone(texts in prop::collection::vec("[a-z]{2,6}( [a-z]{2,6}){3,12}", 1..40)) {
            let mut sketches = Sketches::default();
            for (row, text) in (0..).zip(&texts) {
                sketches.put(row, &Gist::of(text));
            }
            for (row, text) in (0_u32..).zip(&texts) {
                let gist = Gist::of(text);
                prop_assume!(!gist.is_empty());
                prop_assert!(sketches.same(&gist).contains(&row));
                prop_assert!(sketches.alike(&gist, 100).contains(&row));
                sketches.put(row, &gist);
                prop_assert_eq!(sketches.same(&gist).iter().filter(|other| **other == row).count(), 1);
                sketches.gone(row);
                prop_assert!(!sketches.same(&gist).contains(&row));
            }
            prop_assert!(sketches.prints.is_empty() && sketches.bands.is_empty() && sketches.notes.is_empty());
        }

        #[test]
        fn one_small_word_more_and_it_is_still_found(words in prop::collection::hash_set("[a-z]{4,9}", 12..40), extra in "[a-z]{4,9}") {
            let text = words.into_iter().collect::<Vec<_>>().join(" ");
            let mut sketches = Sketches::default();
            sketches.put(7, &Gist::of(&text));
            prop_assert_eq!(sketches.alike(&Gist::of(&format!("{text} {extra}")), 4), vec![7]);
        }
    }
}
