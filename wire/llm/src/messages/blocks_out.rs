//! Blocks of content, written.

use super::{request_out::Out, seals};
use crate::{
    Dialect, Part, Source, data_uri,
    extra::{Kept, Losses},
    json::{self, Array, Object},
};

/// What Anthropic refuses: "text content blocks must contain non-whitespace text".
pub(super) fn is_blank(part: &Part) -> bool {
    matches!(part, Part::Text { text, .. } if text.trim().is_empty())
}

pub(super) fn is_media(part: &Part) -> bool {
    matches!(part, Part::Image { .. } | Part::Document { .. } | Part::Audio { .. })
}

/// A block of a turn, with calls and results named as the target wants them.
pub(super) fn in_turn<'r>(
    out: &mut Out<'r>,
    list: &mut Array<'_>,
    kept: &Kept<'_>,
    place: usize,
    at: &str,
    part: &'r Part,
) {
    let way = format!("/content/{place}");
    match part {
        Part::ToolCall { id, cache, signature, .. } => {
            if signature.is_some() {
                out.losses.dropped(format!("{at}.signature"));
            }
            let id = out.ids.call(id);
            let mut object = list.object();
            call(&mut object, &id, part, &mut out.losses, at);
            if let Some(cache) = cache {
                cache.write(&mut object);
            }
            object.fields(kept.under(&way));
        }
        Part::ToolResult { id, parts, error, cache, .. } => {
            let id = out.ids.result(id);
            let mut object = list.object();
            object.string("type", "tool_result").string("tool_use_id", &id);
            result(out, &mut object, kept, &way, at, parts);
            if *error {
                object.flag("is_error", true);
            }
            if let Some(cache) = cache {
                cache.write(&mut object);
            }
            object.fields(kept.under(&way));
        }
        _ => write(out, list, kept, &way, at, part),
    }
}

fn result(out: &mut Out<'_>, object: &mut Object<'_>, kept: &Kept<'_>, way: &str, at: &str, parts: &[Part]) {
    let inside = kept.under(&format!("{way}/content/0")).next().is_some();
    match parts {
        [] => {}
        [Part::Text { text, cache: None, notes: None }] if !inside => {
            object.string("content", text);
        }
        parts => {
            let mut list = object.array("content");
            for (inner, part) in parts.iter().enumerate() {
                let (way, at) = (format!("{way}/content/{inner}"), format!("{at}.content[{inner}]"));
                write(out, &mut list, kept, &way, &at, part);
            }
        }
    }
}

/// Every block but calls and results.
pub(super) fn write(
    out: &mut Out<'_>,
    list: &mut Array<'_>,
    kept: &Kept<'_>,
    way: &str,
    at: &str,
    part: &Part,
) {
    let (same, losses) = (out.same, &mut out.losses);
    let rest = |object: &mut Object<'_>, name: &str| {
        object.fields(kept.under(&format!("{way}{name}")));
    };
    match part {
        Part::Text { text, cache, notes } => {
            if is_blank(part) && !same {
                return;
            }
            let mut object = list.object();
            object.string("type", "text").string("text", text);
            match notes {
                Some(notes) if same => {
                    object.raw("citations", notes.get());
                }
                Some(_) => losses.dropped(format!("{at}.annotations")),
                None => {}
            }
            if let Some(cache) = cache {
                cache.write(&mut object);
            }
            rest(&mut object, "");
        }
        Part::Image { source, .. } | Part::Document { source, .. } => {
            if let Part::Image { detail: Some(detail), .. } = part
                && detail != "auto"
            {
                losses.dropped(format!("{at}.detail"));
            }
            if !is_sayable(source) {
                return losses.dropped(at);
            }
            let mut object = list.object();
            media(&mut object, part, same, |object| rest(object, "/source"));
            rest(&mut object, "");
        }
        Part::Thinking { text, signature } => match signature {
            None if !same => losses.dropped(at),
            _ => {
                let mut object = list.object();
                thinking(&mut object, text, signature.as_deref());
                rest(&mut object, "");
            }
        },
        Part::Redacted { data, id } if !seals::is_foreign(data, id.as_deref()) => {
            let mut object = list.object();
            object.string("type", "redacted_thinking").string("data", data);
            rest(&mut object, "");
        }
        Part::Refusal { text } => {
            losses.became(at, "as text");
            list.object().string("type", "text").string("text", text);
        }
        Part::Opaque { dialect: Dialect::Messages, json } => list.raw(json.get()),
        _ => losses.dropped(at),
    }
}

fn media(object: &mut Object<'_>, part: &Part, same: bool, more: impl FnOnce(&mut Object<'_>)) {
    let cache = match part {
        Part::Image { source, cache, .. } => {
            object.string("type", "image");
            write_source(object, source, more);
            cache
        }
        Part::Document { source, name, cache } => {
            object.string("type", "document");
            write_source(object, &plain(source, same), more);
            object.maybe("title", name.as_deref());
            cache
        }
        _ => return,
    };
    if let Some(cache) = cache {
        cache.write(object);
    }
}

pub(super) fn thinking(object: &mut Object<'_>, text: &str, signature: Option<&str>) {
    object
        .string("type", "thinking")
        .string("thinking", text)
        .string("signature", signature.unwrap_or_default());
}

/// The arguments of a model that broke its JSON are handed on as they are, in an object of their own.
pub(super) fn call(object: &mut Object<'_>, id: &str, part: &Part, losses: &mut Losses, at: &str) {
    let Part::ToolCall { name, arguments, .. } = part else { return };
    object.string("type", "tool_use").string("id", id).string("name", name);
    if arguments.trim().is_empty() {
        object.raw("input", "{}");
    } else if json::is_object(arguments) {
        object.raw("input", arguments);
    } else {
        losses.became(format!("{at}.arguments"), "the text `raw_arguments`, because they are no JSON object");
        object.object("input").string("raw_arguments", arguments);
    }
}

fn is_sayable(source: &Source) -> bool {
    match source {
        Source::Url(url) => !url.starts_with("data:"),
        Source::File { dialect, .. } => *dialect == Dialect::Messages,
        Source::Base64 { .. } | Source::Text { .. } => true,
    }
}

/// Base64 may only hold a PDF here; text goes as text.
fn plain(source: &Source, same: bool) -> std::borrow::Cow<'_, Source> {
    if let Source::Base64 { media, data } = source
        && !same
        && media.starts_with("text/")
        && let Some(text) = data_uri::decode(data).and_then(|bytes| String::from_utf8(bytes).ok())
    {
        return std::borrow::Cow::Owned(Source::Text { media: "text/plain".to_owned(), text });
    }
    std::borrow::Cow::Borrowed(source)
}

fn write_source(object: &mut Object<'_>, source: &Source, more: impl FnOnce(&mut Object<'_>)) {
    let mut given = object.object("source");
    match source {
        Source::Url(url) => given.string("type", "url").string("url", url),
        Source::Base64 { media, data } => {
            given.string("type", "base64").string("media_type", media).string("data", data)
        }
        Source::Text { media, text } => {
            given.string("type", "text").string("media_type", media).string("data", text)
        }
        Source::File { id, .. } => given.string("type", "file").string("file_id", id),
    };
    more(&mut given);
}
