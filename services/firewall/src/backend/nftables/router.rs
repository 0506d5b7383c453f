//! The backend: intentions into elements, and what the kernel shows into evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Mac, Stop, exit};
use tokio::sync::mpsc;

use super::Config;
use super::kernel::{BRIDGE, Count, Element, INET, Kernel};
use super::lan::Lan;
use super::rules::{self, Print, Wrong};
use super::ruleset;
use super::socket::Netlink;
use super::watch::Watch;
use crate::backend::{Backend, BackendError, Capabilities, Cut, Evidence, Gate, Intent, Observation, Rules, Seen, Signal, Work};

/// Ending flows walks the kernel's table once per address; for more addresses the rules alone have to do.
const MOST_FLUSHED: usize = 256;

/// EtherTypes of IPv4 and IPv6: the bridge's switch for strangers.
const PACKETS: [[u8; 2]; 2] = [[0x08, 0x00], [0x86, 0xdd]];

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
    /// The rules as they were right after we loaded them.
    ours: Mutex<Option<[Vec<Print>; 2]>>,
}

/// Opens the router, or says what is missing and the way out.
pub(crate) fn open(config: &Config) -> Result<Arc<dyn Backend>, Hinted> {
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
    let nft = Command::new(&config.nft).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if let Err(error) = nft {
        return Err(Hinted::new(
            exit::UNAVAILABLE,
            format!("the program `{}` does not run", config.nft),
            "install nftables (`apt-get install nftables`), or write its path in `[firewall.nftables] nft`",
        )
        .because(error));
    }
    let slow = Kernel::open().map_err(no_netlink)?;
    let inner = Inner { config: config.clone(), lan, quick: Mutex::new(quick), slow: Mutex::new(slow), ours: Mutex::default() };
    Ok(Arc::new(Nftables(Arc::new(inner))))
}

impl Inner {
    fn block(&self, cuts: &BTreeMap<Mac, Cut>) -> io::Result<()> {
        let macs: Vec<Mac> = cuts.iter().filter(|(_, cut)| **cut == Cut::All).map(|(mac, _)| *mac).collect();
        let mut elements: Vec<Element> = macs.iter().map(|mac| Element::mark(*mac)).collect();
        for family in [INET, BRIDGE] {
            elements.extend(macs.iter().map(|mac| Element::of(family, "blocked", *mac)));
        }
        let mut kernel = lock(&self.quick);
        kernel.add(&elements)?;
        // The rules stop every packet; ending the flows makes the connection's next life begin unknown as well.
        macs.iter().take(MOST_FLUSHED).try_for_each(|mac| kernel.end_flows(*mac))
    }

    fn unblock(&self, macs: &[Mac]) -> io::Result<()> {
        let families = [INET, BRIDGE].into_iter();
        let elements: Vec<Element> = families.flat_map(|family| macs.iter().map(move |mac| Element::of(family, "blocked", *mac))).collect();
        lock(&self.quick).delete(&elements)
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
            Element { family: INET, set: "closed", key, value: None }
        });
        let kinds = PACKETS.iter().map(|kind| Element { family: BRIDGE, set: "closed", key: kind.to_vec(), value: None });
        names.chain(kinds)
    }

    fn look(&self, mac: Mac) -> io::Result<Option<Evidence>> {
        let mut kernel = lock(&self.quick);
        let found = kernel.read(mac)?;
        if found == [None, None] {
            return Ok(None);
        }
        let leaked = [kernel.get(INET, "leaked", mac)?, kernel.get(BRIDGE, "leaked", mac)?];
        Ok(Some(evidence(found, leaked)))
    }

    fn observe(&self) -> io::Result<Observation> {
        let mut kernel = lock(&self.slow);
        let rules = self.rules(&mut kernel)?;
        let mut sets = |name: &str| -> io::Result<[BTreeMap<Mac, Count>; 2]> {
            Ok([kernel.macs(INET, name)?.unwrap_or_default(), kernel.macs(BRIDGE, name)?.unwrap_or_default()])
        };
        let (blocked, leaked, known) = (sets("blocked")?, sets("leaked")?, sets("known")?);
        let [strangers, _] = sets("strangers")?;
        let [sent, _] = sets("sent")?;
        let [_, received] = sets("received")?;
        let closed = [kernel.all(INET, "closed")?.unwrap_or_default(), kernel.all(BRIDGE, "closed")?.unwrap_or_default()];
        let offloads = kernel.offloads().unwrap_or_default();
        let get = |sets: &[BTreeMap<Mac, Count>; 2], mac: &Mac| sets.each_ref().map(|set| set.get(mac).copied());
        let all: BTreeSet<Mac> = blocked.iter().flat_map(BTreeMap::keys).copied().collect();
        let mut bytes: BTreeMap<Mac, u64> = BTreeMap::new();
        for (mac, count) in sent.iter().chain(&received) {
            *bytes.entry(*mac).or_default() += count.bytes;
        }
        let [known4, known7] = &known;
        let [closed4, closed7] = &closed;
        Ok(Observation {
            cuts: all.iter().map(|mac| (*mac, evidence(get(&blocked, mac), get(&leaked, mac)))).collect(),
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

    /// Loads both tables with everything in them, in one transaction, and remembers how the rules look.
    fn load(&self, intent: &Intent) -> io::Result<()> {
        self.nft(&["-f", "-"], &ruleset::text(&self.lan, intent))?;
        let mut kernel = lock(&self.slow);
        let gone = || io::Error::other("the tables are gone right after they were loaded");
        let prints = [kernel.rules(INET)?.ok_or_else(gone)?, kernel.rules(BRIDGE)?.ok_or_else(gone)?];
        *lock(&self.ours) = Some(prints);
        Ok(())
    }

    /// Runs nft; its complaint is the error.
    fn nft(&self, args: &[&str], input: &str) -> io::Result<String> {
        let mut child =
            Command::new(&self.config.nft).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // Taken, so that it is closed before the child is waited for. nft reads everything before it writes.
        if let Some(mut pipe) = child.stdin.take() {
            pipe.write_all(input.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(complaint.lines().next().unwrap_or("nft failed and did not say why").to_owned()))
    }
}

fn evidence(found: [Option<Count>; 2], leaked: [Option<Count>; 2]) -> Evidence {
    let whole = found.iter().all(Option::is_some);
    let [found, leaked] = [found, leaked].map(|counts| counts.map(|count| count.unwrap_or_default().packets));
    // A tripwire asks the set as well, and is counted there.
    let dropped = found.iter().zip(&leaked).map(|(found, leaked)| found.saturating_sub(*leaked)).sum();
    Evidence { cut: Cut::All, whole, dropped, leaked: leaked.iter().sum() }
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
        Capabilities { per_service: false, gate: true, evidence: true, bytes: true, push: true }
    }

    fn devices(&self) -> Work<'_, Vec<Seen>> {
        self.aside("a look at who is there", |inner| inner.lan.devices(&mut Netlink::open(None)?))
    }

    fn watch(&self, to: mpsc::Sender<Signal>, stop: Stop) -> Work<'_, ()> {
        let ours = [&self.0.quick, &self.0.slow].map(|kernel| lock(kernel).port());
        let watch = Watch::open(&self.0.lan, ours.to_vec());
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
