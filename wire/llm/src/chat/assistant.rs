//! What an assistant said: a message of the history, or the message of an answer.

use serde_json::value::RawValue;

use super::parts;
use crate::{
    Malformed, Part, Raw,
    read::{At, Content, Fields},
};

type Extra = Vec<(String, Raw)>;

/// Reasoning first, then the text, then the calls; `skip` as in [`parts::read`].
pub(super) fn read(
    fields: &mut Fields<'_>,
    at: &At<'_>,
    skip: usize,
    extra: &mut Extra,
) -> Result<Vec<Part>, Malformed> {
    let mut parts = thoughts(fields, at, skip, extra)?;
    let notes = fields.take("annotations").filter(|raw| raw.get() != "[]").map(RawValue::to_owned);
    match fields.get::<Content<'_>>("content", at, "a string or an array of parts")? {
        None => {}
        Some(Content::Text(text)) if text.is_empty() => {}
        Some(Content::Text(text)) => {
            parts.push(Part::Text { text: text.into_owned(), cache: None, notes: None });
        }
        Some(Content::Parts(list)) => parts.extend(parts::read(&list, &at.field("content"), skip, extra)?),
    }
    if let Some(given) = notes {
        match parts
            .iter_mut()
            .find_map(|part| if let Part::Text { notes, .. } = part { Some(notes) } else { None })
        {
            Some(notes) => *notes = Some(given),
            None => extra.push((format!("{}/annotations", at.pointer(skip)), given)),
        }
    }
    if let Some(text) = fields.owned("refusal", at)?.filter(|text| !text.is_empty()) {
        parts.push(Part::Refusal { text });
    }
    let place = at.field("tool_calls");
    for (index, raw) in fields.list("tool_calls", at)?.unwrap_or_default().into_iter().enumerate() {
        parts.extend(call(raw, &place.index(index), skip, extra)?);
    }
    Ok(parts)
}

/// A call of a kind nobody knows (`custom`) is kept whole, where it stood.
fn call(raw: &RawValue, at: &At<'_>, skip: usize, extra: &mut Extra) -> Result<Option<Part>, Malformed> {
    let mut fields = Fields::of(raw, at)?;
    if fields.peek_text("type").is_some_and(|kind| kind != "function") {
        extra.push((at.pointer(skip), raw.to_owned()));
        return Ok(None);
    }
    fields.take("type");
    fields.take("index");
    let place = at.field("function");
    let mut function = fields
        .object("function", at)?
        .ok_or_else(|| place.wrong("is missing; an object with `name` is needed"))?;
    let signature = signature(fields.peek("extra_content"));
    if signature.is_some() {
        fields.take("extra_content");
    }
    let part = Part::ToolCall {
        id: fields.owned("id", at)?.unwrap_or_default(),
        name: function.need("name", &place)?,
        arguments: Some(arguments(function.take("arguments")))
            .filter(|text| !text.is_empty())
            .unwrap_or_else(|| "{}".to_owned()),
        signature,
        cache: None,
    };
    function.rest_inside(&place, skip, extra);
    fields.rest_inside(at, skip, extra);
    Ok(Some(part))
}

/// The text of the string; servers that write an object where the string should be mean its text.
pub(super) fn arguments(raw: Option<&RawValue>) -> String {
    let Some(raw) = raw else { return String::new() };
    serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}

/// Where Google's own chat endpoint keeps it: `extra_content.google.thought_signature`, and nothing beside it.
pub(super) fn signature(raw: Option<&RawValue>) -> Option<String> {
    let at = At::Root;
    let mut content = Fields::of(raw?, &at).ok()?;
    let mut google = content.object("google", &at).ok()??;
    let signature = google.owned("thought_signature", &at).ok()??;
    (google.is_empty() && content.is_empty()).then_some(signature)
}

/// `reasoning_details` where they stand (OpenRouter's, they carry signatures), or else `reasoning_content` or `reasoning`.
fn thoughts(
    fields: &mut Fields<'_>,
    at: &At<'_>,
    skip: usize,
    extra: &mut Extra,
) -> Result<Vec<Part>, Malformed> {
    let content = fields.owned("reasoning_content", at)?;
    let plain = match fields.peek_text("reasoning") {
        Some(text) => {
            fields.take("reasoning");
            content.or(Some(text.into_owned()))
        }
        None => content,
    };
    let plain = plain.filter(|text| !text.is_empty());
    let place = at.field("reasoning_details");
    let details = fields.list("reasoning_details", at)?.unwrap_or_default();
    let mut parts = Vec::new();
    for (index, raw) in details.iter().enumerate() {
        parts.extend(detail(raw, &place.index(index), skip, extra)?);
    }
    match (plain, parts.as_mut_slice()) {
        (Some(text), []) => parts.push(Part::Thinking { text, signature: None }),
        (Some(plain), [Part::Thinking { text, .. }]) if text.is_empty() => *text = plain,
        (Some(plain), some) if !some.iter().any(|part| matches!(part, Part::Thinking { .. })) => {
            parts.insert(0, Part::Thinking { text: plain, signature: None });
        }
        // Nothing plain, or the details say the same more exactly.
        _ => {}
    }
    Ok(parts)
}

fn detail(raw: &RawValue, at: &At<'_>, skip: usize, extra: &mut Extra) -> Result<Option<Part>, Malformed> {
    let mut fields = Fields::of(raw, at)?;
    let part = match fields.peek_text("type").as_deref() {
        Some("reasoning.text") => Part::Thinking {
            text: fields.owned("text", at)?.unwrap_or_default(),
            signature: fields.owned("signature", at)?.filter(|signature| !signature.is_empty()),
        },
        Some("reasoning.summary") => {
            Part::Thinking { text: fields.owned("summary", at)?.unwrap_or_default(), signature: None }
        }
        Some("reasoning.encrypted") => {
            Part::Redacted { data: fields.need("data", at)?, id: fields.owned("id", at)? }
        }
        _ => {
            extra.push((at.pointer(skip), raw.to_owned()));
            return Ok(None);
        }
    };
    fields.take("type");
    fields.take("index");
    fields.rest_inside(at, skip, extra);
    Ok(Some(part))
}
