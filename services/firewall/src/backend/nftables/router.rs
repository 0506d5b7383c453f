//! The backend: intentions into elements, and what the kernel shows into evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Mac, Stop, exit};
use tokio::sync::mpsc;

use super::Config;
use super::kernel::{BRIDGE, Count, Element, INET, Kernel};
use super::lan::Lan;
use super::learnt::{Learnt, Pair};
use super::program;
use super::rules::{self, Print, Wrong};
use super::ruleset;
use super::socket::Netlink;
use super::watch::Watch;
use crate::backend::{Backend, BackendError, Capabilities, Cut, Evidence, Gate, Intent, Observation, Rules, Seen, Signal, Work};
use crate::dns::Answer;
use crate::services::Services;

/// Ending flows walks the kernel's table once per address; for more addresses the rules alone have to do.
const MOST_FLUSHED: usize = 256;

/// For how many times its patience an nft that hung is not tried again: every try keeps the engine waiting.
const LEFT_ALONE: u32 = 3;

/// EtherTypes of IPv4 and IPv6: the bridge's switch for strangers.
const PACKETS: [[u8; 2]; 2] = [[0x08, 0x00], [0x86, 0xdd]];

/// What blocks of single services cannot see, for people.
const LIMITS: &[&str] = &[
    "see services whose addresses a device learns elsewhere (encrypted DNS over HTTPS, a VPN, another network)",
    "tell services apart that share an address (all of them are cut off)",
];

/// The router that this machine is; clones share it.
#[derive(Debug, Clone)]
struct Nftables(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    lan: Lan,
    /// For single addresses, so that a join never waits behind a look at everything.
    quick: Mutex<Kernel>,
    slow: Mutex<Kernel>,
    /// Locked after `slow` and before `quick`.
    learnt: Mutex<Learnt>,
    /// The rules as they were right after we loaded them.
    ours: Mutex<Option<[Vec<Print>; 2]>>,
    /// When nft last hung, and what was said of it.
    hung: Mutex<Option<(Instant, String)>>,
}

/// Opens the router, or says what is missing and the way out.
pub(crate) fn open(config: &Config, services: Services) -> Result<Arc<dyn Backend>, Hinted> {
    let no_netlink = |error| {
        Hinted::new(exit::UNAVAILABLE, "the kernel offers no netlink", "see that this is a Linux machine with nftables").because(error)
    };
    let mut route = Netlink::open(None).map_err(no_netlink)?;
    let lan = Lan::look(config, &mut route)?;
    let mut quick = Kernel::open().map_err(no_netlink)?;
    quick.may().map_err(|error| match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => Hinted::new(
            exit::NO_PERMISSION,
            "changing the router's rules needs root",
            "run the firewall as root, or with the capabilities CAP_NET_ADMIN and CAP_NET_RAW",
        )
        .because(error),
        _ => Hinted::new(exit::UNAVAILABLE, "the kernel has no nftables", "load the module `nf_tables`, or use a kernel that has it").because(error),
    })?;
    // One that hangs is no reason not to start: the kernel may still hold the rules, and loading is tried again.
    let nft = program::run(&config.nft, &["--version"], "", config.patience.0);
    if let Err(error) = nft.or_else(|error| if is_there(&error) { Ok(String::new()) } else { Err(error) }) {
        return Err(Hinted::new(
            exit::UNAVAILABLE,
            format!("the program `{}` does not run", config.nft),
            "install nftables (`apt-get install nftables`), or write its path in `[firewall.nftables] nft`",
        )
        .because(error));
    }
    let slow = Kernel::open().map_err(no_netlink)?;
    let (quick, slow, learnt) = (Mutex::new(quick), Mutex::new(slow), Mutex::new(Learnt::new(services)));
    let inner = Inner { config: config.clone(), lan, quick, slow, learnt, ours: Mutex::default(), hung: Mutex::default() };
    Ok(Arc::new(Nftables(Arc::new(inner))))
}

/// Whether the program was found: what it said is another matter.
fn is_there(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput)
}

impl Inner {
    fn block(&self, cuts: &BTreeMap<Mac, Cut>) -> io::Result<()> {
        let macs: Vec<Mac> = cuts.iter().filter(|(_, cut)| **cut == Cut::All).map(|(mac, _)| *mac).collect();
        let mut elements: Vec<Element> = macs.iter().map(|mac| Element::mark(*mac)).collect();
        for family in [INET, BRIDGE] {
            elements.extend(macs.iter().map(|mac| Element::of(family, "blocked", *mac)));
        }
        let mut learnt = lock(&self.learnt);
        let mut kernel = lock(&self.quick);
        block_services(cuts, &mut learnt, &mut kernel)?;
        kernel.add(&elements)?;
        for mac in &macs {
            free_services(*mac, &mut learnt, &mut kernel)?;
        }
        // The rules stop every packet; ending the flows makes the connection's next life begin unknown as well.
        macs.iter().take(MOST_FLUSHED).try_for_each(|mac| kernel.end_flows(*mac))
    }

    fn unblock(&self, macs: &[Mac]) -> io::Result<()> {
        let families = [INET, BRIDGE].into_iter();
        let elements: Vec<Element> = families.flat_map(|family| macs.iter().map(move |mac| Element::of(family, "blocked", *mac))).collect();
        let mut learnt = lock(&self.learnt);
        let mut kernel = lock(&self.quick);
        kernel.delete(&elements)?;
        macs.iter().try_for_each(|mac| free_services(*mac, &mut learnt, &mut kernel))
    }

    fn gate(&self, gate: &Gate) -> io::Result<()> {
        let both = |macs: &[Mac]| -> Vec<Element> {
            [INET, BRIDGE].into_iter().flat_map(|family| macs.iter().map(move |mac| Element::of(family, "known", *mac))).collect()
        };
        let mut add: Vec<Element> = gate.know.iter().map(|mac| Element::mark(*mac)).collect();
        add.extend(both(&gate.know));
        let mut delete = both(&gate.forget);
        if gate.closed { &mut add } else { &mut delete }.extend(self.switch());
        let mut kernel = lock(&self.quick);
        kernel.add(&add)?;
        kernel.delete(&delete)
    }

    /// The elements that close the gate to strangers.
    fn switch(&self) -> impl Iterator<Item = Element> {
        let names = self.lan.names.iter().map(|name| {
            let mut key = name.clone().into_bytes();
            key.resize(libc::IFNAMSIZ, 0);
            Element { family: INET, set: "closed", key, value: None, timeout: None }
        });
        let kinds = PACKETS.iter().map(|kind| Element { family: BRIDGE, set: "closed", key: kind.to_vec(), value: None, timeout: None });
        names.chain(kinds)
    }

    fn look(&self, mac: Mac) -> io::Result<Option<Evidence>> {
        let learnt = lock(&self.learnt);
        let mut kernel = lock(&self.quick);
        let found = kernel.read(mac)?;
        let mut both = |set| -> io::Result<[Option<Count>; 2]> { Ok([kernel.get(INET, set, mac)?, kernel.get(BRIDGE, set, mac)?]) };
        let leaked = both("leaked")?;
        if found != [None, None] {
            return Ok(Some(evidence(found, leaked)));
        }
        let served = both("served")?;
        if served == [None, None] {
            return Ok(None);
        }
        let stopped = both("stopped")?;
        let (names, pairs) = (learnt.names(mac), learnt.held(mac, Instant::now()));
        let mut whole = served.iter().all(Option::is_some);
        for element in pairs.iter().flat_map(elements) {
            whole = whole && kernel.find(&element)?.is_some();
        }
        Ok(Some(partial(names, (whole, pairs.len()), stopped, leaked)))
    }

    fn observe(&self) -> io::Result<Observation> {
        let mut kernel = lock(&self.slow);
        // Before the kernel is asked: what is learnt from here on is not missed in it.
        let due = lock(&self.learnt).due(Instant::now());
        let rules = self.rules(&mut kernel)?;
        let mut sets = |name: &str| -> io::Result<[BTreeMap<Mac, Count>; 2]> {
            Ok([kernel.macs(INET, name)?.unwrap_or_default(), kernel.macs(BRIDGE, name)?.unwrap_or_default()])
        };
        let (blocked, leaked, known) = (sets("blocked")?, sets("leaked")?, sets("known")?);
        let (served, stopped) = (sets("served")?, sets("stopped")?);
        let [strangers, _] = sets("strangers")?;
        let [sent, _] = sets("sent")?;
        let [_, received] = sets("received")?;
        let closed = [kernel.all(INET, "closed")?.unwrap_or_default(), kernel.all(BRIDGE, "closed")?.unwrap_or_default()];
        let offloads = kernel.offloads().unwrap_or_default();
        let get = |sets: &[BTreeMap<Mac, Count>; 2], mac: &Mac| sets.each_ref().map(|set| set.get(mac).copied());
        let mut cuts = services(&due, &mut kernel, &served, |mac| (get(&stopped, mac), get(&leaked, mac)))?;
        let all: BTreeSet<Mac> = blocked.iter().flat_map(BTreeMap::keys).copied().collect();
        cuts.extend(all.iter().map(|mac| (*mac, evidence(get(&blocked, mac), get(&leaked, mac)))));
        let mut bytes: BTreeMap<Mac, u64> = BTreeMap::new();
        for (mac, count) in sent.iter().chain(&received) {
            *bytes.entry(*mac).or_default() += count.bytes;
        }
        let [known4, known7] = &known;
        let [closed4, closed7] = &closed;
        Ok(Observation {
            cuts,
            known: known4.keys().filter(|mac| known7.contains_key(*mac)).copied().collect(),
            // Half closed counts as what it is not meant to be, so that it is mended either way.
            closed: closed4.len() + closed7.len() == self.lan.names.len() + PACKETS.len(),
            half_closed: !closed4.is_empty() && closed4.len() + closed7.len() != self.lan.names.len() + PACKETS.len() || closed4.is_empty() && !closed7.is_empty(),
            rules,
            strangers: strangers.into_keys().collect(),
            bytes,
            warning: (!offloads.is_empty()).then(|| format!("flow offload is on ({}): what is offloaded walks past every rule", offloads.into_iter().collect::<Vec<_>>().join(", "))),
        })
    }

    /// Whether the rules are those that were loaded.
    fn rules(&self, kernel: &mut Kernel) -> io::Result<Rules> {
        let ours = lock(&self.ours).clone();
        let Some(ours) = ours else { return Ok(Rules::Gone("our tables are not loaded yet".to_owned())) };
        for ((family, number), ours) in [("inet", INET), ("bridge", BRIDGE)].into_iter().zip(&ours) {
            let Some(found) = kernel.rules(number)? else {
                return Ok(Rules::Gone(format!("table `{family} sanctum` is gone: the ruleset was flushed, or the table deleted or put to sleep")));
            };
            match rules::compare(family, ours, &found) {
                Some(Wrong::Missing(what)) => return Ok(Rules::Broken(what)),
                Some(Wrong::Foreign(what)) => return Ok(Rules::Foreign(what)),
                None => {}
            }
        }
        Ok(Rules::Whole)
    }

    /// An answer of the DNS went to the LAN: its addresses are cut off for whoever is not to reach that service.
    fn learn(&self, answer: &Answer) {
        let mut learnt = lock(&self.learnt);
        let pairs = learnt.learn(answer, Instant::now());
        if pairs.is_empty() {
            return;
        }
        let mut kernel = lock(&self.quick);
        // What is not there is seen at the next look, and mended.
        if let Err(error) = pairs.iter().try_for_each(|pair| kernel.renew(&elements(pair))) {
            tracing::warn!(%error, pairs = pairs.len(), "addresses of a blocked service could not be cut off yet");
        }
    }

    /// The memory, made to agree with the intention, and what the kernel has to hold because of it. What a kernel
    /// holds that we do not know of was put there by the service before a restart.
    fn remembered(&self, intent: &Intent) -> io::Result<Vec<Pair>> {
        let now = Instant::now();
        let first = lock(&self.ours).is_none();
        let before = if first { lock(&self.slow).pairs(INET)? } else { BTreeSet::new() };
        let mut learnt = lock(&self.learnt);
        for mac in learnt.macs().iter().filter(|mac| !matches!(intent.cuts.get(*mac), Some(Cut::Services(_)))) {
            learnt.free(*mac);
        }
        for (mac, cut) in &intent.cuts {
            if let Cut::Services(names) = cut {
                learnt.cut(*mac, names, now);
            }
        }
        for (mac, address) in before {
            learnt.take_over(mac, address, now);
        }
        Ok(learnt.macs().into_iter().flat_map(|mac| learnt.held(mac, now)).collect())
    }

    /// Loads both tables with everything in them, in one transaction, and remembers how the rules look.
    fn load(&self, intent: &Intent) -> io::Result<()> {
        let pairs = self.remembered(intent)?;
        self.nft(&["-f", "-"], &ruleset::text(&self.lan, intent, &pairs))?;
        let mut kernel = lock(&self.slow);
        let gone = || io::Error::other("the tables are gone right after they were loaded");
        let prints = [kernel.rules(INET)?.ok_or_else(gone)?, kernel.rules(BRIDGE)?.ok_or_else(gone)?];
        *lock(&self.ours) = Some(prints);
        Ok(())
    }

    /// Runs nft; its complaint is the error. One that hung is left alone for a while: meanwhile the engine goes on
    /// with everything that needs no nft.
    fn nft(&self, args: &[&str], input: &str) -> io::Result<String> {
        let alone = self.config.patience.0 * LEFT_ALONE;
        if let Some((hung, why)) = lock(&self.hung).as_ref().filter(|(hung, _)| hung.elapsed() < alone) {
            let left = alone.saturating_sub(hung.elapsed()).as_secs() + 1;
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("{why}; it is tried again in {left} s")));
        }
        let outcome = program::run(&self.config.nft, args, input, self.config.patience.0);
        *lock(&self.hung) = match &outcome {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Some((Instant::now(), error.to_string())),
            _ => None,
        };
        outcome
    }
}

fn evidence(found: [Option<Count>; 2], leaked: [Option<Count>; 2]) -> Evidence {
    let whole = found.iter().all(Option::is_some);
    let [found, leaked] = [found, leaked].map(|counts| counts.map(|count| count.unwrap_or_default().packets));
    // A tripwire asks the set as well, and is counted there.
    let dropped = found.iter().zip(&leaked).map(|(found, leaked)| found.saturating_sub(*leaked)).sum();
    Evidence { cut: Cut::All, whole, dropped, leaked: leaked.iter().sum(), learnt: None }
}

/// The elements of a pair, in both tables.
fn elements(pair: &Pair) -> [Element; 2] {
    [INET, BRIDGE].map(|family| Element { timeout: Some(pair.time), ..Element::pair(family, pair.mac, pair.address) })
}

/// Cuts these devices off from their services, first; then lets through what was closed beyond that.
fn block_services(cuts: &BTreeMap<Mac, Cut>, learnt: &mut Learnt, kernel: &mut Kernel) -> io::Result<()> {
    let now = Instant::now();
    for (mac, cut) in cuts {
        let Cut::Services(names) = cut else { continue };
        let fresh = !learnt.cuts_off(*mac);
        let (mut pairs, changed) = learnt.cut(*mac, names, now);
        if fresh {
            // Put there before a restart; what it was cut off from then, it stays cut off from.
            let before = kernel.pairs(INET)?;
            for (_, address) in before.into_iter().filter(|(of, _)| of == mac) {
                learnt.take_over(*mac, address, now);
            }
            pairs = learnt.held(*mac, now);
        } else if changed {
            delete_pairs(*mac, &pairs, kernel)?;
        }
        let mut add = vec![Element::mark(*mac)];
        add.extend([INET, BRIDGE].map(|family| Element::of(family, "served", *mac)));
        kernel.add(&add)?;
        pairs.iter().try_for_each(|pair| kernel.renew(&elements(pair)))?;
        kernel.delete(&[INET, BRIDGE].map(|family| Element::of(family, "blocked", *mac)))?;
        if changed && cuts.len() <= MOST_FLUSHED {
            kernel.end_flows(*mac)?;
        }
    }
    Ok(())
}

/// Lets a device reach every service again.
fn free_services(mac: Mac, learnt: &mut Learnt, kernel: &mut Kernel) -> io::Result<()> {
    learnt.free(mac);
    if kernel.get(INET, "served", mac)?.is_none() && kernel.get(BRIDGE, "served", mac)?.is_none() {
        return Ok(());
    }
    delete_pairs(mac, &[], kernel)?;
    let sets = [INET, BRIDGE].into_iter().flat_map(|family| ["served", "stopped"].map(|set| Element::of(family, set, mac)));
    kernel.delete(&sets.collect::<Vec<_>>())
}

/// Deletes everything a device is cut off from, except for these.
fn delete_pairs(mac: Mac, keep: &[Pair], kernel: &mut Kernel) -> io::Result<()> {
    for family in [INET, BRIDGE] {
        let found = kernel.pairs(family)?;
        let old = found.into_iter().filter(|(of, address)| *of == mac && !keep.iter().any(|pair| pair.address == *address));
        kernel.delete(&old.map(|(mac, address)| Element::pair(family, mac, address)).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// What the kernel shows of devices that are cut off from services; `counts` are the packets stopped and leaked.
fn services(
    due: &BTreeMap<Mac, (BTreeSet<String>, Vec<Pair>)>,
    kernel: &mut Kernel,
    served: &[BTreeMap<Mac, Count>; 2],
    counts: impl Fn(&Mac) -> ([Option<Count>; 2], [Option<Count>; 2]),
) -> io::Result<BTreeMap<Mac, Evidence>> {
    let macs: BTreeSet<Mac> = served.iter().flat_map(BTreeMap::keys).copied().collect();
    if macs.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = [kernel.pairs(INET)?, kernel.pairs(BRIDGE)?];
    let shown = macs.into_iter().map(|mac| {
        let (names, pairs) = due.get(&mac).cloned().unwrap_or_default();
        let all = pairs.iter().all(|pair| found.iter().all(|found| found.contains(&(mac, pair.address))));
        let whole = all && served.iter().all(|set| set.contains_key(&mac));
        let (stopped, leaked) = counts(&mac);
        (mac, partial(names, (whole, pairs.len()), stopped, leaked))
    });
    Ok(shown.collect())
}

/// What the kernel shows of one device that is cut off from services.
fn partial(names: BTreeSet<String>, (whole, learnt): (bool, usize), stopped: [Option<Count>; 2], leaked: [Option<Count>; 2]) -> Evidence {
    let [dropped, leaked] = [stopped, leaked].map(|counts| counts.iter().flatten().map(|count| count.packets).sum());
    Evidence { cut: Cut::Services(names), whole, dropped, leaked, learnt: Some(learnt) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A refusal of the kernel, or no answer from it.
fn failed(what: &'static str) -> impl Fn(io::Error) -> BackendError {
    move |error| {
        let reason = error.to_string();
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => BackendError::Unreachable { what, reason },
            _ => BackendError::Refused { what, reason },
        }
    }
}

impl Nftables {
    /// Work that may take milliseconds, beside the service's own.
    fn aside<T: Send + 'static>(&self, what: &'static str, work: impl FnOnce(&Inner) -> io::Result<T> + Send + 'static) -> Work<'static, T> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || work(&inner)).await;
            done.unwrap_or_else(|error| Err(io::Error::other(error))).map_err(failed(what))
        })
    }
}

impl Backend for Nftables {
    fn capabilities(&self) -> Capabilities {
        Capabilities { per_service: true, gate: true, evidence: true, bytes: true, push: true, limits: LIMITS }
    }

    fn services(&self) -> Option<BTreeSet<String>> {
        Some(lock(&self.0.learnt).services().names().clone())
    }

    fn devices(&self) -> Work<'_, Vec<Seen>> {
        self.aside("a look at who is there", |inner| inner.lan.devices(&mut Netlink::open(None)?))
    }

    fn watch(&self, to: mpsc::Sender<Signal>, stop: Stop) -> Work<'_, ()> {
        let ours = [&self.0.quick, &self.0.slow].map(|kernel| lock(kernel).port());
        let inner = Arc::clone(&self.0);
        let learn = Box::new(move |answer: &Answer| inner.learn(answer));
        let watch = Watch::open(&self.0.lan, ours.to_vec(), learn);
        Box::pin(async move {
            let watch = watch.map_err(failed("a watch over arrivals"))?;
            watch.run(to, stop).await.map_err(failed("a watch over arrivals"))
        })
    }

    fn block<'a>(&'a self, cuts: &'a BTreeMap<Mac, Cut>) -> Work<'a, ()> {
        Box::pin(async move { self.0.block(cuts).map_err(failed("a block")) })
    }

    fn unblock<'a>(&'a self, macs: &'a [Mac]) -> Work<'a, ()> {
        Box::pin(async move { self.0.unblock(macs).map_err(failed("lifting a block")) })
    }

    fn gate<'a>(&'a self, gate: &'a Gate) -> Work<'a, ()> {
        Box::pin(async move { self.0.gate(gate).map_err(failed("a change at the gate")) })
    }

    fn look(&self, mac: Mac) -> Work<'_, Option<Evidence>> {
        Box::pin(async move { self.0.look(mac).map_err(failed("a look")) })
    }

    fn observe(&self) -> Work<'_, Observation> {
        self.aside("a look at everything", Inner::observe)
    }

    fn import<'a>(&'a self, intent: &'a Intent) -> Work<'a, ()> {
        let intent = intent.clone();
        self.aside("loading the rules", move |inner| inner.load(&intent))
    }

    fn export(&self) -> Work<'_, String> {
        self.aside("an export", |inner| {
            Ok(inner.nft(&["list", "table", "inet", "sanctum"], "")? + &inner.nft(&["list", "table", "bridge", "sanctum"], "")?)
        })
    }
}
