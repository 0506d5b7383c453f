//! What a check works with: a gateway that runs, a provider behind it, and ways to ask.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sanctum_testkit::provider::{Provider, Reply, Seen};
use serde_json::Value;

use super::dialect::{Ask, Client, Pair, Upstream};
use super::heard::{self, Frame, Heard, at, words};
use super::wire::{Answer, Conn, Ended, Framing, Head};

/// How long something outside may take to notice.
const NOTICE: Duration = Duration::from_secs(5);

/// The gateway under test.
pub(super) struct Stage {
    /// Peers may need a process for each kind of provider.
    pub(super) addr: fn(&[SocketAddr], Client, Upstream) -> SocketAddr,
    pub(super) addrs: Vec<SocketAddr>,
    /// What stands before `/chat/completions`, such as `/v1`.
    pub(super) base: String,
    /// Headers that let a client in, by what it speaks.
    pub(super) headers: fn(Client, Upstream, &Self) -> Vec<(String, String)>,
    pub(super) key: String,
    /// The names of the models behind each kind of provider, for each client; `None` where it is not offered.
    pub(super) model: fn(Client, Upstream) -> Option<String>,
    pub(super) provider: Provider,
    /// Another provider of Anthropic's kind, whose signatures the first one refuses, and its model.
    pub(super) other: Provider,
    pub(super) other_model: Option<&'static str>,
    /// The model for embeddings.
    pub(super) embeds: &'static str,
    /// Pairs that were made.
    pub(super) pairs: AtomicU64,
    /// Ours: its time-outs are short, and what only we promise is asked for.
    pub(super) ours: bool,
}

/// A stream as far as it came.
#[derive(Debug)]
pub(super) struct Streamed {
    pub(super) head: Head,
    pub(super) heard: Heard,
    pub(super) frames: Vec<Frame>,
    pub(super) ended: Ended,
    /// The body, when it was no stream.
    pub(super) refused: Option<Answer>,
}

impl Streamed {
    /// A stream that a client takes for complete.
    pub(super) fn success(&self) -> bool {
        self.refused.is_none() && self.heard.error.is_none() && self.heard.done && self.ended == Ended::Whole
    }
}

impl Stage {
    pub(super) fn pair(&self, client: Client, upstream: Upstream) -> Option<Pair> {
        let model = (self.model)(client, upstream)?;
        // A provider that asked for a pause is left alone with that model; the next check needs another one.
        let model =
            if self.ours { format!("{model}-{}", self.pairs.fetch_add(1, Ordering::Relaxed)) } else { model };
        Some(Pair { client, upstream, model })
    }

    /// As it was before the check before.
    pub(super) fn fresh(&self) {
        for provider in [&self.provider, &self.other] {
            provider.behave();
            provider.forget();
        }
    }

    /// The newest request the provider saw.
    pub(super) fn last(&self) -> Result<Arc<Seen>, String> {
        self.provider.requests().pop().ok_or_else(|| "nothing arrived at the provider".to_owned())
    }

    /// Every answer of the provider goes wrong in this way.
    pub(super) fn goes_wrong(&self, fault: &str) {
        self.provider.always("*", Reply::fault(fault));
    }

    pub(super) fn headers(&self, pair: &Pair) -> Vec<(String, String)> {
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        headers.extend((self.headers)(pair.client, pair.upstream, self));
        headers
    }

    pub(super) fn open(&self, pair: &Pair) -> Result<Conn, String> {
        Conn::open((self.addr)(&self.addrs, pair.client, pair.upstream))
    }

    /// The request line of a path below the base.
    pub(super) fn line(&self, method: &str, path: &str) -> String {
        format!("{method} {}{path}", self.base)
    }

    pub(super) fn post(&self, conn: &mut Conn, pair: &Pair, body: &[u8]) -> Result<(), String> {
        conn.send(&self.line("POST", pair.client.path()), &self.headers(pair), body, Framing::Length)
    }

    /// A body of the test's own.
    pub(super) fn raw(&self, pair: &Pair, body: &[u8]) -> Result<Answer, String> {
        let mut conn = self.open(pair)?;
        self.post(&mut conn, pair, body)?;
        conn.answer(false)
    }

    pub(super) fn answer(&self, ask: &Ask) -> Result<Answer, String> {
        self.raw(&ask.pair, ask.body.to_string().as_bytes())
    }

    /// A whole answer that must be good.
    pub(super) fn whole(&self, ask: &Ask) -> Result<Heard, String> {
        let answer = self.answer(ask)?;
        if answer.head.status != 200 {
            return Err(format!("{}: {}", answer.head.status, answer.text()));
        }
        heard::whole(ask.pair.client, &answer.json()?)
    }

    /// A stream to its end, whatever that is.
    pub(super) fn streamed(&self, ask: &Ask) -> Result<Streamed, String> {
        let mut conn = self.open(&ask.pair)?;
        self.post(&mut conn, &ask.pair, ask.clone().stream().body.to_string().as_bytes())?;
        let head = conn.head(false)?;
        let mut body = Vec::new();
        let ended = loop {
            match conn.some()? {
                Ok(piece) => body.extend(piece),
                Err(ended) => break ended,
            }
        };
        if head.status != 200
            || !head.get("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"))
        {
            let refused = Some(Answer { head: head.clone(), body, ended });
            return Ok(Streamed { head, heard: Heard::default(), frames: Vec::new(), ended, refused });
        }
        let (frames, rest) = heard::frames(&body)?;
        if rest && ended == Ended::Whole {
            return Err("the stream ended inside of an event, as if that were its end".to_owned());
        }
        let heard = heard::stream(ask.pair.client, &frames)?;
        Ok(Streamed { head, heard, frames, ended, refused: None })
    }

    /// A stream that must be good.
    pub(super) fn stream(&self, ask: &Ask) -> Result<Heard, String> {
        let streamed = self.streamed(ask)?;
        if let Some(refused) = &streamed.refused {
            return Err(format!("no stream but {}: {}", refused.head.status, refused.text()));
        }
        if let Some(error) = &streamed.heard.error {
            return Err(format!("an error in the stream: {error}"));
        }
        if !streamed.heard.done || streamed.ended == Ended::Cut {
            return Err(format!("the stream did not come to its end ({} events)", streamed.frames.len()));
        }
        Ok(streamed.heard)
    }

    /// Reads a stream until its words begin, and gives the open connection.
    pub(super) fn begun(&self, ask: &Ask) -> Result<Conn, String> {
        let mut conn = self.open(&ask.pair)?;
        self.post(&mut conn, &ask.pair, ask.clone().stream().body.to_string().as_bytes())?;
        let head = conn.head(false)?;
        let mut body = Vec::new();
        loop {
            match conn.some()? {
                Ok(piece) => body.extend(piece),
                Err(_) => return Err(format!("{}: ended before its first word", head.status)),
            }
            let (frames, _) = heard::frames(&body).unwrap_or_default();
            if heard::stream(ask.pair.client, &frames).is_ok_and(|heard| !heard.text.is_empty()) {
                return Ok(conn);
            }
        }
    }
}

/// Waits for something outside.
pub(super) fn notices(what: &str, mut look: impl FnMut() -> bool) -> Result<(), String> {
    let until = Instant::now() + NOTICE;
    while !look() {
        if Instant::now() > until {
            return Err(format!("not within {} s: {what}", NOTICE.as_secs()));
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    Ok(())
}

/// An error in the shape of the API that was called.
pub(super) fn shaped(client: Client, answer: &Answer) -> Result<Value, String> {
    let body = answer.json()?;
    let kind = at(&body, "/error/type");
    if words(at(&body, "/error/message")).is_empty() || !kind.is_string() {
        return Err(format!(
            "{} without error.message and error.type: {}",
            answer.head.status,
            answer.text()
        ));
    }
    match client {
        Client::Messages if at(&body, "/type") != "error" => Err(format!("no `type: error`: {body}")),
        Client::Messages => Ok(body),
        _ => {
            let error = at(&body, "/error").as_object();
            let all = error.is_some_and(|error| error.contains_key("param") && error.contains_key("code"));
            if all { Ok(body) } else { Err(format!("error has no param or no code: {body}")) }
        }
    }
}

/// These are equal, or an explanation.
pub(super) fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, wanted: &T) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("{what} is {got:?}, not {wanted:?}")) }
}
