//! Peers of any manners on loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// One that serves until it is dropped.
pub(crate) struct Peer {
    pub(crate) addr: SocketAddr,
    /// How many connections it took.
    pub(crate) taken: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

/// Treats every connection like this.
pub(crate) async fn peer<F, W>(treat: F) -> Peer
where
    F: Fn(TcpStream) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let taken = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&taken);
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut treated = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            treated.spawn(treat(stream));
        }
    });
    Peer { addr, taken, _serving: serving }
}

/// Reads the question, to the end of its head.
pub(crate) async fn question<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).await.is_ok_and(|count| count == 1) {
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

/// Reads the question, says this, and closes.
pub(crate) async fn says(text: impl Into<String>) -> Peer {
    let text = text.into();
    peer(move |mut stream| {
        let text = text.clone();
        async move { answer(&mut stream, &text).await }
    })
    .await
}

pub(crate) async fn answer<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, text: &str) {
    question(stream).await;
    stream.write_all(text.as_bytes()).await.ok();
    stream.shutdown().await.ok();
}

/// An answer of HTTP with its length.
pub(crate) fn answered(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} Word\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Says the pieces one by one, so long apart, and then hangs.
pub(crate) async fn drips(pieces: &'static [&'static str], apart: Duration) -> Peer {
    peer(move |mut stream| async move {
        question(&mut stream).await;
        for piece in pieces {
            if stream.write_all(piece.as_bytes()).await.is_err() {
                return;
            }
            tokio::time::sleep(apart).await;
        }
        std::future::pending::<()>().await;
    })
    .await
}

/// An address at which nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}
