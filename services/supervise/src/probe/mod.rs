//! Asking a program whether it is ready and well: a plain HTTP/1.0 `GET` (RFC 1945), small enough to be asked every
//! few milliseconds at start and to cost nothing afterwards.

mod declared;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use sanctum_api::Health;
use sanctum_kernel::Status;
use sanctum_probe::Prober;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::{Check, Plan};

/// A service that takes longer to say how it is, is not well.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Longer than any answer to such a question.
const LARGEST: u64 = 256 * 1024;
/// Between two questions at start: a twentieth of what the start has taken so far, so that its end is noticed with no more
/// delay than that, but within these.
const EAGER: Duration = Duration::from_millis(2);
const PATIENT: Duration = Duration::from_millis(50);
/// A question that costs a process, or a disk, is not put that often.
const COSTLY: Duration = Duration::from_millis(50);

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    pub(crate) live: bool,
    pub(crate) ready: bool,
    pub(crate) well: Option<Status>,
    pub(crate) detail: Option<String>,
}

impl Seen {
    pub(crate) fn silent(reason: impl Into<String>) -> Self {
        Self { detail: Some(reason.into()), ..Self::default() }
    }

    fn process() -> Self {
        Self { live: true, ready: true, well: None, detail: None }
    }
}

/// Returns once the plan's check says yes.
pub(crate) async fn until_ready(plan: &Plan, prober: &Prober) {
    if plan.ready == Check::Told {
        return std::future::pending().await;
    }
    let begun = Instant::now();
    // Who says itself when it is ready is asked only to be on the safe side.
    let least = if plan.notify { PATIENT } else { declared::least(&plan.ready) };
    while !look(&plan.ready, &plan.name, prober).await.ready {
        let wait = (begun.elapsed() / 20).clamp(EAGER, PATIENT).max(least);
        tokio::time::sleep(wait).await;
    }
}

/// The answer where nobody needs to be asked.
pub(crate) fn at_once(check: &Check) -> Option<Seen> {
    matches!(check, Check::Process | Check::Told)
        .then(|| Seen { well: Some(Status::Well), ..Seen::process() })
}

/// Asks once.
pub(crate) async fn look(check: &Check, name: &str, prober: &Prober) -> Seen {
    match check {
        Check::Process | Check::Told => at_once(check).unwrap_or_default(),
        Check::Declared(check) => declared::look(check, prober).await,
        Check::Http { addr, path, expect } => match get(*addr, path).await {
            Ok((200, body)) if body.contains(expect) => Seen { well: Some(Status::Well), ..Seen::process() },
            Ok((200, _)) => {
                Seen { live: true, ..Seen::silent(format!("its answer does not contain `{expect}`")) }
            }
            Ok((status, _)) => Seen { live: true, ..Seen::silent(format!("it answered {status}")) },
            Err(error) => Seen::silent(format!("it does not answer at {addr}: {error}")),
        },
        Check::Health { addr } => match get(*addr, "/health").await {
            Ok((status, body)) => health(name, *addr, status, &body),
            Err(error) => Seen::silent(format!("it does not answer at {addr}: {error}")),
        },
    }
}

fn health(name: &str, addr: SocketAddr, status: u16, body: &str) -> Seen {
    let Ok(health) = serde_json::from_str::<Health>(body) else {
        return Seen { live: true, ..Seen::silent(format!("it answered {status} and no health")) };
    };
    if health.service != name {
        return Seen::silent(format!("`{}` answers at {addr} in its place", health.service));
    }
    let worst = health
        .parts
        .iter()
        .filter(|(_, part)| part.status != Status::Well)
        .max_by_key(|(_, part)| part.status);
    let detail = worst.map(|(name, part)| format!("{name}: {}", part.detail));
    Seen { live: true, ready: health.ready, well: Some(health.status), detail }
}

async fn get(addr: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let slow = || io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
    tokio::time::timeout(TIMEOUT, exchange(addr, path)).await.map_err(|_| slow())?
}

async fn exchange(addr: SocketAddr, path: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(addr).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LARGEST).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let garbled = || io::Error::new(io::ErrorKind::InvalidData, "not an HTTP answer");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(garbled)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(garbled)?;
    Ok((status, body.to_owned()))
}
