//! The floor: what any gateway must do here. A request comes in, goes out over a kept connection, and the answer is passed
//! on frame by frame.

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sanctum_kernel::Failure;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Listens at `addr` and sends everything to `upstream` (`127.0.0.1:PORT`).
pub(crate) async fn serve(addr: &str, upstream: &str) -> Result<(), Failure> {
    let listener = TcpListener::bind(addr).await?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Incoming> =
        Client::builder(TokioExecutor::new()).pool_max_idle_per_host(256).build(connector);
    let mut open = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (client, upstream) = (client.clone(), upstream.to_owned());
        open.spawn(async move {
            let pass = service_fn(move |req| pass(client.clone(), upstream.clone(), req));
            // A client that leaves is no failure.
            http1::Builder::new().serve_connection(TokioIo::new(stream), pass).await.ok();
        });
        while open.try_join_next().is_some() {}
    }
}

async fn pass(
    client: Client<HttpConnector, Incoming>,
    upstream: String,
    mut req: Request<Incoming>,
) -> Result<Response<Incoming>, Failure> {
    let path = req.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    *req.uri_mut() = Uri::builder().scheme("http").authority(upstream).path_and_query(path).build()?;
    req.headers_mut().remove(hyper::header::HOST);
    Ok(client.request(req).await?)
}
