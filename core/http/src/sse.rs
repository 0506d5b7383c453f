//! Server-sent events, as the WHATWG HTML standard has them.

use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt;
use sanctum_api::Event;
use sanctum_kernel::Stop;

/// A comment this often keeps middle boxes and clients from giving up on a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The `Last-Event-ID` a client comes back with; browsers send the header, `?last_event_id=` serves the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastEventId(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for LastEventId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let header = parts.headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let query = || {
            let query = parts.uri.query()?;
            query.split('&').find_map(|pair| pair.strip_prefix("last_event_id=")).map(str::to_owned)
        };
        Ok(Self(header.or_else(query)))
    }
}

/// Answers with events until the stream or the service ends.
pub fn events(stream: impl Stream<Item = Event> + Send + 'static, stop: Stop) -> Response {
    let lines = async_lines(stream, stop);
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(lines)).into_response()
}

fn async_lines(
    stream: impl Stream<Item = Event> + Send + 'static,
    stop: Stop,
) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> + Send {
    // The first comment makes a client see at once that it is connected.
    let first = futures_util::stream::once(async { Ok(Bytes::from_static(b": hello\n\n")) });
    let rest = futures_util::stream::unfold((Box::pin(stream), stop), |(mut stream, stop)| async move {
        let next = tokio::select! {
            () = stop.requested() => return None,
            event = stream.next() => encode(&event?),
            () = tokio::time::sleep(KEEP_ALIVE) => Bytes::from_static(b":\n\n"),
        };
        Some((Ok(next), (stream, stop)))
    });
    first.chain(rest)
}

fn encode(event: &Event) -> Bytes {
    let mut text = String::with_capacity(event.data.len() + 64);
    if let Some(id) = &event.id {
        writeln!(text, "id: {id}").ok();
    }
    writeln!(text, "event: {}", event.kind).ok();
    for line in event.data.split('\n') {
        writeln!(text, "data: {line}").ok();
    }
    text.push('\n');
    text.into()
}

/// Reads events from bytes as they come.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    buffer: Vec<u8>,
    event: Option<Event>,
}

/// A line longer than this is not an event of this house.
const LONGEST_LINE: usize = 1024 * 1024;

#[derive(Debug, thiserror::Error)]
#[error("a line of the event stream is longer than {LONGEST_LINE} bytes")]
pub(crate) struct TooLong;

impl Decoder {
    /// Takes more bytes; returns the events they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        self.buffer.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            events.extend(self.line(line.trim_end_matches(['\n', '\r'])));
        }
        if self.buffer.len() > LONGEST_LINE { Err(TooLong) } else { Ok(events) }
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            return self.event.take().filter(|event| !event.data.is_empty()).map(|mut event| {
                event.data.pop();
                event
            });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        if field.is_empty() {
            return None;
        }
        let event = self.event.get_or_insert_with(|| Event {
            id: None,
            kind: "message".to_owned(),
            data: String::new(),
        });
        match field {
            "id" => event.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut event.kind),
            "data" => {
                event.data.push_str(value);
                event.data.push('\n');
            }
            _ => {}
        }
        None
    }
}
