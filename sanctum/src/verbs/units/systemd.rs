//! systemd.service(5), systemd.exec(5).

use sanctum_kernel::{Spec, exit};

use super::{Place, words};

/// What the router's own tables and raw packets need; nobody else gets any capability.
const NETWORK: &str = "CAP_NET_ADMIN CAP_NET_RAW";
/// Time for the last words after the grace.
const MARGIN: u64 = 5;

/// One unit.
pub(super) fn unit(spec: &Spec, place: &Place<'_>) -> String {
    let keeps_all = spec.name == "supervise";
    let network = keeps_all || spec.name == "firewall";
    let needs: Vec<String> = spec.needs.iter().map(|need| format!("sanctum-{need}.service")).collect();
    let mut text = format!("[Unit]\nDescription=Sanctum {}: {}\n", spec.house_name, spec.summary);
    text.push_str(&format!("After={}\n", std::iter::once("network.target".to_owned()).chain(needs.clone()).collect::<Vec<_>>().join(" ")));
    if !needs.is_empty() {
        text.push_str(&format!("Wants={}\n", needs.join(" ")));
    }
    // It has a breaker of its own; systemd's would keep it down without a word.
    text.push_str("StartLimitIntervalSec=0\n");
    let command: Vec<String> = std::iter::once(quote(&place.binary.to_string_lossy())).chain(words(spec).into_iter().map(str::to_owned)).collect();
    let home = place.home.to_string_lossy();
    text.push_str(&format!("\n[Service]\nType=exec\nExecStart={}\n", command.join(" ")));
    text.push_str(&format!("Environment={}\nWorkingDirectory={}\n", quote(&format!("SANCTUM_HOME={home}")), escape(&home)));
    text.push_str(if keeps_all { "Restart=always\n" } else { "Restart=on-failure\n" });
    text.push_str(&format!("RestartSec=1\nRestartPreventExitStatus={} {} {}\n", exit::USAGE, exit::NO_INPUT, exit::CONFIG));
    text.push_str(&format!("KillMode=mixed\nTimeoutStopSec={}\nUMask=0077\n", spec.grace.as_secs() + MARGIN));
    text.push_str(&hardening(&home, network));
    text.push_str("\n[Install]\nWantedBy=multi-user.target\n");
    text
}

/// Nothing here keeps a service from its work: it writes only below its home, and talks only to the network.
fn hardening(home: &str, network: bool) -> String {
    let mut text = "\nNoNewPrivileges=yes\nProtectSystem=strict\nProtectHome=read-only\n".to_owned();
    text.push_str(&format!("ReadWritePaths={}\n", quote(home)));
    text.push_str("PrivateTmp=yes\nProtectControlGroups=yes\nProtectClock=yes\nRestrictSUIDSGID=yes\nRestrictRealtime=yes\nLockPersonality=yes\nSystemCallArchitectures=native\n");
    if network {
        // The tables of the kernel are its work: its tunables and modules stay in reach.
        text.push_str(&format!("CapabilityBoundingSet={NETWORK}\nAmbientCapabilities={NETWORK}\n"));
        text.push_str("RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET\n");
    } else {
        text.push_str("CapabilityBoundingSet=\nProtectKernelTunables=yes\nProtectKernelModules=yes\nProtectKernelLogs=yes\n");
        text.push_str("RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK\n");
    }
    text
}

/// `%` begins a specifier everywhere in a unit file.
fn escape(text: &str) -> String {
    text.replace('%', "%%")
}

/// One word, whatever is in it.
fn quote(text: &str) -> String {
    let escaped = escape(text).replace('\\', "\\\\").replace('"', "\\\"").replace('$', "$$");
    if escaped.contains(char::is_whitespace) { format!("\"{escaped}\"") } else { escaped }
}
