//! The default route: seen, remembered, set again.

use std::net::Ipv4Addr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::run::{Bounds, run};

/// A default route of IPv4.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    pub(crate) device: String,
    pub(crate) gateway: Ipv4Addr,
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
            &["route", verb, "default", "via", &gateway, "dev", &self.device, "metric", &metric]
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

/// Every default route there is now. Of the network that this thread lives in: a process may have several.
#[cfg(target_os = "linux")]
#[expect(clippy::unused_async, reason = "elsewhere a program is asked")]
pub(crate) async fn defaults() -> Result<Vec<Route>, String> {
    let path = "/proc/thread-self/net/route";
    let text = std::fs::read_to_string(path).map_err(|error| format!("could not read `{path}`: {error}"))?;
    Ok(text.lines().skip(1).filter_map(line).collect())
}

/// A line of proc(5): interface, destination, gateway, flags, …, metric, mask; addresses as the machine keeps them.
#[cfg(target_os = "linux")]
fn line(line: &str) -> Option<Route> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let hex = |at: usize| u32::from_str_radix(fields.get(at)?, 16).ok();
    // Up, and by way of a gateway.
    if hex(1)? != 0 || hex(7)? != 0 || hex(3)? & 3 != 3 {
        return None;
    }
    let gateway = Ipv4Addr::from(hex(2)?.to_ne_bytes());
    Some(Route { device: (*fields.first()?).to_owned(), gateway, metric: fields.get(6)?.parse().ok()? })
}

/// Whether the gateway can be reached without a gateway: a network of ours on that device holds it.
#[cfg(target_os = "linux")]
pub(crate) fn is_near(route: &Route) -> bool {
    let text = std::fs::read_to_string("/proc/thread-self/net/route").unwrap_or_default();
    let wanted = u32::from_ne_bytes(route.gateway.octets());
    text.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let hex = |at: usize| fields.get(at).and_then(|field| u32::from_str_radix(field, 16).ok());
        let (Some(network), Some(mask)) = (hex(1), hex(7)) else { return false };
        fields.first() == Some(&route.device.as_str()) && mask != 0 && wanted & mask == network
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
