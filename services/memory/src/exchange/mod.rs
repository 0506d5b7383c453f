//! What others remember, read into drafts one by one; and what we remember, written as others read it.

mod chatgpt;
mod claude;
mod elements;
mod graph;
pub(crate) mod http;
mod jsonl;
mod mem0;
mod obsidian;
pub(crate) mod taking;
#[cfg(test)]
mod tests;
mod turns;

use std::io::{self, BufRead, Read, Write as Out};
use std::ops::ControlFlow;

use jiff::Timestamp;
use sanctum_api::memory::{Note, Write};

/// One note that an import would make.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Draft {
    pub(crate) write: Write,
    /// Its id, if it is one of ours; it keeps it where it is free.
    pub(crate) id: Option<String>,
    pub(crate) created: Option<Timestamp>,
    pub(crate) updated: Option<Timestamp>,
    pub(crate) superseded_by: Option<String>,
    pub(crate) accesses: u32,
    /// Where in what is imported it is, for people.
    pub(crate) at: String,
}

/// What a reader finds, in its order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    Draft(Box<Draft>),
    /// What could not be taken: where it is, and why.
    Left(String, String),
}

/// Takes what is read; breaking off ends the reading.
pub(crate) type Sink<'a> = dyn FnMut(Item) -> ControlFlow<()> + 'a;

type WriteNote = fn(&Note, &mut dyn Out) -> io::Result<()>;

/// A format: what it is called, how it is known by its beginning, and how it is read and written.
pub(crate) struct Format {
    pub(crate) name: &'static str,
    /// For people: which file that is.
    pub(crate) file: &'static str,
    knows: fn(&str) -> bool,
    read: fn(&mut dyn BufRead, &mut Sink<'_>) -> io::Result<()>,
    /// Writes one note; absent for what is only read.
    write: Option<WriteNote>,
}

/// The first that knows a beginning reads it.
pub(crate) const FORMATS: &[Format] =
    &[chatgpt::FORMAT, claude::FORMAT, graph::FORMAT, obsidian::FORMAT, jsonl::FORMAT, mem0::FORMAT];

impl std::fmt::Debug for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// So much is looked at to know a format.
const BEGINNING: usize = 64 * 1024;
/// So many bytes of text are put into one note; a longer conversation becomes several.
pub(crate) const LONGEST: usize = 48 * 1024;

impl Format {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }

    /// Names of all formats, for a problem that says what is allowed.
    pub(crate) fn names(writing: bool) -> String {
        let all = FORMATS.iter().filter(|format| !writing || format.write.is_some());
        all.map(|format| format.name).collect::<Vec<_>>().join(", ")
    }

    /// Reads everything; what cannot be read is said and left. An error of the input itself ends it.
    pub(crate) fn read(&self, input: &mut dyn BufRead, sink: &mut Sink<'_>) -> io::Result<()> {
        (self.read)(input, sink)
    }

    /// Whether its file is one array, not a line for each note.
    pub(crate) fn is_array(&self) -> bool {
        self.name == mem0::FORMAT.name
    }

    pub(crate) fn writes(&self) -> bool {
        self.write.is_some()
    }

    pub(crate) fn write(&self, note: &Note, out: &mut dyn Out) -> io::Result<()> {
        self.write.map_or(Ok(()), |write| write(note, out))
    }
}

/// The format of an input by its beginning, and the input from its beginning on.
pub(crate) fn recognise(mut input: impl Read) -> io::Result<(Option<&'static Format>, impl BufRead)> {
    let mut beginning = vec![0; BEGINNING];
    let mut length = 0;
    while let Some(room) = beginning.get_mut(length..).filter(|room| !room.is_empty()) {
        match input.read(room)? {
            0 => break,
            more => length += more,
        }
    }
    beginning.truncate(length);
    let text = String::from_utf8_lossy(&beginning).trim_start_matches('\u{feff}').trim_start().to_owned();
    let format = FORMATS.iter().find(|format| (format.knows)(&text));
    Ok((format, io::BufReader::new(io::Cursor::new(beginning).chain(input))))
}

/// Reads lines of JSON, each by itself: one that is broken is left and the next is read.
fn lines(
    input: &mut dyn BufRead,
    sink: &mut Sink<'_>,
    mut take: impl FnMut(&str, String, &mut Sink<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let length = io::Read::take(&mut *input, LINE).read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok(());
        }
        let at = format!("line {number}");
        if length as u64 == LINE && !line.ends_with(b"\n") {
            skip_line(input)?;
            if sink(Item::Left(at, "the line is longer than 64 MB".to_owned())).is_break() {
                return Ok(());
            }
            continue;
        }
        let flow = match std::str::from_utf8(&line) {
            Ok(text) if text.trim().is_empty() => ControlFlow::Continue(()),
            Ok(text) => take(text.trim(), at, sink),
            Err(_) => sink(Item::Left(at, "it is not UTF-8".to_owned())),
        };
        if flow.is_break() {
            return Ok(());
        }
    }
    Ok(())
}

const LINE: u64 = 64 * 1024 * 1024;

fn skip_line(input: &mut dyn BufRead) -> io::Result<()> {
    loop {
        let (found, used) = {
            let buffer = input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(());
            }
            match buffer.iter().position(|byte| *byte == b'\n') {
                Some(at) => (true, at + 1),
                None => (false, buffer.len()),
            }
        };
        input.consume(used);
        if found {
            return Ok(());
        }
    }
}

/// A moment as exports write it: RFC 3339, or seconds since 1970.
fn moment(value: &serde_json::Value) -> Option<Timestamp> {
    match value {
        serde_json::Value::Number(number) => {
            let seconds = number.as_f64().filter(|seconds| seconds.is_finite())?;
            let micros = seconds * 1e6;
            // Timestamps of jiff end in the year 9999: 2.5e17 µs.
            #[expect(clippy::cast_possible_truncation, reason = "it is in range")]
            (micros.abs() < 2.5e17).then(|| Timestamp::from_microsecond(micros as i64).ok())?
        }
        serde_json::Value::String(text) => text.parse().ok().or_else(|| {
            let civil: jiff::civil::DateTime = text.parse().ok()?;
            civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
        }),
        _ => None,
    }
}
