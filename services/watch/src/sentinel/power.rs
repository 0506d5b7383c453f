//! Mains and batteries: what the kernel (or, on a Mac, `pmset`) says.

use std::path::{Path, PathBuf};

use sanctum_kernel::{Period, files};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Eyes, Seen};

/// Mains, batteries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Not looked at.
    pub off: bool,
    /// How often it looks.
    pub every: Period,
    /// Where the kernel lists supplies of power (Linux).
    pub supplies: PathBuf,
    /// On battery with less charge than this, in percent, is red; on battery at all is amber.
    pub red: u8,
}

impl Default for Config {
    fn default() -> Self {
        Self { off: false, every: Period::mins(1), supplies: "/sys/class/power_supply".into(), red: 40 }
    }
}

/// Nothing is remembered.
#[derive(Debug, Default)]
pub(super) struct Memory;

/// One supply, as far as it says anything.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Supply {
    Mains { online: bool },
    Battery { discharging: bool, charge: Option<u8> },
}

impl Config {
    pub(super) async fn look(&self, eyes: &Eyes, _: &mut Memory) -> Seen {
        let config = self.clone();
        eyes.aside(move || {
            let supplies = if cfg!(target_os = "macos") { pmset() } else { config.listed() };
            config.judge(&supplies)
        }).await
    }

    /// `Documentation/ABI/testing/sysfs-class-power`: files `type`, `online`, `status`, `capacity`, `scope`.
    fn listed(&self) -> Vec<Supply> {
        let entries = std::fs::read_dir(&self.supplies).into_iter().flatten().flatten();
        let word = |path: &Path, file: &str| files::read(&path.join(file)).ok().map(|text| text.trim().to_owned());
        entries.filter_map(|entry| {
            let path = entry.path();
            // The battery of a mouse is not the machine's.
            if word(&path, "scope").as_deref() == Some("Device") {
                return None;
            }
            match word(&path, "type")?.as_str() {
                "Battery" | "UPS" => Some(Supply::Battery {
                    discharging: word(&path, "status").as_deref() == Some("Discharging"),
                    charge: word(&path, "capacity").and_then(|text| text.parse().ok()),
                }),
                "Mains" | "USB" => Some(Supply::Mains { online: word(&path, "online").as_deref() == Some("1") }),
                _ => None,
            }
        }).collect()
    }

    fn judge(&self, supplies: &[Supply]) -> Seen {
        let batteries: Vec<(bool, Option<u8>)> = supplies.iter().filter_map(|supply| match supply {
            Supply::Battery { discharging, charge } => Some((*discharging, *charge)),
            Supply::Mains { .. } => None,
        }).collect();
        let mains = supplies.contains(&Supply::Mains { online: true });
        let discharging = batteries.iter().any(|(discharging, _)| *discharging) && !mains;
        let charge = batteries.iter().filter_map(|(_, charge)| *charge).min();
        let left = charge.map(|charge| format!(", {charge} % left")).unwrap_or_default();
        let hint = "look at the fuse and the cable; the house goes down in order before the battery is empty if you say `sanctum down`";
        match (batteries.is_empty(), discharging) {
            (true, _) => Seen::green("it has no battery, and therefore mains"),
            (false, false) => Seen::green(format!("on mains{left}")),
            (false, true) if charge.is_some_and(|charge| charge < self.red) => Seen::red(format!("on battery{left}")).hint(hint),
            (false, true) => Seen::amber(format!("on battery{left}")).hint(hint),
        }
    }
}

/// `pmset -g batt`: `Now drawing from 'Battery Power'`, then ` -InternalBattery-0 (id=…) 73%; discharging; …`.
fn pmset() -> Vec<Supply> {
    let output = std::process::Command::new("pmset").args(["-g", "batt"]).output();
    output.map(|output| of_pmset(&String::from_utf8_lossy(&output.stdout))).unwrap_or_default()
}

fn of_pmset(text: &str) -> Vec<Supply> {
    let mains = text.contains("'AC Power'");
    let batteries = text.lines().filter(|line| line.trim_start().starts_with('-')).map(|line| {
        let charge = line.split('%').next().and_then(|head| head.split_whitespace().last()).and_then(|number| number.parse().ok());
        Supply::Battery { discharging: line.contains("discharging"), charge }
    });
    batteries.chain(mains.then_some(Supply::Mains { online: true })).collect()
}

#[cfg(test)]
mod tests {
    use sanctum_api::watch::Light;

    use super::*;

    #[test]
    fn a_mac_on_battery_is_understood() {
        let config = Config::default();
        let text = "Now drawing from 'Battery Power'\n -InternalBattery-0 (id=4653155)\t73%; discharging; 4:02 remaining present: true\n";
        assert_eq!(config.judge(&of_pmset(text)), config.judge(&[Supply::Battery { discharging: true, charge: Some(73) }]));
        assert_eq!(config.judge(&of_pmset(&text.replace("73%", "12%"))).light, Light::Red);
        let mains = "Now drawing from 'AC Power'\n -InternalBattery-0 (id=4653155)\t100%; charged; 0:00 remaining present: true\n";
        assert_eq!(config.judge(&of_pmset(mains)).light, Light::Green);
        assert_eq!(config.judge(&of_pmset("Now drawing from 'AC Power'\n")).detail, "it has no battery, and therefore mains");
    }
}
