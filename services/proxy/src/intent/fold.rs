//! Words out of bytes: case and accents folded on the way, separators found eight bytes at a time.

/// A folded word longer than this is cut; no entry of the lists is longer.
const LONGEST: usize = 28;

/// One word, in small ASCII letters and digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    letters: [u8; LONGEST],
    len: usize,
    /// Where it stands in the text.
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Word {
    pub(super) fn letters(&self) -> &[u8] {
        self.letters.get(..self.len).unwrap_or_default()
    }

    fn push(&mut self, letter: u8) {
        if let Some(slot) = self.letters.get_mut(self.len) {
            *slot = letter;
            self.len += 1;
        }
    }
}

fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(b' ')
}

/// Letters and digits, and the bytes of letters beyond ASCII. The leads of `’`, `«`, `»`, `€`, dashes and the
/// unbreakable space (C2, E2) separate.
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || (byte >= 0x80 && byte != 0xC2 && byte != 0xE2)
}

/// The base letters of a character of the Latin-1 supplement (lead C3), by its second byte.
const fn latin(second: u8) -> (u8, Option<u8>) {
    match second | 0x20 {
        0xA0..=0xA5 => (b'a', None),
        0xA6 => (b'a', Some(b'e')),
        0xA7 => (b'c', None),
        0xA8..=0xAB => (b'e', None),
        0xAC..=0xAF => (b'i', None),
        0xB1 => (b'n', None),
        0xB2..=0xB6 | 0xB8 => (b'o', None),
        0xB9..=0xBC => (b'u', None),
        0xBD | 0xBF => (b'y', None),
        _ => (b'?', None),
    }
}

/// The code point of `\uXXXX`, as JSON writers escape what is not ASCII.
fn escape(text: &[u8], at: usize) -> Option<u8> {
    let digits = text.get(at..at + 6)?.strip_prefix(b"\\u00")?;
    let value = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (value >= 0xC0).then_some(value - 0x40)
}

/// The word that begins at `at`, folded: `Éléphant`, `éléphant` and `\u00e9l\u00e9phant` are `elephant`.
pub(super) fn word(text: &[u8], at: usize) -> Word {
    let mut word = Word { letters: [0; LONGEST], len: 0, start: at, end: at };
    let mut i = at;
    // What is left of a separator whose lead the mask has taken.
    while (0x80..0xC0).contains(&byte(text, i)) && i < at + 2 {
        i += 1;
    }
    loop {
        let lead = byte(text, i);
        i += match lead {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                word.push(lead.to_ascii_lowercase());
                1
            }
            0xC3 => {
                let (first, second) = latin(byte(text, i + 1));
                word.push(first);
                if let Some(second) = second {
                    word.push(second);
                }
                2
            }
            0xC5 if matches!(byte(text, i + 1), 0x92 | 0x93) => {
                word.push(b'o');
                word.push(b'e');
                2
            }
            // Combining accents.
            0xCC | 0xCD => 2,
            // The soft hyphen joins what it divides.
            0xC2 if byte(text, i + 1) == 0xAD && word.len > 0 => 2,
            b'\\' => match escape(text, i) {
                Some(code) => {
                    let (first, second) = latin(code);
                    word.push(first);
                    if let Some(second) = second {
                        word.push(second);
                    }
                    6
                }
                None => break,
            },
            _ if is_word(lead) && i < text.len() => {
                word.push(b'?');
                1
            }
            _ => break,
        };
    }
    word.end = i.min(text.len()).max(at);
    word
}

/// The word after `end`, if no more than three separating bytes lie between.
pub(super) fn next(text: &[u8], end: usize) -> Option<Word> {
    let mut at = end;
    while at < text.len() && !is_word(byte(text, at)) {
        at += 1;
    }
    let near = at <= end + 3 && at < text.len();
    near.then(|| word(text, at)).filter(|word| word.len > 0)
}

/// The word before `start`, if no more than three separating bytes lie between.
pub(super) fn before(text: &[u8], start: usize) -> Option<Word> {
    let mut end = start;
    while end > 0 && !is_word(byte(text, end - 1)) {
        end -= 1;
    }
    if end == 0 || end + 3 < start {
        return None;
    }
    let mut at = end;
    while at > 0 && is_word(byte(text, at - 1)) && end - at < 32 {
        at -= 1;
    }
    Some(word(text, at)).filter(|word| word.len > 0)
}

/// Which words are worth a look: by their first four bytes, case aside.
#[derive(Debug, Clone)]
pub(super) struct Gate(Box<[u64; 1024]>);

impl Default for Gate {
    fn default() -> Self {
        Self(Box::new([0; 1024]))
    }
}

const fn slot(key: u32) -> usize {
    (key.wrapping_mul(0x9E37_79B1) >> 16) as usize
}

impl Gate {
    /// `key` in small letters.
    pub(super) fn admit(&mut self, key: [u8; 4]) {
        let slot = slot(u32::from_le_bytes(key) | 0x2020_2020);
        if let Some(bits) = self.0.get_mut(slot / 64) {
            *bits |= 1 << (slot % 64);
        }
    }

    fn admits(&self, key: u32) -> bool {
        let folded = key | 0x2020_2020;
        // Whatever is not ASCII, or a backslash, is folded before it is judged.
        let slashes = folded ^ 0x7C7C_7C7C;
        let special = (key | (slashes.wrapping_sub(0x0101_0101) & !slashes)) & 0x8080_8080;
        let slot = slot(folded);
        special != 0 || self.0.get(slot / 64).is_some_and(|bits| bits >> (slot % 64) & 1 == 1)
    }
}

/// Calls `look` with the start of every word the gate admits; it returns where to go on.
pub(super) fn scan(text: &[u8], gate: &Gate, mut look: impl FnMut(usize) -> usize) {
    let (mut carry, mut resume, mut slash) = (0, 0, false);
    for (number, chunk) in text.chunks(64).enumerate() {
        let mut padded = [b' '; 64];
        let block = <&[u8; 64]>::try_from(chunk).unwrap_or_else(|_| {
            padded.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            &padded
        });
        let mut words = mask(block);
        if slash || block.contains(&b'\\') {
            words = unescaped(text, number * 64, words);
        }
        slash = block.last() == Some(&b'\\');
        let mut starts = words & !(words << 1 | carry);
        carry = words >> 63;
        while starts != 0 {
            let at = number * 64 + starts.trailing_zeros() as usize;
            starts &= starts - 1;
            if at >= resume && gate.admits(four(text, at)) {
                resume = look(at);
            }
        }
    }
}

/// Text may come as JSON writes it: the letter of `\n` is of no word, and `\u00e9` is a letter.
fn unescaped(text: &[u8], base: usize, words: u64) -> u64 {
    (0..64).fold(words, |words, i| {
        let at = base + i;
        if at > 0 && byte(text, at - 1) == b'\\' && matches!(byte(text, at), b'n' | b't' | b'r' | b'b' | b'f')
        {
            words & !(1 << i)
        } else if escape(text, at).is_some() {
            words | 1 << i
        } else {
            words
        }
    })
}

fn four(text: &[u8], at: usize) -> u32 {
    match text.get(at..at + 4).map(<[u8; 4]>::try_from) {
        Some(Ok(four)) => u32::from_le_bytes(four),
        _ => u32::from_le_bytes([byte(text, at), byte(text, at + 1), byte(text, at + 2), byte(text, at + 3)]),
    }
}

/// One bit a byte: whether it is of a word. Eight bytes at a time, because this sees every byte of every request.
fn mask(block: &[u8; 64]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    let (eights, _) = block.as_chunks::<8>();
    let mut bits = 0;
    for (i, eight) in eights.iter().enumerate() {
        let x = u64::from_le_bytes(*eight);
        let low = x & !HIGH;
        let lower = low | (0x20 * ONES);
        // Adding makes the high bit of a byte tell whether it is at least, or beyond, a bound.
        let letters = (lower + (0x80 - 0x61) * ONES) & !(lower + (0x80 - 0x7B) * ONES);
        let digits = (low + (0x80 - 0x30) * ONES) & !(low + (0x80 - 0x3A) * ONES);
        let mut of_word = (letters | digits) & !x & HIGH;
        if x & HIGH != 0 {
            let beyond = eight.iter().rev().fold(0, |seen: u64, byte| {
                seen << 8 | u64::from(*byte >= 0x80 && *byte != 0xC2 && *byte != 0xE2) << 7
            });
            of_word |= beyond;
        }
        bits |= ((of_word >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folded(text: &str) -> String {
        String::from_utf8(word(text.as_bytes(), 0).letters().to_vec()).unwrap()
    }

    #[test]
    fn case_accents_ligatures_and_escapes_are_folded() {
        let cases = [
            ("Éléphant", "elephant"),
            ("e\u{301}le\u{301}phant", "elephant"),
            ("\\u00e9l\\u00E9phant", "elephant"),
            ("CŒUR", "coeur"),
            ("cœur brisé", "coeur"),
            ("hyper\u{AD}tension", "hypertension"),
            ("naïve,", "naive"),
            ("d\\nrest", "d"),
        ];
        for (text, word) in cases {
            assert_eq!(folded(text), word, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_word_is_seen_where_it_begins(text in "[ a-zA-Z0-9é’€œ漢.,\n_-]{0,200}") {
            let bytes = text.as_bytes();
            let mut gate = Gate::default();
            gate.0.fill(u64::MAX);
            let mut seen = Vec::new();
            scan(bytes, &gate, |at| { seen.push(at); at });
            let expected: Vec<usize> = (0..bytes.len())
                .filter(|&at| is_word(bytes[at]) && (at == 0 || !is_word(bytes[at - 1])))
                .collect();
            prop_assert_eq!(seen, expected);
        }

        #[test]
        fn json_escapes_change_nothing(text in "[ a-zé\n]{0,150}") {
            let words = |text: &str| {
                let mut gate = Gate::default();
                gate.0.fill(u64::MAX);
                let mut seen = Vec::new();
                scan(text.as_bytes(), &gate, |at| {
                    let word = word(text.as_bytes(), at);
                    seen.push(word.letters().to_vec());
                    word.end
                });
                seen
            };
            let escaped = text.replace('\n', "\\n").replace('é', "\\u00e9");
            prop_assert_eq!(words(&escaped), words(&text));
        }

        #[test]
        fn any_bytes_are_folded(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..220) {
            let word = word(&bytes, at);
            prop_assert!(word.end >= at.min(bytes.len()) && word.letters().len() <= LONGEST);
            next(&bytes, at);
            before(&bytes, at.min(bytes.len()));
        }
    }
}
