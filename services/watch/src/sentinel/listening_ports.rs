//! What listens to the network, and not only to this machine, without being declared.

use sanctum_kernel::inventory::Plane;
use sanctum_kernel::{Inventory, Period};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Eyes, Listener, Seen, holder, listeners};

/// What listens to the network without being declared.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Not looked at.
    pub off: bool,
    /// How often it looks.
    pub every: Period,
    /// Ports that may listen to the network without being a service's, such as `[22]`.
    pub allow: Vec<u16>,
    /// Whether any other port that listens to the network is red; amber if not. A service of ours that does so although its
    /// address is a loopback address is red in any case.
    pub strict: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { off: false, every: Period::mins(1), allow: vec![22], strict: false }
    }
}

/// Nothing is remembered.
#[derive(Debug, Default)]
pub(super) struct Memory;

impl Config {
    pub(super) async fn look(&self, eyes: &Eyes, _: &mut Memory) -> Seen {
        let (config, inventory) = (self.clone(), eyes.inventory());
        eyes.aside(move || match listeners() {
            Some(all) => config.judge(&inventory, &all),
            None => Seen::unknown("this machine does not say what listens"),
        }).await
    }

    fn judge(&self, inventory: &Inventory, all: &[Listener]) -> Seen {
        let exposed: Vec<&Listener> = all.iter().filter(|listener| listener.is_exposed() && !self.allow.contains(&listener.port)).collect();
        let mut seen = Vec::new();
        let mut last = None;
        for listener in &exposed {
            // One port on both families is one thing to say.
            if last.replace(listener.port) == Some(listener.port) {
                continue;
            }
            let port = listener.port;
            let item = inventory.0.iter().find(|item| item.plane == Plane::Host && item.port == Some(port));
            let who = || holder(listener).map(|who| format!(", held by {who}")).unwrap_or_default();
            match item {
                Some(item) if item.address.is_some_and(|address| address.ip().is_loopback()) => {
                    let said = format!("port {port} of `{}` is open to the network{}", item.name, who());
                    seen.push(Seen::red(said).hint(format!("it should listen on {} only: find out who put something else there", item.address.map(|address| address.to_string()).unwrap_or_default())));
                }
                Some(_) => {}
                None => {
                    let said = format!("port {port} is open to the network and nobody has declared it{}", who());
                    let hint = "stop it, declare it as a service with this `port`, or add it to `allow` in `[watch.sentinel.listening-ports]`";
                    seen.push(if self.strict { Seen::red(said) } else { Seen::amber(said) }.hint(hint));
                }
            }
        }
        Seen::worst(seen, "nothing listens to the network that should not")
    }
}

#[cfg(test)]
mod tests {
    use sanctum_api::watch::Light;

    use super::*;
    use crate::anomaly::fixtures::item;

    fn socket(port: u16, ip: &str) -> Listener {
        Listener { port, ip: ip.parse().unwrap(), inode: None }
    }

    #[test]
    fn only_what_is_neither_declared_nor_allowed_is_said() {
        let mut ours = item("notify", 4077);
        ours.address = Some("127.0.0.1:4077".parse().unwrap());
        let inventory = Inventory(vec![ours, item("ha", 8123)]);
        let config = Config::default();
        let calm = [socket(22, "0.0.0.0"), socket(4077, "127.0.0.1"), socket(8123, "::"), socket(5432, "::1")];
        assert_eq!(config.judge(&inventory, &calm).light, Light::Green);
        let said = config.judge(&inventory, &[socket(6000, "0.0.0.0"), socket(6000, "::")]);
        assert_eq!((said.light, said.detail.matches("6000").count()), (Light::Amber, 1));
        assert_eq!(Config { strict: true, ..config.clone() }.judge(&inventory, &[socket(6000, "0.0.0.0")]).light, Light::Red);
        assert_eq!(config.judge(&inventory, &[socket(4077, "0.0.0.0")]).light, Light::Red);
    }
}
