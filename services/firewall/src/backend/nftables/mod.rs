//! A Linux router: tables of our own in `inet` and `bridge`, by netlink.

#[cfg(target_os = "linux")]
mod kernel;
#[cfg(target_os = "linux")]
mod lan;
#[cfg(target_os = "linux")]
mod learnt;
#[cfg(target_os = "linux")]
mod packet;
#[cfg(target_os = "linux")]
mod program;
#[cfg(target_os = "linux")]
mod router;
#[cfg(target_os = "linux")]
mod rules;
#[cfg(target_os = "linux")]
mod ruleset;
#[cfg(target_os = "linux")]
mod socket;
#[cfg(target_os = "linux")]
mod watch;
#[cfg(target_os = "linux")]
mod wire;

#[cfg(target_os = "linux")]
pub use kernel::{Count, Kernel};
#[cfg(target_os = "linux")]
pub(crate) use router::open;
#[cfg(target_os = "linux")]
pub use ruleset::bare;

use sanctum_kernel::Period;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::services::Services;

/// What removes everything of ours and nothing else; works with the service down, and twice.
pub const RECOVERY: &str =
    "add table inet sanctum; delete table inet sanctum; add table bridge sanctum; delete table bridge sanctum";

/// Settings of the nftables router: `[firewall.nftables]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// The bridges towards the house. What goes from one to another stays open to a blocked device.
    pub lan: Vec<String>,
    /// The house's own address ranges, such as `192.168.1.0/24`; read from the bridges' addresses if empty.
    pub prefixes: Vec<String>,
    /// The program that loads the rules, at start and for repair only.
    pub nft: String,
    /// How long that program may take (ten thousand addresses load within a second); then it is stopped, nothing it
    /// was asked for counts as done, and it is tried again.
    pub patience: Period,
}

impl Default for Config {
    fn default() -> Self {
        Self { lan: vec!["br-lan".to_owned()], prefixes: Vec::new(), nft: "nft".to_owned(), patience: Period::secs(5) }
    }
}

impl Config {
    /// Whether this machine can be the router, or what is missing and the way out.
    pub fn try_open(&self) -> Result<(), String> {
        let why = |hinted: sanctum_kernel::chain::Hinted| {
            let hint = sanctum_kernel::hint(&hinted).map(|(hint, _)| hint).unwrap_or_default();
            format!("{hinted}: {hint}")
        };
        open(self, Services::default()).map(drop).map_err(why)
    }

    pub(crate) fn check(&self) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        if self.patience.0.is_zero() {
            wrong.push(("patience", "`patience` is zero: every load would be stopped; write a length of time such as `5s`".to_owned()));
        }
        if self.lan.is_empty() {
            wrong.push(("lan", "no interface is named: nothing could be watched or blocked".to_owned()));
        }
        // Linux allows more, but these go into the text of the rules.
        let plain = |name: &str| {
            !name.is_empty() && name.len() < 16 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        for name in self.lan.iter().filter(|name| !plain(name)) {
            wrong.push(("lan", format!("`{name}` is not the name of an interface: letters, digits, `-`, `_` and `.`, at most 15")));
        }
        for prefix in self.prefixes.iter().filter(|prefix| !is_range(prefix)) {
            wrong.push(("prefixes", format!("`{prefix}` is not an address range such as `192.168.1.0/24`")));
        }
        wrong
    }
}

/// Whether `text` is an address and a length that fits.
fn is_range(text: &str) -> bool {
    text.split_once('/').is_some_and(|(at, length)| match (at.parse::<std::net::IpAddr>(), length.parse::<u8>()) {
        (Ok(at), Ok(length)) => length <= if at.is_ipv4() { 32 } else { 128 },
        _ => false,
    })
}

/// Without Linux there is no nftables.
#[cfg(not(target_os = "linux"))]
pub(crate) fn open(_: &Config, _: Services) -> Result<std::sync::Arc<dyn super::Backend>, sanctum_kernel::chain::Hinted> {
    Err(sanctum_kernel::chain::Hinted::new(
        sanctum_kernel::exit::CONFIG,
        "nftables exists on Linux only",
        "write `[firewall] backend = \"simulated\"` on this machine",
    ))
}
