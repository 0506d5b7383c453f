//! The text of our two tables. They touch nobody else's: a drop in any base chain is final, so a gate at
//! forward −10 beats every `accept` that comes later, whoever wrote it.

use std::fmt::Write as _;

use sanctum_kernel::Mac;

use super::lan::Lan;
use super::learnt::Pair;
use crate::backend::{Cut, Intent};

/// The mark of an address's flows, so that one message ends them all. Derived, so that nothing needs to remember
/// it (FNV-1a over the address, 24 bits below an `S`); two addresses that share one merely lose their
/// tracked flows together.
pub(super) fn mark(mac: Mac) -> u32 {
    let hash = mac.0.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    0x5300_0000 | ((hash >> 8) ^ hash) & 0x00ff_ffff
}

/// Both tables with everything in them, to be loaded as one: there is no moment without a rule.
pub(super) fn text(lan: &Lan, intent: &Intent, pairs: &[Pair]) -> String {
    let (all, some): (Vec<_>, Vec<_>) = intent.cuts.iter().partition(|(_, cut)| **cut == Cut::All);
    let [blocked, served] = [all, some].map(|cuts| cuts.into_iter().map(|(mac, _)| *mac).collect::<Vec<Mac>>());
    let pair = |pair: &Pair| format!("{} . {} timeout {}s", pair.mac, pair.address, pair.time.as_secs().max(1));
    let names: Vec<String> = lan.names.iter().map(|name| format!("\"{name}\"")).collect();
    let sets = Sets {
        known: elements(intent.known.iter()),
        blocked: elements(blocked.iter()),
        served: elements(served.iter()),
        svc4: elements(pairs.iter().filter(|pair| pair.address.is_ipv4()).map(pair)),
        svc6: elements(pairs.iter().filter(|pair| pair.address.is_ipv6()).map(pair)),
        closed: if intent.closed { elements(names.iter()) } else { String::new() },
        lan: elements(names.iter()),
        lan4: elements(lan.v4.iter()),
        lan6: elements(lan.v6.iter()),
        marks: elements(intent.known.iter().chain(intent.cuts.keys()).collect::<std::collections::BTreeSet<_>>().into_iter().map(|mac| format!("{mac} : {:#010x}", mark(*mac)))),
    };
    let mut text = String::new();
    for family in ["inet", "bridge"] {
        // Written in this order it works whether the table is there or not.
        if writeln!(text, "table {family} sanctum\ndelete table {family} sanctum").is_err() {}
    }
    text.push_str(&sets.inet());
    text.push_str(&sets.bridge());
    text
}

/// Both tables for one bridge with nothing in them, for measurements.
pub fn bare(bridge: &str) -> String {
    let v6 = vec!["fe80::/10".to_owned()];
    text(&Lan { names: vec![bridge.to_owned()], v6, ..Lan::default() }, &Intent::default(), &[])
}

struct Sets {
    known: String,
    blocked: String,
    served: String,
    svc4: String,
    svc6: String,
    closed: String,
    lan: String,
    lan4: String,
    lan6: String,
    marks: String,
}

impl Sets {
    fn common(&self) -> String {
        let Self { known, blocked, served, svc4, svc6, lan4, lan6, .. } = self;
        format!(
            r"	set known {{ type ether_addr; size 65535; {known} }}
	set blocked {{ type ether_addr; size 65535; counter; {blocked} }}
	set served {{ type ether_addr; size 65535; {served} }}
	set svc4 {{ type ether_addr . ipv4_addr; size 65535; flags timeout; {svc4} }}
	set svc6 {{ type ether_addr . ipv6_addr; size 65535; flags timeout; {svc6} }}
	set stopped {{ type ether_addr; size 65535; flags dynamic; counter; }}
	set lan4 {{ type ipv4_addr; flags interval; auto-merge; {lan4} }}
	set lan6 {{ type ipv6_addr; flags interval; auto-merge; {lan6} }}
	set leaked {{ type ether_addr; size 65535; flags dynamic; counter; }}
"
        )
    }

    /// The LAN itself is not ours to cut: where br_netfilter is on, bridged frames come by here as well. A
    /// stranger is noted in a rule of its own, because a full set ends the rule it stands in.
    fn inet(&self) -> String {
        let Self { lan, marks, closed, .. } = self;
        let common = self.common();
        format!(
            r#"table inet sanctum {{
{common}	set closed {{ type ifname; {closed} }}
	set lan {{ type ifname; {lan} }}
	set strangers {{ type ether_addr; size 4096; flags dynamic,timeout; timeout 1d; }}
	set sent {{ type ether_addr; size 65535; flags dynamic,timeout; counter; timeout 7d; }}
	map devmark {{ type ether_addr : mark; size 65535; {marks} }}
	chain flows {{
		type filter hook prerouting priority -150; policy accept;
		iifname @lan ct state new ct mark 0x0 ct mark set ether saddr map @devmark comment "flows carry their device's mark"
	}}
	chain gate {{
		type filter hook forward priority -10; policy accept;
		iifname @lan oifname @lan return comment "the LAN stays open"
		iifname @lan ether saddr @blocked drop comment "blocked devices send nothing out"
		iifname @lan ether saddr . ip daddr @svc4 update @stopped {{ ether saddr counter }} comment "packets to blocked services are counted (ip)"
		iifname @lan ether saddr . ip daddr @svc4 drop comment "blocked services get nothing (ip)"
		iifname @lan ether saddr . ip6 daddr @svc6 update @stopped {{ ether saddr counter }} comment "packets to blocked services are counted (ip6)"
		iifname @lan ether saddr . ip6 daddr @svc6 drop comment "blocked services get nothing (ip6)"
		iifname @lan ether saddr @served tcp dport 853 drop comment "no encrypted DNS where services are blocked (tcp)"
		iifname @lan ether saddr @served udp dport 853 drop comment "no encrypted DNS where services are blocked (udp)"
		iifname @closed ether saddr != @known update @strangers {{ ether saddr }} comment "strangers are noted"
		iifname @closed ether saddr != @known drop comment "strangers send nothing out"
	}}
	chain tripwire {{
		type filter hook postrouting priority 300; policy accept;
		oifname != @lan ether saddr @blocked update @leaked {{ ether saddr counter }} comment "packets of blocked devices that got out"
		oifname != @lan ether saddr . ip daddr @svc4 update @leaked {{ ether saddr counter }} comment "packets to blocked services that got out (ip)"
		oifname != @lan ether saddr . ip6 daddr @svc6 update @leaked {{ ether saddr counter }} comment "packets to blocked services that got out (ip6)"
		oifname != @lan update @sent {{ ether saddr counter }} comment "bytes sent"
	}}
}}
"#
        )
    }

    /// What the router sends down to a device leaves through the bridge's output hook, whatever connection it
    /// belongs to. From the LAN's own addresses (the router's pages, its DHCP) it may always come.
    fn bridge(&self) -> String {
        let common = self.common();
        // A bridge's port is not its bridge, so here the switch is the kind of packet instead of the interface.
        let shut = if self.closed.is_empty() { "" } else { "elements = { 0x0800, 0x86dd };" };
        let single = "ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00";
        let (mut rules, mut trips) = (Vec::new(), Vec::new());
        for (ip, set, svc) in [("ip", "lan4", "svc4"), ("ip6", "lan6", "svc6")] {
            let from = format!("{ip} saddr != @{set}");
            rules.extend([
                format!("{from} ether daddr @blocked drop comment \"nothing reaches blocked devices ({ip})\""),
                format!("{from} ether daddr . {ip} saddr @{svc} update @stopped {{ ether daddr counter }} comment \"packets from blocked services are counted ({ip})\""),
                format!("{from} ether daddr . {ip} saddr @{svc} drop comment \"nothing comes from blocked services ({ip})\""),
                format!("ether type @closed {from} {single} ether daddr != @known drop comment \"nothing reaches strangers ({ip})\""),
            ]);
            trips.extend([
                format!("{from} ether daddr @blocked update @leaked {{ ether daddr counter }} comment \"packets that got in to blocked devices ({ip})\""),
                format!("{from} ether daddr . {ip} saddr @{svc} update @leaked {{ ether daddr counter }} comment \"packets from blocked services that got in ({ip})\""),
                format!("{from} update @received {{ ether daddr counter }} comment \"bytes received ({ip})\""),
            ]);
        }
        let (rules, trips) = (rules.join("\n\t\t"), trips.join("\n\t\t"));
        format!(
            r"table bridge sanctum {{
{common}	set closed {{ type ether_type; {shut} }}
	set received {{ type ether_addr; size 65535; flags dynamic,timeout; counter; timeout 7d; }}
	chain down {{
		type filter hook output priority 0; policy accept;
		{rules}
	}}
	chain tripwire {{
		type filter hook postrouting priority 300; policy accept;
		{trips}
	}}
}}
"
        )
    }
}

fn elements<T: ToString>(all: impl Iterator<Item = T>) -> String {
    let all: Vec<String> = all.map(|one| one.to_string()).collect();
    if all.is_empty() { String::new() } else { format!("elements = {{ {} }};", all.join(", ")) }
}
