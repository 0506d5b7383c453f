//! What our own taps count: who reached the internet, what reached the console, when a DHCP client first asked.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use sanctum_kernel::{Failure, Mac};

use crate::frames::{Packet, dhcp_client, mac, packet};
use crate::net::{LAN, Net, ROUTER, TABLET_OUT, inside};
use crate::packets::{Caught, Rules, Tap};

/// A packet and when the kernel had it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passed {
    pub(crate) at: i64,
    pub(crate) packet: Packet,
}

/// Everything the taps have seen.
#[derive(Debug, Default)]
struct Seen {
    /// At the internet's end, from anybody but the tablet and the router itself.
    out: Vec<Passed>,
    /// At the console's end, from beyond the LAN.
    back: Vec<Passed>,
    /// The first request of each DHCP client since it was last forgotten.
    dhcp: BTreeMap<Mac, i64>,
    /// The first frame of any kind of an address we look for.
    first: BTreeMap<Mac, i64>,
    /// When an address was first named in the kernel's news about its rules.
    named: BTreeMap<Mac, i64>,
    /// Addresses to look for in that news.
    wanted: Vec<Mac>,
}

/// The taps; they stop when this is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    lost: Arc<AtomicU32>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

impl Watch {
    pub(crate) fn start(net: &Net) -> Result<Self, Failure> {
        let mut watch =
            Self { seen: Arc::default(), stop: Arc::default(), lost: Arc::default(), threads: Vec::new() };
        watch.tap(&net.internet, "eth0", |seen, caught, frame| {
            if let Some(packet) = packet(frame)
                .filter(|packet| !caught.outgoing && is_somebody(packet.from) && !packet.routers_own)
            {
                seen.out.push(Passed { at: caught.at, packet });
            }
        })?;
        watch.tap(&net.console, "eth0", |seen, caught, frame| {
            if let Some(packet) =
                packet(frame).filter(|packet| !caught.outgoing && !caught.foreign && is_beyond(packet.from))
            {
                seen.back.push(Passed { at: caught.at, packet });
            }
        })?;
        watch.tap(&net.router, "br-lan", |seen, caught, frame| {
            if let Some(mac) = frame.get(6..12).and_then(mac).filter(|mac| seen.wanted.contains(mac)) {
                seen.first.entry(mac).or_insert(caught.at);
            }
            if let Some(mac) = dhcp_client(frame) {
                seen.dhcp.entry(mac).or_insert(caught.at);
            }
        })?;
        watch.rules(&net.router)?;
        Ok(watch)
    }

    fn tap(
        &mut self,
        ns: &str,
        interface: &'static str,
        note: impl Fn(&mut Seen, Caught, &[u8]) + Send + 'static,
    ) -> Result<(), Failure> {
        let (seen, stop, lost) = (Arc::clone(&self.seen), Arc::clone(&self.stop), Arc::clone(&self.lost));
        let (opened, open) = std::sync::mpsc::channel();
        let thread = inside(ns, "tap", move || {
            let tap = Tap::open(interface)?;
            opened.send(()).ok();
            let mut buffer = vec![0; 65536];
            while !stop.load(Ordering::Relaxed) {
                if let Some(caught) = tap.next(&mut buffer)?
                    && let Some(frame) = buffer.get(..caught.len)
                {
                    note(&mut seen.lock().unwrap_or_else(PoisonError::into_inner), caught, frame);
                }
            }
            lost.fetch_add(tap.lost(), Ordering::Relaxed);
            Ok(())
        })?;
        self.threads.push(thread);
        open.recv().map_err(|_| Failure::from(format!("could not listen on {interface} of {ns}")))
    }

    /// The kernel tells of each change of its rules; when one names an address we look for, that moment is kept.
    fn rules(&mut self, ns: &str) -> Result<(), Failure> {
        let (seen, stop) = (Arc::clone(&self.seen), Arc::clone(&self.stop));
        let (opened, open) = std::sync::mpsc::channel();
        let thread = inside(ns, "rules", move || {
            let rules = Rules::open()?;
            opened.send(()).ok();
            let mut buffer = vec![0; 1 << 20];
            while !stop.load(Ordering::Relaxed) {
                let Some(message) = rules.next(&mut buffer)?.and_then(|len| buffer.get(..len)) else {
                    continue;
                };
                let at = crate::now();
                let seen = &mut *seen.lock().unwrap_or_else(PoisonError::into_inner);
                for mac in seen.wanted.iter().filter(|mac| message.windows(6).any(|window| window == mac.0)) {
                    seen.named.entry(*mac).or_insert(at);
                }
            }
            Ok(())
        })?;
        self.threads.push(thread);
        open.recv().map_err(|_| Failure::from("could not follow the kernel's rules"))
    }

    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins anew for an address: its next DHCP request and its next change of the rules are its first.
    pub(crate) fn expect(&self, mac: Mac) {
        self.with(|seen| {
            seen.dhcp.remove(&mac);
            seen.named.remove(&mac);
            seen.first.remove(&mac);
            seen.wanted = vec![mac];
        });
    }

    /// When this client first asked for a lease.
    pub(crate) fn asked(&self, mac: Mac) -> Option<i64> {
        self.with(|seen| seen.dhcp.get(&mac).copied())
    }

    /// When the bridge first had a frame of this address.
    pub(crate) fn first(&self, mac: Mac) -> Option<i64> {
        self.with(|seen| seen.first.get(&mac).copied())
    }

    /// When the kernel first told of a rule or an element that names this address.
    pub(crate) fn named(&self, mac: Mac) -> Option<i64> {
        self.with(|seen| seen.named.get(&mac).copied())
    }

    /// Packets that reached the internet since then, from anybody but the tablet and the router.
    pub(crate) fn out(&self, since: i64) -> Vec<Passed> {
        self.with(|seen| seen.out.iter().filter(|passed| passed.at >= since).copied().collect())
    }

    /// Packets from beyond the LAN that reached the console since then.
    pub(crate) fn back(&self, since: i64) -> Vec<Passed> {
        self.with(|seen| seen.back.iter().filter(|passed| passed.at >= since).copied().collect())
    }

    /// Ends the taps; frames they lost, or why one of them ended early.
    pub(crate) fn finish(mut self) -> Result<u32, Failure> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().map_err(|_| "a tap panicked")??;
        }
        Ok(self.lost.load(Ordering::Relaxed))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

/// Somebody of the house other than the tablet; the router may talk for itself.
fn is_somebody(from: IpAddr) -> bool {
    let name = from.to_string();
    !TABLET_OUT.contains(&name.as_str()) && !ROUTER.contains(&name.as_str()) && !stays(from)
}

/// An address beyond the LAN.
fn is_beyond(from: IpAddr) -> bool {
    let name = from.to_string();
    let here = match from {
        IpAddr::V4(_) => name.starts_with(LAN),
        IpAddr::V6(_) => name.starts_with("fd77:"),
    };
    !here && !stays(from)
}

/// An address that no router forwards (RFC 4291 §2.5.2 and §2.5.6, RFC 3927 §7).
fn stays(from: IpAddr) -> bool {
    match from {
        IpAddr::V4(four) => four.is_unspecified() || four.is_link_local(),
        IpAddr::V6(six) => six.is_unspecified() || six.is_unicast_link_local(),
    }
}

/// How many packets and bytes there are of each kind, in words.
pub(crate) fn sum(passed: &[Passed]) -> String {
    let mut kinds: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for one in passed {
        let kind = kinds.entry(one.packet.word()).or_default();
        *kind = (kind.0 + 1, kind.1 + one.packet.payload);
    }
    let words: Vec<String> =
        kinds.into_iter().map(|(kind, (packets, bytes))| format!("{kind} {packets} ({bytes} B)")).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tablet_and_the_router_are_nobody() {
        let cases = [
            ("203.0.113.10", false),
            ("203.0.113.1", false),
            ("fd77::20", false),
            ("fe80::1", false),
            ("::", false),
            ("203.0.113.11", true),
            ("10.77.0.101", true),
            ("fd77::6245:bdff:fe12:3456", true),
        ];
        for (from, expected) in cases {
            assert_eq!(is_somebody(from.parse().unwrap()), expected, "{from}");
        }
    }

    #[test]
    fn the_lan_is_not_beyond() {
        for (from, expected) in [
            ("10.77.0.1", false),
            ("fe80::5", false),
            ("fd77::1", false),
            ("203.0.113.2", true),
            ("2001:db8:113::2", true),
        ] {
            assert_eq!(is_beyond(from.parse().unwrap()), expected, "{from}");
        }
    }
}
