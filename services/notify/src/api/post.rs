//! `POST /notify`: JSON, a form, or plain text as a shell script sends it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_core::future::BoxFuture;
use sanctum_api::Problem;
use sanctum_api::notify::{Accepted, Notice, Severity};
use sanctum_http::axum::extract::{FromRequest, Request};
use sanctum_http::{
    Bytes, Caller, Fast, Gate, HeaderMap, Incoming as Body, IntoResponse, Json, Refusal, Response, State,
    StatusCode, Whole, from_json,
};
use sanctum_kernel::Trace;

use super::{House, refuse, rules};
use crate::accept::{Incoming, accept};

pub(crate) const PATH: &str = "/notify";
const JSON: &str = "application/json";

type Asked = sanctum_http::hyper::Request<Body>;

/// A key longer than this is not a key.
const LONGEST_KEY: usize = 256;

pub(crate) async fn notify(
    State(hub): State<House>,
    caller: Caller,
    request: Request,
) -> Result<Response, Refusal> {
    let key = key(request.headers())?.map(|key| format!("{}:{key}", caller.name));
    let notice = read(request, &caller).await;
    let accepted = take_in(&hub, notice, key).await?;
    Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
}

/// Keeps what was read, if it is a notice.
async fn take_in(
    hub: &House,
    notice: Result<Notice, Refusal>,
    key: Option<String>,
) -> Result<Accepted, Refusal> {
    let notice = notice.map_err(rules::name_the_field)?;
    rules::check(&notice, hub)?;
    let incoming = Incoming { notice, trace: Trace::current().id(), at: hub.now(), key, own: false };
    accept(hub, incoming).await.map_err(|error| refuse(&error))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get("content-type").map_or(&b""[..], |kind| kind.as_bytes().trim_ascii());
    kind.get(..JSON.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(JSON.as_bytes()))
}

/// The way in for notices in JSON, which is how everything but a shell script says them: in numbers they come when the
/// house is in trouble, so the routes and their layers are left out.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    pub(crate) hub: House,
    pub(crate) gate: Arc<Gate>,
}

impl Fast for Front {
    type Body = Whole;
    type Answer = BoxFuture<'static, sanctum_http::hyper::Response<Whole>>;

    fn take(&self, request: Asked) -> Result<Self::Answer, Asked> {
        if request.method() != "POST" || request.uri().path() != PATH || !is_json(request.headers()) {
            return Err(request);
        }
        let hub = Arc::clone(&self.hub);
        let work = async move |caller: Caller, headers: HeaderMap, body: Result<Bytes, Refusal>| {
            let key = key(&headers)?.map(|key| format!("{}:{key}", caller.name));
            drop(headers);
            let notice = body.and_then(|body| from_json(&body));
            let accepted = take_in(&hub, notice, key).await?;
            let body = serde_json::to_vec(&accepted).map_err(|error| Refusal::inside(&error))?;
            Ok(Whole::answer(StatusCode::ACCEPTED, JSON, body))
        };
        Ok(Box::pin(Arc::clone(&self.gate).pass(request, work)))
    }
}

pub(crate) fn key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let key = key
        .to_str()
        .ok()
        .map(|key| key.trim_matches('"'))
        .filter(|key| !key.is_empty() && key.len() <= LONGEST_KEY);
    key.map(Some).ok_or_else(|| {
        Problem::field("Idempotency-Key", "", format!("1 to {LONGEST_KEY} printable ASCII characters"))
    })
}

async fn read(request: Request, caller: &Caller) -> Result<Notice, Refusal> {
    let kind = text(request.headers(), "content-type").unwrap_or_default().to_ascii_lowercase();
    if is_json(request.headers()) {
        return Json::<Notice>::from_request(request, &()).await.map(|Json(notice)| notice);
    }
    let headers = request.headers().clone();
    let body = Bytes::from_request(request, &()).await.map_err(|rejection| {
        let status = rejection.status().as_u16();
        Refusal(
            Problem::new(status, "unreadable", "the body could not be read").detail(rejection.body_text()),
        )
    })?;
    // `curl -d` says that everything is a form, whatever it is.
    if body.first() == Some(&b'{') {
        let again = Request::builder().body(body.into()).map_err(|error| Refusal::inside(&error))?;
        return Json::<Notice>::from_request(again, &()).await.map(|Json(notice)| notice);
    }
    let Ok(body) = std::str::from_utf8(&body) else {
        return Err(Refusal(Problem::new(400, "bad-text", "the body is not UTF-8")));
    };
    let form = kind.starts_with("application/x-www-form-urlencoded").then(|| form(body)).flatten();
    Ok(match form {
        Some(form) => from_form(form, caller)?,
        None => from_text(body, &headers, caller)?,
    })
}

const FIELDS: [&str; 8] = ["source", "severity", "title", "message", "url", "image", "dedup_key", "channel"];

/// The fields of a form, if it is one: at least a title or a message among nothing but known fields.
fn form(body: &str) -> Option<BTreeMap<String, String>> {
    let fields: BTreeMap<String, String> = body
        .split('&')
        .map(|pair| pair.split_once('='))
        .map(|pair| pair.map(|(name, value)| (decode(name), decode(value))))
        .collect::<Option<_>>()?;
    let known =
        |name: &String| FIELDS.contains(&name.as_str()) || name.starts_with("label.") || name == "resolved";
    (fields.keys().all(known) && (fields.contains_key("message") || fields.contains_key("title")))
        .then_some(fields)
}

/// Percent and plus decoding (WHATWG URL, application/x-www-form-urlencoded).
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let pair = (byte == b'%').then(|| rest.as_slice_pair()).flatten();
        match (byte, pair) {
            (b'+', _) => bytes.push(b' '),
            (_, Some(value)) => {
                bytes.push(value);
                rest.next();
                rest.next();
            }
            (byte, None) => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The two hexadecimal digits ahead, as a byte.
trait Ahead {
    fn as_slice_pair(&self) -> Option<u8>;
}

impl Ahead for std::str::Bytes<'_> {
    fn as_slice_pair(&self) -> Option<u8> {
        let mut ahead = self.clone();
        let (high, low) = (char::from(ahead.next()?).to_digit(16)?, char::from(ahead.next()?).to_digit(16)?);
        u8::try_from(high * 16 + low).ok()
    }
}

fn from_form(mut form: BTreeMap<String, String>, caller: &Caller) -> Result<Notice, Problem> {
    let severity =
        form.remove("severity").map_or(Ok(Severity::Info), |word| rules::severity("severity", &word))?;
    let message = form.remove("message").unwrap_or_default();
    let source = form.remove("source").unwrap_or_else(|| caller.name.clone());
    let mut notice = plain(source, severity, form.remove("title"), message);
    notice.url = form.remove("url");
    notice.image = form.remove("image");
    notice.dedup_key = form.remove("dedup_key");
    notice.resolved = form.remove("resolved").is_some_and(|value| value == "true" || value == "1");
    let channels = form.remove("channel").unwrap_or_default();
    notice.force_channels =
        channels.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    notice.labels = form
        .into_iter()
        .filter_map(|(name, value)| Some((name.strip_prefix("label.")?.to_owned(), value)))
        .collect();
    Ok(notice)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get(name)
        .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
        .map(str::trim)
        .filter(|value| !value.is_empty())
}

/// Plain text as ntfy takes it (docs.ntfy.sh/publish): headers `Title`, `Priority`, `Tags`, `Click`.
fn from_text(body: &str, headers: &HeaderMap, caller: &Caller) -> Result<Notice, Problem> {
    let first = |names: &[&str]| names.iter().find_map(|name| text(headers, name));
    let priority = first(&["priority", "x-priority", "prio", "p", "severity", "x-severity"]);
    let severity = priority.map_or(Ok(Severity::Info), |word| of_priority("Priority", word))?;
    let title = first(&["title", "x-title", "t"]).map(str::to_owned);
    let source = first(&["source", "x-source"]).map_or_else(|| caller.name.clone(), str::to_owned);
    let mut notice = plain(source, severity, title, body.trim_end_matches('\n').to_owned());
    notice.url = first(&["click", "x-click"]).map(str::to_owned);
    notice.dedup_key = first(&["x-sequence-id", "x-dedup-key"]).map(str::to_owned);
    let tags = first(&["tags", "x-tags", "tag", "ta"]).unwrap_or_default();
    for tag in tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        notice.labels.insert(format!("tag.{tag}"), "true".to_owned());
    }
    Ok(notice)
}

/// A severity, or one of ntfy's priorities 1 to 5 by number or name.
pub(crate) fn of_priority(field: &str, word: &str) -> Result<Severity, Problem> {
    Ok(match word.to_ascii_lowercase().as_str() {
        "1" | "min" | "2" | "low" | "3" | "default" => Severity::Info,
        "4" | "high" => Severity::Error,
        "5" | "max" | "urgent" => Severity::Critical,
        other => return rules::severity(field, other),
    })
}

/// A notice of few words; without a title the first line of the message is it.
pub(crate) fn plain(source: String, severity: Severity, title: Option<String>, message: String) -> Notice {
    let first = || message.lines().next().unwrap_or_default().chars().take(120).collect::<String>();
    let title = title.filter(|title| !title.trim().is_empty()).unwrap_or_else(first);
    Notice::plain(source, severity, title, message)
}
