//! The clients: connections that ask again as soon as they are answered, and look whether the answer is whole.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::upstream::MARK;

/// How long one answer may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// What one block of load saw; times in microseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) total: Vec<u32>,
    /// To the first byte of the body.
    pub(crate) first: Vec<u32>,
    pub(crate) bad: usize,
    pub(crate) why: String,
    pub(crate) elapsed: Duration,
}

impl Seen {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub(crate) fn per_second(&self) -> f64 {
        self.total.len() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    fn add(&mut self, other: Self) {
        self.total.extend(other.total);
        self.first.extend(other.first);
        self.bad += other.bad;
        if self.why.is_empty() {
            self.why = other.why;
        }
    }
}

/// The value below which the part `share` of all lies, by nearest rank; in milliseconds.
pub(crate) fn quantile(values: &[u32], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank of a list that fits into memory"
    )]
    let rank = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1));
    sorted.get(rank - 1).map_or(f64::NAN, |us| f64::from(*us) / 1000.0)
}

/// When a block ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// So many answers on every connection.
    Count(usize),
    For(Duration),
}

/// Where to, and the exact bytes.
#[derive(Debug, Clone)]
pub(crate) struct Shot {
    pub(crate) addr: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

impl Shot {
    pub(crate) fn new(addr: SocketAddr, path: &str, headers: &[(String, String)], body: &str) -> Self {
        let mut head = format!("POST {path} HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/json\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let bytes = format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes();
        Self { addr, bytes }
    }
}

/// So many connections at once.
pub(crate) async fn block(shot: &Shot, connections: usize, until: Until) -> Seen {
    let begun = Instant::now();
    let mut all = Seen::default();
    let mut open = JoinSet::new();
    for _ in 0..connections {
        let shot = shot.clone();
        open.spawn(async move { one(&shot, until, begun).await });
    }
    while let Some(seen) = open.join_next().await {
        all.add(seen.unwrap_or_default());
    }
    all.elapsed = begun.elapsed();
    all
}

async fn one(shot: &Shot, until: Until, begun: Instant) -> Seen {
    let mut seen = Seen::default();
    let mut conn: Option<TcpStream> = None;
    let mut buffer = Vec::with_capacity(65_536);
    let more = |seen: &Seen| match until {
        Until::Count(count) => seen.total.len() + seen.bad < count,
        Until::For(time) => begun.elapsed() < time && seen.bad < 100,
    };
    while more(&seen) {
        let sent = Instant::now();
        let asked = tokio::time::timeout(PATIENCE, ask(&mut conn, shot, &mut buffer)).await;
        match asked.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
            Ok(first) => {
                let us = |at: Instant| u32::try_from(at.duration_since(sent).as_micros()).unwrap_or(u32::MAX);
                seen.total.push(us(Instant::now()));
                seen.first.push(us(first));
            }
            Err(why) => {
                seen.bad += 1;
                seen.why = why;
                conn = None;
            }
        }
    }
    seen
}

/// One request; when the first byte of the body came.
async fn ask(conn: &mut Option<TcpStream>, shot: &Shot, buffer: &mut Vec<u8>) -> Result<Instant, String> {
    let io = |error: std::io::Error| error.to_string();
    if conn.is_none() {
        let stream = TcpStream::connect(shot.addr).await.map_err(io)?;
        stream.set_nodelay(true).map_err(io)?;
        *conn = Some(stream);
    }
    let Some(stream) = conn.as_mut() else { return Err("no connection".to_owned()) };
    stream.write_all(&shot.bytes).await.map_err(io)?;
    buffer.clear();
    let (mut head, mut first) = (None, None);
    loop {
        if stream.read_buf(buffer).await.map_err(io)? == 0 {
            return Err("closed".to_owned());
        }
        if head.is_none() {
            head =
                find(buffer, b"\r\n\r\n").map(|at| Head::read(buffer.get(..at).unwrap_or_default(), at + 4));
        }
        let Some(head) = &head else { continue };
        if first.is_none() && buffer.len() > head.end {
            first = Some(Instant::now());
        }
        if head.whole(buffer) {
            break;
        }
    }
    let status = buffer.get(9..12).unwrap_or_default();
    if status != b"200" || find_last(buffer, MARK.as_bytes()).is_none() {
        return Err(String::from_utf8_lossy(buffer).chars().take(300).collect());
    }
    if head.is_some_and(|head| head.closes) {
        *conn = None;
    }
    Ok(first.unwrap_or_else(Instant::now))
}

struct Head {
    end: usize,
    length: Option<usize>,
    closes: bool,
}

impl Head {
    fn read(bytes: &[u8], end: usize) -> Self {
        let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let length = value("content-length:").and_then(|length| length.parse().ok());
        Self { end, length, closes: value("connection:") == Some("close") }
    }

    fn whole(&self, buffer: &[u8]) -> bool {
        match self.length {
            Some(length) => buffer.len() >= self.end + length,
            None => buffer.ends_with(b"0\r\n\r\n"),
        }
    }
}

pub(crate) fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).position(|window| window == word)
}

/// Looks from the end, where it is.
fn find_last(bytes: &[u8], word: &[u8]) -> Option<usize> {
    bytes.windows(word.len()).rposition(|window| window == word)
}
