//! Where the things that routing needs stand in each shape of request.

use std::borrow::Cow;

use super::json::{Cursor, Kind, Quoted};
use super::{Marks, Shape, Text, View, Voice, malformed};
use crate::Malformed;

pub(super) fn body<'a>(view: &mut View<'a>, shape: Shape, text: &'a str) -> Result<(), Malformed> {
    let mut cursor = Cursor::new(text);
    if cursor.kind()? != Kind::Object {
        return Err(malformed("", "the body must be a JSON object"));
    }
    let mut seen: Vec<Cow<'a, str>> = Vec::with_capacity(16);
    let mut said = false;
    cursor.object(|cursor, key| {
        let name = key.word();
        // Two of a key are read as the first by some and as the last by others: nobody may be fooled by that here.
        if seen.contains(&name) {
            return Err(malformed(&name, "stands twice in the body"));
        }
        seen.push(Cow::clone(&name));
        top(view, shape, cursor, &name, &mut said)
    })?;
    cursor.end()?;
    if !said {
        let field = match shape {
            Shape::Chat | Shape::Messages => "messages",
            _ => "input",
        };
        // A response may go on without saying anything new.
        if !(shape == Shape::Responses && (view.continues || seen.iter().any(|key| key == "prompt"))) {
            return Err(malformed(field, "is missing or empty"));
        }
    }
    Ok(())
}

fn top<'a>(
    view: &mut View<'a>,
    shape: Shape,
    cursor: &mut Cursor<'a>,
    key: &str,
    said: &mut bool,
) -> Result<(), Malformed> {
    match key {
        "model" => {
            if cursor.kind()? != Kind::String {
                return Err(malformed("model", "must be a string"));
            }
            let model = cursor.string()?;
            view.model = Some((model.word(), model.span));
            Ok(())
        }
        "stream" => match cursor.kind()? {
            Kind::Bool(on) => {
                cursor.word()?;
                view.stream = on;
                let end = cursor.at();
                view.stream_at = Some(end - if on { 4 } else { 5 }..end);
                Ok(())
            }
            Kind::Null => cursor.skip(),
            _ => Err(malformed("stream", "must be true or false")),
        },
        "stream_options" => stream_options(view, cursor),
        "max_tokens" | "max_completion_tokens" | "max_output_tokens" => number(cursor, key).map(|found| {
            if let Some(found) = found {
                // Both names at once: the larger counts for the reservation.
                if view.max_tokens.as_ref().is_none_or(|(before, _)| *before < found.0) {
                    view.max_tokens = Some(found);
                }
            }
        }),
        "n" if shape == Shape::Chat => {
            number(cursor, key).map(|found| view.choices = found.map_or(1, |(n, _)| n.max(1)))
        }
        "messages" if matches!(shape, Shape::Chat | Shape::Messages) => messages(view, cursor, key, said),
        "input" if !matches!(shape, Shape::Chat | Shape::Messages) => input(view, cursor, said),
        "system" | "instructions" => {
            let mut at =
                Place { voice: Voice::System, message: 0, key: Cow::Borrowed("content"), free: false };
            value(view, cursor, &mut at)
        }
        "tools" => tools(view, cursor),
        "thinking" | "reasoning" | "reasoning_effort" => {
            view.thinking = cursor.kind()? != Kind::Null;
            let start = cursor.at();
            cursor.skip()?;
            view.thinking &=
                !cursor.since(start).contains("\"disabled\"") && !cursor.since(start).contains("\"none\"");
            Ok(())
        }
        "previous_response_id" | "conversation" => {
            view.continues = cursor.kind()? != Kind::Null;
            cursor.skip()
        }
        "cache_control" => marks(view, cursor),
        _ => cursor.skip(),
    }
}

fn number(cursor: &mut Cursor<'_>, key: &str) -> Result<Option<(u64, std::ops::Range<usize>)>, Malformed> {
    match cursor.kind()? {
        Kind::Null => cursor.skip().map(|()| None),
        Kind::Number => {
            let word = cursor.word()?;
            let end = cursor.at();
            let value =
                word.parse().map_err(|_| malformed(key, "must be a whole number that is not negative"))?;
            Ok(Some((value, end - word.len()..end)))
        }
        _ => Err(malformed(key, "must be a whole number")),
    }
}

fn stream_options<'a>(view: &mut View<'a>, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
    match cursor.kind()? {
        Kind::Null => return cursor.skip(),
        Kind::Object => {}
        _ => return Err(malformed("stream_options", "must be an object")),
    }
    let (start, mut empty) = (cursor.at(), true);
    cursor.object(|cursor, key| {
        empty = false;
        if key.word() != "include_usage" {
            return cursor.skip();
        }
        let kind = cursor.kind()?;
        let start = cursor.at();
        cursor.skip()?;
        if let Kind::Bool(on) = kind {
            view.include_usage = Some((on, start..cursor.at()));
        }
        Ok(())
    })?;
    view.stream_options_at = Some((start..cursor.at(), empty));
    Ok(())
}

/// Where a walk is.
#[derive(Clone)]
struct Place<'a> {
    voice: Voice,
    message: usize,
    key: Cow<'a, str>,
    /// Inside of what a model made up for a tool, where no key has a meaning of ours.
    free: bool,
}

fn messages<'a>(
    view: &mut View<'a>,
    cursor: &mut Cursor<'a>,
    key: &str,
    said: &mut bool,
) -> Result<(), Malformed> {
    if cursor.kind()? != Kind::Array {
        return Err(malformed(key, "must be an array"));
    }
    cursor.array(|cursor, place| {
        *said = true;
        if cursor.kind()? != Kind::Object {
            return Err(malformed(&format!("{key}[{place}]"), "must be an object"));
        }
        message(view, cursor, place)
    })
}

/// What a response or an embedding is asked about: a string, or items that may be messages.
fn input<'a>(view: &mut View<'a>, cursor: &mut Cursor<'a>, said: &mut bool) -> Result<(), Malformed> {
    match cursor.kind()? {
        Kind::String => {
            let text = cursor.string()?;
            *said = text.len() > 0;
            view.messages = 1;
            push(view, Voice::User, 0, &text)
        }
        Kind::Array => cursor.array(|cursor, place| {
            *said = true;
            match cursor.kind()? {
                Kind::Object => message(view, cursor, place),
                Kind::String => {
                    view.messages += 1;
                    let text = cursor.string()?;
                    push(view, Voice::User, place, &text)
                }
                _ => cursor.skip(),
            }
        }),
        _ => Err(malformed("input", "must be a string or an array")),
    }
}

/// The role may stand behind the words, so that the voice is set when both are known.
fn message<'a>(view: &mut View<'a>, cursor: &mut Cursor<'a>, place: usize) -> Result<(), Malformed> {
    view.messages += 1;
    let first = view.texts.len();
    let mut voice = None;
    let mut at = Place { voice: Voice::User, message: place, key: Cow::Borrowed(""), free: false };
    cursor.object(|cursor, key| {
        at.key = key.word();
        if matches!(&*at.key, "role" | "type") && cursor.kind()? == Kind::String {
            let word = cursor.string()?.word();
            match &*word {
                "system" | "developer" => voice = Some(Voice::System),
                "assistant" | "function_call" | "custom_tool_call" => voice = Some(Voice::Assistant),
                "tool" | "function" | "function_call_output" | "custom_tool_call_output" => {
                    voice = Some(Voice::Tool);
                }
                "reasoning" => {
                    voice = Some(Voice::Assistant);
                }
                "input_image" => note(view, &word),
                _ => {}
            }
            return Ok(());
        }
        value(view, cursor, &mut at)
    })?;
    if let Some(voice) = voice {
        for text in view.texts.iter_mut().skip(first).filter(|text| text.voice == Voice::User) {
            text.voice = voice;
        }
    }
    Ok(())
}

/// Words that are names, kinds and ids, not something that is said.
fn is_label(key: &str) -> bool {
    matches!(
        key,
        "type"
            | "role"
            | "id"
            | "call_id"
            | "tool_call_id"
            | "tool_use_id"
            | "name"
            | "media_type"
            | "detail"
            | "status"
            | "format"
            | "file_id"
            | "mime_type"
            | "ttl"
    )
}

/// Bytes of pictures, files and sounds, in base64 or behind a URL.
fn is_attachment(key: &str) -> bool {
    matches!(key, "data" | "url" | "image_url" | "file_data" | "file_url")
}

/// Any value inside a message: collects what it says.
fn value<'a>(view: &mut View<'a>, cursor: &mut Cursor<'a>, at: &mut Place<'a>) -> Result<(), Malformed> {
    match cursor.kind()? {
        Kind::String => {
            let text = cursor.string()?;
            if matches!(
                &*at.key,
                "signature" | "encrypted_content" | "thought_signature" | "thoughtSignature"
            ) {
                view.signed |= text.len() > 0;
                return Ok(());
            }
            if !at.free && at.key == "type" {
                let kind = text.word();
                note(view, &kind);
                if kind == "tool_result" {
                    at.voice = Voice::Tool;
                }
                return Ok(());
            }
            // A document may also be plain text; base64 has no spaces.
            if !at.free && is_attachment(&at.key) && !text.begins_as_prose() {
                view.attached += text.len();
                return Ok(());
            }
            if !at.free && is_label(&at.key) { Ok(()) } else { push(view, at.voice, at.message, &text) }
        }
        Kind::Object if at.key == "cache_control" => marks(view, cursor),
        Kind::Object => {
            let (outer, first) = (at.clone(), view.texts.len());
            at.free |= matches!(&*at.key, "input" | "arguments");
            cursor.object(|cursor, key| {
                at.key = key.word();
                value(view, cursor, at)
            })?;
            // `type` may stand behind the words it is the type of.
            if at.voice != outer.voice {
                for text in view.texts.iter_mut().skip(first) {
                    text.voice = at.voice;
                }
            }
            *at = outer;
            Ok(())
        }
        Kind::Array => {
            let outer = at.clone();
            cursor.array(|cursor, _| {
                *at = outer.clone();
                value(view, cursor, at)
            })?;
            *at = outer;
            Ok(())
        }
        Kind::Number | Kind::Bool(_) | Kind::Null => cursor.skip(),
    }
}

fn note(view: &mut View<'_>, kind: &str) {
    match kind {
        "image" | "image_url" | "input_image" => {
            view.images += 1;
            view.attachments += 1;
        }
        "document" | "file" | "input_file" | "input_audio" => view.attachments += 1,
        "redacted_thinking" => view.signed = true,
        _ => {}
    }
}

fn push<'a>(view: &mut View<'a>, voice: Voice, message: usize, text: &Quoted<'a>) -> Result<(), Malformed> {
    if text.len() == 0 {
        return Ok(());
    }
    let text = text.text().ok_or_else(|| malformed("", "a string has a broken escape"))?;
    view.texts.push(Text { voice, message, text });
    Ok(())
}

fn marks(view: &mut View<'_>, cursor: &mut Cursor<'_>) -> Result<(), Malformed> {
    let start = cursor.at();
    let marked = cursor.kind()? == Kind::Object;
    cursor.skip()?;
    if marked {
        let hour = cursor.since(start).contains("\"1h\"");
        view.marks = view.marks.max(if hour { Marks::Hour } else { Marks::Minutes });
    }
    Ok(())
}

/// Names of the tools: OpenAI's stand in `function`, the others beside `type`.
fn tools<'a>(view: &mut View<'a>, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
    match cursor.kind()? {
        Kind::Null => return cursor.skip(),
        Kind::Array => {}
        _ => return Err(malformed("tools", "must be an array")),
    }
    cursor.array(|cursor, _| if cursor.kind()? == Kind::Object { tool(view, cursor) } else { cursor.skip() })
}

fn tool<'a>(view: &mut View<'a>, cursor: &mut Cursor<'a>) -> Result<(), Malformed> {
    cursor.object(|cursor, key| match (&*key.word(), cursor.kind()?) {
        ("name", Kind::String) => {
            let name = cursor.string()?.word();
            view.tools.push(name);
            Ok(())
        }
        ("function", Kind::Object) => cursor.object(|cursor, key| {
            if key.word() == "name" && cursor.kind()? == Kind::String {
                let name = cursor.string()?.word();
                view.tools.push(name);
                return Ok(());
            }
            cursor.skip()
        }),
        ("cache_control", Kind::Object) => marks(view, cursor),
        _ => cursor.skip(),
    })
}
