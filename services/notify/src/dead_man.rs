//! A watch outside the house hears from the hub for as long as it is well and every heart of the house beats, hears of
//! trouble, and notices silence. The call is earned: a part that froze is not masked by a hub that is cheerful.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sanctum_http::{Outbound, OutboundError, Outgoing};
use sanctum_kernel::heart::Hearts;
use sanctum_kernel::service::Shared;
use sanctum_kernel::{Failure, Status, Stop};
use sanctum_store::params;
use secrecy::{ExposeSecret, SecretString};

use crate::config::Config;
use crate::hub::Hub;

/// Trouble, and its end, are told within this.
const LOOK: SignedDuration = SignedDuration::from_secs(5);
/// A store that takes longer than this to keep one row does not work.
const SLOW: Duration = Duration::from_secs(10);
/// What the hub says of this on its board; the watch is not told of its own absence.
const PART: &str = "dead-man";

/// The watch and how to call it.
pub(crate) struct Watcher {
    url: SecretString,
    every: SignedDuration,
    deadline: Duration,
    outbound: Outbound,
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher").field("every", &self.every).finish_non_exhaustive()
    }
}

impl Watcher {
    /// `None` if none is configured.
    pub(crate) fn new(
        config: &Config,
        shared: &Shared,
        outbound: &Outbound,
    ) -> Result<Option<Self>, Failure> {
        let wanted = &config.dead_man;
        let url = match (&wanted.url, &wanted.secret) {
            (_, Some(secret)) => secret.resolve(&shared.paths)?,
            (Some(url), None) => SecretString::from(url.clone()),
            (None, None) => return Ok(None),
        };
        Ok(Some(Self {
            url,
            every: SignedDuration::try_from(wanted.every.0).unwrap_or(SignedDuration::MAX),
            deadline: config.delivery.deadline.0,
            outbound: outbound.clone(),
        }))
    }

    /// Calls until stopped; the stop itself is silence, and the watch shall notice it.
    pub(crate) async fn run(self, hub: Arc<Hub>, stop: Stop) -> Result<(), Failure> {
        let mut next = hub.now();
        let mut told = None;
        let (mut hearts, began) = (Hearts::default(), tokio::time::Instant::now());
        loop {
            let now = hub.now();
            // At every look and not only before a call: whoever fell silent did so at one of them.
            let found = trouble(&hub, hearts.look(&hub.shared.paths, began.elapsed()));
            if now >= next || told != Some(found.is_some()) {
                let trouble = match found {
                    Some(trouble) => Some(trouble),
                    None => stop.or(prove(&hub)).await.flatten(),
                };
                let Some(called) = stop.or(self.call(trouble.as_deref())).await else { return Ok(()) };
                let reached = called.is_ok();
                note(&hub, called);
                told = reached.then_some(trouble.is_some());
                next = now.saturating_add(if reached { self.every } else { LOOK }).unwrap_or(now);
            }
            let look = if told.is_some() { next.min(now + LOOK) } else { now + LOOK };
            if stop.or(hub.shared.clock.until(look)).await.is_none() {
                return Ok(());
            }
        }
    }

    async fn call(&self, trouble: Option<&str>) -> Result<(), String> {
        let url = self.url.expose_secret();
        let (method, url, body) = match trouble {
            None => ("GET", url.to_owned(), Vec::new()),
            Some(trouble) => ("POST", fail(url), trouble.as_bytes().to_vec()),
        };
        let headers = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
        let outgoing = Outgoing { method, url, headers, body, timeout: self.deadline };
        match self.outbound.send(outgoing).await {
            Ok(answer) if answer.is_success() => Ok(()),
            Ok(answer) => Err(format!("it answered {}", answer.status)),
            // Its own words hold the URL, which may be a secret.
            Err(OutboundError::BadRequest { reason, .. }) => {
                Err(format!("that is not a URL that can be called: {reason}"))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// `/fail` at the end of the path, before a query.
fn fail(url: &str) -> String {
    let (path, query) = url.split_once('?').map_or((url, None), |(path, query)| (path, Some(query)));
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}/fail{query}", path.trim_end_matches('/'))
}

/// What is not well here, and what does not beat, in words.
fn trouble(hub: &Hub, late: Vec<String>) -> Option<String> {
    let (_, parts) = hub.shared.well.look();
    let bad = parts.iter().filter(|(part, condition)| **part != PART && condition.status != Status::Well);
    let mut lines: Vec<String> =
        bad.map(|(part, condition)| format!("{part}: {}", condition.detail)).collect();
    lines.extend(late);
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Keeps a row; what stands in the way, in words. A hub that keeps nothing is not well, whatever its board says.
async fn prove(hub: &Hub) -> Option<String> {
    let now = hub.now().as_microsecond();
    let kept = hub.db.write(move |tx| {
        tx.prepare_cached("INSERT OR REPLACE INTO marks(name, value) VALUES('alive', ?1)")?
            .execute(params![now])
    });
    match tokio::time::timeout(SLOW, kept).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(format!("store: {error}")),
        Err(_) => Some(format!("store: nothing was kept within {} s", SLOW.as_secs())),
    }
}

/// What came of the call, on the board.
fn note(hub: &Hub, called: Result<(), String>) {
    match called {
        Ok(()) => hub.shared.well.set(PART, Status::Well, format!("the watch outside heard at {}", at(hub))),
        Err(reason) => hub.shared.well.set_hint(
            PART,
            Status::Degraded,
            format!("the watch outside could not be told: {reason}"),
            "look at `[notify.dead-man]` and at the way to the internet; the watch will call this a failure",
        ),
    }
}

fn at(hub: &Hub) -> Timestamp {
    hub.now().round(jiff::Unit::Second).unwrap_or_else(|_| hub.now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fail_goes_to_the_end_of_the_path() {
        let cases = [
            ("https://hc.example/ping/u", "https://hc.example/ping/u/fail"),
            ("https://hc.example/ping/u/", "https://hc.example/ping/u/fail"),
            ("http://kuma/api/push/t?status=up&msg=", "http://kuma/api/push/t/fail?status=up&msg="),
        ];
        for (url, expected) in cases {
            assert_eq!(fail(url), expected);
        }
    }
}
