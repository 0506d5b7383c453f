//! One attempt at one seat: sent, and judged before anything reaches the client.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use sanctum_http::hyper::http::response::Parts;
use sanctum_http::hyper::http::{HeaderName, HeaderValue};
use sanctum_http::{Body, Bytes, HeaderMap, Received, header};
use sanctum_llm::{Dialect, Fault, FaultKind, Loss, Request, Usage};

use crate::ask::{Api, Ask};
use crate::compose;
use crate::config::Locality;
use crate::reach::{Letter, Reach, Seat};
use crate::recast::{self, Recast, Wish};
use crate::refusal::Refusal;
use crate::relay::Relay;
use crate::scan::{Judged, Scanner, broken, judge};
use crate::shelving;
use crate::surface::read::within;
use crate::upstream::{Unanswered, With, send};
use crate::usage::{Finish, Word};

/// The largest answer that is read whole.
const LARGEST: usize = 256 * 1024 * 1024;
/// The largest refusal that is read.
const LARGEST_REFUSAL: usize = 1024 * 1024;

/// What came back and is good enough for the client.
#[derive(Debug)]
pub(crate) enum Answered {
    Whole { parts: Parts, body: Bytes, usage: Option<Usage>, finish: Finish },
    Stream(Box<Begun>),
}

/// A stream that has begun well.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) parts: Parts,
    pub(crate) body: Received,
    /// What has been read of it, for the client.
    pub(crate) first: VecDeque<Bytes>,
    pub(crate) relay: Relay,
    /// The client's.
    pub(crate) dialect: Dialect,
    pub(crate) swallow: bool,
    /// Its place among those its provider takes at once.
    pub(crate) turn: Option<tokio::sync::OwnedSemaphorePermit>,
}

/// An attempt that came to nothing.
#[derive(Debug)]
pub(crate) struct Failed {
    /// A status or a word, for the log.
    pub(crate) outcome: Cow<'static, str>,
    pub(crate) refusal: Refusal,
    /// Whether somebody else may be asked.
    pub(crate) next: bool,
    /// Whether it says something about the provider's health.
    pub(crate) blame: bool,
    /// Whether the provider may count it all the same.
    pub(crate) charged: bool,
    /// It refuses signed reasoning of somebody else: worth one more try without.
    pub(crate) signature: bool,
}

/// What an attempt leaves behind, whatever becomes of it.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    /// The letter has gone out.
    pub(crate) exposed: bool,
    pub(crate) losses: Vec<Loss>,
    pub(crate) marks: Vec<Word>,
    /// What an answer that is not used says to have cost.
    pub(crate) usage: Option<Usage>,
    /// What was asked, where the client may name the answer and the provider keeps none.
    pub(crate) asked: Option<Arc<Request>>,
}

/// What goes with every attempt of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) ask: &'a Ask,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) own: Option<&'a (HeaderName, HeaderValue)>,
    pub(crate) query: Option<&'a str>,
    pub(crate) deadline: Instant,
    pub(crate) hold: Duration,
    pub(crate) idle: Duration,
    pub(crate) wish: Wish<'a>,
}

/// The request as it goes out, and how its answer comes back.
struct Dressed<R> {
    letter: Letter<R>,
    swallow: bool,
    recast: Option<Recast>,
    /// The provider's.
    dialect: Dialect,
}

/// The client's bytes where they will do, the request in other words where they will not.
fn dress<R: Reach>(
    call: &Call<'_>,
    letter: &Letter<R>,
    seat: &Seat<R>,
    trail: &mut Trail,
) -> Result<Dressed<R>, Refusal> {
    let (ask, dialect) = (call.ask, compose::dialect(call.ask, seat));
    let cloud = seat.pick().entry.locality == Locality::Cloud;
    let wish = Wish { cloud, ..call.wish };
    if !ask.api.completes() || (dialect == ask.api.dialect() && !wish.changes(ask, dialect, seat.pick())) {
        let composed = compose::same(letter, ask, seat);
        return Ok(Dressed { letter: composed.letter, swallow: composed.swallow, recast: None, dialect });
    }
    let recast = letter.read(|body| recast::recast(body, ask, dialect, seat.pick(), &wish))?;
    trail.losses.extend(recast.losses.iter().cloned());
    trail.marks.extend(recast.marks.iter().cloned());
    if ask.api == Api::Responses && dialect != Dialect::Responses && shelving::relies(&recast.asked) {
        trail.asked = Some(Arc::clone(&recast.asked));
    }
    let letter = letter.rewritten(|_| recast.body.clone());
    Ok(Dressed { letter, swallow: false, recast: Some(recast), dialect })
}

/// Sends the letter to the seat and judges what comes back.
pub(crate) async fn attempt<R: Reach>(
    call: &Call<'_>,
    letter: &Letter<R>,
    seat: &Seat<R>,
    trail: &mut Trail,
) -> Result<Answered, Failed> {
    let dressed = dress(call, letter, seat, trail).map_err(|refusal| Failed {
        next: false,
        blame: false,
        ..failed("malformed", Refusal { finish: Finish::Refused, ..refusal })
    })?;
    let provider = seat.provider();
    let left = call.deadline.saturating_duration_since(Instant::now());
    let until = Instant::now() + provider.first_byte.min(left);
    let same_dialect = dressed.dialect == call.ask.api.dialect();
    let with = With {
        endpoint: call.ask.api.endpoint(dressed.dialect),
        headers: call.headers,
        own: call.own,
        query: call.query.filter(|_| same_dialect),
        stream: call.ask.stream,
        same_dialect,
        timeout: until.saturating_duration_since(Instant::now()),
    };
    trail.exposed = true;
    let response = send(&dressed.letter, seat, with).await.map_err(unanswered)?;
    let (parts, body) = response.into_parts();
    if !parts.status.is_success() {
        return Err(Box::pin(refused(call, parts, body, seat, dressed.dialect, until)).await);
    }
    let streams = parts
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if !(call.ask.stream && streams) {
        return whole(call, parts, body, &dressed, trail).await;
    }
    let client = call.ask.api.dialect();
    let relay = match &dressed.recast {
        Some(recast) => Relay::other(recast, dressed.dialect, client),
        None => Relay::Same(Box::new(Scanner::new(client))),
    };
    let begun = Begun {
        parts,
        body,
        first: VecDeque::new(),
        relay,
        dialect: client,
        swallow: dressed.swallow,
        turn: None,
    };
    begin(call, begun, until).await.map(|begun| Answered::Stream(Box::new(begun)))
}

async fn whole<R>(
    call: &Call<'_>,
    mut parts: Parts,
    body: Received,
    dressed: &Dressed<R>,
    trail: &mut Trail,
) -> Result<Answered, Failed> {
    let body = collect(body, LARGEST, call.idle).await.map_err(|why| broke(&why))?;
    if !call.ask.api.completes() {
        let usage = (call.ask.api == crate::ask::Api::Embeddings)
            .then(|| judge(dressed.dialect, &body).usage)
            .flatten();
        return Ok(Answered::Whole { parts, body, usage, finish: Finish::Stop });
    }
    let Some(recast) = &dressed.recast else {
        let Judged { usage, finish, broken } = judge(dressed.dialect, &body);
        return match broken {
            None => Ok(Answered::Whole { parts, body, usage, finish }),
            Some(fault) => Err(bad_answer(fault, usage, trail)),
        };
    };
    let (judged, written, losses) = recast::answer(recast, dressed.dialect, call.ask.api.dialect(), &body);
    let Judged { usage, finish, broken } = judged;
    match (broken, written) {
        (None, Some(body)) => {
            trail.losses.extend(losses);
            parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            Ok(Answered::Whole { parts, body, usage, finish })
        }
        (fault, _) => {
            Err(bad_answer(fault.unwrap_or_else(|| empty("the provider's answer is empty")), usage, trail))
        }
    }
}

/// Reads the beginning of a stream until it can be told from a failure.
async fn begin(call: &Call<'_>, mut begun: Begun, until: Instant) -> Result<Begun, Failed> {
    let mut held: Option<Instant> = None;
    loop {
        let now = Instant::now();
        let wait = held.unwrap_or(until).saturating_duration_since(now);
        let frame = if begun.relay.events() == 0 {
            match tokio::time::timeout(wait, begun.body.frame()).await {
                Ok(frame) => frame,
                Err(_) => return Err(unanswered(Unanswered::Slow(wait))),
            }
        } else {
            // Only what is there already is waited for, unless the configuration wants it otherwise.
            match held_frame(&mut begun.body, wait).await {
                Some(frame) => frame,
                None => return Ok(begun),
            }
        };
        match frame {
            None if begun.relay.events() == 0 => return Err(bad(empty("the provider's stream is empty"))),
            // What it is will be told when it is passed on.
            None => return ended(begun),
            Some(Err(error)) if begun.relay.content() == 0 => return Err(broke(&error.to_string())),
            Some(Err(_)) => return Ok(begun),
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { continue };
                let passed = begun.relay.push(data);
                begun.first.extend(passed);
            }
        }
        if begun.relay.content() == 0
            && let Some(fault) = begun.relay.take_fault()
        {
            return Err(bad(fault));
        }
        if begun.relay.content() > 0 {
            return Ok(begun);
        }
        if begun.relay.events() > 0 && held.is_none() {
            held = Some(Instant::now() + call.hold);
        }
    }
}

/// A whole stream that came at once.
fn ended(begun: Begun) -> Result<Begun, Failed> {
    let silent = begun.relay.content() == 0;
    if silent && !begun.relay.done() && begun.relay.finish().is_none() {
        return Err(broke("the stream ended before it had begun"));
    }
    let excused = matches!(begun.relay.finish(), Some(Finish::Length | Finish::Declined | Finish::Paused));
    if silent && !excused { Err(bad(empty("the provider's answer is empty"))) } else { Ok(begun) }
}

/// The next frame if it comes within `wait`; with no wait at all, if it is there already.
async fn held_frame(
    body: &mut Received,
    wait: Duration,
) -> Option<Option<Result<sanctum_http::Frame<Bytes>, sanctum_http::hyper::Error>>> {
    if wait.is_zero() {
        return std::future::poll_fn(|cx| match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(Some(frame)),
            Poll::Pending => Poll::Ready(None),
        })
        .await;
    }
    tokio::time::timeout(wait, body.frame()).await.ok()
}

/// A body, whole; each part must come within `idle`.
async fn collect(mut body: Received, most: usize, idle: Duration) -> Result<Bytes, String> {
    let mut all: Vec<u8> = Vec::new();
    let mut only: Option<Bytes> = None;
    while !body.is_end_stream() {
        let frame = within(idle, body.frame()).await.map_err(|_| "it fell silent".to_owned())?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|error| error.to_string())?.into_data() else { continue };
        if all.len() + data.len() > most {
            return Err(format!("it is larger than {most} bytes"));
        }
        match only.take() {
            None if all.is_empty() => only = Some(data),
            before => {
                if let Some(before) = before {
                    all.extend_from_slice(&before);
                }
                all.extend_from_slice(&data);
            }
        }
    }
    Ok(only.unwrap_or_else(|| Bytes::from(all)))
}

fn failed(outcome: impl Into<Cow<'static, str>>, refusal: Refusal) -> Failed {
    let refusal = Refusal { finish: Finish::Error, ..refusal };
    Failed { outcome: outcome.into(), refusal, next: true, blame: true, charged: false, signature: false }
}

fn unanswered(why: Unanswered) -> Failed {
    match why {
        Unanswered::Connect(why) => failed(
            "connect",
            Refusal::new(
                502,
                FaultKind::Internal,
                "upstream_unreachable",
                format!("the provider cannot be reached: {why}"),
            ),
        ),
        Unanswered::Broken(why) => broke(&why),
        Unanswered::Slow(after) => {
            let message = format!("the provider has not begun to answer within {} s", after.as_secs());
            let mut slow =
                failed("timeout", Refusal::new(504, FaultKind::Timeout, "upstream_timeout", message));
            slow.charged = true;
            slow
        }
    }
}

fn broke(why: &str) -> Failed {
    let message = format!("the provider's answer broke off: {why}");
    let mut broke = failed("reset", Refusal::new(502, FaultKind::Internal, "upstream_broken", message));
    broke.charged = true;
    broke
}

fn empty(message: &str) -> Fault {
    broken(message)
}

/// A whole answer that is none; what it says to have cost has been spent.
fn bad_answer(fault: Fault, usage: Option<Usage>, trail: &mut Trail) -> Failed {
    trail.usage = usage;
    bad(fault)
}

/// A failure inside of what looked like an answer.
fn bad(mut fault: Fault) -> Failed {
    if fault.status == 200 {
        fault.status = match fault.kind {
            FaultKind::Overloaded => 529,
            FaultKind::RateLimited => 429,
            FaultKind::Invalid => 400,
            _ => 502,
        };
    }
    let invalid = fault.kind == FaultKind::Invalid;
    let code = fault.code.clone().unwrap_or_else(|| "upstream_error".to_owned());
    let mut refusal = Refusal::new(fault.status, fault.kind, &code, String::new());
    refusal.fault = fault;
    let mut bad = failed("broken", refusal);
    (bad.blame, bad.next, bad.charged) = (!invalid, !invalid, !invalid);
    bad
}

/// A status that is no success.
async fn refused<R: Reach>(
    call: &Call<'_>,
    parts: Parts,
    body: Received,
    seat: &Seat<R>,
    dialect: Dialect,
    until: Instant,
) -> Failed {
    let status = parts.status.as_u16();
    let wait = until.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
    let body = collect(body, LARGEST_REFUSAL, wait).await.unwrap_or_default();
    let fault = dialect.codec().read_fault(status, &body);
    let lower = fault.message.to_lowercase();
    let signature =
        status == 400 && call.ask.signed && (lower.contains("signature") || lower.contains("thinking"));
    let (next, blame) = match status {
        400 | 413 => (fault.kind == FaultKind::ContextLength, false),
        // What is wrong there is the house's to mend, and no client's; and who is busy now is not unwell.
        401..=404 | 408 | 425 | 429 => (true, false),
        500.. => (true, true),
        _ => (false, false),
    };
    let retry_after = retry_after(&parts.headers);
    let mut refusal = Refusal::new(status, fault.kind, "upstream_error", String::new());
    if matches!(status, 401..=403) {
        let name = &seat.provider().name;
        let message = format!("provider `{name}` refuses the house ({status}): {}", fault.message);
        refusal = Refusal::new(502, FaultKind::Internal, "upstream_auth", message).never_again();
    } else {
        refusal.fault = fault;
        refusal.fault.status = status;
        if dialect == call.ask.api.dialect() && is_error(&body) {
            refusal.raw = Some(Box::new((parts.headers, body)));
        } else {
            refusal.headers = Some(Box::new(parts.headers));
        }
    }
    refusal.retry_after = retry_after;
    Failed { next, blame, signature, ..failed(status.to_string(), refusal) }
}

/// An error as the dialects say it; what stands in front of a provider answers with pages of HTML.
fn is_error(body: &[u8]) -> bool {
    let told: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_slice(body);
    told.is_ok_and(|told| told.contains_key("error"))
}

/// `Retry-After` in seconds (RFC 9110 §10.2.3), and OpenAI's `retry-after-ms`.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds = number("retry-after-ms").map(|ms| ms / 1e3).or_else(|| number("retry-after"))?;
    (seconds.is_finite() && seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(86_400.0)))
}
