//! Which passages hold a word, and how often.

use std::collections::HashMap;

use crate::recall::terms::Terms;

/// Okapi BM25, `k1` and `b`, where most passages are a few sentences: a second mention adds little, and length says
/// little about worth.
const SATURATION: f32 = 0.9;
const LENGTH: f32 = 0.4;
/// Of a word's 32 bits in a passage's own list.
const COUNT_BITS: u32 = 8;

/// The passages with one word, by their number, and how many of them are still there.
#[derive(Debug, Default)]
struct List {
    passages: Vec<u32>,
    counts: Vec<u8>,
    live: u32,
}

/// An inverted index in memory. A passage that is gone stays in the lists until they are rewritten.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    numbers: HashMap<Box<str>, u32>,
    lists: Vec<List>,
    /// Words of all passages, one passage after the other: number of the word and its count.
    words: Vec<u32>,
    /// Where the words of a passage end; they begin where those of the one before do.
    ends: Vec<usize>,
    lengths: Vec<u16>,
    gone: Vec<bool>,
    live: u32,
    total: u64,
}

/// What one word of a question is worth, and where it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    number: usize,
    pub(crate) weight: f32,
}

impl Postings {
    /// Adds the next passage. `more`: words it is found by although they are not in it, such as its title's.
    pub(crate) fn push(&mut self, terms: &mut Terms, text: &str, more: &[&str]) -> u32 {
        let mut counts: Vec<(u32, u8)> = Vec::new();
        let mut length = 0_u16;
        let mut found = Vec::new();
        terms.each(text, |term| {
            length = length.saturating_add(1);
            found.push(self.number(term));
        });
        found.sort_unstable();
        for number in found {
            match counts.last_mut() {
                Some((last, count)) if *last == number => *count = count.saturating_add(1),
                _ => counts.push((number, 1)),
            }
        }
        for text in more {
            terms.each(text, |term| {
                let number = self.number(term);
                if let Err(at) = counts.binary_search_by_key(&number, |(own, _)| *own) {
                    counts.insert(at, (number, 1));
                }
            });
        }
        let passage = u32::try_from(self.lengths.len()).unwrap_or(u32::MAX);
        for (number, count) in counts {
            self.words.push(number << COUNT_BITS | u32::from(count));
            if let Some(list) = self.lists.get_mut(number as usize) {
                list.passages.push(passage);
                list.counts.push(count);
                list.live += 1;
            }
        }
        self.ends.push(self.words.len());
        self.lengths.push(length);
        self.gone.push(false);
        self.live += 1;
        self.total += u64::from(length);
        passage
    }

    pub(crate) fn remove(&mut self, passage: u32) {
        let Some(gone) = self.gone.get_mut(passage as usize).filter(|gone| !**gone) else { return };
        *gone = true;
        self.live -= 1;
        self.total -= u64::from(self.length(passage));
        for word in of_passage(&self.words, &self.ends, passage) {
            if let Some(list) = self.lists.get_mut((word >> COUNT_BITS) as usize) {
                list.live -= 1;
            }
        }
    }

    /// Passages that are gone and still in the lists.
    pub(crate) fn dead(&self) -> usize {
        self.gone.len() - self.live as usize
    }

    /// Lets go of what is gone. Passages are numbered anew, in their order: the answer has the new number of each, or
    /// `u32::MAX`.
    pub(crate) fn compact(&mut self) -> Vec<u32> {
        let mut next = 0..u32::MAX;
        let mut number = |gone: &bool| if *gone { None } else { next.next() };
        let numbers: Vec<u32> = self.gone.iter().map(|gone| number(gone).unwrap_or(u32::MAX)).collect();
        let of = |passage: u32| numbers.get(passage as usize).copied().unwrap_or(u32::MAX);
        for list in &mut self.lists {
            let pairs = list.passages.iter().zip(&list.counts).map(|(passage, count)| (of(*passage), *count));
            let (passages, counts) = pairs.filter(|(passage, _)| *passage != u32::MAX).unzip();
            (list.passages, list.counts) = (passages, counts);
        }
        let (mut words, mut ends) = (Vec::new(), Vec::new());
        for passage in (0..).take(numbers.len()).filter(|passage| of(*passage) != u32::MAX) {
            words.extend(of_passage(&self.words, &self.ends, passage));
            ends.push(words.len());
        }
        let mut at = 0..numbers.len();
        self.lengths.retain(|_| at.next().and_then(|at| numbers.get(at)).is_some_and(|new| *new != u32::MAX));
        (self.words, self.ends) = (words, ends);
        self.gone = vec![false; self.lengths.len()];
        numbers
    }

    /// Passages that are there.
    pub(crate) fn live(&self) -> u32 {
        self.live
    }

    pub(crate) fn length(&self, passage: u32) -> u16 {
        self.lengths.get(passage as usize).copied().unwrap_or(0)
    }

    /// Words of the mean passage; never less than one.
    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    pub(crate) fn mean(&self) -> f32 {
        (self.total as f32 / self.live.max(1) as f32).max(1.0)
    }

    /// The words of a question that any passage has, each once, in their order there.
    #[expect(clippy::cast_precision_loss, reason = "a logarithm of it is taken")]
    pub(crate) fn asked(&self, question: &[String]) -> Vec<Asked> {
        let mut asked: Vec<Asked> = Vec::new();
        for word in question {
            let Some(number) = self.numbers.get(word.as_str()).map(|number| *number as usize) else {
                continue;
            };
            let live = self.lists.get(number).map_or(0, |list| list.live);
            if live == 0 || asked.iter().any(|other| other.number == number) {
                continue;
            }
            let (live, all) = (live as f32, self.live as f32);
            asked.push(Asked { number, weight: ((all - live + 0.5) / (live + 0.5)).ln_1p() });
        }
        asked
    }

    /// How many passages have the word.
    pub(crate) fn count(&self, asked: Asked) -> usize {
        self.lists.get(asked.number).map_or(0, |list| list.live as usize)
    }

    /// Every passage that has the word, and how often.
    pub(crate) fn with(&self, asked: Asked) -> impl Iterator<Item = (u32, f32)> {
        let list = self.lists.get(asked.number);
        let pairs = list.into_iter().flat_map(|list| list.passages.iter().zip(&list.counts));
        pairs
            .filter(|(passage, _)| self.gone.get(**passage as usize) == Some(&false))
            .map(|(passage, count)| (*passage, f32::from(*count)))
    }

    fn number(&mut self, term: &str) -> u32 {
        if let Some(number) = self.numbers.get(term) {
            return *number;
        }
        let number = u32::try_from(self.lists.len()).unwrap_or(u32::MAX) & (u32::MAX >> COUNT_BITS);
        self.lists.push(List::default());
        self.numbers.insert(term.into(), number);
        number
    }
}

/// The part of BM25 that a word with `count` has among `length` words, where the mean is `mean`: from 0 to `k1 + 1`.
pub(crate) fn saturated(count: f32, length: f32, mean: f32) -> f32 {
    count * (SATURATION + 1.0) / (count + SATURATION * (1.0 - LENGTH + LENGTH * length / mean))
}

/// The words of a passage, as they are kept.
fn of_passage<'a>(words: &'a [u32], ends: &[usize], passage: u32) -> impl Iterator<Item = u32> + use<'a> {
    let at = passage as usize;
    let begin = at.checked_sub(1).map_or(Some(0), |before| ends.get(before).copied());
    let own = begin.zip(ends.get(at)).and_then(|(begin, end)| words.get(begin..*end));
    own.unwrap_or_default().iter().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_worth_more_the_fewer_have_it() {
        let mut terms = Terms::new();
        let mut postings = Postings::default();
        for text in ["the boiler hums", "the boiler is warm, boiler", "a cat"] {
            postings.push(&mut terms, text, &["House notes"]);
        }
        let asked = postings.asked(&terms.all("boiler cat house dog"));
        assert_eq!(asked.len(), 3);
        assert!(asked[1].weight > asked[0].weight && asked[0].weight > asked[2].weight);
        assert_eq!(postings.with(asked[0]).collect::<Vec<_>>(), [(0, 1.0), (1, 2.0)]);
        postings.remove(1);
        postings.remove(1);
        assert_eq!(postings.with(asked[0]).collect::<Vec<_>>(), [(0, 1.0)]);
        assert_eq!((postings.live(), postings.mean(), postings.dead()), (2, 1.5, 1));
        assert_eq!(postings.compact(), [0, u32::MAX, 1]);
        assert_eq!(postings.with(postings.asked(&terms.all("cat"))[0]).collect::<Vec<_>>(), [(1, 1.0)]);
        assert_eq!((postings.live(), postings.mean(), postings.dead()), (2, 1.5, 0));
        postings.remove(0);
        assert!(postings.asked(&terms.all("boiler")).is_empty());
    }
}
