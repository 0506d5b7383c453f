//! What every verb has at hand.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sanctum_api::{CallError, Transport};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::peers::read_token;
use sanctum_kernel::{Clock, Failure, Paths, Peer, exit};
use sanctum_settings::{Loaded, load};
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::CATALOGUE;
use crate::paint::Paint;
use crate::trouble::explain;

/// An exit code, or an error that has one.
pub(crate) type Outcome = Result<u8, Failure>;

/// The house a command is about, and how to answer.
#[derive(Debug)]
pub(crate) struct Cli {
    pub(crate) paths: Paths,
    /// Answer with JSON.
    pub(crate) json: bool,
    pub(crate) verbose: bool,
}

/// Where the house is: `--home`, `SANCTUM_HOME`, or `~/.sanctum`.
pub(crate) fn home(given: Option<PathBuf>) -> PathBuf {
    given
        .or_else(|| std::env::var_os("SANCTUM_HOME").filter(|home| !home.is_empty()).map(PathBuf::from))
        .unwrap_or_else(|| {
            let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
            home.join(".sanctum")
        })
}

/// The clock on the house's wall.
#[derive(Debug, Clone)]
pub(crate) struct Wall(TimeZone);

impl Wall {
    /// A clock of another zone than the house's.
    #[cfg(test)]
    pub(crate) const fn in_zone(zone: TimeZone) -> Self {
        Self(zone)
    }

    /// `Sat 21:30` within six days of now, `2026-11-21 21:30` beyond.
    pub(crate) fn at(&self, at: Timestamp) -> String {
        let near = at.duration_since(Clock::system().now()).unsigned_abs() < Duration::from_hours(6 * 24);
        at.to_zoned(self.0.clone()).strftime(if near { "%a %H:%M" } else { "%Y-%m-%d %H:%M" }).to_string()
    }

    /// `21:30:07`, for what has just happened.
    pub(crate) fn second(&self, at: Timestamp) -> String {
        at.to_zoned(self.0.clone()).strftime("%H:%M:%S").to_string()
    }
}

impl Cli {
    /// The checked configuration; its complaints are the error.
    pub(crate) fn settings(&self) -> Result<Loaded, Failure> {
        load(&self.paths.config(), &CATALOGUE).map_err(|problems| {
            let missing = problems.source.is_empty() && problems.all.len() == 1;
            let drawn = problems.draw(Paint::stderr().is_on());
            let (code, hint) = match missing {
                true => (exit::NO_INPUT, "`sanctum init` writes a first configuration"),
                false => (exit::CONFIG, "`sanctum config explain KEY` says what a key takes"),
            };
            Box::new(Hinted::new(
                code,
                if missing {
                    problems.all.first().map(|problem| problem.message.clone()).unwrap_or_default()
                } else {
                    format!("the configuration is wrong\n{drawn}")
                },
                hint,
            )) as Failure
        })
    }

    /// Where a service listens: where it says so itself as long as it runs, whatever the file has become since.
    pub(crate) fn addr(&self, service: &str) -> Result<SocketAddr, Failure> {
        if let Some(addr) = sanctum_kernel::running::address(&self.paths, service) {
            return Ok(addr);
        }
        let loaded = self.settings()?;
        loaded.address(service, "http").ok_or_else(|| {
            Hinted::new(exit::SOFTWARE, format!("`{service}` has no address"), "see `sanctum ports`").into()
        })
    }

    /// The way to a service of the running house.
    pub(crate) fn transport(&self, service: &str) -> Result<Arc<dyn Transport>, Failure> {
        self.peer(service).map(sanctum_http::transport)
    }

    /// The same for work that takes as long as it takes.
    pub(crate) fn patient(&self, service: &str) -> Result<Arc<dyn Transport>, Failure> {
        self.peer(service).map(|peer| sanctum_http::transport_within(peer, Duration::from_hours(6)))
    }

    /// Where a service of the running house is, and this command's token there.
    pub(crate) fn peer(&self, service: &str) -> Result<Peer, Failure> {
        let addr = self.addr(service)?;
        let token = read_token(&self.paths, "cli", service).map_err(|error| {
            Hinted::new(exit::UNAVAILABLE, "the house is not running", "`sanctum up` starts it")
                .because(error)
        })?;
        Ok(Peer { name: service.to_owned(), addr, token })
    }

    /// Times as the clock on the house's wall shows them; as this machine's does while the file is broken.
    pub(crate) fn wall(&self) -> Wall {
        Wall(self.settings().map_or_else(|_| TimeZone::system(), |loaded| loaded.house.house.timezone.tz()))
    }

    /// The door of the dashboard, with the key for this house's people.
    pub(crate) fn dashboard(&self) -> Option<String> {
        let addr = self.addr("dashboard").ok()?;
        let key = read_token(&self.paths, "browser", "dashboard").ok()?;
        Some(format!("http://{addr}/enter?key={}", key.expose_secret()))
    }

    /// A call's failure with what a person can do about it.
    pub(crate) fn explain(error: CallError) -> Failure {
        explain(error)
    }

    /// Runs asynchronous work of one command.
    #[expect(clippy::unused_self, reason = "it reads as what it is: work of this command line")]
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(runtime.block_on(work))
    }

    /// Runs one call and explains its failure.
    pub(crate) fn call<T>(&self, work: impl Future<Output = Result<T, CallError>>) -> Result<T, Failure> {
        self.block_on(work)?.map_err(|error| self.silence(&error).unwrap_or_else(|| explain(error)))
    }

    /// Nobody who is there was asked: a house that is down is no fault of a service.
    fn silence(&self, error: &CallError) -> Option<Failure> {
        let CallError::Silent { service, .. } = error else { return None };
        if sanctum_kernel::running::address(&self.paths, service).is_some() {
            return None;
        }
        let (message, hint) = match sanctum_supervise::holder(&self.paths) {
            None => ("the house is not running".to_owned(), "`sanctum up` starts it".to_owned()),
            Some(_) => (
                format!("`{service}` does not run"),
                format!("`sanctum status {service}` tells; `sanctum logs {service}` says why not"),
            ),
        };
        Some(Box::new(Hinted::new(exit::UNAVAILABLE, message, hint)))
    }

    /// Prints `value` as JSON if asked to, and through `human` otherwise.
    pub(crate) fn show<T: Serialize>(
        &self,
        value: &T,
        human: impl FnOnce(&mut dyn Write, Paint) -> io::Result<()>,
    ) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let written = if self.json {
            serde_json::to_writer_pretty(&mut out, value)
                .map_err(io::Error::from)
                .and_then(|()| writeln!(out))
        } else {
            human(&mut out, Paint::stdout())
        };
        quiet(written.and_then(|()| out.flush()))
    }

    /// Prints text for people.
    #[expect(clippy::unused_self, reason = "it reads as what it is: words of this command line")]
    pub(crate) fn say(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        quiet(writeln!(out, "{text}").and_then(|()| out.flush()))
    }
}

/// Ctrl-C, or somebody else's wish: what was begun is left as it was found.
pub(crate) async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = signals else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}

/// Who reads through `head` closes the pipe; that is no error.
fn quiet(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
