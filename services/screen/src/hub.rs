//! What the parts of the service share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use sanctum_api::firewall::{self, Device};
use sanctum_api::notify::{self, Action, Notice, Severity};
use sanctum_api::screen::ScreenEvent;
use sanctum_http::Feed;
use sanctum_kernel::service::Shared;
use sanctum_kernel::{Applied, Nudge};
use sanctum_store::StoreError;
use tokio::sync::watch;

use crate::engine::{Ledger, Policy, Ruling, Subject, decide};
use crate::records::Records;
use crate::rules::Rules;
use crate::words::{Text, Words};

/// A person who changes something waits so long to hear whether the firewall has it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Cheap to clone.
pub(crate) type Hub = Arc<Inner>;

/// Everything a part needs.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) shared: Shared,
    pub(crate) records: Records,
    pub(crate) rules: Rules,
    pub(crate) feed: Feed,
    pub(crate) firewall: firewall::Client,
    pub(crate) notify: notify::Client,
    /// Wakes the keeper: something has changed.
    pub(crate) keeper: Nudge,
    /// Wakes the watch: look at the devices now.
    pub(crate) watch: Nudge,
    /// Wakes the teller: a letter waits.
    pub(crate) teller: Nudge,
    pub(crate) state: Mutex<State>,
    /// Counts changes that were asked for.
    pub(crate) asked: AtomicU64,
    /// The last of them that a whole round of the keeper has taken in.
    pub(crate) handled: watch::Sender<u64>,
}

/// What was seen last; all of it can be seen again.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) devices: BTreeMap<String, Device>,
    pub(crate) enforced: Applied,
    pub(crate) detail: Option<String>,
}

/// What the engine is asked about.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) policy: Policy,
    pub(crate) ledger: Ledger,
    pub(crate) now: Timestamp,
}

impl World {
    pub(crate) fn decide(&self, subject: &Subject) -> Ruling {
        decide(&self.policy, &self.ledger, subject, self.now)
    }
}

impl Inner {
    /// Rules and ledger as they are now.
    pub(crate) async fn world(&self) -> Result<World, StoreError> {
        let now = self.shared.clock.now();
        let ledger = self.records.ledger(now, self.rules.listed.keys().copied()).await?;
        let policy = self.rules.policy(&self.look(|state| state.devices.clone()), &ledger);
        Ok(World { policy, ledger, now })
    }

    /// Reads or changes what was seen last.
    pub(crate) fn look<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn words(&self) -> Words {
        Words { language: self.rules.language(), tz: self.rules.tz.clone() }
    }

    /// Rulings may have changed: the keeper looks, and followers are told. Returns the number of this change.
    pub(crate) fn changed(&self) -> u64 {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        self.keeper.nudge();
        self.feed.publish("changed", &ScreenEvent::Changed);
        number
    }

    /// Waits until the keeper has declared a change; `false` if that takes too long to wait for.
    pub(crate) async fn settled(&self, change: u64) -> bool {
        let mut handled = self.handled.subscribe();
        let wait = handled.wait_for(|handled| *handled >= change);
        tokio::time::timeout(PATIENCE, wait).await.is_ok_and(|seen| seen.is_ok())
    }

    /// A message of this service about something that happened at `at`.
    pub(crate) fn notice(
        &self,
        severity: Severity,
        (title, message): Text,
        about: &str,
        at: Timestamp,
    ) -> Notice {
        let url = self.url();
        Notice {
            source: "screen".to_owned(),
            severity,
            title,
            message,
            labels: [("about".to_owned(), about.to_owned()), ("at".to_owned(), at.to_string())].into(),
            force_channels: Vec::new(),
            actions: url.iter().map(|url| Action { label: "Open".to_owned(), url: url.clone() }).collect(),
            url,
            image: None,
            dedup_key: None,
            resolved: false,
        }
    }

    /// Where a link leads.
    pub(crate) fn url(&self) -> Option<String> {
        let dashboard = || self.shared.peers.addr("dashboard").map(|addr| format!("http://{addr}/"));
        self.rules.config.url.clone().or_else(dashboard)
    }
}
