//! A whole answer, judged before the client sees it.

use std::borrow::Cow;

use sanctum_llm::{Dialect, Fault, FaultKind, Usage};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{Counted, Inside, finish_word};
use crate::usage::Finish;

/// What a whole answer says of itself.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) usage: Option<Usage>,
    pub(crate) finish: Finish,
    /// Why it is no answer that a client should get while somebody else can be asked.
    pub(crate) broken: Option<Fault>,
}

#[derive(Debug, Deserialize)]
struct Top<'a> {
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    choices: Option<Vec<ChoiceSeen<'a>>>,
    /// Anthropic's.
    #[serde(borrow, default)]
    content: Option<Vec<Block<'a>>>,
    #[serde(borrow, default)]
    stop_reason: Option<Cow<'a, str>>,
    /// OpenAI's responses.
    #[serde(borrow, default)]
    output: Option<Vec<Item<'a>>>,
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct ChoiceSeen<'a> {
    #[serde(borrow, default)]
    message: Option<Message<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<&'a RawValue>,
    #[serde(default)]
    function_call: Option<IgnoredAny>,
    #[serde(borrow, default)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(default)]
    audio: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Block<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct Item<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    content: Option<Vec<Block<'a>>>,
}

/// A fault for what is no answer, although its provider thinks so.
pub(crate) fn broken(message: &str) -> Fault {
    Fault { status: 502, code: Some("broken_answer".to_owned()), ..Fault::new(FaultKind::Internal, message) }
}

/// Reads a whole answer of a provider.
pub(crate) fn judge(dialect: Dialect, body: &[u8]) -> Judged {
    let Ok(top) = serde_json::from_slice::<Top<'_>>(body) else {
        let fault = broken("the provider's answer is not the JSON it should be");
        return Judged { usage: None, finish: Finish::Error, broken: Some(fault) };
    };
    let mut usage = None;
    if let Some(counted) = top.usage.and_then(|raw| serde_json::from_str::<Counted>(raw.get()).ok()) {
        counted.into_usage(dialect, &mut usage);
    }
    if let Some(raw) = top.error.filter(|raw| raw.get() != "null") {
        let fault = serde_json::from_str::<Inside<'_>>(raw.get()).map(Inside::fault);
        let fault = fault.unwrap_or_else(|_| broken(raw.get().trim_matches('"')));
        return Judged { usage, finish: Finish::Error, broken: Some(fault) };
    }
    let (finish, said, text) = read(dialect, &top);
    let broken = if !said {
        Some(broken("the provider's answer is empty"))
    } else if text.is_some_and(|text| is_repetition(&text)) {
        Some(broken("the provider's answer repeats itself and nothing else"))
    } else {
        None
    };
    Judged { usage, finish, broken }
}

/// How it ended, whether it says anything, and its first text.
fn read<'a>(dialect: Dialect, top: &'a Top<'a>) -> (Finish, bool, Option<Cow<'a, str>>) {
    match dialect {
        Dialect::Messages => {
            let finish = top.stop_reason.as_deref().map_or(Finish::Other, finish_word);
            let blocks = top.content.as_deref().unwrap_or_default();
            let said = blocks.iter().any(Block::says)
                || matches!(finish, Finish::Declined | Finish::Paused | Finish::Length);
            (finish, said, blocks.iter().find_map(|block| block.text.clone()))
        }
        Dialect::Responses => {
            let finish = top.status.as_deref().map_or(Finish::Other, finish_word);
            let items = top.output.as_deref().unwrap_or_default();
            let calls = items.iter().any(|item| item.kind.as_deref() == Some("function_call"));
            let said = items.iter().any(|item| match &item.content {
                Some(content) => content.iter().any(Block::says),
                None => item.kind.as_deref() != Some("reasoning"),
            });
            let text = items
                .iter()
                .flat_map(|item| item.content.iter().flatten())
                .find_map(|block| block.text.clone());
            // One that works in the background has nothing to say yet.
            let waits = matches!(top.status.as_deref(), Some("queued" | "in_progress" | "incomplete"));
            (if calls { Finish::ToolCalls } else { finish }, said || waits, text)
        }
        Dialect::Chat | Dialect::Gemini => {
            let choices = top.choices.as_deref().unwrap_or_default();
            let finish = choices
                .iter()
                .find_map(|choice| choice.finish_reason.as_deref())
                .map_or(Finish::Other, finish_word);
            let said = choices.iter().any(|choice| choice.message.as_ref().is_some_and(Message::says))
                || matches!(finish, Finish::Declined | Finish::Length);
            let text = choices.iter().find_map(|choice| choice.message.as_ref()?.text());
            (finish, said, text)
        }
    }
}

impl Block<'_> {
    /// Whatever is no text is something: a tool call, a picture.
    fn says(&self) -> bool {
        match self.kind.as_deref() {
            Some("text" | "output_text") => self.text.as_deref().is_some_and(|text| !text.trim().is_empty()),
            _ => true,
        }
    }
}

impl<'a> Message<'a> {
    fn says(&self) -> bool {
        let there =
            |raw: Option<&RawValue>| raw.is_some_and(|raw| !matches!(raw.get(), "null" | "\"\"" | "[]"));
        there(self.content)
            || there(self.tool_calls)
            || there(self.refusal)
            || there(self.reasoning_content)
            || self.function_call.is_some()
            || self.audio.is_some()
    }

    fn text(&self) -> Option<Cow<'a, str>> {
        let raw = self.content?.get();
        // A short answer cannot repeat itself long enough; most are not even looked at.
        if raw.len() < SHORTEST { None } else { serde_json::from_str::<String>(raw).ok().map(Cow::Owned) }
    }
}

/// Nothing shorter is called a repetition, in bytes.
const SHORTEST: usize = 400;
/// Only the end is looked at, in bytes: a stuck model never gets out again.
const TAIL: usize = 2048;
/// A repeated piece is not longer than this, in bytes…
const LONGEST_PIECE: usize = 128;
/// …and comes at least so often.
const TIMES: usize = 8;

/// Whether the end of a text is one short piece again and again, and that is most of the text. (A table of equal cells is no
/// such text: something else stands before it.)
pub(crate) fn is_repetition(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < SHORTEST {
        return false;
    }
    let tail = bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or(bytes);
    // The shortest period of the tail by its longest border (Knuth, Morris, Pratt 1977), on the reversed tail so that a
    // ragged beginning does not matter.
    let reversed: Vec<u8> = tail.iter().rev().copied().collect();
    let mut border = vec![0_usize; reversed.len()];
    let mut length = 0;
    let mut best = 0;
    for at in 1..reversed.len() {
        while length > 0 && reversed.get(at) != reversed.get(length) {
            length = border.get(length - 1).copied().unwrap_or(0);
        }
        if reversed.get(at) == reversed.get(length) {
            length += 1;
        }
        if let Some(slot) = border.get_mut(at) {
            *slot = length;
        }
        let period = at + 1 - length;
        if period <= LONGEST_PIECE && (at + 1) / period >= TIMES {
            best = at + 1;
        }
    }
    best * 10 >= tail.len() * 9 && best * 2 >= bytes.len().min(2 * TAIL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pure_repetition_is_called_so() {
        let prose = "The quick brown fox jumps over the lazy dog, and nobody who has seen it would say that it did so twice. ";
        let mut list = String::new();
        for n in 0..200 {
            list.push_str(&format!("{n}. item\n"));
        }
        assert!(is_repetition(&"ha".repeat(400)));
        assert!(is_repetition(&"I am sorry. ".repeat(60)));
        assert!(is_repetition(&format!("Well: {}", "no ".repeat(300))));
        assert!(!is_repetition(&list));
        assert!(!is_repetition(&prose.repeat(4)));
        assert!(!is_repetition("ha ha ha"));
    }

    #[test]
    fn answers_are_read_in_every_dialect() {
        let chat = br#"{"choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":4}}}"#;
        let seen = judge(Dialect::Chat, chat);
        assert_eq!(seen.usage, Some(Usage { input: 10, cached: 4, output: 2, ..Usage::default() }));
        assert_eq!((seen.finish, seen.broken), (Finish::Stop, None));
        let messages = br#"{"content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":10,"output_tokens":2,"cache_read_input_tokens":100,"cache_creation_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":3,"ephemeral_1h_input_tokens":4}}}"#;
        let seen = judge(Dialect::Messages, messages);
        let usage = Usage { input: 117, cached: 100, written_5m: 3, written_1h: 4, output: 2, reasoning: 0 };
        assert_eq!((seen.usage, seen.broken), (Some(usage), None));
        let responses = br#"{"status":"completed","output":[{"type":"function_call","name":"f"}],"usage":{"input_tokens":5,"output_tokens":6,"output_tokens_details":{"reasoning_tokens":2}}}"#;
        let seen = judge(Dialect::Responses, responses);
        assert_eq!((seen.finish, seen.broken), (Finish::ToolCalls, None));
        assert_eq!(seen.usage.map(|usage| usage.reasoning), Some(2));
    }

    #[test]
    fn what_is_no_answer_is_seen() {
        for (dialect, body) in [
            (Dialect::Chat, r#"{"error":{"message":"no","type":"server_error","code":500}}"#),
            (Dialect::Chat, r#"{"choices":[{"message":{"content":""},"finish_reason":"stop"}]}"#),
            (Dialect::Chat, r#"{"choices":[]}"#),
            (Dialect::Messages, r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#),
            (Dialect::Messages, r#"{"content":[],"stop_reason":"end_turn"}"#),
            (Dialect::Responses, r#"{"status":"completed","output":[]}"#),
            (Dialect::Chat, "<html>"),
        ] {
            assert!(judge(dialect, body.as_bytes()).broken.is_some(), "{body}");
        }
        let call = r#"{"choices":[{"message":{"content":null,"tool_calls":[{"id":"a"}]},"finish_reason":"tool_calls"}]}"#;
        assert!(judge(Dialect::Chat, call.as_bytes()).broken.is_none());
    }
}
