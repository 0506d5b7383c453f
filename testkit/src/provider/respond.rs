//! From a request to the steps its connection will see.

use std::sync::MutexGuard;
use std::time::Duration;

use serde_json::{Value, json};

use super::ask::{Api, Ask, Refused, route, string};
use super::record::{Seen, Shared};
use super::{Act, Reply, Retry, Say, anthropic, chat, gemini, responses};

/// One step of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// Until the client goes away.
    Stall,
    /// RST.
    Reset,
    /// FIN, whatever the framing promised.
    Close,
}

/// Who asks, and in which dialect it must be told.
struct Asked<'a> {
    shared: &'a Shared,
    api: Api,
    n: u64,
    anthropic: bool,
}

pub(super) fn steps(shared: &Shared, seen: &Seen) -> Vec<Step> {
    let anthropic = seen.header("anthropic-version").is_some();
    let n = shared.number();
    let Some((api, named)) = route(&seen.method, &seen.path) else {
        let asked = Asked { shared, api: Api::Chat, n, anthropic };
        return asked.refuse(
            404,
            &format!("Invalid URL ({} {})", seen.method, seen.path),
            Retry::Unsaid,
            false,
        );
    };
    let asked = Asked { shared, api, n, anthropic };
    if !asked.admitted(seen) {
        return asked.refuse(401, "Incorrect API key provided.", Retry::Unsaid, false);
    }
    let Ok(body) = (if seen.body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&seen.body) })
    else {
        return asked.refuse(400, "We could not parse the JSON body of your request.", Retry::Unsaid, false);
    };
    asked
        .answer(seen, &body, named)
        .unwrap_or_else(|(status, why)| asked.refuse(status, &why, Retry::Unsaid, false))
}

impl Asked<'_> {
    fn admitted(&self, seen: &Seen) -> bool {
        let key = self.shared.key.lock().unwrap();
        let Some(key) = key.as_deref() else { return true };
        let bearer = seen.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        [bearer, seen.header("x-api-key"), seen.header("x-goog-api-key")].contains(&Some(key))
    }

    fn answer(&self, seen: &Seen, body: &Value, named: Option<(String, bool)>) -> Result<Vec<Step>, Refused> {
        let signature = self.shared.signature();
        if self.api == Api::Models {
            return Ok(self.plain(&models(self.anthropic, seen.path.contains("v1beta"))));
        }
        let model = named.as_ref().map_or_else(|| string(&body["model"]), |(model, _)| model.clone());
        if model.is_empty() {
            return Err((400, "you must provide a model parameter".to_owned()));
        }
        let mut reply = self.reply(&model);
        let (ask, whole) = match self.api {
            Api::CountTokens => (Ask::default(), Some(anthropic::count(body))),
            Api::GeminiCount => {
                (Ask::default(), Some(json!({ "totalTokens": body.to_string().len() / 4 + 1 })))
            }
            Api::Embeddings => (Ask::default(), Some(chat::embeddings(body)?)),
            Api::GeminiEmbeddings => (Ask::default(), Some(gemini::embeddings(body))),
            Api::Messages => (anthropic::read(body, &signature)?, None),
            Api::Responses => (responses::read(body)?, None),
            Api::Gemini => (gemini::read(body, &model, named.is_some_and(|(_, stream)| stream))?, None),
            Api::Chat | Api::Models => (chat::read(body)?, None),
        };
        if let Some(refused) = self.refusal(&reply.act) {
            return Ok(refused);
        }
        let gap = reply.say.as_ref().map_or(Duration::ZERO, |say| say.gap);
        let say = shaped(reply.say.take().unwrap_or_else(|| Say::from_ask(&ask)), &reply.act);
        if let (true, None) = (ask.stream, &whole) {
            return Ok(self.streamed(&ask, &say, &reply.act, gap));
        }
        let whole = whole.unwrap_or_else(|| match self.api {
            Api::Messages => anthropic::whole(&ask, &say, self.n, &signature),
            Api::Responses => responses::whole(&ask, &say, self.n),
            Api::Gemini => gemini::whole(&ask, &say, self.n, &signature),
            _ => chat::whole(&ask, &say, self.n),
        });
        Ok(self.whole(&whole, &reply.act))
    }

    /// The script first, then what holds always, then the model's name.
    fn reply(&self, model: &str) -> Reply {
        if let Some(reply) = lock(&self.shared.script).pop_front() {
            return reply;
        }
        let always = lock(&self.shared.always);
        if let Some(reply) = always.get(model).or_else(|| always.get("*")) {
            return reply.clone();
        }
        drop(always);
        model.split_once("fault-").map_or_else(Reply::good, |(_, name)| Reply::fault(name))
    }

    /// What is refused, or broken before there is an answer to speak of.
    fn refusal(&self, act: &Act) -> Option<Vec<Step>> {
        let half = b"HTTP/1.1 200 OK\r\ncontent-ty".to_vec();
        Some(match act {
            Act::Refuse(status, retry) => self.refuse(*status, &words(*status), *retry, false),
            Act::ContextLength => self.refuse(400, &self.too_long(), Retry::Unsaid, true),
            Act::Html(status) => {
                let page = format!("<html><head><title>{status} Bad Gateway</title></head></html>\n");
                let head = format!("HTTP/1.1 {status} Bad Gateway\r\ncontent-type: text/html\r\n");
                vec![Step::Send(bodied(head, page.as_bytes()))]
            }
            Act::ResetBeforeHead => vec![Step::Reset],
            Act::CloseBeforeHead => vec![Step::Close],
            Act::HalfHead => vec![Step::Send(half), Step::Close],
            Act::Never => vec![Step::Stall],
            Act::GarbageBody => {
                let head = self.head(200, "application/json");
                vec![Step::Send(bodied(head, b"<!doctype html><p>Welcome to the captive portal.</p>"))]
            }
            Act::ErrorBody => {
                let body = self.fault(500, "The server had an error while processing your request.", false);
                self.plain(&body)
            }
            _ => return None,
        })
    }

    fn too_long(&self) -> String {
        match self.api {
            Api::Messages => "prompt is too long: 210000 tokens > 200000 maximum".to_owned(),
            Api::Gemini => "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).".to_owned(),
            _ => "This model's maximum context length is 128000 tokens. However, your messages resulted in 140000 tokens. Please reduce the length of the messages.".to_owned(),
        }
    }

    fn fault(&self, status: u16, message: &str, context: bool) -> Value {
        match self.api {
            Api::Messages | Api::CountTokens => anthropic::fault(status, message, self.n),
            Api::Models if self.anthropic => anthropic::fault(status, message, self.n),
            Api::Gemini | Api::GeminiCount | Api::GeminiEmbeddings => gemini::fault(status, message),
            _ => chat::fault(status, message, context),
        }
    }

    fn refuse(&self, status: u16, message: &str, retry: Retry, context: bool) -> Vec<Step> {
        let mut head = self.head(status, "application/json");
        match retry {
            Retry::Unsaid => {}
            Retry::Seconds(seconds) => head.push_str(&format!("retry-after: {seconds}\r\n")),
            Retry::Millis(millis) => head.push_str(&format!("retry-after-ms: {millis}\r\n")),
            Retry::Date(date) => head.push_str(&format!("retry-after: {date}\r\n")),
        }
        if status == 429 {
            head.push_str("x-should-retry: true\r\n");
        }
        vec![Step::Send(bodied(head, self.fault(status, message, context).to_string().as_bytes()))]
    }

    /// Status line and the headers this API answers with.
    fn head(&self, status: u16, kind: &str) -> String {
        let mut head = format!("HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\n");
        match self.api {
            Api::Messages | Api::CountTokens => head.push_str(&format!(
                "request-id: req_{}\r\nanthropic-ratelimit-requests-remaining: 49\r\nanthropic-organization-id: org_1\r\n",
                self.n
            )),
            Api::Gemini | Api::GeminiCount | Api::GeminiEmbeddings => head.push_str("server-timing: gfet4t7; dur=9\r\n"),
            _ => head.push_str(&format!(
                "x-request-id: req_{}\r\nopenai-processing-ms: 9\r\nx-ratelimit-remaining-requests: 59\r\n",
                self.n
            )),
        }
        head
    }

    fn plain(&self, body: &Value) -> Vec<Step> {
        vec![Step::Send(bodied(self.head(200, "application/json"), body.to_string().as_bytes()))]
    }

    fn whole(&self, body: &Value, act: &Act) -> Vec<Step> {
        let body = body.to_string().into_bytes();
        let head = self.head(200, "application/json");
        let promised = match act {
            Act::LengthLong => body.len() + 500,
            Act::LengthShort => body.len() / 2,
            _ => body.len(),
        };
        let head = format!("{head}content-length: {promised}\r\n\r\n").into_bytes();
        let (first, second) = body.split_at(body.len() / 2);
        let half = [head.clone(), first.to_vec()].concat();
        let all = [half.clone(), second.to_vec()].concat();
        match act {
            Act::ResetAfterHead => vec![Step::Send(head), Step::Reset],
            Act::StallAfterHead => vec![Step::Send(head), Step::Stall],
            Act::ResetMid | Act::HalfFrame | Act::ErrorMid => vec![Step::Send(half), Step::Reset],
            Act::EndMid => vec![Step::Send(half), Step::Close],
            Act::StallMid => vec![Step::Send(half), Step::Stall],
            Act::LengthLong | Act::LengthShort | Act::ClosesIdle => vec![Step::Send(all), Step::Close],
            Act::SlowFirstByte(wait) => vec![Step::Wait(*wait), Step::Send(all)],
            Act::Bytewise => all.chunks(1).map(|byte| Step::Send(byte.to_vec())).collect(),
            Act::ErrorFirst => {
                self.plain(&self.fault(500, "The server had an error while processing your request.", false))
            }
            Act::GarbageStream => vec![Step::Send(bodied(self.head(200, "application/json"), b"\x00\xff{]"))],
            _ => vec![Step::Send(all)],
        }
    }

    fn streamed(&self, ask: &Ask, say: &Say, act: &Act, gap: Duration) -> Vec<Step> {
        let signature = self.shared.signature();
        let mut frames = match self.api {
            Api::Messages => anthropic::frames(ask, say, self.n, &signature),
            Api::Responses => responses::frames(ask, say, self.n),
            Api::Gemini => gemini::frames(ask, say, self.n, &signature),
            _ => chat::frames(ask, say, self.n),
        };
        let overloaded = "Overloaded";
        let error = match self.api {
            Api::Messages => format!("event: error\ndata: {}\n\n", self.fault(529, overloaded, false)),
            Api::Responses => {
                let number = if *act == Act::ErrorMid { frames.len() / 2 } else { 0 };
                responses::fault_frame(overloaded, number)
            }
            _ => format!("data: {}\n\n", self.fault(503, overloaded, false)),
        };
        let half = frames.len() / 2;
        match act {
            Act::NoDone if matches!(self.api, Api::Chat | Api::Messages) => drop(frames.pop()),
            Act::Crlf => {
                for frame in &mut frames {
                    *frame = frame.replace("\r\n", "\n").replace('\n', "\r\n");
                }
            }
            Act::ByteOrderMark => frames.insert(0, "\u{feff}".to_owned()),
            Act::Heartbeats => {
                frames =
                    frames.into_iter().flat_map(|frame| [": PROCESSING\n\n".to_owned(), frame]).collect();
            }
            Act::ErrorFirst => frames = vec![error],
            Act::ErrorMid => frames.splice(half.., [error]).for_each(drop),
            Act::GarbageStream => {
                frames = vec!["\0\u{1}{]}data\n\ndata: {not json\n\nwhat: ever\n\n".to_owned()];
            }
            Act::ResetMid | Act::EndMid | Act::StallMid | Act::LengthShort | Act::LengthLong => {
                frames.truncate(half);
            }
            Act::HalfFrame => {
                frames.truncate(half + 1);
                let last = frames.pop().unwrap_or_default();
                frames.push(last.chars().take(last.chars().count() / 2).collect());
            }
            _ => {}
        }
        self.framed(&frames, act, gap)
    }

    /// The frames as chunks of a body, then its end.
    fn framed(&self, frames: &[String], act: &Act, gap: Duration) -> Vec<Step> {
        let mut head = self.head(200, "text/event-stream; charset=utf-8");
        head.push_str("cache-control: no-cache\r\n");
        let total: usize = frames.iter().map(String::len).sum();
        let counted = match act {
            Act::LengthLong => Some(total + 500),
            Act::LengthShort => Some(total - 20),
            _ => None,
        };
        head.push_str(&counted.map_or_else(
            || "transfer-encoding: chunked\r\n\r\n".to_owned(),
            |length| format!("content-length: {length}\r\n\r\n"),
        ));
        let mut steps = Vec::new();
        if let Act::SlowFirstByte(wait) = act {
            steps.push(Step::Wait(*wait));
        }
        steps.push(Step::Send(head.into_bytes()));
        if let Act::ResetAfterHead | Act::StallAfterHead = act {
            steps.push(if *act == Act::StallAfterHead { Step::Stall } else { Step::Reset });
            return steps;
        }
        for frame in frames {
            for piece in split(frame, act) {
                steps.push(Step::Send(if counted.is_some() { piece.to_vec() } else { chunk(piece) }));
            }
            if !gap.is_zero() {
                steps.push(Step::Wait(gap));
            }
        }
        steps.extend(match act {
            Act::ResetMid | Act::HalfFrame => vec![Step::Reset],
            Act::StallMid => vec![Step::Stall],
            Act::LengthLong | Act::LengthShort => vec![Step::Close],
            Act::ClosesIdle => vec![Step::Send(b"0\r\n\r\n".to_vec()), Step::Close],
            _ => vec![Step::Send(b"0\r\n\r\n".to_vec())],
        });
        steps
    }
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// Faults of the words themselves.
fn shaped(mut say: Say, act: &Act) -> Say {
    match act {
        Act::NoUsage => say.counts = false,
        Act::Empty => (say.text, say.calls, say.thinking) = (String::new(), Vec::new(), None),
        Act::Repeats => (say.text, say.calls) = ("the the the the ".repeat(200), Vec::new()),
        Act::Huge => (say.text, say.calls) = (story(), Vec::new()),
        _ => {}
    }
    say
}

/// Four megabytes in which nothing is said twice.
fn story() -> String {
    use std::fmt::Write as _;
    (0..130_000).fold(String::new(), |mut text, night| {
        write!(text, "On night {night}, she told another. ").unwrap_or_default();
        text
    })
}

/// Where the writes of a frame end.
fn split<'a>(frame: &'a str, act: &Act) -> Vec<&'a [u8]> {
    let bytes = frame.as_bytes();
    match act {
        Act::Bytewise => bytes.chunks(1).collect(),
        Act::SplitLetters => {
            let mut pieces = Vec::new();
            let mut from = 0;
            for at in (1..bytes.len()).filter(|at| !frame.is_char_boundary(*at)) {
                pieces.push(&bytes[from..at]);
                from = at;
            }
            pieces.push(&bytes[from..]);
            pieces
        }
        // Large writes are what large answers come in.
        Act::Huge => bytes.chunks(16_384).collect(),
        _ => vec![bytes],
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn bodied(head: String, body: &[u8]) -> Vec<u8> {
    [format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

fn words(status: u16) -> String {
    match status {
        401 => "Incorrect API key provided: sk-***.",
        402 => "Your credit balance is too low to access the API.",
        403 => "Your key does not have permission to use the specified resource.",
        404 => "The model does not exist or you do not have access to it.",
        413 => "Request exceeds the maximum allowed number of bytes.",
        429 => "Rate limit reached for requests.",
        503 => "The model is currently unavailable.",
        529 => "Overloaded",
        500.. => "The server had an error while processing your request.",
        _ => "Invalid value: 'temperature' must be at most 2.",
    }
    .to_owned()
}

fn models(anthropic: bool, gemini: bool) -> Value {
    let names = ["mock", "mock-small"];
    if anthropic {
        let each = names.map(|id| {
            json!({ "type": "model", "id": id, "display_name": id, "created_at": "2026-01-01T00:00:00Z" })
        });
        return json!({ "data": each, "has_more": false, "first_id": names[0], "last_id": names[1] });
    }
    if gemini {
        let each = names.map(|id| {
            json!({ "name": format!("models/{id}"), "displayName": id, "inputTokenLimit": 1_048_576,
                "supportedGenerationMethods": ["generateContent", "countTokens"] })
        });
        return json!({ "models": each });
    }
    let each =
        names.map(|id| json!({ "id": id, "object": "model", "created": chat::CREATED, "owned_by": "mock" }));
    json!({ "object": "list", "data": each })
}
