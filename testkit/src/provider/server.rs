//! The sockets: requests are read byte by byte as they came, answers written step by step while the client is watched.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::record::{Connection, Seen, Shared};
use super::respond::{Step, steps};

pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, peer)) = accepted else { continue };
                let number = {
                    let mut all = shared.connections.lock().unwrap();
                    all.push(Connection { peer, requests: 0, closed: false });
                    all.len() - 1
                };
                let shared = Arc::clone(&shared);
                open.spawn(async move {
                    // A client that breaks the connection is what many tests are about.
                    drop(Talk::new(stream, number, Arc::clone(&shared)).run().await);
                    if let Some(connection) = shared.connections.lock().unwrap().get_mut(number) {
                        connection.closed = true;
                    }
                });
            }
            Some(ended) = open.join_next() => assert!(ended.is_ok(), "a connection of the provider panicked"),
        }
    }
}

struct Talk {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    /// Read and not yet used.
    pending: Vec<u8>,
    number: usize,
    shared: Arc<Shared>,
}

/// How an answer ended.
enum Ended {
    /// The connection may carry another one.
    Kept,
    Closed,
    Gone,
}

impl Talk {
    fn new(stream: TcpStream, number: usize, shared: Arc<Shared>) -> Self {
        stream.set_nodelay(true).unwrap();
        let (reader, writer) = stream.into_split();
        Self { reader, writer, pending: Vec::new(), number, shared }
    }

    async fn run(mut self) -> io::Result<()> {
        while let Some(seen) = self.request().await? {
            let seen = Arc::new(seen);
            self.shared.requests.lock().unwrap().push(Arc::clone(&seen));
            if let Some(connection) = self.shared.connections.lock().unwrap().get_mut(self.number) {
                connection.requests += 1;
            }
            let steps = steps(&self.shared, &seen);
            match self.answer(steps).await {
                Ended::Kept => seen.done.store(true, Ordering::Release),
                Ended::Closed => {
                    seen.done.store(true, Ordering::Release);
                    break;
                }
                Ended::Gone => {
                    seen.gone.store(true, Ordering::Release);
                    break;
                }
            }
        }
        Ok(())
    }

    /// `None` when the client closes between two requests.
    async fn request(&mut self) -> io::Result<Option<Seen>> {
        let Some(end) = self.until(b"\r\n\r\n").await? else { return Ok(None) };
        let head: Vec<u8> = self.pending.drain(..end).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        let mut seen = Seen {
            connection: self.number,
            method: method.to_owned(),
            path: path.to_owned(),
            headers,
            body: Vec::new(),
            gone: AtomicBool::new(false),
            done: AtomicBool::new(false),
        };
        if seen.header("expect").is_some() {
            self.writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        seen.body = if seen.header("transfer-encoding").is_some() {
            self.chunks().await?
        } else {
            let length = seen.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            self.exactly(length).await?
        };
        Ok(Some(seen))
    }

    /// Reads more; 0 at the end.
    async fn more(&mut self) -> io::Result<usize> {
        self.reader.read_buf(&mut self.pending).await
    }

    /// Where the bytes after the first `mark` begin; `None` when the client closed before.
    async fn until(&mut self, mark: &[u8]) -> io::Result<Option<usize>> {
        loop {
            if let Some(at) = self.pending.windows(mark.len()).position(|window| window == mark) {
                return Ok(Some(at + mark.len()));
            }
            if self.more().await? == 0 {
                return Ok(None);
            }
        }
    }

    async fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.pending.len() < length {
            if self.more().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.pending.drain(..length).collect())
    }

    async fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = self.until(b"\r\n").await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let line: Vec<u8> = self.pending.drain(..end).collect();
            let size = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16)
                .map_err(|_| io::ErrorKind::InvalidData)?;
            let chunk = self.exactly(size + 2).await?;
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    async fn answer(&mut self, steps: Vec<Step>) -> Ended {
        for step in steps {
            let Self { reader, writer, pending, .. } = self;
            let doing = async {
                match step {
                    Step::Send(bytes) => writer.write_all(&bytes).await.map(|()| None),
                    Step::Wait(time) => {
                        tokio::time::sleep(time).await;
                        Ok(None)
                    }
                    Step::Stall => std::future::pending().await,
                    Step::Reset => {
                        rustix::net::sockopt::set_socket_linger(
                            writer.as_ref(),
                            Some(std::time::Duration::ZERO),
                        )?;
                        Ok(Some(Ended::Closed))
                    }
                    Step::Close => Ok(Some(Ended::Closed)),
                }
            };
            let ended: io::Result<Option<Ended>> = tokio::select! {
                biased;
                () = left(reader, pending) => return Ended::Gone,
                done = doing => done,
            };
            match ended {
                Ok(None) => {}
                Ok(Some(ended)) => return ended,
                Err(_) => return Ended::Gone,
            }
        }
        Ended::Kept
    }
}

/// Until the client goes away; what it sends meanwhile is kept.
async fn left(reader: &mut OwnedReadHalf, pending: &mut Vec<u8>) {
    while let Ok(1..) = reader.read_buf(pending).await {}
}
