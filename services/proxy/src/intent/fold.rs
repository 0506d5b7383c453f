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
    let escaped =
        at > 0 && byte(text, at - 1) == b'\\' && matches!(byte(text, at), b'n' | b't' | b'r' | b'b' | b'f');
    let at = at + usize::from(escaped);
    let mut word = Word { letters: [0; LONGEST], len: 0, start: at, end: at };
    // Most words are of nothing else.
    let plain = text.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_alphanumeric());
    let mut i = at;
    for letter in plain {
        word.push(letter.to_ascii_lowercase());
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

/// The word after `end`, if no more than four separating bytes lie between.
pub(super) fn next(text: &[u8], end: usize) -> Option<Word> {
    let mut at = end;
    while at < text.len() && !is_letter(text, at) {
        at += 1;
    }
    let near = at <= end + 4 && at < text.len();
    near.then(|| word(text, at)).filter(|word| word.len > 0)
}

/// The word before `start`, if no more than four separating bytes lie between.
pub(super) fn before(text: &[u8], start: usize) -> Option<Word> {
    let mut end = start;
    while end > 0 && !is_letter(text, end - 1) {
        end -= 1;
    }
    if end == 0 || end + 4 < start {
        return None;
    }
    let mut at = end;
    while at > 0 && is_letter(text, at - 1) && end - at < 32 {
        at -= 1;
    }
    Some(word(text, at)).filter(|word| word.len > 0)
}

/// Which words are worth a look, case aside: by four letters (three and a space) first, then a short word whole and a long
/// one by six.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate {
    four: Bits,
    /// Words of up to seven letters, plurals included.
    whole: Bits,
    /// Of `four`: something of less than six letters is written so.
    short: Bits,
    /// Of `four`: whatever begins with less than six letters.
    begins: Bits,
    six: Bits,
}

/// 4 KiB a set: all of them stay in the nearest cache.
const PAGES: usize = 512;

#[derive(Debug, Clone)]
struct Bits(Box<[u64; PAGES]>);

impl Default for Bits {
    fn default() -> Self {
        Self(Box::new([0; PAGES]))
    }
}

impl Bits {
    const fn slot(key: u64) -> usize {
        (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 49) as usize
    }

    fn set(&mut self, key: u64) {
        let slot = Self::slot(key);
        if let Some(bits) = self.0.get_mut(slot / 64) {
            *bits |= 1 << (slot % 64);
        }
    }

    fn has(&self, key: u64) -> bool {
        let slot = Self::slot(key);
        self.0.get(slot / 64).is_some_and(|bits| bits >> (slot % 64) & 1 == 1)
    }
}

const CASE: u64 = 0x2020_2020_2020_2020;
const FOUR: u64 = 0xFFFF_FFFF;
const SIX: u64 = 0xFFFF_FFFF_FFFF;

/// High where a byte is beyond ASCII or a backslash: such a word is folded before it is judged.
const fn special(eight: u64) -> u64 {
    let slashes = eight ^ 0x5C5C_5C5C_5C5C_5C5C;
    (eight | (slashes.wrapping_sub(0x0101_0101_0101_0101) & !slashes)) & 0x8080_8080_8080_8080
}

impl Gate {
    /// A word in small letters; `begins`: any word that begins so.
    pub(super) fn admit(&mut self, letters: &[u8], begins: bool) {
        let key = |bytes: &[u8]| bytes.iter().rev().fold(0, |key: u64, byte| key << 8 | u64::from(*byte));
        if !begins {
            for plural in ["", "s", "es", "x", "e"] {
                let word = [letters, plural.as_bytes()].concat();
                if word.len() < 8 {
                    self.whole.set(key(&word));
                }
            }
        }
        let three = letters.get(..3);
        match (three, letters.get(..4), letters.get(..6)) {
            (Some(three), None, _) => {
                let any = b"abcdefghijklmnopqrstuvwxyz0123456789".as_slice();
                for last in [b" ".as_slice(), if begins { any } else { b"sxe" }].concat() {
                    let key = key(three) | u64::from(last) << 24;
                    self.four.set(key);
                    if begins { &mut self.begins } else { &mut self.short }.set(key);
                }
            }
            (_, Some(four), Some(six)) => {
                self.four.set(key(four));
                self.six.set(key(six));
            }
            (_, Some(four), None) => {
                self.four.set(key(four));
                if begins { &mut self.begins } else { &mut self.short }.set(key(four));
            }
            _ => {}
        }
    }

    /// `of_word` has one bit for each of the bytes from `at` on, `known` of them.
    #[inline]
    fn admits(&self, text: &[u8], at: usize, of_word: u64, known: u32) -> bool {
        let eight = eight(text, at);
        if special(eight & FOUR) != 0 {
            return true;
        }
        let key = match of_word & 0b1111 {
            0b1111 => (eight | CASE) & FOUR,
            0b0111 => (eight | CASE) & 0x00FF_FFFF | 0x2000_0000,
            _ => return false,
        };
        if !self.four.has(key) {
            return false;
        }
        let length = of_word.trailing_ones();
        if length < 8 && length < known {
            let word = eight & !(u64::MAX << (8 * length));
            // The byte behind it may be the accent or the escape that ends what is seen of it here.
            let ends = (eight >> (8 * length)) & 0xFF;
            return self.whole.has((word | CASE) & !(u64::MAX << (8 * length)))
                || self.begins.has(key)
                || (length > 5 && self.six.has((eight | CASE) & SIX))
                || special(word | ends << 56) != 0;
        }
        self.six.has((eight | CASE) & SIX)
            || self.begins.has(key)
            || (length < 8 && self.short.has(key))
            || special(eight & SIX) != 0
    }

    #[cfg(test)]
    fn everything() -> Self {
        let full = || Bits(Box::new([u64::MAX; PAGES]));
        Self { four: full(), whole: full(), short: full(), begins: full(), six: full() }
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
        let Seen { mut words, beyond, slashes } = mask(block);
        if beyond != 0 {
            words |= letters(text, number * 64, beyond);
        }
        if slash || slashes {
            words = unescaped(text, number * 64, words);
        }
        slash = block.last() == Some(&b'\\');
        let mut starts = words & !(words << 1 | carry);
        carry = words >> 63;
        while starts != 0 {
            let i = starts.trailing_zeros();
            let at = number * 64 + i as usize;
            starts &= starts - 1;
            // The last bytes of a block do not know what follows.
            let (of_word, known) = if i <= 60 { (words >> i, 64 - i) } else { (following(text, at), 4) };
            if at >= resume && gate.admits(text, at, of_word, known) {
                resume = look(at);
            }
        }
    }
}

fn following(text: &[u8], at: usize) -> u64 {
    (0..4).fold(0, |bits, i| bits | u64::from(is_word(byte(text, at + i))) << i)
}

/// Whether the byte there is of a word. What C2 and E2 lead are signs, quotes, dashes and spaces, and
/// separates; the soft hyphen (C2 AD) does not.
fn is_letter(text: &[u8], at: usize) -> bool {
    let back = |by: usize| at.checked_sub(by).map_or(b' ', |at| byte(text, at));
    match byte(text, at) {
        0xC2 => byte(text, at + 1) == 0xAD,
        0xE2 => false,
        of @ 0x80..0xC0 => match back(1) {
            0xC2 => of == 0xAD,
            0xE2 => false,
            last => last & 0xC0 != 0x80 || back(2) != 0xE2,
        },
        of => is_word(of),
    }
}

/// The same for those of 64 bytes that are beyond ASCII.
fn letters(text: &[u8], base: usize, mut beyond: u64) -> u64 {
    let mut letters = 0;
    while beyond != 0 {
        let i = beyond.trailing_zeros();
        beyond &= beyond - 1;
        letters |= u64::from(is_letter(text, base + i as usize)) << i;
    }
    letters
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

/// Eight bytes, the first lowest; spaces beyond the end.
fn eight(text: &[u8], at: usize) -> u64 {
    if let Some(Ok(eight)) = text.get(at..at + 8).map(<[u8; 8]>::try_from) {
        return u64::from_le_bytes(eight);
    }
    (0..8).rev().fold(0, |eight, i| eight << 8 | u64::from(byte(text, at + i)))
}

/// What 64 bytes are, one bit a byte: letters and digits of ASCII, and what is beyond it.
struct Seen {
    words: u64,
    beyond: u64,
    slashes: bool,
}

/// Eight bytes at a time, because this sees every byte of every request.
fn mask(block: &[u8; 64]) -> Seen {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    let (eights, _) = block.as_chunks::<8>();
    let (mut words, mut beyond, mut slashes) = (0, 0, 0);
    for (i, eight) in eights.iter().enumerate() {
        let x = u64::from_le_bytes(*eight);
        let low = x & !HIGH;
        let lower = low | (0x20 * ONES);
        // Adding makes the high bit of a byte tell whether it is at least, or beyond, a bound.
        let letters = (lower + (0x80 - 0x61) * ONES) & !(lower + (0x80 - 0x7B) * ONES);
        let digits = (low + (0x80 - 0x30) * ONES) & !(low + (0x80 - 0x3A) * ONES);
        let of_word = (letters | digits) & !x & HIGH;
        slashes |= special(x) & !x;
        // Gathers the high bits of eight bytes into eight bits.
        let gather = |high: u64| (high >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        words |= gather(of_word) << (8 * i);
        beyond |= gather(x & HIGH) << (8 * i);
    }
    Seen { words, beyond, slashes: slashes != 0 }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::string_slice, reason = "places are of the text itself")]

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
        fn every_long_word_is_seen_where_it_begins(text in "[ a-zA-Z0-9éÀ’€œ漢.,\n_-]{0,200}") {
            let mut seen = Vec::new();
            scan(text.as_bytes(), &Gate::everything(), |at| {
                seen.push(at);
                at
            });
            let of_word = |c: &char| c.is_alphanumeric();
            let is_long = |at: usize| text[at..].chars().take_while(of_word).count() > 2;
            let starts = text.char_indices().filter(|(at, c)| of_word(c) && !text[..*at].ends_with(|c| of_word(&c)));
            let expected: Vec<usize> = starts.map(|(at, _)| at).filter(|at| is_long(*at)).collect();
            seen.retain(|at| is_long(*at));
            prop_assert_eq!(seen, expected);
        }

        #[test]
        fn json_escapes_change_nothing(text in "[ a-zé\n]{0,150}") {
            let words = |text: &str| {
                let mut seen = Vec::new();
                scan(text.as_bytes(), &Gate::everything(), |at| {
                    let word = word(text.as_bytes(), at);
                    seen.push(word.letters().to_vec());
                    word.end
                });
                seen.retain(|word| word.len() > 2);
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
