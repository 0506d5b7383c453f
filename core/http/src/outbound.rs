//! Requests to the world outside the house: other people's servers, with time-outs and bounded answers.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// A connection nobody has used for this long is closed.
const IDLE: Duration = Duration::from_secs(30);

/// The largest answer that is read.
const LARGEST: usize = 8 * 1024 * 1024;

/// A client for `http://` and `https://` with the system's certificate authorities. Cheap to clone; connections
/// are kept and shared.
#[derive(Debug, Clone, Default)]
pub struct Outbound(Arc<Pools>);

/// Apart, because reading the authorities costs memory that a service on loopback never needs.
#[derive(Debug, Default)]
struct Pools {
    plain: OnceLock<Client<HttpConnector, Full<Bytes>>>,
    secure: OnceLock<Client<HttpsConnector<HttpConnector>, Full<Bytes>>>,
}

/// What to send.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub method: &'static str,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub timeout: Duration,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The head of an answer whose body is still to come.
#[derive(Debug)]
pub struct Streaming {
    pub status: u16,
    pub headers: HeaderMap,
    body: Incoming,
}

impl Streaming {
    /// The body as server-sent events.
    pub fn events(self) -> sanctum_api::Events {
        crate::client::decode("outside".to_owned(), self.body)
    }

    /// The whole body, bounded in size and time.
    pub async fn answer(self, timeout: Duration) -> Result<Answer, OutboundError> {
        let whole = tokio::time::timeout(timeout, Limited::new(self.body, LARGEST).collect()).await;
        let body = whole
            .map_err(|_| OutboundError::Slow(timeout))?
            .map_err(|error| OutboundError::Broken(error.to_string()))?;
        Ok(Answer { status: self.status, headers: self.headers, body: body.to_bytes() })
    }
}

/// Why nothing useful came back.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error("`{url}` is not a request that can be made: {reason}")]
    BadRequest { url: String, reason: String },
    #[error("no answer within {} s", .0.as_secs_f32())]
    Slow(Duration),
    #[error("could not reach it: {0}")]
    Unreachable(String),
    #[error("the answer broke off: {0}")]
    Broken(String),
}

impl Answer {
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// `Retry-After` in seconds, where it is given so.
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.headers.get("retry-after")?.to_str().ok()?;
        value.trim().parse().ok().map(Duration::from_secs)
    }

    /// The first 200 characters of the body, for error messages.
    pub fn excerpt(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(200).collect()
    }
}

impl Outbound {
    fn plain(&self) -> &Client<HttpConnector, Full<Bytes>> {
        self.0
            .plain
            .get_or_init(|| Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).build(connector()))
    }

    fn secure(&self) -> &Client<HttpsConnector<HttpConnector>, Full<Bytes>> {
        self.0.secure.get_or_init(|| {
            let https = match hyper_rustls::HttpsConnectorBuilder::new().with_native_roots() {
                Ok(builder) => builder.https_only().enable_http1().wrap_connector(connector()),
                // Without any authority every certificate is refused, which is the safe way to go on.
                Err(error) => {
                    tracing::warn!(%error, "the system has no certificate authorities: https will fail");
                    let roots = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(no_roots());
                    roots.https_only().enable_http1().wrap_connector(connector())
                }
            };
            Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).build(https)
        })
    }

    /// Sends and reads the whole answer, all within the time-out.
    pub async fn send(&self, outgoing: Outgoing) -> Result<Answer, OutboundError> {
        let timeout = outgoing.timeout;
        match tokio::time::timeout(timeout, self.exchange(outgoing)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(OutboundError::Slow(timeout)),
        }
    }

    async fn exchange(&self, outgoing: Outgoing) -> Result<Answer, OutboundError> {
        let response = self.open(outgoing).await?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LARGEST)
            .collect()
            .await
            .map_err(|error| OutboundError::Broken(error.to_string()))?;
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.to_bytes() })
    }

    /// Sends and returns as soon as the head of the answer is there; the caller reads the body.
    pub(crate) async fn open(&self, outgoing: Outgoing) -> Result<hyper::Response<Incoming>, OutboundError> {
        let bad = |reason: String| OutboundError::BadRequest { url: outgoing.url.clone(), reason };
        let uri: Uri =
            outgoing.url.parse().map_err(|error: axum::http::uri::InvalidUri| bad(error.to_string()))?;
        let method =
            Method::from_bytes(outgoing.method.as_bytes()).map_err(|error| bad(error.to_string()))?;
        let mut request = hyper::Request::new(Full::new(Bytes::from(outgoing.body.clone())));
        *request.uri_mut() = uri;
        *request.method_mut() = method;
        for (name, value) in &outgoing.headers {
            let name = HeaderName::try_from(name.as_str()).map_err(|error| bad(error.to_string()))?;
            let value = HeaderValue::try_from(value.as_str()).map_err(|error| bad(error.to_string()))?;
            request.headers_mut().insert(name, value);
        }
        let secure = request.uri().scheme_str() == Some("https");
        let outcome =
            if secure { self.secure().request(request).await } else { self.plain().request(request).await };
        outcome.map_err(|error| OutboundError::Unreachable(deepest(&error)))
    }

    /// Sends, and leaves it to the caller whether to follow the answer or to read it. The time-out is for the head only.
    pub async fn stream(&self, outgoing: Outgoing) -> Result<Streaming, OutboundError> {
        let timeout = outgoing.timeout;
        let response = match tokio::time::timeout(timeout, self.open(outgoing)).await {
            Ok(response) => response?,
            Err(_) => return Err(OutboundError::Slow(timeout)),
        };
        let (parts, body) = response.into_parts();
        Ok(Streaming { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    /// Follows a stream of events; for daemons that speak SSE.
    pub async fn events(&self, outgoing: Outgoing) -> Result<sanctum_api::Events, OutboundError> {
        let timeout = outgoing.timeout;
        let response = match tokio::time::timeout(timeout, self.open(outgoing)).await {
            Ok(response) => response?,
            Err(_) => return Err(OutboundError::Slow(timeout)),
        };
        if !response.status().is_success() {
            return Err(OutboundError::Broken(format!("the answer was {}", response.status())));
        }
        Ok(crate::client::decode("outside".to_owned(), response.into_body()))
    }
}

fn connector() -> HttpConnector {
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    http.enforce_http(false);
    http.set_connect_timeout(Some(Duration::from_secs(5)));
    http
}

fn no_roots() -> rustls::ClientConfig {
    rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

/// The last cause says what happened; the first ones only that something did.
fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}
