//! What a text looks like, whatever its words: fences, braces, file names, traces, formulas, amounts.

/// Marks seen in one text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape {
    pub(super) fence: bool,
    /// Operators and line ends that programs have and sentences have not.
    pub(super) syntax: u32,
    /// `snake_case`, `camelCase`, `Type::name`, `call()`.
    pub(super) names: u32,
    /// `name.rs`, `src/x`.
    pub(super) file: bool,
    /// `at List (src/List.jsx:14:22)`.
    pub(super) trace: bool,
    /// `` `x` `` in running text.
    pub(super) quoted: u32,
    /// `x^2`, `\int`, `∑`, `3 + 4 =`.
    pub(super) formula: u32,
    /// `150/95`, `500mg`, `38,5°`, `72 bpm`.
    pub(super) dose: bool,
    /// `300 €`, `$40k`, `48,211.30`.
    pub(super) amount: bool,
    /// `C++`, `C#`.
    pub(super) language: bool,
    /// `203.0.113.7`, a MAC address.
    pub(super) address: bool,
}

const SUFFIXES: &[&[u8]] = &[
    b"rs", b"py", b"js", b"ts", b"tsx", b"jsx", b"go", b"c", b"h", b"cc", b"cpp", b"hpp", b"java", b"kt",
    b"rb", b"php", b"cs", b"sh", b"sql", b"html", b"css", b"scss", b"vue", b"json", b"yaml", b"yml", b"toml",
    b"xml", b"csv", b"lock", b"ipynb", b"swift", b"lua", b"ini", b"conf", b"tf", b"gradle", b"md", b"log",
];

/// Two signs that programs have and sentences have not.
const fn is_operator(first: u8, second: u8) -> bool {
    match first {
        b'=' => matches!(second, b'>' | b'='),
        b'-' => matches!(second, b'>' | b'=' | b'-'),
        b'!' | b'+' => second == b'=',
        b':' | b'&' | b'|' | b'@' => second == first,
        b'<' | b'*' => second == b'/',
        b'/' => matches!(second, b'>' | b'*'),
        b'$' => matches!(second, b'(' | b'{'),
        b'#' => second == b'!',
        b'(' => second == b')',
        b'[' => second == b']',
        b'{' => matches!(second, b'}' | b'\n'),
        b';' | b'}' => second == b'\n',
        b')' => second == b';',
        b'\'' | b'"' => second == b':',
        _ => false,
    }
}

const UNITS: &[&[u8]] = &[
    b"mg", b"ml", b"kg", b"bpm", b"mmhg", b"mmol", b"mcg", b"cl", b"kcal", b"g/l", b"kilos", b"kilo", b"ui",
    b"iu",
];
const MONEY: &[&[u8]] =
    &[b"eur", b"euro", b"euros", b"usd", b"dollars", b"gbp", b"chf", b"k", b"m", b"keur", b"\xE2\x82\xAC"];

pub(super) fn look(text: &[u8]) -> Shape {
    let mut shape = Shape::default();
    let at = |i: usize| text.get(i).copied().unwrap_or(b' ');
    for (i, &byte) in text.iter().enumerate() {
        // Most of what people write.
        if byte.is_ascii_lowercase() || byte == b' ' {
            continue;
        }
        let (last, next) = (if i == 0 { b' ' } else { at(i - 1) }, at(i + 1));
        if byte.is_ascii_alphabetic() {
            if byte.is_ascii_uppercase() && last.is_ascii_lowercase() && next.is_ascii_lowercase() {
                shape.names += 1;
            }
            continue;
        }
        if byte.is_ascii_digit() {
            if !last.is_ascii_alphanumeric() && !matches!(last, b'.' | b',' | b'/') {
                number(text, i, last, &mut shape);
            }
            continue;
        }
        if is_operator(byte, next) {
            shape.syntax += 1;
        }
        match byte {
            b'_' if last.is_ascii_alphanumeric() && next.is_ascii_alphanumeric() => shape.names += 1,
            b'`' if next == b'`' && at(i + 2) == b'`' => shape.fence = true,
            b'`' if next != b' ' && next != b'`' && last != b'`' => shape.quoted += 1,
            b'.' if last.is_ascii_alphanumeric() && suffix(text, i + 1) => {
                shape.file = true;
                let line = text.get(i + 1..).unwrap_or_default().iter().take(10).position(|b| *b == b':');
                shape.trace |= line.is_some_and(|colon| at(i + 2 + colon).is_ascii_digit());
            }
            b'/' if last.is_ascii_lowercase() && next.is_ascii_lowercase() => {
                shape.names += u32::from(text.get(..i).is_some_and(|path| path.ends_with(b"src")));
            }
            b'(' if last.is_ascii_alphanumeric() => shape.syntax += 1,
            b'^' | b'\\' if next.is_ascii_alphanumeric() || next == b'{' => shape.formula += 1,
            b'=' if last == b' ' && next == b' ' => shape.formula += 1,
            0xE2 if matches!(next, 0x88 | 0x89) => shape.formula += 1,
            b'+' | b'#' if last | 0x20 == b'c' && (byte == b'#' || next == b'+') => {
                shape.language |= i < 2 || !at(i - 2).is_ascii_alphanumeric();
            }
            b'$' if next.is_ascii_digit() => shape.amount = true,
            b'\n' if text.get(i..).is_some_and(|rest| rest.starts_with(b"\n    at ")) => shape.trace = true,
            _ => {}
        }
    }
    shape
}

fn suffix(text: &[u8], from: usize) -> bool {
    let rest = text.get(from..).unwrap_or_default();
    let length = rest.iter().take(7).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    rest.get(..length).is_some_and(|suffix| SUFFIXES.contains(&suffix))
}

/// A number and what stands after it.
fn number(text: &[u8], from: usize, last: u8, shape: &mut Shape) {
    let rest = text.get(from..).unwrap_or_default();
    let length = rest
        .iter()
        .take(20)
        .take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b'/' | b':'))
        .count();
    let digits = rest.get(..length).unwrap_or_default();
    let count = |of: u8| digits.split(|byte| *byte == of).count() - 1;
    shape.address |= count(b'.') == 3 && digits.last().is_some_and(u8::is_ascii_digit);
    let parts: Vec<&[u8]> = digits.split(|byte| *byte == b'/').collect();
    if let [high, low] = parts.as_slice() {
        // Blood pressure, in both customs: 150/95 and 15/9.
        shape.dose |= high.len() == 3 && low.len() == 2 && low.iter().all(u8::is_ascii_digit);
    }
    let after = rest.get(length..).unwrap_or_default();
    let after = after.strip_prefix(b" ").or(after.strip_prefix(b"\xC2\xA0")).unwrap_or(after);
    let mut unit = [0; 8];
    let length = after
        .iter()
        .take(8)
        .take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80 || **byte == b'/')
        .zip(&mut unit)
        .map(|(from, to)| *to = from.to_ascii_lowercase())
        .count();
    let unit = unit.get(..length).unwrap_or_default();
    shape.dose |= UNITS.contains(&unit);
    shape.amount |= MONEY.contains(&unit) || unit.starts_with(b"\xE2\x82\xAC") || last == b'$';
    // 48,211.30 and 120 000,00 are money more often than anything else.
    shape.amount |= count(b',') > 0 && count(b'.') == 1;
}

impl Shape {
    /// How much it looks like a program, and by what.
    pub(super) fn code(&self) -> (u8, &'static str) {
        let few = |count: u32, most: u32| u8::try_from(count.min(most)).unwrap_or(0);
        let candidates = [
            (if self.trace { 5 } else { 0 }, "a stack trace"),
            (if self.fence { 5 } else { 0 }, "a code fence"),
            (if self.language { 4 } else { 0 }, "the name of a language"),
            (if self.file { 3 } else { 0 }, "a file name"),
            (few(self.syntax, 6), "the syntax of a program"),
            (few(self.names, 3), "names of a program"),
            (few(self.quoted, 2), "quoted code"),
        ];
        let sum = candidates.iter().fold(0, |sum, (weight, _)| sum + weight);
        let most = candidates.iter().max_by_key(|(weight, _)| *weight);
        (sum, most.map_or("", |(_, because)| because))
    }
}
