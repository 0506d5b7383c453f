//! The one way out: a letter, to a seat of its reach.

use std::time::Duration;

use sanctum_http::hyper::http::{HeaderName, HeaderValue, Method, Request, Response};
use sanctum_http::{Full, HeaderMap, Received, SendError, header};
use sanctum_llm::Dialect;

use super::{Endpoint, Provider};
use crate::config::Kind;
use crate::reach::{Letter, Reach, Seat};

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    Connect(String),
    Broken(String),
    Slow(Duration),
}

/// What goes with a letter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct With<'a> {
    pub(crate) endpoint: Endpoint,
    /// The client's, already without what stays here.
    pub(crate) headers: &'a HeaderMap,
    /// Credentials of the client's own, instead of the house's.
    pub(crate) own: Option<&'a (HeaderName, HeaderValue)>,
    /// The client's query, where the dialect is the same.
    pub(crate) query: Option<&'a str>,
    pub(crate) stream: bool,
    /// Whether the body and its headers are the client's own.
    pub(crate) same_dialect: bool,
    pub(crate) timeout: Duration,
}

const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// Sends a letter and waits for the head of the answer.
pub(crate) async fn send<R: Reach>(
    letter: &Letter<R>,
    seat: &Seat<R>,
    with: With<'_>,
) -> Result<Response<Received>, Unanswered> {
    let provider = seat.provider();
    let body = letter.open_for(seat);
    let uri = provider.uri(with.endpoint, &seat.pick().name, with.stream, with.query);
    // Once for each connection that is tried, which is nearly always one: nothing is built to be copied.
    let make = || {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers(provider, &with);
        request
    };
    match tokio::time::timeout(with.timeout, provider.origin.send(make)).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(error @ (SendError::Connect(_) | SendError::Outside(..)))) => {
            Err(Unanswered::Connect(error.to_string()))
        }
        Ok(Err(SendError::Broken(why))) => Err(Unanswered::Broken(why)),
        Err(_) => Err(Unanswered::Slow(with.timeout)),
    }
}

/// The client's headers as the provider gets them, with the credentials of the house or the client's own.
fn headers(provider: &Provider, with: &With<'_>) -> HeaderMap {
    let mut headers = with.headers.clone();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if !with.same_dialect {
        headers.remove(BETA);
        headers.remove(VERSION);
    }
    if provider.kind == Kind::Anthropic {
        headers.entry(VERSION).or_insert(HeaderValue::from_static("2023-06-01"));
        if !provider.without_beta.is_empty() {
            filter_betas(&mut headers, &provider.without_beta);
        }
    }
    if with.endpoint == Endpoint::Complete(Dialect::Gemini) {
        headers.remove(header::ACCEPT);
    }
    match (with.own, &provider.key) {
        (Some((name, value)), _) => {
            headers.insert(name, value.clone());
        }
        (None, Ok(Some(key))) => {
            headers.insert(provider.auth_header(), key.clone());
        }
        _ => {}
    }
    for (name, value) in &provider.headers {
        headers.insert(name, value.clone());
    }
    headers
}

fn filter_betas(headers: &mut HeaderMap, without: &[String]) {
    let all: Vec<&str> = headers.get_all(BETA).iter().filter_map(|value| value.to_str().ok()).collect();
    let left: Vec<&str> = all
        .iter()
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|beta| !beta.is_empty() && !without.iter().any(|unwanted| unwanted == beta))
        .collect();
    let joined = HeaderValue::from_str(&left.join(",")).ok().filter(|value| !value.is_empty());
    headers.remove(BETA);
    if let Some(joined) = joined {
        headers.insert(BETA, joined);
    }
}
