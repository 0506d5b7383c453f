//! What a client gets: a whole answer, a stream as it comes, or heartbeats until there is one.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use sanctum_http::hyper::http::{HeaderValue, Response};
use sanctum_http::{Body, Bytes, Cut, Frame, HeaderMap, SizeHint, header};
use sanctum_llm::Dialect;
use tokio::time::Sleep;

use crate::account::Account;
use crate::pump::Pump;

/// A response that is still being found.
pub(crate) type Later = Pin<Box<dyn Future<Output = Response<OutBody>> + Send>>;

/// The body of an answer.
pub(crate) enum OutBody {
    Whole(Option<Bytes>),
    Stream(Box<Pump>),
    Waiting(Box<Waiting>),
    /// A stream from memory, in the pieces in which it was sent first.
    Pieces(VecDeque<Bytes>),
}

/// A stream whose answer has not begun: says so every while, because clients and the boxes between give up on silence.
pub(crate) struct Waiting {
    later: Option<Later>,
    then: Option<Box<OutBody>>,
    dialect: Dialect,
    beat: Pin<Box<Sleep>>,
    every: Duration,
    ending: Ending,
}

/// How far a failure has got.
#[derive(Debug, Clone, Copy)]
enum Ending {
    No,
    Told,
    Cut,
}

impl Waiting {
    /// Begins with a heartbeat at once: the client has waited long enough.
    pub(crate) fn new(later: Later, dialect: Dialect, every: Duration) -> Self {
        let beat = Box::pin(tokio::time::sleep(Duration::ZERO));
        Self { later: Some(later), then: None, dialect, beat, every, ending: Ending::No }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(then) = &mut self.then {
            return Pin::new(&mut **then).poll_frame(cx);
        }
        match self.ending {
            Ending::No => {}
            Ending::Told => {
                // The connection gets a turn to send it before it is cut.
                self.ending = Ending::Cut;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Ending::Cut => return Poll::Ready(Some(Err("nobody answered".into()))),
        }
        if let Some(later) = &mut self.later
            && let Poll::Ready(response) = later.as_mut().poll(cx)
        {
            self.later = None;
            let (parts, mut body) = response.into_parts();
            if parts.status.is_success() {
                let first = Pin::new(&mut body).poll_frame(cx);
                self.then = Some(Box::new(body));
                return first;
            }
            // The status has been sent long ago, so the failure is told inside the stream, and the stream is cut.
            let OutBody::Whole(error) = body else { return Poll::Ready(Some(Err("nobody answered".into()))) };
            self.ending = Ending::Told;
            let event = failure(self.dialect, &error.unwrap_or_default(), 0);
            return Poll::Ready(Some(Ok(Frame::data(event))));
        }
        match self.beat.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                self.beat.as_mut().reset(tokio::time::Instant::now() + self.every);
                // Polled once, so that the timer wakes this task again.
                if self.beat.as_mut().poll(cx).is_ready() {
                    cx.waker().wake_by_ref();
                }
                Poll::Ready(Some(Ok(Frame::data(heartbeat(self.dialect)))))
            }
        }
    }
}

/// Says that a stream lives, in its dialect: a comment, or Anthropic's `ping`.
pub(crate) const fn heartbeat(dialect: Dialect) -> Bytes {
    match dialect {
        Dialect::Messages => Bytes::from_static(b"event: ping\ndata: {\"type\": \"ping\"}\n\n"),
        _ => Bytes::from_static(b": waiting\n\n"),
    }
}

/// An error as an event of the stream.
///
/// `number` is how many events were before it: Responses counts them.
pub(crate) fn failure(dialect: Dialect, error: &[u8], number: u64) -> Bytes {
    let mut event = match dialect {
        Dialect::Chat | Dialect::Gemini => b"data: ".to_vec(),
        Dialect::Messages | Dialect::Responses => b"event: error\ndata: ".to_vec(),
    };
    if dialect == Dialect::Responses {
        let error: serde_json::Value = serde_json::from_slice(error).unwrap_or_default();
        let inside = error.get("error");
        let word = |key: &str| inside.and_then(|inside| inside.get(key)).cloned().unwrap_or_default();
        let flat = serde_json::json!({
            "type": "error", "code": word("code"), "message": word("message"), "param": word("param"), "sequence_number": number,
        });
        event.extend_from_slice(flat.to_string().as_bytes());
    } else {
        // An event is one line.
        event.extend(error.iter().filter(|byte| **byte != b'\n'));
    }
    event.extend_from_slice(b"\n\n");
    Bytes::from(event)
}

impl Body for OutBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(pump) => pump.poll(cx),
            Self::Waiting(waiting) => waiting.poll(cx),
            Self::Pieces(pieces) => Poll::Ready(pieces.pop_front().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Stream(_) | Self::Waiting(_) => false,
            Self::Pieces(pieces) => pieces.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream(_) | Self::Waiting(_) | Self::Pieces(_) => SizeHint::default(),
        }
    }
}

/// What every answer says of how it came about.
pub(crate) fn mark(headers: &mut HeaderMap, account: &Account) {
    let trace = account.trace().to_string();
    let put = |headers: &mut HeaderMap, name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    if let Some(served) = account.served() {
        put(headers, "x-sanctum-served", &served);
    }
    if !account.rule().is_empty() {
        put(headers, "x-sanctum-rule", account.rule());
    }
    for (name, value) in &account.told {
        put(headers, name, value);
    }
    headers.insert("x-sanctum-attempts", HeaderValue::from(account.attempts()));
    if !account.losses().is_empty() {
        put(headers, "x-sanctum-losses", &losses(account.losses()));
    }
    put(headers, "x-sanctum-trace", &trace);
    // Both APIs' clients print these when something goes wrong.
    if let Ok(id) = HeaderValue::from_str(&trace) {
        let given = headers.get("x-request-id").or_else(|| headers.get("request-id")).cloned().unwrap_or(id);
        headers.entry("x-request-id").or_insert(given.clone());
        headers.entry("request-id").or_insert(given);
    }
}

/// Bytes of the header of losses: proxies in front allow 8 KiB for all headers together.
const TOLD: usize = 1024;

/// Losses as a header can tell them: so many whole ones as there is room for, and how many more there are.
fn losses(all: &[String]) -> String {
    let mut told = String::new();
    for (at, loss) in all.iter().enumerate() {
        let plain: String =
            loss.chars().filter(|c| c.is_ascii() && !c.is_ascii_control()).take(200).collect();
        // Room for the rest's number.
        if told.len() + plain.len() + 2 > TOLD - 32 {
            told.push_str(&format!("; ... and {} more", all.len() - at));
            break;
        }
        if at > 0 {
            told.push_str("; ");
        }
        told.push_str(&plain);
    }
    told
}

/// The head of a stream.
pub(crate) fn streaming(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
}
