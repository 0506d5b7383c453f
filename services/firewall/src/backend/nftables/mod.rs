//! A Linux router: tables of our own in `inet` and `bridge`, by netlink.

use std::sync::Arc;

use sanctum_kernel::chain::Hinted;
use sanctum_kernel::exit;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Backend;

/// Settings of the nftables router: `[firewall.nftables]`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// The bridges towards the house. What goes from one to another stays open to a blocked device.
    pub lan: Vec<String>,
    /// The house's own address ranges, such as `192.168.1.0/24`; read from the bridges if empty.
    pub prefixes: Vec<String>,
    /// The program that loads the rules, at start and for repair only.
    pub nft: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { lan: vec!["br-lan".to_owned()], prefixes: Vec::new(), nft: "nft".to_owned() }
    }
}

impl Config {
    pub(crate) fn check(&self) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        if self.lan.is_empty() {
            wrong.push(("lan", "no interface is named: nothing could be watched or blocked".to_owned()));
        }
        wrong
    }
}

pub(crate) fn open(_config: &Config) -> Result<Arc<dyn Backend>, Hinted> {
    Err(Hinted::new(exit::CONFIG, "not there yet", "use `simulated`"))
}
