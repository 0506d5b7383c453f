//! A web address answers as it should: its status, its words, a place in its JSON, its pace, its certificate.

use std::time::Duration;

use jiff::SignedDuration;
use sanctum_http::axum::http::Uri;
use sanctum_http::{Verify, encrypt, shown};
use sanctum_kernel::SecretRef;
use sanctum_kernel::inventory::check::{Http, Json};
use secrecy::SecretString;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::certificate;
use crate::answer::{excerpt, span};
use crate::dial::dial;
use crate::line::Line;
use crate::wire::{self, Question, Received};
use crate::{Answer, Eyes, Finding, Stage};

pub(super) async fn look(eyes: &Eyes, http: &Http, stage: &Stage) -> Result<Answer, Answer> {
    let began = Instant::now();
    let target = Target::of(&http.url)?;
    let token = secret(eyes, http.token.as_ref())?;
    let question = Question { path: target.path(), host: target.authority(), accept: None, token };
    let line = dial(eyes, target.host(), target.port()).await?;
    let (received, left) = if target.secure() {
        // Apart: it needs much more room, and most do not need it.
        Box::pin(secretly(eyes, http, &target, line, &question, stage)).await?
    } else {
        (wire::ask(line, &question, stage).await?, None)
    };
    let mut answer = judge(http, &received)?;
    if let Some((left, min)) = left.zip(http.min_left) {
        let expiring = certificate::judge(left, min.0);
        if expiring.finding != Finding::Pass {
            return Err(expiring);
        }
    }
    let took = began.elapsed();
    if let Some(slow) = http.slow.filter(|slow| took > slow.0) {
        let detail =
            format!("{} only after {} ms; more than {slow} is slow", answer.detail, took.as_millis());
        answer = Answer { detail, finding: Finding::Drift, ..answer };
    }
    Ok(answer)
}

/// Asks over an encrypted connection; how long its certificate is good for, if that is asked.
async fn secretly(
    eyes: &Eyes,
    http: &Http,
    target: &Target,
    line: Line,
    question: &Question<'_>,
    stage: &Stage,
) -> Result<(Received, Option<SignedDuration>), Answer> {
    let stream = line.stream().map_err(|error| Answer::of("no encrypted connection", &error))?;
    let verify = if http.verify == Some(false) { Verify::Nobody } else { Verify::System };
    let mut stream = target.encrypted(stream, verify, stage).await?;
    let mut left = None;
    if http.min_left.is_some() {
        let der = shown(&stream).ok_or_else(|| Answer::unknown("it showed no certificate"))?;
        left = Some(certificate::left(eyes, der)?);
    }
    Ok((wire::get(&mut stream, question, stage).await?, left))
}

/// A web address in its parts.
pub(super) struct Target(Uri);

impl Target {
    pub(super) fn of(url: &str) -> Result<Self, Answer> {
        let uri = url.parse::<Uri>().ok().filter(|uri| uri.host().is_some());
        uri.map(Self).ok_or_else(|| Answer::unknown(format!("`{url}` is not a web address")))
    }

    pub(super) fn secure(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    pub(super) fn host(&self) -> &str {
        self.0.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    pub(super) fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(if self.secure() { 443 } else { 80 })
    }

    pub(super) fn authority(&self) -> &str {
        self.0.authority().map_or("", |authority| authority.as_str())
    }

    pub(super) fn path(&self) -> &str {
        self.0.path_and_query().map_or("/", |path| path.as_str())
    }

    pub(super) async fn encrypted(
        &self,
        stream: TcpStream,
        verify: Verify,
        stage: &Stage,
    ) -> Result<sanctum_http::Encrypted, Answer> {
        stage.connected();
        let shaken = encrypt(stream, self.host(), verify).await;
        shaken.map_err(|error| Answer::fail(format!("no encrypted connection: {error}")))
    }
}

/// The secret behind a reference; without it the question cannot be put.
pub(super) fn secret(eyes: &Eyes, token: Option<&SecretRef>) -> Result<Option<SecretString>, Answer> {
    let secret = token.map(|token| token.resolve(&eyes.paths)).transpose();
    secret.map_err(|error| Answer::unknown(format!("could not ask: {}", sanctum_kernel::Chain(&error))))
}

fn judge(http: &Http, received: &Received) -> Result<Answer, Answer> {
    let Received { head, body, whole } = received;
    let right = if http.status.is_empty() {
        (200..300).contains(&head.status)
    } else {
        http.status.contains(&head.status)
    };
    if !right {
        let detail = match &head.location {
            Some(place) => format!("answered {}, which leads to {}", head.status, excerpt(place.as_bytes())),
            None if body.is_empty() => format!("answered {}", head.status),
            None => format!("answered {}: `{}`", head.status, excerpt(body)),
        };
        return Err(Answer::fail(detail));
    }
    let text = String::from_utf8_lossy(body);
    let part = if *whole { "its answer" } else { "the first megabyte of its answer" };
    if let Some(word) = http.body.as_ref().filter(|word| !text.contains(word.as_str())) {
        let detail =
            format!("answered {}, but {part} does not contain `{word}`: `{}`", head.status, excerpt(body));
        return Err(Answer::fail(detail));
    }
    if let Some(word) = http.not_body.as_ref().filter(|word| text.contains(word.as_str())) {
        return Err(Answer::fail(format!("answered {}, but its answer contains `{word}`", head.status)));
    }
    match &http.json {
        Some(json) => pointed(json, body),
        None => Ok(Answer::pass(format!("answered {}", head.status))),
    }
}

fn pointed(json: &Json, body: &[u8]) -> Result<Answer, Answer> {
    let document: Value = serde_json::from_slice(body)
        .map_err(|error| Answer::fail(format!("its answer is not JSON ({error}): `{}`", excerpt(body))))?;
    let at = &json.at;
    let place = document.pointer(at);
    let value =
        place.ok_or_else(|| Answer::fail(format!("there is nothing at `{at}`: `{}`", excerpt(body))))?;
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let seen = excerpt(text.as_bytes());
    let number =
        value.as_f64().or_else(|| text.trim().parse().ok()).filter(|number: &f64| number.is_finite());
    let measured = |answer: Answer| Answer { value: number, ..answer };
    if let Some(equals) = json.equals.as_ref().filter(|equals| **equals != text) {
        return Err(measured(Answer::fail(format!("at `{at}` stands `{seen}` instead of `{equals}`"))));
    }
    if json.min.is_some() || json.max.is_some() {
        let number =
            number.ok_or_else(|| Answer::fail(format!("at `{at}` stands `{seen}`, which is no number")))?;
        if let Some(min) = json.min.filter(|min| number < *min) {
            return Err(measured(Answer::fail(format!("at `{at}` stands {number}, less than {min}"))));
        }
        if let Some(max) = json.max.filter(|max| number > *max) {
            return Err(measured(Answer::fail(format!("at `{at}` stands {number}, more than {max}"))));
        }
    } else if json.equals.is_none() && hollow(value) {
        return Err(Answer::fail(format!("at `{at}` stands `{seen}`")));
    }
    Ok(measured(Answer::pass(format!("at `{at}` stands `{seen}`"))))
}

fn hollow(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// How long something took, for sentences.
pub(super) fn after(took: Duration) -> String {
    if took < Duration::from_secs(1) { format!("{} ms", took.as_millis()) } else { span(took) }
}
