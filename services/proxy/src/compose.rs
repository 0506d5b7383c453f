//! The letter as a seat wants it: the client's bytes with the least change there can be.

use std::ops::Range;

use sanctum_http::Bytes;
use sanctum_llm::Dialect;

use crate::ask::{Api, Ask};
use crate::reach::{Letter, Reach, Seat};

/// A letter for one seat.
#[derive(Debug)]
pub(crate) struct Composed<R> {
    pub(crate) letter: Letter<R>,
    /// The client did not ask for the tokens that the provider will now tell.
    pub(crate) swallow: bool,
}

/// For a seat that speaks the client's dialect: the same bytes, but for the model's name and the wish to be told the tokens.
pub(crate) fn same<R: Reach>(letter: &Letter<R>, ask: &Ask, seat: &Seat<R>) -> Composed<R> {
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    if *seat.pick().name != *ask.model {
        edits.push((ask.places.model.clone(), serde_json::Value::from(&*seat.pick().name).to_string()));
    }
    let swallow = ask.api == Api::Chat && ask.stream && !ask.wants_usage && seat.provider().meters_streams;
    if swallow {
        edits.extend(wish(ask));
    }
    if edits.is_empty() {
        return Composed { letter: letter.clone(), swallow };
    }
    edits.sort_by_key(|(at, _)| at.start);
    Composed { letter: letter.rewritten(|body| splice(body, &edits)), swallow }
}

/// `stream_options.include_usage`, put where it belongs.
fn wish(ask: &Ask) -> Option<(Range<usize>, String)> {
    let places = &ask.places;
    if let Some((_, at)) = &places.include_usage {
        return Some((at.clone(), "true".to_owned()));
    }
    if let Some((at, empty)) = &places.stream_options {
        let comma = if *empty { "" } else { "," };
        return Some((at.start + 1..at.start + 1, format!("\"include_usage\":true{comma}")));
    }
    let end = places.stream.as_ref()?.end;
    Some((end..end, ",\"stream_options\":{\"include_usage\":true}".to_owned()))
}

fn splice(body: &Bytes, edits: &[(Range<usize>, String)]) -> Bytes {
    let more: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut out = Vec::with_capacity(body.len() + more);
    let mut at = 0;
    for (range, text) in edits {
        out.extend_from_slice(body.get(at..range.start).unwrap_or_default());
        out.extend_from_slice(text.as_bytes());
        at = range.end;
    }
    out.extend_from_slice(body.get(at..).unwrap_or_default());
    Bytes::from(out)
}

/// The dialect a seat is spoken to in.
pub(crate) fn dialect<R: Reach>(ask: &Ask, seat: &Seat<R>) -> Dialect {
    let client = ask.api.dialect();
    if ask.api.completes() { seat.provider().dialect_for(client) } else { client }
}

#[cfg(test)]
mod tests {
    use sanctum_llm::view::{Shape, View};

    use super::*;

    fn ask(body: &str) -> Ask {
        Ask::of(Api::Chat, &View::scan(Shape::Chat, body.as_bytes()).unwrap())
    }

    #[test]
    fn the_wish_for_tokens_is_put_in_wherever_it_belongs() {
        for (body, wanted) in [
            (
                r#"{"model":"m","stream":true,"messages":[{}]}"#,
                r#"{"model":"m","stream":true,"stream_options":{"include_usage":true},"messages":[{}]}"#,
            ),
            (
                r#"{"stream_options":{},"model":"m","stream":true,"messages":[{}]}"#,
                r#"{"stream_options":{"include_usage":true},"model":"m","stream":true,"messages":[{}]}"#,
            ),
            (
                r#"{"stream_options":{ },"model":"m","stream":true,"messages":[{}]}"#,
                r#"{"stream_options":{"include_usage":true },"model":"m","stream":true,"messages":[{}]}"#,
            ),
            (
                r#"{"stream_options":{"x":1},"model":"m","stream":true,"messages":[{}]}"#,
                r#"{"stream_options":{"include_usage":true,"x":1},"model":"m","stream":true,"messages":[{}]}"#,
            ),
            (
                r#"{"stream_options":{"include_usage": false},"model":"m","stream":true,"messages":[{}]}"#,
                r#"{"stream_options":{"include_usage": true},"model":"m","stream":true,"messages":[{}]}"#,
            ),
        ] {
            let edits: Vec<_> = wish(&ask(body)).into_iter().collect();
            let spliced = splice(&Bytes::from(body), &edits);
            assert_eq!(std::str::from_utf8(&spliced).unwrap(), wanted);
        }
    }
}
