//! The parts of a message's content, read.

use serde_json::value::RawValue;

use crate::{
    Cache, Dialect, Malformed, Part, Raw, Source, data_uri,
    read::{At, Fields},
};

type Extra = Vec<(String, Raw)>;

/// `skip` steps of the place belong to the turn, not to its inside.
pub(super) fn read(
    list: &[&RawValue],
    at: &At<'_>,
    skip: usize,
    extra: &mut Extra,
) -> Result<Vec<Part>, Malformed> {
    list.iter().enumerate().map(|(index, raw)| part(raw, &at.index(index), skip, extra)).collect()
}

fn part(raw: &RawValue, at: &At<'_>, skip: usize, extra: &mut Extra) -> Result<Part, Malformed> {
    let mut fields = Fields::of(raw, at)?;
    let kind = fields.peek_text("type").ok_or_else(|| {
        at.field("type").wrong(
            "is missing; it must be `text`, `image_url`, `input_audio`, `file` or another kind of part",
        )
    })?;
    let part = match &*kind {
        "text" => Part::Text {
            text: fields.need("text", at)?,
            cache: Cache::take(&mut fields),
            notes: fields.take("annotations").map(RawValue::to_owned),
        },
        "image_url" => image(&mut fields, at, skip, extra)?,
        "input_audio" => audio(&mut fields, at, skip, extra)?,
        "file" => file(&mut fields, at, skip, extra)?,
        "refusal" => Part::Refusal { text: fields.need("refusal", at)? },
        _ => return Ok(Part::Opaque { dialect: Dialect::Chat, json: raw.to_owned() }),
    };
    fields.take("type");
    fields.rest_inside(at, skip, extra);
    Ok(part)
}

fn image(fields: &mut Fields<'_>, at: &At<'_>, skip: usize, extra: &mut Extra) -> Result<Part, Malformed> {
    let place = at.field("image_url");
    let cache = Cache::take(fields);
    // Some clients write the address itself where the object should be.
    if let Some(url) = fields.peek_text("image_url") {
        fields.take("image_url");
        return Ok(Part::Image { source: data_uri::source(url.into_owned()), detail: None, cache });
    }
    let mut inner = fields
        .object("image_url", at)?
        .ok_or_else(|| place.wrong("is missing; an object with `url` is needed"))?;
    let part = Part::Image {
        source: data_uri::source(inner.need("url", &place)?),
        detail: inner.owned("detail", &place)?,
        cache,
    };
    inner.rest_inside(&place, skip, extra);
    Ok(part)
}

fn audio(fields: &mut Fields<'_>, at: &At<'_>, skip: usize, extra: &mut Extra) -> Result<Part, Malformed> {
    let place = at.field("input_audio");
    let mut inner = fields
        .object("input_audio", at)?
        .ok_or_else(|| place.wrong("is missing; an object with `data` is needed"))?;
    let data = inner.need("data", &place)?;
    let media = format!("audio/{}", inner.text("format", &place)?.as_deref().unwrap_or("wav"));
    inner.rest_inside(&place, skip, extra);
    Ok(Part::Audio { source: Source::Base64 { media, data } })
}

fn file(fields: &mut Fields<'_>, at: &At<'_>, skip: usize, extra: &mut Extra) -> Result<Part, Malformed> {
    let place = at.field("file");
    let cache = Cache::take(fields);
    let mut inner = fields
        .object("file", at)?
        .ok_or_else(|| place.wrong("is missing; an object with `file_data` or `file_id` is needed"))?;
    let source = match (inner.owned("file_id", &place)?, inner.owned("file_data", &place)?) {
        (Some(id), None) => Source::File { id, dialect: Dialect::Chat },
        (None, Some(data)) => match data_uri::parse(&data) {
            Some((media, base64)) => Source::Base64 { media: media.to_owned(), data: base64.to_owned() },
            None if data.starts_with("https://") || data.starts_with("http://") => Source::Url(data),
            None => Source::Base64 { media: "application/pdf".to_owned(), data },
        },
        _ => return Err(place.wrong("needs exactly one of `file_data` and `file_id`")),
    };
    let part = Part::Document { source, name: inner.owned("filename", &place)?, cache };
    inner.rest_inside(&place, skip, extra);
    Ok(part)
}
