//! One server out there and the connections to it: kept alive, looked at before they are used again, encrypted where its
//! URL says so, HTTP/2 where it offers that.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use axum::http::{HeaderValue, Request, Response, Uri};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::{http1, http2};
use hyper_rustls::ConfigBuilderExt;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A connection nobody has used for this long is closed.
const IDLE: Duration = Duration::from_secs(50);
/// How often idle connections are looked at, to let go of those that the other side has closed.
const LOOK: Duration = Duration::from_secs(1);
/// More idle connections than this are closed.
const MOST_IDLE: usize = 256;
/// An encrypted connection whose server is silent is asked this often whether it lives.
const PING: Duration = Duration::from_secs(30);

/// Where the origin may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Anywhere.
    World,
    /// On this machine or in this house: every address is looked at before a connection is made, so that no name can lead
    /// outside.
    House,
}

/// Whose certificates are believed, and which one is shown.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// PEM; the system's authorities when absent.
    pub authorities: Option<Vec<u8>>,
    /// PEM of a certificate chain and its key.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// A server and the connections to it. Cheap to clone.
#[derive(Clone)]
pub struct Origin(Arc<Inner>);

struct Inner {
    secure: bool,
    host: String,
    port: u16,
    authority: HeaderValue,
    /// Scheme and authority, for HTTP/2.
    root: Uri,
    reach: Reach,
    trust: Trust,
    connect: Duration,
    tls: OnceLock<Result<TlsConnector, String>>,
    idle: Mutex<Idle>,
    shared: Mutex<Option<http2::SendRequest<Full<Bytes>>>>,
    open: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Idle {
    lines: Vec<(Line, Instant)>,
    /// Somebody looks at them every now and then.
    looked_at: bool,
}

/// A connection of HTTP/1. Who waits for its answer moves it: a task of its own would have to be woken and scheduled for
/// every part of every answer, and would then wake the one who waits.
struct Line {
    sender: http1::SendRequest<Full<Bytes>>,
    wire: Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>,
    over: bool,
    _open: Open,
}

/// Counts a connection while it lasts.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Line {
    /// Moves what can be moved now.
    fn drive(&mut self, cx: &mut Context<'_>) {
        self.over = self.over || self.wire.as_mut().poll(cx).is_ready();
    }

    /// Whether it can carry a request. Nobody is woken for what comes on it from now on.
    fn is_ready(&mut self) -> bool {
        self.drive(&mut unheard());
        !self.over && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of its answer.
    async fn ask(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        let mut answer = std::pin::pin!(self.sender.send_request(request));
        let (wire, over) = (&mut self.wire, &mut self.over);
        std::future::poll_fn(|cx| {
            *over = *over || wire.as_mut().poll(cx).is_ready();
            // Only what was just moved can have brought it.
            answer.as_mut().poll(&mut unheard())
        })
        .await
    }
}

/// For what is polled again anyway whenever there may be something new.
const fn unheard() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

impl std::fmt::Debug for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.root)
    }
}

/// Why a URL names no origin.
#[derive(Debug, thiserror::Error)]
pub enum BadOrigin {
    #[error("`{0}` is not an http:// or https:// URL")]
    Url(String),
    #[error("`{0}` is not a PEM certificate or key")]
    Pem(&'static str),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Nothing was sent.
    #[error("could not connect: {0}")]
    Connect(String),
    /// Nothing was sent, because its address is outside and its requests may not be.
    #[error("`{0}` is at {1}, which is not in this house")]
    Outside(String, IpAddr),
    #[error("the connection broke before an answer: {0}")]
    Broken(String),
}

enum Sender {
    One(Line),
    Many(http2::SendRequest<Full<Bytes>>),
}

impl Origin {
    /// `url` is its root; a path in it is the caller's to use. `connect` bounds name look-up, connection and handshake.
    pub fn new(url: &Uri, reach: Reach, trust: Trust, connect: Duration) -> Result<Self, BadOrigin> {
        let bad = || BadOrigin::Url(url.to_string());
        let secure = match url.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad()),
        };
        let authority = url.authority().ok_or_else(bad)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let scheme = if secure { "https" } else { "http" };
        let root = Uri::builder().scheme(scheme).authority(authority.clone()).path_and_query("/").build();
        let inner = Inner {
            secure,
            host,
            port,
            authority: HeaderValue::from_str(authority.as_str()).map_err(|_| bad())?,
            root: root.map_err(|_| bad())?,
            reach,
            trust,
            connect,
            tls: OnceLock::new(),
            idle: Mutex::default(),
            shared: Mutex::default(),
            open: Arc::default(),
        };
        if let Some(pem) = &inner.trust.authorities {
            CertificateDer::pem_slice_iter(pem)
                .next()
                .ok_or(BadOrigin::Pem("ca"))?
                .map_err(|_| BadOrigin::Pem("ca"))?;
        }
        if let Some((chain, key)) = &inner.trust.identity {
            CertificateDer::from_pem_slice(chain).map_err(|_| BadOrigin::Pem("client certificate"))?;
            PrivateKeyDer::from_pem_slice(key).map_err(|_| BadOrigin::Pem("client key"))?;
        }
        Ok(Self(Arc::new(inner)))
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Whether every address of a host is on this machine or in this house; `None` for a name, which only tells when it
    /// is looked up.
    pub fn is_house(host: &str) -> Option<bool> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host.parse().ok().map(house)
    }

    /// Sends what `make` makes (its URI is a path; `host` is set here) and returns with the head of the answer. A kept
    /// connection that turns out to be closed is replaced by a new one and the request made anew, once: a server that reads
    /// and closes must not see it as often as there are kept connections. No other failure is retried.
    pub async fn send(
        &self,
        mut make: impl FnMut() -> Request<Full<Bytes>> + Send,
    ) -> Result<Response<Received>, SendError> {
        let mut fresh = false;
        loop {
            let (sender, kept) = if fresh { (self.opened().await?, false) } else { self.sender().await? };
            let mut request = make();
            let outcome = match sender {
                Sender::One(mut one) => {
                    request.headers_mut().insert(axum::http::header::HOST, self.0.authority.clone());
                    match one.ask(request).await {
                        Ok(answer) => {
                            let lease = Some((one, self.clone()));
                            return Ok(answer.map(|body| Received { body, lease }.ended()));
                        }
                        Err(error) => Err(error),
                    }
                }
                Sender::Many(mut many) => {
                    let path = request.uri().path_and_query().cloned();
                    let mut parts = self.0.root.clone().into_parts();
                    parts.path_and_query = path;
                    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_else(|_| self.0.root.clone());
                    many.send_request(request).await
                }
            };
            match outcome {
                Ok(answer) => return Ok(answer.map(|body| Received { body, lease: None })),
                // The server closed it while it was idle: this is not news about the server.
                Err(error) if kept && stale(&error) => fresh = true,
                Err(error) => return Err(SendError::Broken(deepest(&error))),
            }
        }
    }

    async fn sender(&self) -> Result<(Sender, bool), SendError> {
        let shared = lock(&self.0.shared).clone();
        if let Some(mut shared) = shared {
            if shared.ready().await.is_ok() {
                return Ok((Sender::Many(shared), true));
            }
            *lock(&self.0.shared) = None;
        }
        loop {
            let idle = lock(&self.0.idle).lines.pop();
            let Some((mut one, since)) = idle else { break };
            if since.elapsed() < IDLE && one.is_ready() {
                return Ok((Sender::One(one), true));
            }
        }
        Ok((self.opened().await?, false))
    }

    /// A connection that has carried nothing yet.
    async fn opened(&self) -> Result<Sender, SendError> {
        // Apart: it happens once for many requests, whose own state would be several times as large with it inside.
        let connected = tokio::time::timeout(self.0.connect, Box::pin(self.connect())).await;
        connected.unwrap_or_else(|_| {
            Err(SendError::Connect(format!("nothing within {} s", self.0.connect.as_secs_f32())))
        })
    }

    async fn connect(&self) -> Result<Sender, SendError> {
        let stream = self.dial().await?;
        stream.set_nodelay(true).ok();
        if !self.0.secure {
            return self.one(stream).await;
        }
        let failed = |error: &dyn std::fmt::Display| SendError::Connect(error.to_string());
        let tls =
            self.0.tls.get_or_init(|| connector(&self.0.trust)).as_ref().map_err(|error| failed(error))?;
        let name = ServerName::try_from(self.0.host.clone()).map_err(|error| failed(&error))?;
        let stream = tls.connect(name, stream).await.map_err(|error| failed(&error))?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return self.one(stream).await;
        }
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new()).keep_alive_interval(PING).keep_alive_timeout(Duration::from_secs(20));
        // Streams of many requests share one connection; the default window of 64 KiB would make them wait for each other.
        http.adaptive_window(true);
        let (mut many, connection) =
            http.handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        self.keep(connection);
        many.ready().await.map_err(|error| failed(&error))?;
        *lock(&self.0.shared) = Some(many.clone());
        Ok(Sender::Many(many))
    }

    async fn dial(&self) -> Result<TcpStream, SendError> {
        let failed = |error: std::io::Error| SendError::Connect(error.to_string());
        let addrs: Vec<SocketAddr> = match self.0.host.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, self.0.port)],
            Err(_) => {
                tokio::net::lookup_host((self.0.host.as_str(), self.0.port)).await.map_err(failed)?.collect()
            }
        };
        if self.0.reach == Reach::House
            && let Some(outside) = addrs.iter().find(|addr| !house(addr.ip()))
        {
            return Err(SendError::Outside(self.0.host.clone(), outside.ip()));
        }
        TcpStream::connect(&*addrs).await.map_err(failed)
    }

    async fn one<S>(&self, stream: S) -> Result<Sender, SendError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = http1::Builder::new()
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| SendError::Connect(error.to_string()))?;
        let open = Open::new(&self.0.open);
        Ok(Sender::One(Line { sender, wire: Box::pin(connection), over: false, _open: open }))
    }

    fn keep<E>(&self, connection: impl Future<Output = Result<(), E>> + Send + 'static) {
        let open = Open::new(&self.0.open);
        #[expect(
            clippy::disallowed_methods,
            reason = "a connection ends when nobody holds its sender any more"
        )]
        tokio::spawn(async move {
            connection.await.ok();
            drop(open);
        });
    }

    fn back(&self, mut line: Line) {
        if !line.is_ready() {
            return;
        }
        let now = Instant::now();
        let mut idle = lock(&self.0.idle);
        idle.lines.push((line, now));
        let surplus = idle.lines.len().saturating_sub(MOST_IDLE);
        idle.lines.drain(..surplus);
        if !std::mem::replace(&mut idle.looked_at, true) {
            let origin = Arc::downgrade(&self.0);
            #[expect(
                clippy::disallowed_methods,
                reason = "it ends when there is nothing to look at any more"
            )]
            tokio::spawn(look(origin));
        }
    }
}

/// Lets go of idle connections that are closed or old, until there are none.
async fn look(origin: Weak<Inner>) {
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(origin) = origin.upgrade() else { return };
        let mut idle = lock(&origin.idle);
        idle.lines.retain_mut(|(line, since)| since.elapsed() < IDLE && line.is_ready());
        if idle.lines.is_empty() {
            idle.looked_at = false;
            return;
        }
    }
}

/// The body of an answer; when it has been read to its end, its connection may be used again. Dropped before, it takes its
/// connection (or its HTTP/2 stream) with it, which is how a server learns that nobody listens any more.
pub struct Received {
    body: Incoming,
    lease: Option<(Line, Origin)>,
}

impl std::fmt::Debug for Received {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Received")
    }
}

impl Received {
    fn ended(mut self) -> Self {
        if self.body.is_end_stream() {
            self.end();
        }
        self
    }

    fn end(&mut self) {
        if let Some((line, origin)) = self.lease.take() {
            origin.back(line);
        }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Self { body, lease } = &mut *self;
        let frame = match lease {
            None => ready!(Pin::new(body).poll_frame(cx)),
            Some((line, _)) => {
                if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(&mut unheard()) {
                    frame
                } else {
                    line.drive(cx);
                    ready!(Pin::new(body).poll_frame(&mut unheard()))
                }
            }
        };
        match &frame {
            None => self.end(),
            Some(Ok(_)) if self.body.is_end_stream() => self.end(),
            Some(Ok(_)) => {}
            Some(Err(_)) => self.lease = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Whether a kept connection was closed by the other side before it took the request.
fn stale(error: &hyper::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    let io = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    let closed = io.is_some_and(|io| matches!(io.kind(), ConnectionReset | ConnectionAborted | BrokenPipe));
    error.is_canceled() || error.is_closed() || error.is_incomplete_message() || closed
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Loopback (RFC 1122, RFC 4291), private (RFC 1918, RFC 4193) and link-local (RFC 3927, RFC 4291) addresses, and those of
/// a tailnet (RFC 6598).
fn house(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let shared = matches!(ip.octets(), [100, 64..=127, ..]);
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Reading the system's authorities costs milliseconds and memory, so it is done once, and only for who needs it.
fn connector(trust: &Trust) -> Result<TlsConnector, String> {
    static COMMON: OnceLock<Result<Arc<rustls::ClientConfig>, String>> = OnceLock::new();
    if trust.authorities.is_none() && trust.identity.is_none() {
        return COMMON.get_or_init(|| configure(trust).map(Arc::new)).clone().map(TlsConnector::from);
    }
    configure(trust).map(|config| TlsConnector::from(Arc::new(config)))
}

fn configure(trust: &Trust) -> Result<rustls::ClientConfig, String> {
    let builder =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
    let builder = match &trust.authorities {
        None => builder.with_native_roots().map_err(|error| error.to_string())?,
        Some(pem) => {
            let mut roots = rustls::RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| error.to_string())?;
                roots.add(certificate).map_err(|error| error.to_string())?;
            }
            builder.with_root_certificates(roots)
        }
    };
    let mut config = match &trust.identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
            let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| error.to_string())?;
            let chain = chain.map_err(|error| error.to_string())?;
            builder.with_client_auth_cert(chain, key).map_err(|error| error.to_string())?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The last cause says what happened; the first ones only that something did.
fn deepest(error: &(dyn std::error::Error + 'static)) -> String {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at.to_string()
}
