//! A cursor over JSON text: it knows where things are and keeps nothing.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr_iter, memchr2};

use crate::Malformed;

/// Deeper nesting is an attack on the stack, not a request; the limit serde_json has.
const DEEPEST: u32 = 128;

#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

/// A string of the document, still escaped.
#[derive(Debug, Clone)]
pub(super) struct Quoted<'a> {
    /// Between the quotes.
    raw: &'a str,
    escaped: bool,
    /// Quotes included.
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool(bool),
    Null,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// The text from `start` to here.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    pub(super) fn broken(&self, what: &str) -> Malformed {
        let before = self.bytes().get(..self.at).unwrap_or_default();
        let line = memchr_iter(b'\n', before).count() + 1;
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        Malformed {
            field: String::new(),
            reason: format!("the body is not valid JSON: {what} at line {line}, column {column}"),
        }
    }

    fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.bytes().get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    fn take(&mut self, wanted: u8) -> Result<(), Malformed> {
        if self.peek() == Some(wanted) {
            self.at += 1;
            return Ok(());
        }
        Err(self.broken(&format!("`{}` is missing", char::from(wanted))))
    }

    /// What begins here.
    pub(super) fn kind(&mut self) -> Result<Kind, Malformed> {
        match self.peek() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b't') => Ok(Kind::Bool(true)),
            Some(b'f') => Ok(Kind::Bool(false)),
            Some(b'n') => Ok(Kind::Null),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(_) => Err(self.broken("a value is missing")),
            None => Err(self.broken("the text ends")),
        }
    }

    pub(super) fn string(&mut self) -> Result<Quoted<'a>, Malformed> {
        self.take(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            let rest = self.bytes().get(self.at..).unwrap_or_default();
            let Some(found) = memchr2(b'"', b'\\', rest) else {
                self.at = self.text.len();
                return Err(self.broken("a string does not end"));
            };
            self.at += found;
            if self.bytes().get(self.at) == Some(&b'"') {
                break;
            }
            escaped = true;
            self.at = (self.at + 2).min(self.text.len());
        }
        // Both ends are quotes, so they are at character boundaries.
        let raw = self.text.get(start..self.at).unwrap_or_default();
        self.at += 1;
        Ok(Quoted { raw, escaped, span: start - 1..self.at })
    }

    /// A number, a truth value or null, as its text.
    pub(super) fn word(&mut self) -> Result<&'a str, Malformed> {
        self.peek();
        let start = self.at;
        let rest = self.bytes().get(start..).unwrap_or_default();
        let long =
            rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
        let word = self.text.get(start..start + long).unwrap_or_default();
        let number =
            word.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && word.parse::<f64>().is_ok();
        if !number && !matches!(word, "true" | "false" | "null") {
            return Err(self.broken("a value is missing"));
        }
        self.at += long;
        Ok(word)
    }

    /// Calls `each` at every value of the object that begins here, with its key; `each` must pass the value.
    pub(super) fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, &Quoted<'a>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.enter(b'{')?;
        if self.peek() == Some(b'}') {
            self.leave();
            return Ok(());
        }
        loop {
            let key = self.string()?;
            self.take(b':')?;
            each(self, &key)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.broken("`,` or `}` is missing")),
            }
        }
        self.leave();
        Ok(())
    }

    /// Calls `each` at every value of the array that begins here; `each` must pass the value.
    pub(super) fn array(
        &mut self,
        mut each: impl FnMut(&mut Self, usize) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.enter(b'[')?;
        if self.peek() == Some(b']') {
            self.leave();
            return Ok(());
        }
        let mut place = 0;
        loop {
            each(self, place)?;
            place += 1;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.broken("`,` or `]` is missing")),
            }
        }
        self.leave();
        Ok(())
    }

    /// Passes a value of any kind.
    pub(super) fn skip(&mut self) -> Result<(), Malformed> {
        match self.kind()? {
            Kind::Object => self.object(|cursor, _| cursor.skip()),
            Kind::Array => self.array(|cursor, _| cursor.skip()),
            Kind::String => self.string().map(drop),
            Kind::Number | Kind::Bool(_) | Kind::Null => self.word().map(drop),
        }
    }

    /// Nothing may follow.
    pub(super) fn end(&mut self) -> Result<(), Malformed> {
        if self.peek().is_some() { Err(self.broken("something follows the value")) } else { Ok(()) }
    }

    fn enter(&mut self, open: u8) -> Result<(), Malformed> {
        self.take(open)?;
        self.depth += 1;
        if self.depth > DEEPEST { Err(self.broken("it is nested too deeply")) } else { Ok(()) }
    }

    const fn leave(&mut self) {
        self.at += 1;
        self.depth -= 1;
    }
}

impl<'a> Quoted<'a> {
    /// Bytes between the quotes.
    pub(super) const fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether its first bytes are words with spaces between them.
    pub(super) fn begins_as_prose(&self) -> bool {
        self.raw.bytes().take(128).any(|byte| byte == b' ')
    }

    /// What it says; `None` when an escape is broken.
    pub(super) fn text(&self) -> Option<Cow<'a, str>> {
        if self.escaped { unescape(self.raw).map(Cow::Owned) } else { Some(Cow::Borrowed(self.raw)) }
    }

    /// The same for keys and words: a broken escape is no known word.
    pub(super) fn word(&self) -> Cow<'a, str> {
        self.text().unwrap_or_default()
    }
}

fn unescape(raw: &str) -> Option<String> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let mut chars = after.chars();
        match chars.next()? {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            plain @ ('"' | '\\' | '/') => out.push(plain),
            'u' => {
                let (unit, left) = hex4(chars.as_str())?;
                let (code, left) = match unit {
                    0xD800..=0xDBFF => match left.strip_prefix("\\u").and_then(hex4) {
                        Some((low @ 0xDC00..=0xDFFF, left)) => {
                            (0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), left)
                        }
                        // Half a pair is what careless clients send; providers read it as U+FFFD.
                        _ => (0xFFFD, left),
                    },
                    0xDC00..=0xDFFF => (0xFFFD, left),
                    plain => (plain, left),
                };
                out.push(char::from_u32(code)?);
                rest = left;
                continue;
            }
            _ => return None,
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    Some(out)
}

fn hex4(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    digits
        .bytes()
        .all(|b| b.is_ascii_hexdigit())
        .then(|| u32::from_str_radix(digits, 16).ok())?
        .map(|n| (n, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn strings_are_read_as_serde_reads_them(text in ".{0,40}") {
            let json = serde_json::to_string(&text).unwrap();
            let quoted = Cursor::new(&json).string().unwrap();
            prop_assert_eq!(quoted.text().unwrap(), text);
        }

        #[test]
        fn what_serde_takes_is_taken(text in "[\\[\\]{}:,\"a\\\\0-9. ntrue]{0,12}") {
            let mut cursor = Cursor::new(&text);
            let ours = cursor.skip().and_then(|()| cursor.end()).is_ok();
            if serde_json::from_str::<serde_json::Value>(&text).is_ok() {
                prop_assert!(ours, "{}", text);
            }
        }
    }

    #[test]
    fn broken_text_is_refused_with_its_place() {
        for (text, place) in
            [("{\"a\":}", "column 6"), ("[1 2]", "column 4"), ("\"abc", "column 5"), ("", "column 1")]
        {
            let refused = Cursor::new(text).skip().unwrap_err();
            assert!(refused.reason.contains(place), "{text}: {}", refused.reason);
        }
        let deep = "[".repeat(200);
        assert!(Cursor::new(&deep).skip().is_err());
    }
}
