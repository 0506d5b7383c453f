//! How long certificates last: the ones in files, the ones servers show.

use std::path::PathBuf;

use sanctum_kernel::Period;
use sanctum_kernel::inventory::check::{Certificate, Check};
use sanctum_probe::Finding;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Eyes, Seen};

/// How long certificates last.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Not looked at.
    pub off: bool,
    /// How often it looks.
    pub every: Period,
    /// PEM files.
    pub files: Vec<PathBuf>,
    /// Servers that show one, as `host:port`. Those of certificate checks of services are looked at anyway.
    pub addresses: Vec<String>,
    /// Less time than this left is amber.
    pub amber: Period,
    /// Less time than this left is red.
    pub red: Period,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            off: false,
            every: Period::hours(6),
            files: Vec::new(),
            addresses: Vec::new(),
            amber: Period::hours(24 * 21),
            red: Period::hours(24 * 7),
        }
    }
}

/// Nothing is remembered.
#[derive(Debug, Default)]
pub(super) struct Memory;

impl Config {
    pub(super) async fn look(&self, eyes: &Eyes, _: &mut Memory) -> Seen {
        let inventory = eyes.inventory();
        let declared = inventory.0.iter().flat_map(|item| item.check.values()).filter_map(|check| check.certificate.clone());
        let files = self.files.iter().map(|file| Certificate { file: Some(file.clone()), ..Certificate::default() });
        let addresses = self.addresses.iter().map(|address| Certificate { address: Some(address.clone()), ..Certificate::default() });
        let all: Vec<Certificate> = files.chain(addresses).chain(declared).collect();
        if all.is_empty() {
            return Seen::green("no certificate is declared, so none can expire");
        }
        let count = all.len();
        let mut seen = Vec::new();
        for certificate in all {
            seen.push(self.one(eyes, certificate).await);
        }
        Seen::worst(seen, format!("{count} {}, every one good for {} at least", if count == 1 { "certificate" } else { "certificates" }, self.amber))
    }

    /// Asked twice, because a check knows one limit only.
    async fn one(&self, eyes: &Eyes, certificate: Certificate) -> Seen {
        let file = certificate.file.as_ref().map(|file| file.display().to_string());
        let name = file.or_else(|| certificate.address.clone()).unwrap_or_default();
        let ask = |left| {
            let certificate = Some(Certificate { min_left: Some(left), ..certificate.clone() });
            let check = Check { certificate, ..Check::default() };
            async move { eyes.prober.ask(&check).await }
        };
        let renew = "renew it; what serves it may have to be restarted";
        let answer = ask(self.red).await;
        match answer.finding {
            Finding::Fail | Finding::Drift => return Seen::red(format!("{name}: {}", answer.detail)).hint(renew),
            Finding::Unknown => return Seen::unknown(format!("{name}: {}", answer.detail)),
            Finding::Pass => {}
        }
        let answer = ask(self.amber).await;
        match answer.finding {
            Finding::Pass => Seen::green(answer.detail),
            _ => Seen::amber(format!("{name}: {}", answer.detail)).hint(renew),
        }
    }
}
