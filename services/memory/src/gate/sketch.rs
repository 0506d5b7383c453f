//! Which notes may say the same as a text, without asking each: fingerprints, and a MinHash of their words in bands.

use std::collections::{BTreeSet, HashMap};

use super::gist::{Gist, mix};

/// Bands of a sketch, of two numbers each: texts that share 80 of 100 words meet in one with a chance of 99.97 %, those that
/// share 30 with one of 53 %.
const BANDS: usize = 8;

/// Notes by what they say. Of each note it keeps about 200 bytes, never the words.
#[derive(Debug, Default)]
pub(crate) struct Sketches {
    /// What a note says, and the note.
    prints: BTreeSet<(u128, u32)>,
    /// A band, and a note that has it.
    bands: BTreeSet<(u32, u32)>,
    /// By row.
    notes: Vec<Option<Sketch>>,
}

#[derive(Debug, Clone, Copy)]
struct Sketch {
    print: [u64; 2],
    bands: [u32; BANDS],
}

impl Sketch {
    fn print(&self) -> u128 {
        let [high, low] = self.print.map(u128::from);
        high << 64 | low
    }
}

impl Sketches {
    /// In place of what had this row.
    pub(crate) fn put(&mut self, row: u32, gist: &Gist) {
        let own = self.notes.get(row as usize).and_then(Option::as_ref);
        if own.is_some_and(|own| own.print() == gist.print) {
            return;
        }
        self.gone(row);
        if gist.is_empty() {
            return;
        }
        #[expect(clippy::cast_possible_truncation, reason = "two halves")]
        let sketch = Sketch { print: [(gist.print >> 64) as u64, gist.print as u64], bands: bands(gist) };
        self.prints.insert((gist.print, row));
        self.bands.extend(sketch.bands.map(|band| (band, row)));
        let at = row as usize;
        if self.notes.len() <= at {
            self.notes.resize(at + 1, None);
        }
        if let Some(own) = self.notes.get_mut(at) {
            *own = Some(sketch);
        }
    }

    pub(crate) fn gone(&mut self, row: u32) {
        let Some(sketch) = self.notes.get_mut(row as usize).and_then(Option::take) else { return };
        self.prints.remove(&(sketch.print(), row));
        for band in sketch.bands {
            self.bands.remove(&(band, row));
        }
    }

    /// Notes that say it word for word.
    pub(crate) fn same(&self, gist: &Gist) -> impl Iterator<Item = u32> {
        self.prints.range((gist.print, 0)..=(gist.print, u32::MAX)).map(|(_, row)| *row)
    }

    /// Notes that may say nearly the same: to be looked at, most likely first, at most `most`.
    pub(crate) fn alike(&self, gist: &Gist, most: usize) -> Vec<u32> {
        let mut votes: HashMap<u32, u32> = HashMap::new();
        for band in bands(gist) {
            for (_, row) in self.bands.range((band, 0)..=(band, u32::MAX)).take(most.max(64)) {
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
        let mut first: Option<(u128, u32)> = None;
        for (print, row) in &self.prints {
            match first {
                Some((same, first)) if same == *print => found.push((first, *row, true)),
                _ => first = Some((*print, *row)),
            }
        }
        let mut votes: HashMap<(u32, u32), u32> = HashMap::new();
        let in_order: Vec<(u32, u32)> = self.bands.iter().copied().collect();
        for rows in in_order.chunk_by(|(one, _), (other, _)| one == other) {
            for (at, (_, one)) in rows.iter().enumerate() {
                for (_, other) in rows.iter().skip(at + 1).take(most) {
                    *votes.entry((*one, *other)).or_default() += 1;
                }
            }
        }
        // Texts of which one adds nothing to the other share most bands.
        let print = |row: &u32| self.notes.get(*row as usize)?.as_ref().map(Sketch::print);
        let near =
            votes.into_iter().filter(|((one, other), votes)| *votes >= 2 && print(one) != print(other));
        found.extend(near.map(|((one, other), _)| (one, other, false)));
        found.sort_unstable_by_key(|(one, other, exact)| (!exact, *one, *other));
        found
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a hash: two that meet by chance are looked at once more"
)]
fn bands(gist: &Gist) -> [u32; BANDS] {
    let mut bands = [0; BANDS];
    for (band, sum) in (1_u64..).zip(&mut bands) {
        let least = |salt: u64| gist.set.iter().map(|word| mix(word ^ mix(salt))).min().unwrap_or(0);
        *sum = mix(least(band * 2) ^ least(band * 2 + 1).rotate_left(32) ^ band) as u32;
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
                prop_assert!(sketches.same(&gist).any(|other| other == row));
                prop_assert!(sketches.alike(&gist, 100).contains(&row));
                sketches.put(row, &gist);
                prop_assert_eq!(sketches.same(&gist).filter(|other| *other == row).count(), 1);
                sketches.gone(row);
                prop_assert!(sketches.same(&gist).all(|other| other != row));
            }
            prop_assert!(sketches.prints.is_empty() && sketches.bands.is_empty() && sketches.notes.iter().all(Option::is_none));
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
