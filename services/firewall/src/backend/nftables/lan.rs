//! The bridges towards the house: which they are, what is behind them, and which addresses are the house's own.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sanctum_kernel::Mac;
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::exit;

use super::Config;
use super::socket::Netlink;
use super::wire::{Builder, DUMP, Message, REQUEST, attr, text, u16_at, u32_at};
use crate::backend::{By, Seen, Signal};

/// Messages of rtnetlink (linux/rtnetlink.h).
const GET_LINK: u16 = 18;
const GET_ADDRESS: u16 = 22;
const NEW_NEIGHBOUR: u16 = 28;
const DELETE_NEIGHBOUR: u16 = 29;
const GET_NEIGHBOUR: u16 = 30;
const AF_BRIDGE: u8 = 7;
/// States of a neighbour (linux/neighbour.h): it answered, it is configured by hand, it does not speak ARP.
const REACHABLE: u16 = 0x02;
const PERMANENT: u16 = 0x80;
const NO_ARP: u16 = 0x40;
const FAILED: u16 = 0x20;
const INCOMPLETE: u16 = 0x01;

/// The LAN as the configuration names it and the kernel shows it.
#[derive(Debug, Clone, Default)]
pub(super) struct Lan {
    pub names: Vec<String>,
    pub indexes: Vec<u32>,
    pub v4: Vec<String>,
    pub v6: Vec<String>,
}

impl Lan {
    /// Looks up every configured bridge. Asks nothing that needs root.
    pub(super) fn look(config: &Config, route: &mut Netlink) -> Result<Self, Hinted> {
        let links = links(route).map_err(|error| {
            Hinted::new(exit::UNAVAILABLE, "the kernel did not list its interfaces", "see that this is a Linux machine with rtnetlink").because(error)
        })?;
        let mut lan = Self { names: config.lan.clone(), ..Self::default() };
        for name in &config.lan {
            let Some((index, kind)) = links.get(name) else {
                let bridges: Vec<&str> = links.iter().filter(|(_, (_, kind))| kind == "bridge").map(|(name, _)| name.as_str()).collect();
                let here = if bridges.is_empty() { "there is no bridge here".to_owned() } else { format!("bridges here: {}", bridges.join(", ")) };
                return Err(Hinted::new(
                    exit::CONFIG,
                    format!("there is no interface `{name}`"),
                    format!("{here}; name the one towards the house in `[firewall.nftables] lan`, or use `backend = \"simulated\"`"),
                ));
            };
            if kind != "bridge" {
                return Err(Hinted::new(
                    exit::CONFIG,
                    format!("`{name}` is not a bridge"),
                    format!("what the router sends to a device can only be stopped on a bridge: make one (`ip link add br-lan type bridge`), put `{name}` into it, and name the bridge in `[firewall.nftables] lan`"),
                ));
            }
            lan.indexes.push(*index);
        }
        let refused = |error| Hinted::new(exit::UNAVAILABLE, "the kernel did not list its addresses", "see that rtnetlink works: `ip address`").because(error);
        let prefixes = if config.prefixes.is_empty() { lan.own(route).map_err(refused)? } else { config.prefixes.clone() };
        (lan.v4, lan.v6) = prefixes.into_iter().partition(|prefix| !prefix.contains(':'));
        // Link-local addresses are the LAN's everywhere (RFC 4291 §2.5.6).
        lan.v6.push("fe80::/10".to_owned());
        lan.v6.dedup();
        Ok(lan)
    }

    /// The ranges of the bridges' own addresses.
    fn own(&self, route: &mut Netlink) -> io::Result<Vec<String>> {
        let build = |request: &mut Builder, seq| request.message(GET_ADDRESS, REQUEST | DUMP, seq, &[0; 8], |_| {});
        let read = |message: &Message<'_>, found: &mut Vec<String>| {
            let body = message.payload;
            let (Some(length), Some(index)) = (body.get(1).copied(), u32_at(body, 4)) else { return };
            if self.indexes.contains(&index) {
                found.extend(body.get(8..).and_then(|attrs| ip(attr(attrs, 1)?)).map(|at| range(at, length)));
            }
        };
        let mut ranges = route.dump(build, read)?;
        ranges.retain(|range| !range.starts_with("fe80:"));
        ranges.sort();
        ranges.dedup();
        Ok(ranges)
    }

    /// Who is there: everything the bridges have learnt, with the addresses that neighbours have.
    pub(super) fn devices(&self, route: &mut Netlink) -> io::Result<Vec<Seen>> {
        let mut here: BTreeMap<Mac, Option<IpAddr>> = BTreeMap::new();
        for family in [AF_BRIDGE, 0] {
            let head = [family, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            let build = |request: &mut Builder, seq| request.message(GET_NEIGHBOUR, REQUEST | DUMP, seq, &head, |_| {});
            for signal in route.dump(build, |message, found: &mut Vec<Signal>| found.extend(self.signal(message)))? {
                match signal {
                    Signal::Seen(seen) => {
                        let address = here.entry(seen.mac).or_default();
                        *address = address.or(seen.address);
                    }
                    Signal::Address(mac, address) => {
                        here.entry(mac).and_modify(|known| *known = known.or(Some(address)));
                    }
                    Signal::Gone(_) | Signal::Changed => {}
                }
            }
        }
        Ok(here.into_iter().map(|(mac, address)| Seen { mac, by: By::Fdb, address, fingerprint: None }).collect())
    }

    /// What a neighbour message says; `None` if it is not about a device of the LAN.
    pub(super) fn signal(&self, message: &Message<'_>) -> Option<Signal> {
        if ![NEW_NEIGHBOUR, DELETE_NEIGHBOUR].contains(&message.kind) {
            return None;
        }
        let body = message.payload;
        let (family, index, state) = (*body.first()?, u32_at(body, 4)?, u16_at(body, 8)?);
        let attrs = body.get(12..)?;
        let mac = Mac(*attr(attrs, 2)?.first_chunk()?);
        if mac.is_group() || state & (PERMANENT | NO_ARP) != 0 {
            return None;
        }
        if family == AF_BRIDGE {
            let master = attr(attrs, 9).and_then(|master| u32_at(master, 0))?;
            let mine = self.indexes.contains(&master);
            let gone = message.kind == DELETE_NEIGHBOUR;
            return mine.then(|| if gone { Signal::Gone(mac) } else { seen(mac, By::Fdb, None) });
        }
        let address = ip(attr(attrs, 1)?)?;
        if !self.indexes.contains(&index) || message.kind == DELETE_NEIGHBOUR || state & (FAILED | INCOMPLETE) != 0 {
            return None;
        }
        // Only an answer is a sign of life: other states are what the kernel remembers.
        Some(if state & REACHABLE != 0 { seen(mac, By::Neighbour, Some(address)) } else { Signal::Address(mac, address) })
    }
}

fn seen(mac: Mac, by: By, address: Option<IpAddr>) -> Signal {
    Signal::Seen(Seen { mac, by, address, fingerprint: None })
}

/// Index and kind of every interface by name.
fn links(route: &mut Netlink) -> io::Result<BTreeMap<String, (u32, String)>> {
    let build = |request: &mut Builder, seq| request.message(GET_LINK, REQUEST | DUMP, seq, &[0; 16], |_| {});
    let read = |message: &Message<'_>, found: &mut Vec<_>| {
        let Some((index, attrs)) = u32_at(message.payload, 4).zip(message.payload.get(16..)) else { return };
        let kind = attr(attrs, 18).and_then(|info| attr(info, 1)).map(text).unwrap_or_default();
        found.extend(attr(attrs, 3).map(|name| (text(name), (index, kind))));
    };
    Ok(route.dump(build, read)?.into_iter().collect())
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::V4(Ipv4Addr::from(*bytes.first_chunk::<4>()?))),
        16 => Some(IpAddr::V6(Ipv6Addr::from(*bytes.first_chunk::<16>()?))),
        _ => None,
    }
}

/// The range of an address: `10.77.0.1` and 24 make `10.77.0.0/24`.
fn range(at: IpAddr, length: u8) -> String {
    match at {
        IpAddr::V4(at) => {
            let mask = u32::MAX.checked_shl(32u32.saturating_sub(length.into())).unwrap_or(0);
            format!("{}/{length}", Ipv4Addr::from(at.to_bits() & mask))
        }
        IpAddr::V6(at) => {
            let mask = u128::MAX.checked_shl(128u32.saturating_sub(length.into())).unwrap_or(0);
            format!("{}/{length}", Ipv6Addr::from(at.to_bits() & mask))
        }
    }
}
