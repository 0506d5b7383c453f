//! Parts: what contents and candidates are made of, read and written.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::model::Generation;
use crate::extra::Losses;
use crate::fields::{Fields, items, malformed, string};
use crate::json::{self, Array, Object};
use crate::write::object;
use crate::{Dialect, Malformed, Part, Raw, Source, ids};

/// Names the calls that come without an id: each gets one, and each result the id of the oldest call of its function
/// that has none yet.
#[derive(Debug)]
pub(super) struct Names {
    seed: String,
    count: usize,
    waiting: HashMap<String, Vec<String>>,
}

impl Names {
    pub(super) fn new(seed: &str) -> Self {
        Self { seed: seed.to_owned(), count: 0, waiting: HashMap::new() }
    }

    pub(super) fn call(&mut self, id: Option<String>, name: &str) -> String {
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| ids::make(&self.seed, self.count));
        self.count += 1;
        self.waiting.entry(name.to_owned()).or_default().push(id.clone());
        id
    }

    fn result(&mut self, id: Option<String>, name: &str) -> String {
        let waiting = self.waiting.entry(name.to_owned()).or_default();
        match id.filter(|id| !id.is_empty()) {
            Some(id) => {
                waiting.retain(|other| *other != id);
                id
            }
            None if waiting.is_empty() => ids::make(&self.seed, usize::MAX),
            None => waiting.remove(0),
        }
    }
}

/// Reads one part; a signature beside a text becomes thinking without words after it.
pub(super) fn read(
    raw: &RawValue,
    at: String,
    names: &mut Names,
    extra: &mut Vec<(String, Raw)>,
    into: &mut Vec<Part>,
) -> Result<(), Malformed> {
    let mut fields = Fields::google(raw, at)?;
    let thought = fields.flag("thought")?.unwrap_or(false);
    let signature = fields.owned("thoughtSignature")?;
    if let Some(text) = fields.owned("text")? {
        if thought {
            into.push(Part::Thinking { text, signature });
        } else {
            if !text.is_empty() || signature.is_none() {
                into.push(Part::text(text));
            }
            if signature.is_some() {
                into.push(Part::Thinking { text: String::new(), signature });
            }
        }
    } else if let Some(mut call) = fields.object("functionCall")?.map(Fields::camel) {
        let name = call.needed("name")?.into_owned();
        let id = names.call(call.owned("id")?, &name);
        let arguments = call.object_raw("args")?.map_or("{}", RawValue::get).to_owned();
        call.rest_at(extra);
        into.push(Part::ToolCall { id, name, arguments, signature, cache: None });
    } else if let Some(response) = fields.object("functionResponse")?.map(Fields::camel) {
        into.push(result(response, names, extra)?);
    } else if let Some(data) = fields.object("inlineData")?.map(Fields::camel) {
        match inline(data, extra)? {
            Some(part) => into.push(part),
            None => return opaque(raw, into),
        }
    } else if let Some(file) = fields.object("fileData")?.map(Fields::camel) {
        match file_data(file, extra)? {
            Some(part) => into.push(part),
            None => return opaque(raw, into),
        }
    } else {
        return opaque(raw, into);
    }
    fields.rest_at(extra);
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "ends the reading of a part as its other ends do")]
fn opaque(raw: &RawValue, into: &mut Vec<Part>) -> Result<(), Malformed> {
    into.push(Part::Opaque { dialect: Dialect::Gemini, json: raw.to_owned() });
    Ok(())
}

/// By the kind of media: pictures, sounds, documents; nothing for what this form has no word for, such as films.
fn media(kind: &str, source: Source, name: Option<String>) -> Option<Part> {
    match kind.split('/').next().unwrap_or_default() {
        "image" => Some(Part::Image { source, detail: None, cache: None }),
        "audio" => Some(Part::Audio { source }),
        "text" | "application" => Some(Part::Document { source, name, cache: None }),
        _ => None,
    }
}

fn inline(mut data: Fields<'_>, extra: &mut Vec<(String, Raw)>) -> Result<Option<Part>, Malformed> {
    let kind = data.needed("mimeType")?.into_owned();
    let bytes = data.needed("data")?.into_owned();
    let name = data.owned("displayName")?;
    data.rest_at(extra);
    Ok(media(&kind.clone(), Source::Base64 { media: kind, data: bytes }, name))
}

fn file_data(mut file: Fields<'_>, extra: &mut Vec<(String, Raw)>) -> Result<Option<Part>, Malformed> {
    let uri = file.needed("fileUri")?.into_owned();
    let kind = file.owned("mimeType")?;
    let name = file.owned("displayName")?;
    file.rest_at(extra);
    let kept = uri.starts_with("gs://") || uri.contains("generativelanguage.googleapis.com");
    let guessed = kind.unwrap_or_else(|| kind_of(&uri).unwrap_or("image/jpeg").to_owned());
    let source = if kept { Source::File { id: uri, dialect: Dialect::Gemini } } else { Source::Url(uri) };
    Ok(media(&guessed, source, name))
}

/// The kind of media a name or an address ends in.
fn kind_of(address: &str) -> Option<&'static str> {
    let path = address.split(['?', '#']).next().unwrap_or(address);
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "pdf" => "application/pdf",
        "txt" | "md" => "text/plain",
        "html" => "text/html",
        "csv" => "text/csv",
        "json" => "application/json",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        _ => return None,
    })
}

/// `{"output": …}` and `{"error": …}` are Google's own words for a result and a failure; any other object is the result.
fn result(
    mut response: Fields<'_>,
    names: &mut Names,
    extra: &mut Vec<(String, Raw)>,
) -> Result<Part, Malformed> {
    let name = response.needed("name")?.into_owned();
    let id = names.result(response.owned("id")?, &name);
    let at = response.at("response");
    let Some(raw) = response.object_raw("response")? else {
        return Err(malformed(at, "is missing; an object is needed"));
    };
    let mut fields = Fields::of(raw, at)?;
    let said =
        |raw: &RawValue| string(raw).map_or_else(|| raw.get().to_owned(), std::borrow::Cow::into_owned);
    let (output, error) = (fields.raw("output"), fields.raw("error"));
    let alone = fields.is_empty();
    let (text, failed) = match (output, error) {
        (Some(output), None) if alone => (said(output), false),
        (None, Some(error)) if alone => (said(error), true),
        _ => (raw.get().to_owned(), false),
    };
    let mut parts = vec![Part::text(text)];
    let at = response.at("parts");
    for (index, raw) in response.raw("parts").and_then(items).unwrap_or_default().into_iter().enumerate() {
        read(raw, format!("{at}[{index}]"), names, extra, &mut parts)?;
    }
    response.rest_at(extra);
    Ok(Part::ToolResult { id, name: Some(name), parts, error: failed, cache: None })
}

/// Writes parts of a turn or of an answer.
pub(super) struct Writer<'w> {
    pub(super) from: Dialect,
    pub(super) generation: Generation,
    /// The functions' names by the ids of their calls.
    pub(super) functions: HashMap<&'w str, &'w str>,
    pub(super) losses: &'w mut Losses,
}

/// Stands for a signature that Gemini 3 wants to see and that nobody has, because another model made the call; from
/// Google's guide to thought signatures.
const UNSIGNED: &str = "skip_thought_signature_validator";

impl Writer<'_> {
    pub(super) fn parts(&mut self, parts: &[Part], at: &str, list: &mut Array<'_>) {
        let signed = parts.iter().any(|part| matches!(part, Part::ToolCall { signature: Some(_), .. }));
        let mut unsigned = self.generation == Generation::Levels && !signed;
        let mut beside = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let at = format!("{at}.parts[{index}]");
            match part {
                Part::ToolCall { id, name, arguments, signature, cache } => {
                    self.cached(cache.is_some(), &at);
                    let stand_in = std::mem::take(&mut unsigned).then_some(UNSIGNED);
                    let signature = signature.as_deref().or(stand_in);
                    call(Call { id, name, arguments }, signature, &at, list, self.losses);
                }
                Part::ToolResult { id, name, parts, error, cache } => {
                    self.cached(cache.is_some(), &at);
                    self.result((id, name.as_deref()), (parts, *error), &at, list, &mut beside);
                }
                other => self.part(other, &at, list),
            }
        }
        for (part, at) in beside {
            self.part(part, &at, list);
        }
    }

    fn cached(&mut self, marked: bool, at: &str) {
        if marked {
            self.losses.became(format!("{at}.cache"), "left to the provider, which caches by itself");
        }
    }

    fn part(&mut self, part: &Part, at: &str, list: &mut Array<'_>) {
        match part {
            Part::Text { text, cache, notes } => {
                self.cached(cache.is_some(), at);
                if notes.is_some() {
                    self.losses.dropped(format!("{at}.notes"));
                }
                list.with(|o| o.put("text", text));
            }
            Part::Refusal { text } => {
                self.losses.became(at, "text");
                list.with(|o| o.put("text", text));
            }
            Part::Thinking { text, signature } => self.thinking(text, signature.as_deref(), at, list),
            Part::Image { source, detail, cache } => {
                self.cached(cache.is_some(), at);
                if detail.as_deref().is_some_and(|detail| detail != "auto") {
                    self.losses.dropped(format!("{at}.detail"));
                }
                self.media(source, "image/jpeg", at, list);
            }
            Part::Document { source, cache, .. } => {
                self.cached(cache.is_some(), at);
                self.media(source, "application/pdf", at, list);
            }
            Part::Audio { source } => self.media(source, "audio/wav", at, list),
            Part::Opaque { dialect: Dialect::Gemini, json } => list.put(json),
            Part::Redacted { .. } => self.losses.became(at, "dropped: only its issuer can read it"),
            Part::Opaque { .. } | Part::ToolCall { .. } | Part::ToolResult { .. } => self.losses.dropped(at),
        }
    }

    /// Reasoning nobody signed would be taken for Gemini's own words.
    fn thinking(&mut self, text: &str, signature: Option<&str>, at: &str, list: &mut Array<'_>) {
        if signature.is_none() && self.from != Dialect::Gemini {
            return self.losses.became(at, "dropped: only its issuer can read it");
        }
        list.with(|o| thought(text, signature, o));
    }

    fn media(&mut self, source: &Source, guess: &str, at: &str, list: &mut Array<'_>) {
        match source {
            Source::Base64 { media, data } => list.with(|o| inline_data(media, data, o)),
            Source::Text { text, .. } => {
                self.losses.became(at, "text");
                list.with(|o| o.put("text", text));
            }
            Source::Url(uri) => {
                let kind = kind_of(uri).unwrap_or(guess);
                list.with(|o| file_uri(kind, uri, o));
            }
            Source::File { id, dialect: Dialect::Gemini } => {
                let kind = kind_of(id).unwrap_or(guess);
                list.with(|o| file_uri(kind, id, o));
            }
            Source::File { .. } => self.losses.dropped(at),
        }
    }

    fn result<'p>(
        &mut self,
        (id, name): (&str, Option<&str>),
        (parts, error): (&'p [Part], bool),
        at: &str,
        list: &mut Array<'_>,
        beside: &mut Vec<(&'p Part, String)>,
    ) {
        let name = name.or_else(|| self.functions.get(id).copied()).unwrap_or_else(|| {
            self.losses.became(format!("{at}.name"), "unknown, because no call has this id");
            "unknown"
        });
        let texts: Vec<&str> = parts
            .iter()
            .filter_map(|part| if let Part::Text { text, .. } = part { Some(text.as_str()) } else { None })
            .collect();
        let others = parts.iter().enumerate().filter(|(_, part)| !matches!(part, Part::Text { .. }));
        let others: Vec<_> = others.map(|(index, part)| (part, format!("{at}.parts[{index}]"))).collect();
        let inside = self.generation == Generation::Levels;
        list.with(|o| {
            o.with("functionResponse", |o| {
                o.put("id", id);
                o.put("name", name);
                response(&texts, error, o);
                if inside && !others.is_empty() {
                    o.each("parts", |list| {
                        for (part, at) in &others {
                            self.part(part, at, list);
                        }
                    });
                }
            });
        });
        if !inside {
            for (_, at) in &others {
                self.losses.became(at, "beside the result of the function");
            }
            beside.extend(others);
        }
    }
}

/// The object of a result: the text itself if it is one, or Google's words around it.
fn response(texts: &[&str], error: bool, o: &mut Object<'_>) {
    match texts {
        [text] if !error && json::is_object(text) => _ = o.raw("response", text.trim()),
        texts => o.with("response", |o| {
            o.put(if error { "error" } else { "output" }, &texts.join("\n"));
        }),
    }
}

fn inline_data(media: &str, data: &str, o: &mut Object<'_>) {
    o.with("inlineData", |o| {
        o.put("mimeType", media);
        o.put("data", data);
    });
}

fn file_uri(media: &str, uri: &str, o: &mut Object<'_>) {
    o.with("fileData", |o| {
        o.put("mimeType", media);
        o.put("fileUri", uri);
    });
}

pub(super) fn thought(text: &str, signature: Option<&str>, o: &mut Object<'_>) {
    o.put("text", text);
    // A signature without words belongs to the text before it.
    if !text.is_empty() || signature.is_none() {
        o.put("thought", &true);
    }
    o.some("thoughtSignature", signature);
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) arguments: &'a str,
}

/// Writes a call; arguments are an object here, and what a model broke is kept as a string.
pub(super) fn call(
    call: Call<'_>,
    signature: Option<&str>,
    at: &str,
    list: &mut Array<'_>,
    losses: &mut Losses,
) {
    let arguments = call.arguments.trim();
    list.with(|o| {
        o.with("functionCall", |o| {
            o.put("id", call.id);
            o.put("name", call.name);
            if arguments.is_empty() {
                o.with("args", |_| ());
            } else if json::is_object(arguments) {
                o.raw("args", arguments);
            } else {
                losses.became(format!("{at}.arguments"), "a string within an object, because they are none");
                o.with("args", |o| o.put("arguments", arguments));
            }
        });
        o.some("thoughtSignature", signature);
    });
}

/// One part on its own, as bytes.
pub(super) fn alone(fill: impl FnOnce(&mut Object<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    object(&mut out, fill);
    out
}
