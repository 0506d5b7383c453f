//! The default routes of both families: seen, remembered, set again.

use std::net::IpAddr;
#[cfg(target_os = "linux")]
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::run::{Bounds, run};

/// A default route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    pub(crate) device: String,
    pub(crate) gateway: IpAddr,
    #[serde(default)]
    pub(crate) metric: u32,
}

impl Route {
    pub(crate) fn words(&self) -> String {
        format!("default via {} on {}", self.gateway, self.device)
    }

    fn arguments(&self, verb: &str) -> Vec<std::ffi::OsString> {
        let (gateway, metric) = (self.gateway.to_string(), self.metric.to_string());
        let words: &[&str] = if cfg!(target_os = "macos") {
            &["-n", if verb == "del" { "delete" } else { "add" }, "default", &gateway]
        } else {
            let family = if self.gateway.is_ipv6() { "-6" } else { "-4" };
            &[family, "route", verb, "default", "via", &gateway, "dev", &self.device, "metric", &metric]
        };
        words.iter().map(Into::into).collect()
    }

    /// `verb` is `add` or `del`; what is there afterwards is read back.
    pub(crate) async fn set(&self, verb: &str, home: &Path) -> Result<(), String> {
        let program = Path::new(if cfg!(target_os = "macos") { "/sbin/route" } else { "ip" });
        let ran = run(program, &self.arguments(verb), home, Bounds::SMALL).await;
        let ran = ran.map_err(|error| sanctum_kernel::Chain(&error).to_string())?;
        let there = defaults().await?.iter().any(|route| {
            (&route.device, route.gateway, route.metric) == (&self.device, self.gateway, self.metric)
                || (cfg!(target_os = "macos") && route.gateway == self.gateway)
        });
        match (verb, there) {
            ("add", true) | ("del", false) => Ok(()),
            _ => Err(format!("the route is not as it should be: {}", ran.words())),
        }
    }
}

/// Of the network that this thread lives in: a process may have several.
#[cfg(target_os = "linux")]
const ROUTES: &str = "/proc/thread-self/net/route";
/// Absent where the kernel knows no IPv6.
#[cfg(target_os = "linux")]
const ROUTES_6: &str = "/proc/thread-self/net/ipv6_route";
/// Flags of a route (linux/route.h, linux/ipv6_route.h): up, by way of a gateway, announced by a router.
#[cfg(target_os = "linux")]
const UP_BY_GATEWAY: u32 = 3;
#[cfg(target_os = "linux")]
const ANNOUNCED: u32 = 0x0004_0000;

/// Every default route there is now. What a router announces is not among them: it comes and goes with the announcements, and
/// is nobody else's to set.
#[cfg(target_os = "linux")]
#[expect(clippy::unused_async, reason = "elsewhere a program is asked")]
pub(crate) async fn defaults() -> Result<Vec<Route>, String> {
    let text =
        std::fs::read_to_string(ROUTES).map_err(|error| format!("could not read `{ROUTES}`: {error}"))?;
    let text_6 = std::fs::read_to_string(ROUTES_6).unwrap_or_default();
    Ok(text.lines().skip(1).filter_map(line).chain(text_6.lines().filter_map(line_6)).collect())
}

/// A line of it: destination, its length, source, its length, next hop, metric, references, uses, flags, interface; all of it in
/// hexadecimal but the last.
#[cfg(target_os = "linux")]
fn line_6(line: &str) -> Option<Route> {
    let (network, length, gateway, flags, device) = fields_6(line)?;
    let metric = u32::from_str_radix(line.split_ascii_whitespace().nth(5)?, 16).ok()?;
    let is_default = network == 0 && length == 0 && gateway != 0 && flags & UP_BY_GATEWAY == UP_BY_GATEWAY;
    let gateway = IpAddr::V6(Ipv6Addr::from_bits(gateway));
    (is_default && flags & ANNOUNCED == 0).then(|| Route { device: device.to_owned(), gateway, metric })
}

#[cfg(target_os = "linux")]
fn fields_6(line: &str) -> Option<(u128, u32, u128, u32, &str)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let address = |at: usize| u128::from_str_radix(fields.get(at)?, 16).ok();
    let number = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
    Some((address(0)?, number(1)?, address(4)?, number(8)?, fields.get(9)?))
}

/// A line of proc(5): interface, destination, gateway, flags, …, metric, mask; addresses as the machine keeps them.
#[cfg(target_os = "linux")]
fn line(line: &str) -> Option<Route> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let hex = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
    if hex(1)? != 0 || hex(7)? != 0 || hex(3)? & UP_BY_GATEWAY != UP_BY_GATEWAY {
        return None;
    }
    let gateway = IpAddr::V4(Ipv4Addr::from(hex(2)?.to_ne_bytes()));
    Some(Route { device: (*fields.first()?).to_owned(), gateway, metric: fields.get(6)?.parse().ok()? })
}

/// Whether the gateway can be reached without a gateway: a network of ours on that device holds it.
#[cfg(target_os = "linux")]
pub(crate) fn is_near(route: &Route) -> bool {
    match route.gateway {
        IpAddr::V4(gateway) => is_near_4(&route.device, gateway),
        IpAddr::V6(gateway) => is_near_6(&route.device, gateway),
    }
}

#[cfg(target_os = "linux")]
fn is_near_6(on: &str, gateway: Ipv6Addr) -> bool {
    let text = std::fs::read_to_string(ROUTES_6).unwrap_or_default();
    text.lines().filter_map(fields_6).any(|(network, length, hop, flags, device)| {
        let mask = u128::MAX.checked_shl(128 - length.min(128)).unwrap_or(0);
        device == on && hop == 0 && flags & 1 == 1 && length > 0 && gateway.to_bits() & mask == network
    })
}

#[cfg(target_os = "linux")]
fn is_near_4(on: &str, gateway: Ipv4Addr) -> bool {
    let text = std::fs::read_to_string(ROUTES).unwrap_or_default();
    let wanted = u32::from_ne_bytes(gateway.octets());
    text.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let hex = |at: usize| fields.get(at).and_then(|field| u32::from_str_radix(field, 16).ok());
        let (Some(network), Some(mask)) = (hex(1), hex(7)) else { return false };
        fields.first() == Some(&on) && mask != 0 && wanted & mask == network
    })
}

#[cfg(not(target_os = "linux"))]
pub(crate) async fn defaults() -> Result<Vec<Route>, String> {
    let arguments = ["-n", "get", "default"].map(Into::into);
    let ran = run(Path::new("/sbin/route"), &arguments, Path::new("/"), Bounds::SMALL).await;
    let ran = ran.map_err(|error| sanctum_kernel::Chain(&error).to_string())?;
    let value = |name: &str| {
        let mut lines = ran.output.lines().filter_map(|line| line.trim().split_once(':'));
        lines.find(|(key, _)| *key == name).map(|(_, value)| value.trim().to_owned())
    };
    let gateway = value("gateway").and_then(|gateway| gateway.parse().ok());
    let route = gateway.zip(value("interface"));
    Ok(route.map(|(gateway, device)| Route { device, gateway, metric: 0 }).into_iter().collect())
}

#[cfg(not(target_os = "linux"))]
pub(crate) const fn is_near(_: &Route) -> bool {
    true
}
