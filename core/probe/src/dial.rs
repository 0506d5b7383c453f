//! Names to addresses, addresses to connections.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::line::{self, Begun, Line};
use crate::{Answer, Eyes};

/// What was found is believed this long, so that fifty checks of one host ask once, and a second look looks again.
const FRESH: Duration = Duration::from_millis(800);
/// The system's resolver takes a thread for every question.
const AT_ONCE: usize = 16;
/// More names than a house has.
const MOST: usize = 1024;
/// How much later the next address is tried while the one before is silent (RFC 8305, section 8).
const STAGGER: Duration = Duration::from_millis(250);

type Found = Result<Arc<[IpAddr]>, String>;

/// When a name was asked for, and what comes of it.
type Asked = (Instant, Shared<BoxFuture<'static, Found>>);

/// The system's resolver, asked once for all who want to know the same.
#[derive(Clone)]
pub(crate) struct Names {
    known: Arc<Mutex<HashMap<String, Asked>>>,
    turns: Arc<Semaphore>,
}

impl Default for Names {
    fn default() -> Self {
        Self { known: Arc::default(), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

impl Names {
    /// The addresses of a host, which may be one.
    pub(crate) async fn resolve(&self, host: &str) -> Result<Arc<[IpAddr]>, Answer> {
        let bare = bare(host);
        if let Some(ip) = literal(host) {
            return Ok(Arc::new([ip]));
        }
        // RFC 6761, section 6.3: it is this machine, whoever is asked.
        if bare.eq_ignore_ascii_case("localhost") {
            return Ok(Arc::new([IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]));
        }
        self.afresh(bare).await
    }

    /// What the system's resolver says of a name.
    pub(crate) async fn afresh(&self, name: &str) -> Result<Arc<[IpAddr]>, Answer> {
        let found = self.asked(name).await;
        found.map_err(|reason| Answer::fail(format!("`{name}` has no address: {reason}")))
    }

    fn asked(&self, host: &str) -> Shared<BoxFuture<'static, Found>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((since, asked)) = known.get(host)
            && asked.peek().is_none_or(|found| found.is_ok() && since.elapsed() < FRESH)
        {
            return asked.clone();
        }
        if known.len() >= MOST {
            known.retain(|_, (since, _)| since.elapsed() < FRESH);
        }
        let (name, turns) = (host.to_owned(), Arc::clone(&self.turns));
        let asked = async move {
            let turn = turns.acquire_owned().await.map_err(|error| error.to_string())?;
            let done = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                (name.as_str(), 0).to_socket_addrs().map(|found| found.map(|at| at.ip()).collect::<Vec<_>>())
            });
            let mut found = done.await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
            found.dedup();
            if found.is_empty() { Err("no address is known".to_owned()) } else { Ok(found.into()) }
        };
        let asked = asked.boxed().shared();
        known.insert(host.to_owned(), (Instant::now(), asked.clone()));
        asked
    }
}

fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// A host that is an address needs nobody's word.
fn literal(host: &str) -> Option<IpAddr> {
    bare(host).parse().ok()
}

/// `host:port` in its parts.
pub(crate) fn split(address: &str) -> Result<(&str, u16), Answer> {
    let parts = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    parts.ok_or_else(|| Answer::unknown(format!("`{address}` is not `host:port`")))
}

/// A connection to `host:port`, the first of its addresses that takes one.
pub(crate) async fn connect(eyes: &Eyes, host: &str, port: u16) -> Result<TcpStream, Answer> {
    let line = dial(eyes, host, port).await?;
    line.stream().map_err(|error| unreached(host, port, &error))
}

/// The same, for those who may not have to wait for anything on it.
pub(crate) async fn dial(eyes: &Eyes, host: &str, port: u16) -> Result<Line, Answer> {
    let outcome = match literal(host) {
        Some(ip) => one(SocketAddr::new(ip, port)).await,
        // Apart: it needs much more room, and most are asked by their address.
        None => Box::pin(named(eyes, host, port)).await?,
    };
    outcome.map_err(|error| unreached(host, port, &error))
}

async fn named(eyes: &Eyes, host: &str, port: u16) -> Result<io::Result<Line>, Answer> {
    Ok(match &*eyes.names.resolve(host).await? {
        [ip] => one(SocketAddr::new(*ip, port)).await,
        several => race(several, port).await.map(Line::Slow),
    })
}

fn unreached(host: &str, port: u16, error: &io::Error) -> Answer {
    Answer::of(&format!("could not connect to {host}:{port}"), error)
}

async fn one(at: SocketAddr) -> io::Result<Line> {
    match line::begin(at)? {
        Begun::Stands(stream) => Ok(Line::Quick(stream)),
        Begun::Waits(stream) => {
            let stream = TcpStream::from_std(stream)?;
            stream.writable().await?;
            match stream.take_error()? {
                Some(error) => Err(error),
                None => Ok(Line::Slow(stream)),
            }
        }
    }
}

async fn race(addrs: &[IpAddr], port: u16) -> io::Result<TcpStream> {
    let mut waiting = addrs.iter().map(|ip| SocketAddr::new(*ip, port));
    let mut tries: FuturesUnordered<_> = waiting.next().map(TcpStream::connect).into_iter().collect();
    let mut last = io::Error::other("there is no address");
    loop {
        tokio::select! {
            Some(tried) = tries.next() => match tried {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    last = error;
                    match waiting.next() {
                        Some(next) => tries.push(TcpStream::connect(next)),
                        None if tries.is_empty() => return Err(last),
                        None => {}
                    }
                }
            },
            () = tokio::time::sleep(STAGGER), if waiting.len() > 0 => {
                tries.extend(waiting.next().map(TcpStream::connect));
            }
            else => return Err(last),
        }
    }
}
