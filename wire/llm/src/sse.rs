//! Server-sent events as bytes: a parser for streams that are split anywhere, and a writer.
//!
//! After the [HTML standard](https://html.spec.whatwg.org/multipage/server-sent-events.html), with one difference: what
//! stands at the end without a blank line is handed out too, because providers forget it.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// Longest line, and longest data of one event, in bytes. A generated picture may come as one event of several MiB.
pub const LIMIT: usize = 16 << 20;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// What stands in a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame<'a> {
    /// `name` is empty where no `event:` line was given; lines of data are joined by `\n`. What is no UTF-8 is replaced.
    Event { name: &'a str, data: Cow<'a, str> },
    /// A line that begins with a colon: somebody wants to keep the connection alive.
    Comment,
}

/// A line or an event is longer than the parser holds; the stream cannot be followed any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event is longer than {0} bytes")]
pub struct TooLong(pub usize);

/// Reads frames out of bytes that come in pieces.
#[derive(Debug)]
pub struct Parser {
    limit: usize,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    data: Vec<u8>,
    name: String,
    has_data: bool,
    /// The last piece ended in `\r`: a `\n` right after it belongs to the same line end.
    after_cr: bool,
    first: bool,
    broken: bool,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new(LIMIT)
    }
}

impl Parser {
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            data: Vec::new(),
            name: String::new(),
            has_data: false,
            after_cr: false,
            first: true,
            broken: false,
        }
    }

    /// Takes the next piece of the body and hands out every frame that it completes.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Frame<'_>)) -> Result<(), TooLong> {
        let mut rest = bytes;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = memchr2(b'\n', b'\r', rest) {
            let (line, tail) = rest.split_at(end);
            rest = match tail {
                [b'\r', b'\n', more @ ..] | [_, more @ ..] => more,
                [] => tail,
            };
            self.after_cr = rest.is_empty() && matches!(tail, [b'\r']);
            if self.line.is_empty() {
                self.take_line(line, &mut each)?;
            } else {
                self.keep(line)?;
                let whole = std::mem::take(&mut self.line);
                self.take_line(&whole, &mut each)?;
                self.line = whole;
                self.line.clear();
            }
        }
        self.keep(rest)
    }

    /// The body has ended: a last line without its end, and a last event without its blank line, are handed out.
    pub fn finish(&mut self, mut each: impl FnMut(Frame<'_>)) -> Result<(), TooLong> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take_line(&line, &mut each)?;
        }
        self.dispatch(&mut each);
        Ok(())
    }

    fn keep(&mut self, piece: &[u8]) -> Result<(), TooLong> {
        if self.broken || self.line.len() + piece.len() > self.limit {
            self.broken = true;
            return Err(TooLong(self.limit));
        }
        self.line.extend_from_slice(piece);
        Ok(())
    }

    fn take_line(&mut self, line: &[u8], each: &mut impl FnMut(Frame<'_>)) -> Result<(), TooLong> {
        let line =
            if std::mem::take(&mut self.first) { line.strip_prefix(BOM).unwrap_or(line) } else { line };
        if line.is_empty() {
            self.dispatch(each);
            return Ok(());
        }
        let (field, value) = match memchr(b':', line) {
            Some(0) => {
                each(Frame::Comment);
                return Ok(());
            }
            Some(colon) => {
                let (field, value) = line.split_at(colon);
                let value = value.strip_prefix(b":").unwrap_or(value);
                (field, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, [].as_slice()),
        };
        match field {
            b"data" => self.add_data(value)?,
            b"event" => self.name = String::from_utf8_lossy(value).into_owned(),
            _ => {}
        }
        Ok(())
    }

    fn add_data(&mut self, value: &[u8]) -> Result<(), TooLong> {
        if self.broken || self.data.len() + value.len() > self.limit {
            self.broken = true;
            return Err(TooLong(self.limit));
        }
        if self.has_data {
            self.data.push(b'\n');
        }
        self.has_data = true;
        self.data.extend_from_slice(value);
        Ok(())
    }

    fn dispatch(&mut self, each: &mut impl FnMut(Frame<'_>)) {
        if std::mem::take(&mut self.has_data) {
            each(Frame::Event { name: &self.name, data: String::from_utf8_lossy(&self.data) });
        }
        self.data.clear();
        self.name.clear();
    }
}

/// Writes one event whose data is a JSON text. Raw JSON of others may hold line ends between its tokens; inside of
/// strings they are escaped, so that a blank may stand for each.
pub fn event(into: &mut Vec<u8>, name: Option<&str>, data: impl FnOnce(&mut Vec<u8>)) {
    if let Some(name) = name {
        into.extend_from_slice(b"event: ");
        into.extend_from_slice(name.as_bytes());
        into.push(b'\n');
    }
    into.extend_from_slice(b"data: ");
    let start = into.len();
    data(into);
    if let Some(written) = into.get_mut(start..) {
        let mut from = 0;
        while let Some(at) = written.get(from..).and_then(|rest| memchr2(b'\n', b'\r', rest)) {
            if let Some(byte) = written.get_mut(from + at) {
                *byte = b' ';
            }
            from += at + 1;
        }
    }
    into.extend_from_slice(b"\n\n");
}

/// Writes a comment that clients ignore and connections notice.
pub fn comment(into: &mut Vec<u8>, text: &str) {
    into.extend_from_slice(b": ");
    into.extend_from_slice(text.as_bytes());
    into.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<(String, String)> {
        let mut seen = Vec::new();
        let mut parser = Parser::default();
        let mut each = |frame: Frame<'_>| match frame {
            Frame::Event { name, data } => seen.push((name.to_owned(), data.into_owned())),
            Frame::Comment => seen.push(("#".to_owned(), String::new())),
        };
        for piece in pieces {
            parser.push(piece, &mut each).unwrap();
        }
        parser.finish(&mut each).unwrap();
        seen
    }

    fn pair(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn lines_end_in_three_ways() {
        for end in ["\n", "\r\n", "\r"] {
            let text = format!("event: a{end}data: 1{end}data: 2{end}{end}: hm{end}data:3{end}{end}data:  4");
            let want = vec![pair("a", "1\n2"), pair("#", ""), pair("", "3"), pair("", " 4")];
            assert_eq!(parse([text.as_bytes()]), want, "{end:?}");
            assert_eq!(parse(text.as_bytes().chunks(1)), want, "{end:?}");
        }
    }

    #[test]
    fn oddities() {
        assert_eq!(parse([b"\xEF\xBB\xBFdata: x\n\n".as_slice()]), [pair("", "x")]);
        assert_eq!(parse([b"data\n\n".as_slice()]), [pair("", "")]);
        assert_eq!(parse([b"event: lonely\n\ndata: x\n\n".as_slice()]), [pair("", "x")]);
        assert_eq!(parse([b"id: 7\nretry: 10\nnonsense\n\n".as_slice()]), []);
        assert_eq!(parse([b"data: \xFFx\n\n".as_slice()]), [pair("", "\u{FFFD}x")]);
        assert_eq!(parse([b"<html>502</html>".as_slice()]), []);
    }

    #[test]
    fn a_line_has_a_bound() {
        let mut parser = Parser::new(10);
        let mut ignore = |_: Frame<'_>| ();
        assert!(parser.push(b"data: 1234", &mut ignore).is_ok());
        assert_eq!(parser.push(b"5", &mut ignore), Err(TooLong(10)));
        assert_eq!(parser.push(b"\n\n", &mut ignore), Err(TooLong(10)));
        let mut parser = Parser::new(10);
        assert!(parser.push(b"data: 1234\ndata: 567\n", &mut ignore).is_ok());
        assert_eq!(parser.push(b"data: 8901\n\n", &mut ignore), Err(TooLong(10)));
    }

    #[test]
    fn raw_json_with_line_ends_stays_one_line() {
        let mut out = Vec::new();
        event(&mut out, Some("x"), |out| out.extend_from_slice(b"{\r\n\"a\": \"b\\n\"\n}"));
        comment(&mut out, "wait");
        assert_eq!(out, b"event: x\ndata: {  \"a\": \"b\\n\" }\n\n: wait\n\n");
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(
            bom: bool,
            lines in proptest::collection::vec((0..8_usize, 0..3_usize), 0..16),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..12),
        ) {
            let mut text = String::from(if bom { "\u{FEFF}" } else { "" });
            for (line, end) in lines {
                text.push_str(["data: ä", "data:😀", "data", "event: e", "", "", ": c", "id: x"][line]);
                text.push_str(["\n", "\r\n", "\r"][end]);
            }
            let bytes = text.as_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let pieces = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            prop_assert_eq!(parse(pieces), parse([bytes]));
            prop_assert_eq!(parse(bytes.chunks(1)), parse([bytes]));
        }

        #[test]
        fn bytes_never_panic(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..20)) {
            parse(pieces.iter().map(Vec::as_slice));
        }
    }
}
