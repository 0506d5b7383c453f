//! A server out there, over real sockets: connections are kept, let go of, and carry answers as they come.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a server of a test's own")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http_body_util::BodyExt;
use sanctum_http::hyper::http::Request;
use sanctum_http::{Bytes, Full, Origin, Reach, Received, Trust};
use sanctum_testkit::eventually;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

const PATIENCE: Duration = Duration::from_secs(10);
const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// Says "ok" to every request; to `/parts` in parts, each when it is let.
struct Server {
    addr: SocketAddr,
    accepted: Arc<AtomicUsize>,
    let_go: watch::Sender<bool>,
    /// Connections that were let go.
    closed: Arc<AtomicUsize>,
    parts: Arc<Semaphore>,
    /// Clients that have left in the middle of an answer.
    left: Arc<AtomicUsize>,
}

async fn server() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let [accepted, left, closed] = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
    let (let_go, closing) = watch::channel(false);
    let parts = Arc::new(Semaphore::new(0));
    let (count, gone, given) = (Arc::clone(&accepted), Arc::clone(&left), Arc::clone(&parts));
    let ended = Arc::clone(&closed);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let (mut closing, gone, given) = (closing.clone(), Arc::clone(&gone), Arc::clone(&given));
            let ended = Arc::clone(&ended);
            closing.mark_unchanged();
            tokio::spawn(async move {
                tokio::select! {
                    () = converse(stream, &given, &gone) => {}
                    _ = closing.changed() => {}
                }
                ended.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    Server { addr, accepted, let_go, closed, parts, left }
}

async fn converse(mut stream: TcpStream, parts: &Semaphore, left: &AtomicUsize) {
    let mut read = Vec::new();
    loop {
        while !read.ends_with(b"\r\n\r\n") {
            match stream.read_buf(&mut read).await {
                Ok(1..) => {}
                _ => return,
            }
        }
        let in_parts = read.starts_with(b"GET /parts");
        read.clear();
        if !in_parts {
            stream.write_all(WHOLE).await.unwrap();
            continue;
        }
        stream.write_all(HEAD).await.unwrap();
        loop {
            tokio::select! {
                part = parts.acquire() => {
                    part.unwrap().forget();
                    stream.write_all(b"4\r\npart\r\n").await.unwrap();
                }
                gone = stream.read_u8() => {
                    assert!(gone.is_err(), "nobody asks while an answer is under way");
                    left.fetch_add(1, Ordering::Relaxed);
                    return;
                }
            }
        }
    }
}

impl Server {
    fn origin(&self) -> Origin {
        let url = format!("http://{}", self.addr).parse().unwrap();
        Origin::new(&url, Reach::House, Trust::default(), PATIENCE).unwrap()
    }

    /// Closes every connection; `all` have been closed then.
    async fn close(&self, all: usize) {
        self.let_go.send(true).unwrap();
        let closed = async || (self.closed.load(Ordering::Relaxed) == all).then_some(());
        eventually("the connections to be closed", PATIENCE, closed).await;
    }

    fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

async fn ask(origin: &Origin, path: &str) -> Received {
    let make = || Request::get(path).body(Full::new(Bytes::new())).unwrap();
    let answer = tokio::time::timeout(PATIENCE, origin.send(make)).await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    answer.into_body()
}

async fn whole(origin: &Origin) {
    assert_eq!(ask(origin, "/").await.collect().await.unwrap().to_bytes(), "ok");
}

#[tokio::test]
async fn one_connection_carries_one_request_after_another_and_many_at_once_have_their_own() {
    let server = server().await;
    let origin = server.origin();
    for _ in 0..20 {
        whole(&origin).await;
    }
    assert_eq!((server.accepted(), origin.connections()), (1, 1));
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(ask(&origin, "/parts").await);
    }
    assert_eq!((server.accepted(), origin.connections()), (3, 3));
    whole(&origin).await;
    assert_eq!(server.accepted(), 4);
}

#[tokio::test]
async fn an_idle_connection_that_the_other_side_closes_is_let_go_of_and_the_next_request_has_a_new_one() {
    let server = server().await;
    let origin = server.origin();
    whole(&origin).await;
    server.close(1).await;
    whole(&origin).await;
    assert_eq!(server.accepted(), 2);
    server.close(2).await;
    eventually("the connection to be let go of", PATIENCE, async || {
        (origin.connections() == 0).then_some(())
    })
    .await;
    whole(&origin).await;
    assert_eq!((server.accepted(), origin.connections()), (3, 1));
}

#[tokio::test]
async fn an_answer_is_passed_on_part_by_part_and_who_lets_go_of_it_lets_go_of_its_connection() {
    let server = server().await;
    let origin = server.origin();
    let mut body = ask(&origin, "/parts").await;
    for _ in 0..5 {
        let early = tokio::time::timeout(Duration::from_millis(1), body.frame()).await;
        assert!(early.is_err(), "nothing has been sent yet");
        server.parts.add_permits(1);
        let frame = tokio::time::timeout(PATIENCE, body.frame()).await.unwrap().unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "part");
    }
    drop(body);
    assert_eq!(origin.connections(), 0);
    eventually("the server to notice", PATIENCE, async || {
        (server.left.load(Ordering::Relaxed) == 1).then_some(())
    })
    .await;
}
