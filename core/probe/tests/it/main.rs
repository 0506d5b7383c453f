//! Every kind of check against a real peer, honest ones and those that lie, hang, drip, reset and expire.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends with its first surprise"
)]

mod certificate;
mod command;
mod container;
mod contract;
mod dns;
mod events;
mod health;
mod http;
mod machine;
mod peer;
mod ports;
mod sqlite;

use std::collections::BTreeMap;

use sanctum_kernel::inventory::check::Check;
use sanctum_kernel::{Catalogue, Clock, Paths, Peers};
use sanctum_probe::{Answer, Finding, Prober};

static NOBODY: Catalogue = Catalogue::new(&[]);

/// A prober with a home of its own.
struct Eyes {
    home: tempfile::TempDir,
    clock: Clock,
    prober: Prober,
}

fn eyes() -> Eyes {
    let home = tempfile::tempdir().unwrap();
    let paths = Paths::new(home.path());
    let clock = Clock::system();
    let peers = Peers::load("watch", &NOBODY, &paths, BTreeMap::new()).unwrap();
    let prober = Prober::with(paths, clock.clone(), peers);
    Eyes { home, clock, prober }
}

impl Eyes {
    /// Puts the question as the file would write it.
    async fn ask(&self, check: &str) -> Answer {
        let check: Check = toml::from_str(check).unwrap_or_else(|error| panic!("{error}\n{check}"));
        let complaints = check.complaints();
        assert!(complaints.is_empty(), "{complaints:?}\n{check:?}");
        self.prober.ask(&check).await
    }
}

async fn ask(check: &str) -> Answer {
    eyes().ask(check).await
}

/// Asks and expects this, with these words.
async fn expect(check: &str, finding: Finding, words: &str) {
    let answer = ask(check).await;
    assert_eq!(answer.finding, finding, "{check}: {}", answer.detail);
    assert!(answer.detail.contains(words), "{check}: `{}` does not say `{words}`", answer.detail);
}

#[tokio::test]
async fn a_check_that_asks_nothing_is_not_passed() {
    let answer = eyes().prober.ask(&Check::default()).await;
    assert_eq!(answer.finding, Finding::Unknown);
}
