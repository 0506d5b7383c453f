//! Accepting connections until the service stops, then letting them finish.

use std::convert::Infallible;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::http::{Request, Response};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{Either, Map};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use sanctum_kernel::Stop;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::patient::Patient;

/// What a body fails with; the connection is cut then, so that half an answer never looks like a whole one.
pub type Cut = Box<dyn std::error::Error + Send + Sync>;

/// How connections are treated.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// More connections wait in the kernel's queue instead of taking memory here.
    pub connections: usize,
    /// Who has not said what it wants by then is no client; also how long an idle connection is kept.
    pub head: Duration,
    /// How long requests in flight may take to finish when the service stops.
    pub finish: Duration,
    /// Whether a client may close its half and still be answered. Where it may not, its leaving is noticed at once and
    /// the work for it is dropped.
    pub half_close: bool,
    /// A client that takes nothing for this long is cut off.
    pub patience: Option<Duration>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            connections: 1024,
            head: Duration::from_secs(10),
            finish: Duration::from_secs(3),
            half_close: true,
            patience: None,
        }
    }
}

/// Answers some requests before the routes see them, without their layers: for what must be fast or must see the
/// connection's own body.
pub trait Fast: Clone + Send + Sync + 'static {
    type Body: Body<Data = Bytes, Error = Cut> + Send + Unpin + 'static;
    type Answer: Future<Output = Response<Self::Body>> + Send + 'static;

    /// Takes a request, or hands it back for the routes.
    #[expect(clippy::result_large_err, reason = "a request that is handed back is no error")]
    fn take(&self, request: Request<Incoming>) -> Result<Self::Answer, Request<Incoming>>;
}

/// A body of either.
#[derive(Debug)]
pub enum Mixed<B> {
    Fast(B),
    App(axum::body::Body),
}

impl<B: Body<Data = Bytes, Error = Cut> + Unpin> Body for Mixed<B> {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Fast(body) => Pin::new(body).poll_frame(cx),
            Self::App(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Fast(body) => body.is_end_stream(),
            Self::App(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Fast(body) => body.size_hint(),
            Self::App(body) => body.size_hint(),
        }
    }
}

#[derive(Clone)]
struct Both<F> {
    fast: F,
    app: TowerToHyperService<Router>,
}

type App = <TowerToHyperService<Router> as hyper::service::Service<Request<Incoming>>>::Future;
type Outcome<B> = Result<Response<Mixed<B>>, Infallible>;
type Wrap<T, B> = fn(T) -> Outcome<B>;

impl<F: Fast> hyper::service::Service<Request<Incoming>> for Both<F> {
    type Response = Response<Mixed<F::Body>>;
    type Error = Infallible;
    type Future = Either<
        Map<F::Answer, Wrap<Response<F::Body>, F::Body>>,
        Map<App, Wrap<Result<axum::response::Response, Infallible>, F::Body>>,
    >;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let fast: Wrap<Response<F::Body>, F::Body> = |answer| Ok(answer.map(Mixed::Fast));
        let app: Wrap<Result<axum::response::Response, Infallible>, F::Body> =
            |answer| answer.map(|answer| answer.map(Mixed::App));
        match self.fast.take(request) {
            Ok(answer) => Either::Left(answer.map(fast)),
            Err(request) => Either::Right(self.app.call(request).map(app)),
        }
    }
}

/// Serves `app` on an already bound socket until `stop` is requested, then finishes what is in flight.
pub async fn serve(listener: TcpListener, app: Router, stop: Stop) -> std::io::Result<()> {
    run(listener, TowerToHyperService::new(app), Manner::default(), stop).await
}

/// The same, with `fast` before the routes.
pub async fn serve_with<F: Fast>(
    listener: TcpListener,
    fast: F,
    app: Router,
    manner: Manner,
    stop: Stop,
) -> std::io::Result<()> {
    run(listener, Both { fast, app: TowerToHyperService::new(app) }, manner, stop).await
}

async fn run<S, B>(listener: TcpListener, service: S, manner: Manner, stop: Stop) -> std::io::Result<()>
where
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Cut>,
{
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(manner.connections));
    let mut connections = JoinSet::new();
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(manner.head).half_close(manner.half_close);
    while let Some(accepted) = stop.or(accept(&listener, &room)).await {
        while connections.try_join_next().is_some() {}
        let (stream, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: they come back as connections end.
                tracing::warn!(%error, "could not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        stream.set_nodelay(true).ok();
        let stream = Patient::new(stream, manner.patience);
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service.clone()));
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop(listener);
    if tokio::time::timeout(manner.finish, graceful.shutdown()).await.is_err() {
        tracing::info!("some requests were cut off at stop");
    }
    connections.shutdown().await;
    Ok(())
}

async fn accept(
    listener: &tokio::net::TcpListener,
    room: &Arc<Semaphore>,
) -> std::io::Result<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}
