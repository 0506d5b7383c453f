//! The frames of a stream, looked at as they pass.

use memchr::memchr;
use memchr::memmem;
use sanctum_llm::{Dialect, Fault, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Counted, Inside, finish_word};
use crate::usage::Finish;

/// A line longer than this is not kept for reading; it still passes. Pictures in events are that long.
const LONGEST_LINE: usize = 4 * 1024 * 1024;

/// What has been seen of a stream of server-sent events. Bytes may be split anywhere.
#[derive(Debug)]
pub(crate) struct Scanner {
    dialect: Dialect,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// The part of the last event that has come so far is not empty.
    inside: bool,
    pub(crate) usage: Option<Usage>,
    pub(crate) finish: Option<Finish>,
    pub(crate) fault: Option<Fault>,
    /// The provider said that this is all.
    pub(crate) done: bool,
    /// Events with data.
    pub(crate) events: u64,
    /// Events that say something a reader would see.
    pub(crate) content: u64,
    /// Bytes of data beyond what every event has: the words themselves, nearly.
    text: u64,
    least: usize,
    /// Anthropic's block that is open.
    pub(crate) open: Option<u64>,
    /// The data of the first event: has id and model.
    pub(crate) first: Vec<u8>,
}

#[derive(Debug, Deserialize)]
struct Piece<'a> {
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    choices: Option<Vec<Ending<'a>>>,
    #[serde(borrow, default)]
    delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<Responded<'a>>,
}

#[derive(Debug, Deserialize)]
struct Ending<'a> {
    #[serde(borrow, default)]
    finish_reason: Option<std::borrow::Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct Stopped<'a> {
    #[serde(borrow, default)]
    stop_reason: Option<std::borrow::Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct Started<'a> {
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Responded<'a> {
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Indexed {
    #[serde(default)]
    index: u64,
}

impl Scanner {
    pub(crate) const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            line: Vec::new(),
            inside: false,
            usage: None,
            finish: None,
            fault: None,
            done: false,
            events: 0,
            content: 0,
            text: 0,
            least: usize::MAX,
            open: None,
            first: Vec::new(),
        }
    }

    /// Looks at more bytes.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        while let Some(end) = memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            bytes = rest.get(1..).unwrap_or_default();
            if self.line.is_empty() {
                self.take(line);
            } else {
                let mut kept = std::mem::take(&mut self.line);
                kept.extend_from_slice(line);
                self.take(&kept);
                kept.clear();
                self.line = kept;
            }
        }
        if self.line.len() + bytes.len() <= LONGEST_LINE {
            self.line.extend_from_slice(bytes);
        }
        self.inside |= !bytes.is_empty();
    }

    /// Whether what has passed ends where an event ends, so that something may be put in between.
    pub(crate) const fn between(&self) -> bool {
        !self.inside
    }

    /// Tokens of output that have passed, as far as can be told from outside: an event has one or more.
    pub(crate) fn output_guess(&self) -> u64 {
        self.content.max(self.text / 4)
    }

    fn take(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        if line.is_empty() {
            self.inside = false;
            return;
        }
        self.inside = true;
        let Some(data) = line.strip_prefix(b"data:") else { return };
        let data = data.strip_prefix(b" ").unwrap_or(data);
        self.events += 1;
        if self.events == 1 {
            self.first = data.get(..data.len().min(LONGEST_LINE)).unwrap_or_default().to_vec();
        }
        match self.dialect {
            Dialect::Messages => self.message_event(data),
            Dialect::Responses => self.response_event(data),
            Dialect::Chat | Dialect::Gemini => self.chunk(data),
        }
    }

    fn count(&mut self, data: &[u8]) {
        self.content += 1;
        self.least = self.least.min(data.len());
        self.text += (data.len() - self.least) as u64 + 1;
    }

    fn chunk(&mut self, data: &[u8]) {
        if data == b"[DONE]" {
            self.done = true;
            return;
        }
        let usage = has(data, b"\"usage\":{") || has(data, b"\"usage\": {");
        let ends = has(data, b"\"finish_reason\":\"") || has(data, b"\"finish_reason\": \"");
        let fault = has(data, b"\"error\"");
        if says(data) {
            self.count(data);
        }
        if usage || ends || fault {
            self.piece(data);
        }
    }

    fn message_event(&mut self, data: &[u8]) {
        if has(data, b"\"content_block_delta\"") {
            self.count(data);
            return;
        }
        if has(data, b"\"content_block_start\"") {
            self.open = serde_json::from_slice::<Indexed>(data).ok().map(|block| block.index);
            if has(data, b"\"tool_use\"") {
                self.count(data);
            }
        } else if has(data, b"\"content_block_stop\"") {
            self.open = None;
        } else if has(data, b"\"message_stop\"") {
            self.done = true;
        } else if has(data, b"\"message_start\"")
            || has(data, b"\"message_delta\"")
            || has(data, b"\"error\"")
        {
            self.piece(data);
        }
    }

    fn response_event(&mut self, data: &[u8]) {
        // The kind may stand anywhere in the event: nobody promises an order of keys. Inside of text the quote is escaped.
        if has(data, b".delta\"") {
            self.count(data);
            return;
        }
        for (word, finish) in [
            (&b"\"response.completed\""[..], Finish::Stop),
            (b"\"response.incomplete\"", Finish::Length),
            (b"\"response.failed\"", Finish::Error),
        ] {
            if has(data, word) {
                self.done = true;
                self.finish = Some(finish);
                self.piece(data);
                return;
            }
        }
        if has(data, b"\"type\":\"error\"") || has(data, b"\"type\": \"error\"") {
            self.piece(data);
        } else if has(data, b"\"response.output_item.added\"") && has(data, b"\"function_call\"") {
            self.count(data);
        }
    }

    /// Reads one event that says something about the request as a whole.
    fn piece(&mut self, data: &[u8]) {
        let Ok(piece) = serde_json::from_slice::<Piece<'_>>(data) else { return };
        let response = piece.response.as_ref();
        let started = piece.message.and_then(|raw| serde_json::from_str::<Started<'_>>(raw.get()).ok());
        let usage = piece.usage.or(response.and_then(|response| response.usage));
        let usage = usage.or(started.and_then(|started| started.usage));
        if let Some(counted) = usage.and_then(|raw| serde_json::from_str::<Counted>(raw.get()).ok()) {
            counted.into_usage(self.dialect, &mut self.usage);
        }
        let word = piece.choices.iter().flatten().find_map(|choice| choice.finish_reason.clone());
        let stopped = piece.delta.and_then(|raw| serde_json::from_str::<Stopped<'_>>(raw.get()).ok());
        if let Some(word) = word.or(stopped.and_then(|stopped| stopped.stop_reason)) {
            self.finish = Some(finish_word(&word));
        }
        let fault = piece.error.or(response.and_then(|response| response.error));
        if let Some(raw) = fault.filter(|raw| raw.get() != "null") {
            let inside = serde_json::from_str::<Inside<'_>>(raw.get()).ok();
            let plain = || Inside::plain(raw.get().trim_matches('"'));
            self.fault = Some(inside.unwrap_or_else(plain).fault());
        } else if self.dialect == Dialect::Responses && has(data, b"\"type\":\"error\"") {
            self.fault = serde_json::from_slice::<Inside<'_>>(data).ok().map(Inside::fault);
        }
        if self.finish == Some(Finish::Error) && self.fault.is_none() {
            self.fault = Some(Inside::plain("the provider ended the stream with an error").fault());
        }
    }
}

impl<'a> Inside<'a> {
    fn plain(message: &'a str) -> Self {
        Self { message: Some(message.into()), kind: None, code: None, param: None }
    }
}

fn has(data: &[u8], needle: &[u8]) -> bool {
    memmem::find(data, needle).is_some()
}

/// Whether a chunk says anything: its delta has more than a role.
fn says(data: &[u8]) -> bool {
    let filled = |key: &[u8]| {
        let Some(at) = memmem::find(data, key) else { return false };
        let rest = data.get(at + key.len()..).unwrap_or_default();
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        !rest.starts_with(b"\"\"") && !rest.starts_with(b"null") && !rest.starts_with(b"[]")
    };
    filled(b"\"content\":")
        || filled(b"\"tool_calls\":")
        || filled(b"\"reasoning_content\":")
        || filled(b"\"reasoning\":")
        || filled(b"\"refusal\":")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CHAT: &str = "data: {\"id\":\"1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n: ping\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"h\u{e9} \\\"usage\\\":{\"}}]}\r\n\r\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";

    const MESSAGES: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":9,\"output_tokens\":1,\"cache_read_input_tokens\":90}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":7}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

    fn split(dialect: Dialect, text: &str, cuts: &[usize]) -> Scanner {
        let mut scanner = Scanner::new(dialect);
        let mut rest = text.as_bytes();
        for cut in cuts {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            scanner.push(now);
            rest = later;
        }
        scanner.push(rest);
        scanner
    }

    proptest! {
        #[test]
        fn any_split_of_a_stream_reads_the_same(cuts in proptest::collection::vec(0_usize..80, 0..20)) {
            let chat = split(Dialect::Chat, CHAT, &cuts);
            prop_assert_eq!(chat.usage, Some(Usage { input: 3, output: 2, ..Usage::default() }));
            prop_assert_eq!((chat.finish, chat.done, chat.content, chat.between()), (Some(Finish::Stop), true, 1, true));
            let messages = split(Dialect::Messages, MESSAGES, &cuts);
            prop_assert_eq!(messages.usage, Some(Usage { input: 99, cached: 90, output: 7, ..Usage::default() }));
            prop_assert_eq!((messages.finish, messages.done, messages.open), (Some(Finish::Stop), true, None));
        }
    }

    #[test]
    fn a_failure_inside_a_stream_is_seen() {
        let openrouter = "data: {\"id\":\"1\",\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}],\"error\":{\"code\":502,\"message\":\"gone\"}}\n\n";
        let seen = split(Dialect::Chat, openrouter, &[]);
        assert_eq!(seen.fault.map(|fault| fault.message), Some("gone".to_owned()));
        let anthropic = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
        let seen = split(Dialect::Messages, anthropic, &[]);
        assert_eq!(seen.fault.and_then(|fault| fault.word), Some("overloaded_error".to_owned()));
        let half = split(Dialect::Chat, "data: {\"choi", &[]);
        assert!(!half.between() && !half.done);
    }
}
