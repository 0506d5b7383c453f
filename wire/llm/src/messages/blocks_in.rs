//! Blocks of content, read: those of a request and those of an answer are the same.

use serde_json::value::RawValue;

use crate::{
    Cache, Dialect, Malformed, Part, Raw, Source,
    read::{At, Content, Fields},
};

type Extra = Vec<(String, Raw)>;

/// `skip` steps of the place belong to the turn, not to its inside.
pub(super) fn read(
    list: &[&RawValue],
    at: &At<'_>,
    skip: usize,
    extra: &mut Extra,
) -> Result<Vec<Part>, Malformed> {
    list.iter().enumerate().map(|(index, raw)| block(raw, &at.index(index), skip, extra)).collect()
}

pub(super) fn block(raw: &RawValue, at: &At<'_>, skip: usize, extra: &mut Extra) -> Result<Part, Malformed> {
    let mut fields = Fields::of(raw, at)?;
    let kind = fields.peek_text("type").ok_or_else(|| {
        at.field("type").wrong("is missing; it must be `text`, `image`, `tool_use` or another kind of block")
    })?;
    let opaque = || Part::Opaque { dialect: Dialect::Messages, json: raw.to_owned() };
    let part = match &*kind {
        "text" => Part::Text {
            text: fields.need("text", at)?,
            cache: Cache::take(&mut fields),
            notes: fields.take("citations").map(RawValue::to_owned),
        },
        "image" => match source(&mut fields, at, skip, extra)? {
            Some(source) => Part::Image { source, detail: None, cache: Cache::take(&mut fields) },
            None => return Ok(opaque()),
        },
        "document" => match source(&mut fields, at, skip, extra)? {
            Some(source) => {
                Part::Document { source, name: fields.owned("title", at)?, cache: Cache::take(&mut fields) }
            }
            None => return Ok(opaque()),
        },
        "tool_use" => Part::ToolCall {
            id: fields.need("id", at)?,
            name: fields.need("name", at)?,
            arguments: fields.take("input").map_or_else(|| "{}".to_owned(), |input| input.get().to_owned()),
            signature: None,
            cache: Cache::take(&mut fields),
        },
        "tool_result" => result(&mut fields, at, skip, extra)?,
        "thinking" => Part::Thinking {
            text: fields.need("thinking", at)?,
            signature: fields.owned("signature", at)?.filter(|signature| !signature.is_empty()),
        },
        "redacted_thinking" => Part::Redacted { data: fields.need("data", at)?, id: None },
        _ => return Ok(opaque()),
    };
    fields.take("type");
    fields.rest_inside(at, skip, extra);
    Ok(part)
}

fn result(fields: &mut Fields<'_>, at: &At<'_>, skip: usize, extra: &mut Extra) -> Result<Part, Malformed> {
    let id = fields.owned("tool_use_id", at)?.ok_or_else(|| {
        at.field("tool_use_id").wrong("is missing; the id of the call that is answered is needed")
    })?;
    let parts = match fields.get::<Content<'_>>("content", at, "a string or an array of blocks")? {
        None => Vec::new(),
        Some(Content::Text(text)) => vec![Part::text(text)],
        Some(Content::Parts(list)) => read(&list, &at.field("content"), skip, extra)?,
    };
    let error = fields.flag("is_error", at)?.unwrap_or(false);
    Ok(Part::ToolResult { id, name: None, parts, error, cache: Cache::take(fields) })
}

/// `None` for a kind of source only Anthropic knows.
fn source(
    fields: &mut Fields<'_>,
    at: &At<'_>,
    skip: usize,
    extra: &mut Extra,
) -> Result<Option<Source>, Malformed> {
    let place = at.field("source");
    let mut given = fields
        .object("source", at)?
        .ok_or_else(|| place.wrong("is missing; an object with `type` is needed"))?;
    let kind = given.need("type", &place)?;
    let source = match &*kind {
        "base64" => {
            Source::Base64 { media: given.need("media_type", &place)?, data: given.need("data", &place)? }
        }
        "url" => Source::Url(given.need("url", &place)?),
        "text" => {
            Source::Text { media: given.need("media_type", &place)?, text: given.need("data", &place)? }
        }
        "file" => Source::File { id: given.need("file_id", &place)?, dialect: Dialect::Messages },
        _ => return Ok(None),
    };
    given.rest_inside(&place, skip, extra);
    Ok(Some(source))
}
