//! The section `[firewall]`.

use std::collections::BTreeMap;

use sanctum_kernel::{Complaint, Period};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::backend::{Kind, Kinds, nftables, simulated};

/// The bridge to the router: who is on the network, who is cut off, and the proof of it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Which router: `nftables` (this Linux machine is the router) or `simulated` (no network is touched).
    pub backend: Kind,
    /// How often what should be is compared with what is.
    pub reconcile: Period,
    /// How often a block for a made-up address is sent through the whole path.
    pub canary: Period,
    /// How long a canary may take to be visible on the router.
    pub canary_visible: Period,
    /// How long a block of single services may be missing before everything is closed instead.
    pub grace: Period,
    /// A device that comes back sooner than this has not left.
    pub away: Period,
    /// A blocked device that was silent for this long and sends again makes a new attempt.
    pub attempt_silence: Period,
    /// How long the steps of a story are kept.
    pub keep: Period,
    /// Services of your own and the domains they speak through (`valheim = ["valheimgame.com"]`), for a router that
    /// blocks by domain (`nftables`); a name that is known already gets these domains as well. A domain stands for
    /// everything below it.
    pub services: BTreeMap<String, Vec<String>>,
    /// Settings of the nftables router.
    pub nftables: nftables::Config,
    /// Settings of the simulated router.
    pub simulated: simulated::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            backend: Kind::simulated,
            reconcile: Period::secs(30),
            canary: Period::mins(20),
            canary_visible: Period::secs(40),
            grace: Period::mins(20),
            away: Period::secs(30),
            attempt_silence: Period::mins(10),
            keep: Period::hours(24 * 90),
            services: BTreeMap::new(),
            nftables: nftables::Config::default(),
            simulated: simulated::Config::default(),
        }
    }
}

impl Config {
    pub(crate) fn kinds(&self) -> Kinds {
        Kinds { nftables: self.nftables.clone(), simulated: self.simulated.clone() }
    }

    /// Everything that is wrong and that no type can say.
    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        for (key, period) in
            [("reconcile", self.reconcile), ("canary", self.canary), ("canary-visible", self.canary_visible)]
        {
            if period.0.is_zero() {
                complaints.push(
                    Complaint::new(&[key], format!("`{key}` is zero"))
                        .hint("write a length of time such as `30s`"),
                );
            }
        }
        if self.canary_visible.0 >= self.canary.0 {
            complaints.push(
                Complaint::new(&["canary-visible"], "a canary may take as long as the time to the next one")
                    .hint("keep it well below `canary`, such as `40s`"),
            );
        }
        for (name, domains) in &self.services {
            if domains.is_empty() {
                complaints.push(
                    Complaint::new(&["services", name], "no domain is named: nothing could be blocked")
                        .hint("write its domains, such as `[\"example.org\"]`"),
                );
            }
            for domain in domains.iter().filter(|domain| !crate::services::is_domain(domain)) {
                complaints.push(
                    Complaint::new(&["services", name], format!("`{domain}` is not a domain"))
                        .hint("write it without a scheme, a star or a path, such as `example.org`"),
                );
            }
        }
        for (key, message) in self.kinds().check(self.backend) {
            complaints.push(Complaint::new(&[self.backend.word(), key], message));
        }
        complaints
    }
}
