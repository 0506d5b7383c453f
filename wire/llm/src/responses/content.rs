//! Content parts: what messages and tool results are made of.

use serde_json::value::RawValue;

use crate::extra::Losses;
use crate::fields::{Fields, items, malformed, string, wrong};
use crate::json::Array;
use crate::{Cache, Dialect, Malformed, Part, Raw, Source, data_uri};

/// A string, or a list of parts.
pub(super) fn read(raw: &RawValue, at: &str, extra: &mut Vec<(String, Raw)>) -> Result<Vec<Part>, Malformed> {
    if let Some(text) = string(raw) {
        return Ok(vec![Part::text(text)]);
    }
    let parts = items(raw).ok_or_else(|| wrong(at, raw, "a string or a list of parts"))?;
    parts.into_iter().enumerate().map(|(index, raw)| part(raw, format!("{at}[{index}]"), extra)).collect()
}

fn part(raw: &RawValue, at: String, extra: &mut Vec<(String, Raw)>) -> Result<Part, Malformed> {
    let mut fields = Fields::of(raw, at)?;
    let kind = fields.needed("type")?;
    let part = match kind.as_ref() {
        "input_text" | "output_text" | "text" => {
            let text = fields.needed("text")?.into_owned();
            let notes = fields.raw("annotations").filter(|notes| notes.get() != "[]").map(ToOwned::to_owned);
            if fields.peek("logprobs").is_some_and(|logprobs| logprobs.get() == "[]") {
                fields.raw("logprobs");
            }
            Part::Text { text, cache: breakpoint(&mut fields), notes }
        }
        "refusal" => Part::Refusal { text: fields.needed("refusal")?.into_owned() },
        "input_image" => image(&mut fields)?,
        "input_file" => file(&mut fields)?,
        "input_audio" => audio(&mut fields)?,
        _ => return Ok(Part::Opaque { dialect: Dialect::Responses, json: raw.to_owned() }),
    };
    fields.rest_at(extra);
    Ok(part)
}

/// OpenAI's explicit breakpoint of the prompt cache says what Anthropic's `cache_control` says.
fn breakpoint(fields: &mut Fields<'_>) -> Option<Cache> {
    fields.raw("prompt_cache_breakpoint").map(|_| Cache::Ephemeral)
}

fn image(fields: &mut Fields<'_>) -> Result<Part, Malformed> {
    let url = fields.text("image_url")?;
    let file = fields.owned("file_id")?;
    let source = match (url, file) {
        (Some(url), _) => data_uri::source(url.into_owned()),
        (None, Some(id)) => Source::File { id, dialect: Dialect::Responses },
        (None, None) => {
            return Err(malformed(
                fields.at("image_url"),
                "is missing; a URL, a data URI or a file_id is needed",
            ));
        }
    };
    Ok(Part::Image { source, detail: fields.owned("detail")?, cache: breakpoint(fields) })
}

fn file(fields: &mut Fields<'_>) -> Result<Part, Malformed> {
    let name = fields.owned("filename")?;
    let (data, url, id) = (fields.text("file_data")?, fields.owned("file_url")?, fields.owned("file_id")?);
    let source = match (data, url, id) {
        (Some(data), ..) => inline(&data),
        (None, Some(url), _) => Source::Url(url),
        (None, None, Some(id)) => Source::File { id, dialect: Dialect::Responses },
        (None, None, None) => {
            return Err(malformed(
                fields.at("file_data"),
                "is missing; file_data, file_url or file_id is needed",
            ));
        }
    };
    Ok(Part::Document { source, name, cache: breakpoint(fields) })
}

/// A data URI, or base64 alone, which OpenAI takes as a PDF.
fn inline(data: &str) -> Source {
    let (media, data) = data_uri::parse(data).unwrap_or(("application/pdf", data));
    Source::Base64 { media: media.to_owned(), data: data.to_owned() }
}

fn audio(fields: &mut Fields<'_>) -> Result<Part, Malformed> {
    let at = fields.at("input_audio");
    let mut audio =
        fields.object("input_audio")?.ok_or_else(|| malformed(at, "is missing; an object is needed"))?;
    let media = match audio.text("format")?.as_deref() {
        Some("mp3") => "audio/mpeg".to_owned(),
        Some(format) => format!("audio/{format}"),
        None => "audio/wav".to_owned(),
    };
    Ok(Part::Audio { source: Source::Base64 { media, data: audio.needed("data")?.into_owned() } })
}

/// Where a part stands and who speaks, for writing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) at: &'a str,
    pub(super) from: Dialect,
    pub(super) assistant: bool,
}

/// Writes one part into a list of contents; what has no word is a loss.
pub(super) fn write(part: &Part, place: Place<'_>, list: &mut Array<'_>, losses: &mut Losses) {
    let at = place.at;
    match part {
        Part::Text { text, cache, notes } => {
            let marked = kept_mark(*cache, place, losses);
            list.with(|o| {
                o.put("type", if place.assistant { "output_text" } else { "input_text" });
                o.put("text", text);
                let own = notes.as_ref().filter(|_| place.from == Dialect::Responses);
                if notes.is_some() && own.is_none() {
                    losses.dropped(format!("{at}.notes"));
                }
                match own {
                    Some(notes) => o.put("annotations", notes),
                    // Clients insist on the list.
                    None if place.assistant => _ = o.raw("annotations", "[]"),
                    None => {}
                }
                if marked {
                    o.with("prompt_cache_breakpoint", |o| o.put("mode", "explicit"));
                }
            });
        }
        Part::Refusal { text } => list.with(|o| {
            o.put("type", "refusal");
            o.put("refusal", text);
        }),
        Part::Image { source, detail, cache } => {
            let marked = kept_mark(*cache, place, losses);
            let named = media(source, place, losses, ("image_url", "file_id"));
            let Some((key, value)) = named else { return };
            list.with(|o| {
                o.put("type", "input_image");
                o.put(key, &value);
                o.some("detail", detail.as_deref());
                if marked {
                    o.with("prompt_cache_breakpoint", |o| o.put("mode", "explicit"));
                }
            });
        }
        Part::Document { source, name, cache } => {
            document(source, name.as_deref(), *cache, place, list, losses);
        }
        Part::Audio { source: Source::Base64 { media, data } } => list.with(|o| {
            o.put("type", "input_audio");
            o.with("input_audio", |o| {
                o.put("data", data);
                o.put("format", format_of(media));
            });
        }),
        Part::Opaque { dialect: Dialect::Responses, json } => list.put(json),
        _ => losses.dropped(at),
    }
}

fn format_of(media: &str) -> &str {
    match media.strip_prefix("audio/").unwrap_or(media) {
        "mpeg" => "mp3",
        "x-wav" | "wave" => "wav",
        other => other,
    }
}

fn document(
    source: &Source,
    name: Option<&str>,
    cache: Option<Cache>,
    place: Place<'_>,
    list: &mut Array<'_>,
    losses: &mut Losses,
) {
    let marked = kept_mark(cache, place, losses);
    if let Source::Text { text, .. } = source {
        losses.became(place.at, "as text");
        return list.with(|o| {
            o.put("type", "input_text");
            o.put("text", text);
        });
    }
    let inline = matches!(source, Source::Base64 { .. });
    let keys = (if inline { "file_data" } else { "file_url" }, "file_id");
    let Some((key, value)) = media(source, place, losses, keys) else { return };
    list.with(|o| {
        o.put("type", "input_file");
        o.put(key, &value);
        // OpenAI demands a name beside the bytes.
        o.some("filename", name.or(inline.then_some("document.pdf")));
        if marked {
            o.with("prompt_cache_breakpoint", |o| o.put("mode", "explicit"));
        }
    });
}

fn media<'k>(
    source: &Source,
    place: Place<'_>,
    losses: &mut Losses,
    (url, file): (&'k str, &'k str),
) -> Option<(&'k str, String)> {
    match source {
        Source::File { id, dialect: Dialect::Responses | Dialect::Chat } => Some((file, id.clone())),
        other => {
            let found = data_uri::url(other).map(|value| (url, value.into_owned()));
            if found.is_none() {
                losses.dropped(place.at);
            }
            found
        }
    }
}

/// Whether a mark of the prompt cache is written: only to those who wrote it, because providers without the field
/// refuse it and OpenAI caches by itself.
fn kept_mark(cache: Option<Cache>, place: Place<'_>, losses: &mut Losses) -> bool {
    if cache.is_some() && place.from != Dialect::Responses {
        losses.became(format!("{}.cache", place.at), "left to the provider, which caches by itself");
    }
    cache.is_some() && place.from == Dialect::Responses
}
