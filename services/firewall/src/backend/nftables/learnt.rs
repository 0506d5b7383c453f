//! What was learnt from the answers of the DNS, and which addresses each device is cut off from because of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use sanctum_kernel::Mac;

use crate::dns::Answer;
use crate::services::Services;

/// An address stays cut off for at least this long after an answer: clients keep what they resolved for longer
/// than its TTL.
pub(super) const SHORTEST: Duration = Duration::from_mins(10);
/// Nor longer than this, whatever the TTL: addresses of large networks change hands.
const LONGEST: Duration = Duration::from_hours(24);
/// An address is remembered for at least this long, so that a block that begins in the middle of a film ends it.
const REMEMBERED: Duration = Duration::from_hours(2);
/// Addresses remembered, over all services.
const MOST_LEARNT: usize = 8192;
/// Addresses one device is cut off from: over all devices of a house the kernel's sets (65535) have room.
const MOST_EACH: usize = 1024;
/// What expires sooner than this may have expired in the kernel.
const SLACK: Duration = Duration::from_secs(5);
/// An answer that prolongs a cut by less than this changes nothing.
const WORTH: Duration = Duration::from_mins(1);

/// A device, an address it is cut off from, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub mac: Mac,
    pub address: IpAddr,
    pub time: Duration,
}

/// The memory.
#[derive(Debug)]
pub(super) struct Learnt {
    services: Services,
    /// Services cut off, by device.
    cuts: BTreeMap<Mac, BTreeSet<String>>,
    known: BTreeMap<(String, IpAddr), Instant>,
    /// What the kernel should hold, and until when.
    pairs: BTreeMap<Mac, BTreeMap<IpAddr, Instant>>,
}

impl Learnt {
    pub(super) const fn new(services: Services) -> Self {
        Self { services, cuts: BTreeMap::new(), known: BTreeMap::new(), pairs: BTreeMap::new() }
    }

    pub(super) const fn services(&self) -> &Services {
        &self.services
    }

    /// Takes in an answer; the pairs that the kernel should hold from now on, or for longer.
    pub(super) fn learn(&mut self, answer: &Answer, now: Instant) -> Vec<Pair> {
        let services = &self.services;
        let of: BTreeSet<String> = answer.names.iter().flat_map(|name| services.of(name)).cloned().collect();
        if of.is_empty() {
            return Vec::new();
        }
        let mut pairs = Vec::new();
        for (address, ttl) in answer.addresses.iter().filter(|(address, _)| is_somewhere(*address)) {
            let ttl = Duration::from_secs(u64::from(*ttl)).min(LONGEST);
            for service in &of {
                self.remember((service.clone(), *address), now + ttl.max(REMEMBERED), now);
            }
            let macs = self.cuts.iter().filter(|(_, cut)| !cut.is_disjoint(&of)).map(|(mac, _)| *mac);
            let time = ttl.max(SHORTEST);
            pairs.extend(macs.map(|mac| Pair { mac, address: *address, time }));
        }
        pairs.retain(|pair| self.hold(pair, now));
        pairs
    }

    fn remember(&mut self, key: (String, IpAddr), until: Instant, now: Instant) {
        if self.known.len() >= MOST_LEARNT && !self.known.contains_key(&key) {
            self.known.retain(|_, until| *until > now);
            // Still full: what would be forgotten soonest makes room.
            if self.known.len() >= MOST_LEARNT
                && let Some(oldest) = self.known.iter().min_by_key(|(_, until)| **until).map(|(key, _)| key.clone())
            {
                self.known.remove(&oldest);
            }
        }
        let held = self.known.entry(key).or_insert(until);
        *held = until.max(*held);
    }

    /// Notes a pair; whether that says something new.
    fn hold(&mut self, pair: &Pair, now: Instant) -> bool {
        let held = self.pairs.entry(pair.mac).or_default();
        held.retain(|_, until| *until > now);
        let until = now + pair.time;
        if held.get(&pair.address).is_some_and(|before| *before + WORTH > until)
            || held.len() >= MOST_EACH && !held.contains_key(&pair.address)
        {
            return false;
        }
        held.insert(pair.address, until);
        true
    }

    /// Cuts a device off from these services and no others: what the kernel should hold, and whether it is new.
    pub(super) fn cut(&mut self, mac: Mac, names: &BTreeSet<String>, now: Instant) -> (Vec<Pair>, bool) {
        let names: BTreeSet<String> = names.intersection(self.services.names()).cloned().collect();
        let changed = self.cuts.get(&mac) != Some(&names);
        if changed {
            self.pairs.remove(&mac);
        }
        let known = self.known.iter().filter(|((service, _), until)| names.contains(service) && **until > now);
        let pairs: Vec<Pair> = known.map(|((_, address), _)| Pair { mac, address: *address, time: SHORTEST }).collect();
        for pair in &pairs {
            self.hold(pair, now);
        }
        self.cuts.insert(mac, names);
        (self.held(mac, now), changed)
    }

    /// Lets a device go.
    pub(super) fn free(&mut self, mac: Mac) {
        self.cuts.remove(&mac);
        self.pairs.remove(&mac);
    }

    /// Takes over what the kernel held before we knew of it.
    pub(super) fn take_over(&mut self, mac: Mac, address: IpAddr, now: Instant) {
        if self.cuts.contains_key(&mac) {
            self.hold(&Pair { mac, address, time: SHORTEST }, now);
        }
    }

    /// The services a device is cut off from.
    pub(super) fn names(&self, mac: Mac) -> BTreeSet<String> {
        self.cuts.get(&mac).cloned().unwrap_or_default()
    }

    /// Whether a device is cut off from services, as far as we know.
    pub(super) fn cuts_off(&self, mac: Mac) -> bool {
        self.cuts.contains_key(&mac)
    }

    /// Devices that are cut off from services.
    pub(super) fn macs(&self) -> Vec<Mac> {
        self.cuts.keys().copied().collect()
    }

    /// What should be there of every device that is cut off: its services, and what the kernel has to hold.
    pub(super) fn due(&self, now: Instant) -> BTreeMap<Mac, (BTreeSet<String>, Vec<Pair>)> {
        self.cuts.iter().map(|(mac, names)| (*mac, (names.clone(), self.held(*mac, now)))).collect()
    }

    /// What the kernel has to hold of a device at `now`.
    pub(super) fn held(&self, mac: Mac, now: Instant) -> Vec<Pair> {
        let held = self.pairs.get(&mac).into_iter().flatten();
        let left = held.map(|(address, until)| (address, until.saturating_duration_since(now)));
        left.filter(|(_, time)| *time > SLACK).map(|(address, time)| Pair { mac, address: *address, time }).collect()
    }
}

/// Whether an address is that of somebody: filters answer with `0.0.0.0` and `::1`.
fn is_somewhere(address: IpAddr) -> bool {
    let nowhere = address.is_unspecified() || address.is_loopback() || address.is_multicast();
    !nowhere && !matches!(address, IpAddr::V4(v4) if v4.is_link_local() || v4.is_broadcast())
}

#[cfg(test)]
mod tests {
    use super::*;

    const XBOX: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn answer(name: &str, address: &str, ttl: u32) -> Answer {
        Answer { names: vec![name.to_owned()], addresses: vec![(address.parse().unwrap(), ttl)] }
    }

    fn names(of: &[&str]) -> BTreeSet<String> {
        of.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_was_resolved_before_a_block_is_cut_and_what_comes_later_too() {
        let mut learnt = Learnt::new(Services::with(&BTreeMap::new()));
        let now = Instant::now();
        assert!(learnt.learn(&answer("www.youtube.com", "203.0.113.3", 60), now).is_empty());
        assert!(learnt.learn(&answer("example.org", "203.0.113.2", 60), now).is_empty());
        let (pairs, changed) = learnt.cut(XBOX, &names(&["youtube"]), now);
        assert!(changed);
        assert_eq!(pairs.iter().map(|pair| pair.address.to_string()).collect::<Vec<_>>(), ["203.0.113.3"]);
        let later = learnt.learn(&answer("i.ytimg.com", "203.0.113.4", 7200), now);
        assert_eq!((later.len(), later[0].time), (1, Duration::from_hours(2)));
        assert!(learnt.learn(&answer("i.ytimg.com", "203.0.113.4", 7200), now).is_empty(), "nothing new");
        assert!(learnt.learn(&answer("i.ytimg.com", "0.0.0.0", 60), now).is_empty(), "a filter's answer");
        assert_eq!(learnt.held(XBOX, now).len(), 2);
        assert_eq!(learnt.held(XBOX, now + SHORTEST).len(), 1, "the kernel has forgotten the first");
        let (pairs, changed) = learnt.cut(XBOX, &names(&["netflix"]), now);
        assert!(changed && pairs.is_empty());
        learnt.free(XBOX);
        assert!(learnt.learn(&answer("youtube.com", "203.0.113.9", 60), now).is_empty());
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut learnt = Learnt::new(Services::with(&BTreeMap::new()));
        let now = Instant::now();
        learnt.cut(XBOX, &names(&["youtube"]), now);
        for number in 0..9_000_u32 {
            let address = std::net::Ipv4Addr::from(0x0b00_0000 + number).to_string();
            learnt.learn(&answer("youtube.com", &address, 60), now);
        }
        assert!(learnt.known.len() <= MOST_LEARNT && learnt.held(XBOX, now).len() <= MOST_EACH);
    }
}
