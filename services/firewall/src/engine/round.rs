//! One round: look, compare, mend, look again, and say what was found.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sanctum_api::firewall::{Block, BlockState, Kind, Newcomers, Scope, Standing, Verdict};
use sanctum_api::notify::{Notice, Severity};
use sanctum_kernel::{Chain, Failure, Mac, OnError, Status, Trace};

use super::core::{Core, Try, signed};
use super::drift::{self, Held, Mend};
use crate::backend::{BackendError, By, Intent, Observation, Rules, Seen};
use crate::plan;
use crate::verdict::{self, Judged};

/// Drifts named in one event; more are counted.
const MOST_NAMED: usize = 5;

impl Core {
    /// Looks at the whole truth and makes it so. May run at any time, and twice.
    pub(crate) async fn round(&mut self) {
        self.settle();
        self.ebb();
        let per_service = self.per_service();
        let intent =
            plan::intent(&self.setup.records, &self.setup.desired, self.now(), per_service, self.canary);
        let seen = match self.setup.backend.observe().await {
            Ok(seen) => seen,
            Err(error) => return self.blind(&error),
        };
        self.usage(&seen);
        let leaks = self.leaks(&seen);
        if self.off {
            self.observed = Some(seen.cuts.len());
            self.judge(&intent, &seen, &leaks);
            return self.say_off();
        }
        let mut drifts = drift::drifts(self.held.as_ref(), &intent, &seen);
        drifts.extend(
            leaks
                .iter()
                .filter(|(mac, _)| intent.cuts.contains_key(*mac))
                .map(|(mac, count)| format!("{count} packets of {mac} passed although it is blocked")),
        );
        let foreign = self.mend(&intent, &seen, !leaks.is_empty()).await;
        let after = match foreign {
            Ok(false) => seen.clone(),
            Ok(true) | Err(_) => match self.setup.backend.observe().await {
                Ok(after) => after,
                Err(error) => return self.blind(&error),
            },
        };
        let refused = foreign.err();
        self.rebase(&intent, &after);
        self.attempts(&intent, &after);
        self.judge(&intent, &after, &leaks);
        self.services();
        self.announce(&after);
        self.report(drifts, &intent, &after, refused.as_ref());
        self.held = Some(Held::of(&after));
        self.observed = Some(after.cuts.len());
        match &after.warning {
            Some(warning) => self.setup.shared.well.set_hint(
                "offload",
                Status::Degraded,
                warning.clone(),
                "switch flow offload (hardware acceleration) off on the router",
            ),
            None => self.setup.shared.well.clear("offload"),
        }
        self.knock(&seen).await;
    }

    /// Standings and blocks that end by themselves, end.
    fn settle(&mut self) {
        let now = self.now();
        let open = plan::newcomers(&self.setup.desired, now) == Newcomers::Allow;
        let mut touched = Vec::new();
        for record in self.setup.records.values_mut() {
            let over =
                record.by_hand.as_ref().and_then(|block| block.until).is_some_and(|until| until <= now);
            if over {
                record.by_hand = None;
            }
            let free = open && record.device.standing == Standing::Automatic;
            if free {
                record.device.standing = Standing::Seen;
            }
            if over || free {
                touched.push(record.device.id.clone());
            }
        }
        self.touch_all(&touched);
    }

    /// Writes the differences; says whether anything was written.
    async fn mend(
        &mut self,
        intent: &Intent,
        seen: &Observation,
        leaking: bool,
    ) -> Result<bool, BackendError> {
        let backend = self.setup.backend.clone();
        if seen.rules != Rules::Whole || leaking {
            return backend.import(intent).await.map(|()| true);
        }
        let mend = Mend::between(intent, seen);
        if mend.is_empty() {
            return Ok(false);
        }
        // Cut first, then let through: never a moment with less than what both states have.
        let mut outcome = Ok(true);
        if !mend.block.is_empty() {
            outcome = outcome.and(backend.block(&mend.block).await.map(|()| true));
        }
        if let Some(gate) = &mend.gate {
            outcome = outcome.and(backend.gate(gate).await.map(|()| true));
        }
        if !mend.unblock.is_empty() {
            outcome = outcome.and(backend.unblock(&mend.unblock).await.map(|()| true));
        }
        outcome
    }

    /// Packets that passed a tripwire since the last look, by address.
    fn leaks(&self, seen: &Observation) -> BTreeMap<Mac, u64> {
        let since = |mac: &Mac, leaked: u64| {
            self.tries.get(mac).map_or(0, |tried| leaked.saturating_sub(tried.leaked))
        };
        seen.cuts
            .iter()
            .map(|(mac, found)| (*mac, since(mac, found.leaked)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// What counters show from here on is compared with what they show now.
    fn rebase(&mut self, intent: &Intent, after: &Observation) {
        self.tries.retain(|mac, _| intent.cuts.contains_key(mac));
        let now = self.now();
        for (mac, found) in after.cuts.iter().filter(|(mac, _)| intent.cuts.contains_key(*mac)) {
            let fresh = Try { dropped: found.dropped, leaked: found.leaked, moved: now, story: None };
            let tried = self.tries.entry(*mac).or_insert(fresh);
            tried.leaked = found.leaked;
            tried.dropped = tried.dropped.min(found.dropped);
        }
    }

    /// A blocked device that was silent for long and sends again makes an attempt.
    fn attempts(&mut self, intent: &Intent, after: &Observation) {
        let now = self.now();
        let silence = signed(self.setup.config.attempt_silence.0);
        for (mac, found) in &after.cuts {
            let Some(tried) = self.tries.get_mut(mac).filter(|tried| found.dropped > tried.dropped) else {
                continue;
            };
            tried.dropped = found.dropped;
            let quiet = now.duration_since(std::mem::replace(&mut tried.moved, now));
            let (Some(id), Some(cut)) = (self.by_mac.get(mac).cloned(), intent.cuts.get(mac)) else {
                continue;
            };
            let judged = verdict::address(cut, Some(found), 0, &after.rules);
            if judged.verdict == Verdict::Proven {
                self.proven(*mac, &judged.evidence);
            }
            let wanted =
                self.setup.records.get(&id).and_then(|record| plan::wanted(record, &self.setup.desired, now));
            if let Some(block) = wanted.filter(|_| quiet >= silence) {
                self.tried(&id, *mac, &block, judged, By::Counter);
            }
        }
    }

    /// The state of every block, from what was just seen.
    fn judge(&mut self, intent: &Intent, after: &Observation, leaks: &BTreeMap<Mac, u64>) {
        let now = self.now();
        let ids: Vec<String> = self.setup.records.keys().cloned().collect();
        for id in ids {
            let Some(record) = self.setup.records.get(&id) else { continue };
            let Some(block) = plan::wanted(record, &self.setup.desired, now) else {
                self.states.remove(&id);
                continue;
            };
            let judged = match plan::cut(record, &block, self.per_service()) {
                None => self.not_made(&id, &block),
                Some(cut) => verdict::device(
                    record
                        .device
                        .macs
                        .iter()
                        .map(|mac| {
                            let leaked = leaks.get(mac).copied().unwrap_or(0);
                            verdict::address(
                                intent.cuts.get(mac).unwrap_or(&cut),
                                after.cuts.get(mac),
                                leaked,
                                &after.rules,
                            )
                        })
                        .collect(),
                ),
            };
            self.judge_device(&id, block, judged);
        }
    }

    pub(super) fn judge_device(&mut self, id: &str, block: Block, judged: Judged) {
        let now = self.now();
        let since = self.setup.records.get(id).and_then(|record| record.blocked_since).unwrap_or(now);
        let Judged { verdict, evidence } = judged;
        self.states.insert(id.to_owned(), BlockState { block, verdict, evidence, since, looked: now });
    }

    /// The verdict on a block of single services that this router cannot make.
    pub(super) fn not_made(&self, id: &str, block: &Block) -> Judged {
        let since =
            self.setup.records.get(id).and_then(|record| record.missing_since).unwrap_or_else(|| self.now());
        let names = match &block.scope {
            Scope::Services(names) => names.join(", "),
            Scope::All => String::new(),
        };
        let closing = since.checked_add(self.grace()).unwrap_or(Timestamp::MAX);
        let evidence = format!(
            "this router cannot block single services ({names}); everything is closed at {} instead",
            self.wall(closing)
        );
        Judged { verdict: Verdict::Missing, evidence }
    }

    /// A block of single services that is missing for longer than its grace is closed fully.
    fn services(&mut self) {
        let (now, grace) = (self.now(), self.grace());
        let mut closed = Vec::new();
        let mut touched = Vec::new();
        for (id, record) in &mut self.setup.records {
            let state = self.states.get(id).filter(|state| matches!(state.block.scope, Scope::Services(_)));
            let before = (record.missing_since, record.closed_since);
            match state {
                None => (record.missing_since, record.closed_since) = (None, None),
                Some(_) if record.closed_since.is_some() => {}
                Some(state) if matches!(state.verdict, Verdict::Proven | Verdict::Applied) => {
                    record.missing_since = None;
                }
                Some(_) => {
                    let since = *record.missing_since.get_or_insert(now);
                    if now.duration_since(since) >= grace {
                        record.closed_since = Some(now);
                        closed.push((id.clone(), record.device.name.clone()));
                    }
                }
            }
            if before != (record.missing_since, record.closed_since) {
                touched.push(id.clone());
            }
        }
        self.touch_all(&touched);
        for (id, name) in closed {
            let detail = format!(
                "single services of {name} could not be blocked for {}; everything is closed instead",
                self.setup.config.grace
            );
            self.happen(Kind::Drift, Some((&id, None)), detail.clone(), Some(Verdict::Missing), None);
            self.tell(
                Severity::Warn,
                "A block was missing and is closed fully",
                &detail,
                &format!("firewall-grace-{id}"),
                false,
            );
            self.nudge.nudge();
        }
    }

    /// Blocks that began or ended since they were last announced.
    fn announce(&mut self, after: &Observation) {
        let now = self.now();
        let ids: Vec<String> = self.setup.records.keys().cloned().collect();
        for id in ids {
            let wanted = self.states.get(&id).cloned();
            let until = wanted.as_ref().and_then(|state| state.block.until);
            let until = until.map(|until| format!(" until {}", self.wall(until))).unwrap_or_default();
            let Some(record) = self.setup.records.get_mut(&id) else { continue };
            let name = record.device.name.clone();
            let before = record.announced.clone();
            match (&before, wanted) {
                (Some(old), Some(state)) if old.scope == state.block.scope => {
                    if *old != state.block {
                        record.announced = Some(state.block);
                        self.touch(&id);
                    }
                }
                (_, Some(state)) => {
                    record.announced = Some(state.block.clone());
                    record.blocked_since = Some(now);
                    let detail =
                        format!("{name} is blocked ({}){until}; {}", state.block.reason, state.evidence);
                    self.touch(&id);
                    self.happen(Kind::Blocked, Some((&id, None)), detail, Some(state.verdict), None);
                    if let Some(state) = self.states.get_mut(&id) {
                        state.since = now;
                    }
                }
                (Some(old), None) => {
                    if record.device.macs.iter().any(|mac| after.cuts.contains_key(mac)) {
                        continue;
                    }
                    let detail = format!("{name} is free again ({} is over)", old.reason);
                    (record.announced, record.blocked_since) = (None, None);
                    self.touch(&id);
                    self.happen(Kind::Unblocked, Some((&id, None)), detail, None, None);
                }
                (None, None) => {}
            }
        }
    }

    /// Says what was wrong and whether it is mended, once for as long as it stays the same.
    fn report(
        &mut self,
        mut drifts: Vec<String>,
        intent: &Intent,
        after: &Observation,
        refused: Option<&BackendError>,
    ) {
        let left = Mend::between(intent, after);
        let whole = left.is_empty() && after.rules == Rules::Whole;
        // What was seen does not say why it stays so.
        if let Some(error) = refused.filter(|_| !whole && !drifts.is_empty()) {
            drifts.insert(0, Chain(error).to_string());
        }
        if !whole && drifts.is_empty() {
            let macs: Vec<String> =
                left.block.keys().chain(&left.unblock).take(MOST_NAMED).map(Mac::to_string).collect();
            drifts.push(match refused {
                Some(error) => Chain(error).to_string(),
                None => format!(
                    "the router said it did, and did not: {}",
                    if macs.is_empty() { "the gate".to_owned() } else { macs.join(", ") }
                ),
            });
        }
        if drifts.is_empty() {
            if self.drift.take().is_some() {
                self.tell(
                    Severity::Info,
                    "The router holds what it should",
                    "the drift is over",
                    "firewall-drift",
                    true,
                );
            }
            let detail = format!("{} addresses blocked, read back", after.cuts.len());
            return self.setup.shared.well.set("router", Status::Well, detail);
        }
        let more = drifts.len().saturating_sub(MOST_NAMED);
        drifts.truncate(MOST_NAMED);
        let mut what = drifts.join("; ");
        if more > 0 {
            what = format!("{what}; and {more} more");
        }
        let outcome = if whole { "repaired" } else { "not repaired; it is tried again" };
        let detail = format!("{what} ({outcome})");
        if whole {
            self.setup.shared.well.set("router", Status::Well, detail.clone());
        } else {
            let hint = "look at `sanctum firewall status` and at the router itself";
            self.setup.shared.well.set_hint("router", Status::Unwell, detail.clone(), hint);
        }
        if self.drift.as_ref() != Some(&detail) || whole {
            let verdict = if whole { Verdict::Applied } else { Verdict::Missing };
            self.happen(Kind::Drift, None, detail.clone(), Some(verdict), None);
            let severity = if whole { Severity::Warn } else { Severity::Error };
            self.tell(severity, "The router did not hold what it should", &detail, "firewall-drift", false);
        }
        self.drift = (!whole).then_some(detail);
    }

    /// The router could not be looked at: every verdict is unknown.
    fn blind(&mut self, error: &BackendError) {
        let text = Chain(error).to_string();
        let now = self.now();
        for record in self.setup.records.values() {
            if let Some(block) = plan::wanted(record, &self.setup.desired, now) {
                let since = record.blocked_since.unwrap_or(now);
                let Judged { verdict, evidence } = Judged::unknown(&text);
                let state = BlockState { block, verdict, evidence, since, looked: now };
                self.states.insert(record.device.id.clone(), state);
            }
        }
        self.observed = None;
        self.setup.shared.well.set_hint(
            "router",
            Status::Unwell,
            text.clone(),
            "see that the router is up and reachable; blocks stay as they were",
        );
        let detail = format!("could not look at the router: {text}");
        if self.drift.as_ref() != Some(&detail) {
            self.happen(Kind::Drift, None, detail.clone(), Some(Verdict::Unknown), None);
            self.tell(Severity::Error, "The router does not answer", &detail, "firewall-drift", false);
            self.drift = Some(detail);
        }
    }

    fn say_off(&self) {
        let hint = "`sanctum firewall on`, or a restart of the service, puts the rules back";
        self.setup.shared.well.set_hint(
            "router",
            Status::Unwell,
            "enforcement is switched off by a person",
            hint,
        );
    }

    /// Bytes since the last look, by device. A counter that went back began anew.
    fn usage(&mut self, seen: &Observation) {
        let mut touched = Vec::new();
        self.counted.retain(|mac, _| seen.bytes.contains_key(mac));
        for (mac, count) in &seen.bytes {
            let before = self.counted.insert(*mac, *count);
            let more = count.checked_sub(before.unwrap_or(0)).unwrap_or(*count);
            let Some(record) = self.by_mac.get(mac).and_then(|id| self.setup.records.get_mut(id)) else {
                continue;
            };
            if more > 0 && (before.is_some() || record.device.bytes == 0) {
                record.device.bytes += more;
                touched.push(record.device.id.clone());
            }
        }
        self.touch_all(&touched);
    }

    /// Strangers that the gate stopped and that nobody noticed otherwise.
    async fn knock(&mut self, seen: &Observation) {
        // One who knocks for days is one stranger, and no news.
        let news = seen.strangers.difference(&self.flood.knocked);
        let unknown: Vec<Mac> = news.filter(|mac| !self.by_mac.contains_key(*mac)).copied().collect();
        self.flood.knocked.clone_from(&seen.strangers);
        for mac in unknown {
            let seen = Seen { mac, by: By::Counter, address: None, fingerprint: None };
            Trace::start().scope(Box::pin(self.seen(seen))).await;
        }
    }

    /// Tells the people, through the notification hub; without it the house goes on.
    pub(super) fn tell(&self, severity: Severity, title: &str, message: &str, key: &str, resolved: bool) {
        let Ok(transport) = sanctum_http::connect(&self.setup.shared.peers, "notify") else { return };
        let notice = Notice {
            source: "firewall".to_owned(),
            severity,
            title: title.to_owned(),
            message: message.to_owned(),
            labels: BTreeMap::new(),
            force_channels: Vec::new(),
            actions: Vec::new(),
            url: None,
            image: None,
            dedup_key: Some(key.to_owned()),
            resolved,
        };
        let trace = Trace::current();
        self.setup.shared.tasks.spawn("tell", OnError::Log, move |stop| async move {
            let client = sanctum_api::notify::Client::new(transport);
            match stop.or(trace.scope(client.notify(&notice, None))).await {
                Some(Err(error)) => Err(Box::new(error) as Failure),
                _ => Ok(()),
            }
        });
    }
}
