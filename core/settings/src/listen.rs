//! The section `[listen]`: where services listen, if not on their own port on loopback.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;

use sanctum_kernel::Catalogue;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::Problem;

/// Addresses by `service` (its listener `http`) or `service.listener`.
pub(crate) type Addresses = BTreeMap<String, SocketAddr>;

/// Every listener's address: the defaults on loopback, and what the file says instead.
pub(crate) fn addresses(
    table: Option<&Spanned<DeValue<'_>>>,
    catalogue: &Catalogue,
) -> (Addresses, Vec<Problem>) {
    let mut addresses = Addresses::new();
    for spec in catalogue.iter().map(|entry| entry.spec) {
        for listen in spec.listen {
            let addr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), listen.port);
            addresses.insert(key(spec.name, listen.name), addr);
        }
    }
    let mut problems = Vec::new();
    let mut said: BTreeMap<String, Range<usize>> = BTreeMap::new();
    match table.map(|table| (table.span(), table.get_ref().as_table())) {
        None => {}
        Some((span, None)) => problems.push(Problem::at(span, "`listen` is a section: `[listen]`")),
        Some((_, Some(table))) => read(table, &mut addresses, &mut said, &mut problems),
    }
    problems.extend(clashes(&addresses, &said));
    (addresses, problems)
}

pub(crate) fn key(service: &str, listener: &str) -> String {
    if listener == "http" { service.to_owned() } else { format!("{service}.{listener}") }
}

fn read(
    table: &DeTable<'_>,
    addresses: &mut Addresses,
    said: &mut BTreeMap<String, Range<usize>>,
    problems: &mut Vec<Problem>,
) {
    let known: Vec<String> = addresses.keys().map(|name| format!("`{name}`")).collect();
    for (name, value) in table {
        let Some(addr) = addresses.get_mut(name.get_ref().as_ref()) else {
            let problem =
                Problem::at(name.span(), format!("nothing that listens is called `{}`", name.get_ref()));
            problems.push(problem.hint(format!("these listen: {}", known.join(", "))));
            continue;
        };
        match value.get_ref().as_str().and_then(|text| text.parse().ok()) {
            Some(given) => {
                *addr = given;
                said.insert(name.get_ref().to_string(), value.span());
            }
            None => problems.push(Problem::at(value.span(), "this is not an address to listen on").hint(
                "an IP address and a port in quotes, such as `\"127.0.0.1:4077\"`; port 0 takes any free one",
            )),
        }
    }
}

/// Two listeners on one port of one address, or of an address and all of them.
fn clashes(addresses: &Addresses, said: &BTreeMap<String, Range<usize>>) -> Vec<Problem> {
    let all: Vec<_> = addresses.iter().collect();
    let mut problems = Vec::new();
    for (at, (a, first)) in all.iter().enumerate() {
        for (b, second) in all.iter().skip(at + 1) {
            let one_address =
                first.ip() == second.ip() || first.ip().is_unspecified() || second.ip().is_unspecified();
            if first.port() == 0 || first.port() != second.port() || !one_address {
                continue;
            }
            let span = said.get(*b).or_else(|| said.get(*a)).cloned();
            let message = format!("`{a}` and `{b}` would both listen on port {}", first.port());
            problems.push(Problem { message, span, hint: Some("give one of them another port".to_owned()) });
        }
    }
    problems
}
