//! Arrivals and departures: many signs of one arrival become one event.

use std::collections::BTreeMap;
use std::net::IpAddr;

use sanctum_api::firewall::{Block, Fingerprint, Kind, Newcomers, Standing, Verdict};
use sanctum_kernel::{Chain, Mac, Trace};
use tokio::time::Instant;

use super::core::{Core, Try};
use crate::backend::{By, Cut, Gate, Rules, Seen, Signal};
use crate::record::{Record, id_of};
use crate::verdict::{self, Judged};
use crate::{identity, plan};

/// Addresses kept of one device: its newest.
const MOST_ADDRESSES: usize = 16;
/// Devices nobody has named; those of years must not fill the disk.
const MOST_NEWCOMERS: usize = 1024;

impl Core {
    pub(super) async fn signal(&mut self, signal: Signal) {
        match signal {
            Signal::Seen(seen) => self.seen(seen).await,
            Signal::Address(mac, address) => self.address(mac, address),
            Signal::Gone(mac) => self.gone(mac),
            Signal::Changed => self.nudge.nudge(),
        }
    }

    /// A sign of life. The first of an arrival makes the event; the others add to what is known.
    pub(super) async fn seen(&mut self, seen: Seen) {
        if seen.mac.is_group() || seen.mac == Mac([0; 6]) || self.canary == Some(seen.mac) {
            return;
        }
        self.leaving.remove(&seen.mac);
        let now = self.now();
        let Some(id) = self.by_mac.get(&seen.mac).cloned().or_else(|| self.newcomer(seen.mac)) else {
            return;
        };
        let Some(record) = self.setup.records.get_mut(&id) else { return };
        record.device.last_seen = Some(now);
        record.device.first_seen.get_or_insert(now);
        let joined = record.present.insert(seen.mac);
        record.device.online = true;
        // What it tells the router counts for more than what it tells everybody.
        let named = record.device.fingerprint.hostname.is_some();
        self.touch(&id);
        if let Some(shown) = seen.fingerprint.filter(|_| seen.by != By::Mdns || !named) {
            self.shown(&id, seen.mac, shown);
        }
        if let Some(address) = seen.address {
            self.address(seen.mac, address);
        }
        if joined {
            self.joined(&id, seen.mac, seen.by).await;
        }
    }

    /// Makes a record for an address nobody has seen, standing as the policy of now says.
    fn newcomer(&mut self, mac: Mac) -> Option<String> {
        if !self.takes_in(mac) {
            return None;
        }
        let now = self.now();
        let strangers = self.setup.records.values().filter(|record| !record.declared).count();
        if strangers >= MOST_NEWCOMERS && !self.forget_one() {
            return None;
        }
        let standing = match plan::newcomers(&self.setup.desired, now) {
            Newcomers::Allow => Standing::Seen,
            Newcomers::Block => Standing::Automatic,
            Newcomers::Quarantine => Standing::Quarantined,
        };
        let id = id_of(mac);
        self.setup.records.insert(id.clone(), Record::newcomer(mac, standing, now));
        self.by_mac.insert(mac, id.clone());
        Some(id)
    }

    /// Forgets the newcomer that was not seen for longest and is not here.
    fn forget_one(&mut self) -> bool {
        let strangers = self.setup.records.values();
        let idle = strangers.filter(|record| {
            !record.declared && record.present.is_empty() && record.device.standing != Standing::Known
        });
        let Some(id) =
            idle.min_by_key(|record| record.device.last_seen).map(|record| record.device.id.clone())
        else {
            return false;
        };
        self.forget(&id);
        true
    }

    /// Takes over what a device shows of itself. A field it hides this time stays as it was.
    fn shown(&mut self, id: &str, mac: Mac, shown: Fingerprint) {
        let Some(record) = self.setup.records.get_mut(id) else { return };
        let known = &mut record.device.fingerprint;
        let nothing_named = record.device.name == record.device.id;
        if let Some(name) = shown.hostname.as_ref().filter(|_| nothing_named && !record.declared) {
            record.device.name.clone_from(name);
        }
        // An identifier that outlives a change of address is worth more than one made of the address.
        let weaker = identity::is_lasting(known) && !identity::is_lasting(&shown);
        if !weaker {
            known.client_id = shown.client_id.or(known.client_id.take());
        }
        known.hostname = shown.hostname.or(known.hostname.take());
        known.vendor_class = shown.vendor_class.or(known.vendor_class.take());
        known.parameters = shown.parameters.or(known.parameters.take());
        if record.device.kind.is_none() {
            record.device.kind = identity::kind(mac, &record.device.fingerprint).map(str::to_owned);
        }
        if record.device.standing != Standing::Known
            && let Some(resembles) =
                self.setup.records.get(id).and_then(|record| identity::resembles(record, &self.setup.records))
            && let Some(record) = self.setup.records.get_mut(id)
        {
            record.device.resembles = Some(resembles);
        }
    }

    fn address(&mut self, mac: Mac, address: IpAddr) {
        let Some(id) = self.by_mac.get(&mac).cloned() else { return };
        let Some(record) = self.setup.records.get_mut(&id) else { return };
        let addresses = &mut record.device.addresses;
        if !addresses.contains(&address) {
            addresses.insert(0, address);
            addresses.truncate(MOST_ADDRESSES);
            self.touch(&id);
        }
    }

    /// One event for one arrival; if the device is blocked, the block is made sure of before anybody is told.
    async fn joined(&mut self, id: &str, mac: Mac, by: By) {
        let now = self.now();
        let Some(record) = self.setup.records.get(id) else { return };
        let wanted = plan::wanted(record, &self.setup.desired, now);
        let cut = wanted.as_ref().and_then(|block| plan::cut(record, block, self.per_service()));
        let name = record.device.name.clone();
        let standing = record.device.standing;
        if record.is_known() && !self.off && !self.held.as_ref().is_some_and(|held| held.known.contains(&mac))
        {
            self.let_in(mac).await;
        }
        let judged = match (&wanted, &cut) {
            (Some(_), Some(cut)) if !self.off => Some(self.ensure(mac, cut).await),
            (Some(block), None) => Some(self.not_made(id, block)),
            _ => None,
        };
        let how = match standing {
            Standing::Known => "joined",
            Standing::Seen => "joined; nobody has named it",
            Standing::Automatic => "is new and joined while newcomers are blocked",
            Standing::Quarantined => "is new and waits for approval",
        };
        self.happen(Kind::Joined, Some((id, Some(mac))), format!("{name} {how}"), None, Some(by));
        if let (Some(block), Some(judged)) = (wanted, judged) {
            self.begun(id, &block, &judged);
            self.tried(id, mac, &block, judged, by);
        }
    }

    /// A newcomer's own block begins with its arrival.
    fn begun(&mut self, id: &str, block: &Block, judged: &Judged) {
        let now = self.now();
        let Some(record) = self.setup.records.get_mut(id).filter(|record| record.announced.is_none()) else {
            return;
        };
        record.announced = Some(block.clone());
        record.blocked_since = Some(now);
        let detail = format!("{} is blocked ({}); {}", record.device.name, block.reason, judged.evidence);
        self.touch(id);
        self.happen(Kind::Blocked, Some((id, None)), detail, Some(judged.verdict), None);
    }

    /// An attempt: who, why it is blocked, and what was read back.
    pub(super) fn tried(&mut self, id: &str, mac: Mac, block: &Block, judged: Judged, by: By) {
        let now = self.now();
        let name = self.setup.records.get(id).map_or(id, |record| &record.device.name).to_owned();
        let detail = format!("{name} tried to get online ({}); {}", block.reason, judged.evidence);
        let story = Trace::current().id();
        self.happen(Kind::Attempt, Some((id, Some(mac))), detail, Some(judged.verdict), Some(by));
        self.moment(story, "verified", format!("{:?}: {}", judged.verdict, judged.evidence).to_lowercase());
        let fresh = Try { dropped: 0, leaked: 0, moved: now, story: None };
        let seen = self.tries.entry(mac).or_insert(fresh);
        seen.moved = now;
        seen.story = (judged.verdict != Verdict::Proven).then_some(story);
        self.judge_device(id, block.clone(), judged);
        self.look_again();
    }

    /// Makes sure of one address, and reads back. It costs microseconds where the router is this machine.
    async fn ensure(&mut self, mac: Mac, cut: &Cut) -> Judged {
        let backend = self.setup.backend.clone();
        let mut found = backend.look(mac).await;
        let there = matches!(&found, Ok(Some(found)) if found.whole && found.cut == *cut);
        if !there {
            if let Err(error) = backend.block(&BTreeMap::from([(mac, cut.clone())])).await {
                tracing::warn!(%mac, error = %Chain(&error), "a block was refused");
            }
            found = backend.look(mac).await;
            self.nudge.nudge();
        }
        match found {
            Ok(found) => {
                let before = self.tries.get(&mac).map_or(0, |seen| seen.leaked);
                let leaked = found
                    .as_ref()
                    .map_or(0, |found| if there { found.leaked.saturating_sub(before) } else { 0 });
                // The rules are watched: had they changed, a round would be on its way.
                verdict::address(cut, found.as_ref(), leaked, &Rules::Whole)
            }
            Err(error) => Judged::unknown(&error.to_string()),
        }
    }

    /// A known address may send even while the gate is closed to strangers.
    async fn let_in(&mut self, mac: Mac) {
        let closed = plan::newcomers(&self.setup.desired, self.now()) != Newcomers::Allow;
        let gate = Gate { know: vec![mac], forget: Vec::new(), closed };
        match self.setup.backend.gate(&gate).await {
            Ok(()) => {
                if let Some(held) = &mut self.held {
                    held.known.insert(mac);
                }
            }
            Err(error) => {
                tracing::warn!(%mac, error = %Chain(&error), "a device could not be let in");
                self.nudge.nudge();
            }
        }
    }

    fn gone(&mut self, mac: Mac) {
        let here = self
            .by_mac
            .get(&mac)
            .and_then(|id| self.setup.records.get(id))
            .is_some_and(|record| record.present.contains(&mac));
        if here {
            self.leaving.entry(mac).or_insert(Instant::now() + self.setup.config.away.0);
        }
    }

    /// Says of everybody who has been away for long enough that they left.
    pub(super) fn depart(&mut self) {
        let now = Instant::now();
        let due: Vec<Mac> = self.leaving.iter().filter(|(_, at)| **at <= now).map(|(mac, _)| *mac).collect();
        for mac in due {
            self.leaving.remove(&mac);
            let Some(id) = self.by_mac.get(&mac).cloned() else { continue };
            let Some(record) = self.setup.records.get_mut(&id) else { continue };
            record.present.remove(&mac);
            record.device.online = !record.present.is_empty();
            let name = record.device.name.clone();
            self.touch(&id);
            self.happen(Kind::Left, Some((&id, Some(mac))), format!("{name} left"), None, Some(By::Fdb));
        }
    }

    /// A story that was only `applied` becomes proven when the first drop is counted.
    pub(super) fn proven(&mut self, mac: Mac, evidence: &str) {
        if let Some(story) = self.take_story(mac) {
            self.moment(story, "proven", evidence);
        }
    }

    /// Looks again soon: the first dropped packet is the proof.
    fn look_again(&self) {
        for after in [1, 4] {
            let nudge = self.nudge.clone();
            self.setup.shared.tasks.spawn(
                "look again",
                sanctum_kernel::OnError::Log,
                move |stop| async move {
                    stop.or(tokio::time::sleep(std::time::Duration::from_secs(after))).await;
                    nudge.nudge();
                    Ok(())
                },
            );
        }
    }
}
