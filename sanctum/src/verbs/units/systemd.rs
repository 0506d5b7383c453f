//! systemd.service(5), systemd.exec(5).

use sanctum_kernel::{Spec, exit};

use super::{Place, words};

/// Time for the last words after the grace.
const MARGIN: u64 = 5;

/// One unit.
pub(super) fn unit(spec: &Spec, place: &Place<'_>) -> String {
    let keeps_all = spec.name == "supervise";
    let network = keeps_all || spec.name == "firewall";
    let home = place.home.to_string_lossy();
    let needs: Vec<String> = spec.needs.iter().map(|need| format!("sanctum-{need}.service")).collect();
    let after: String = needs.iter().flat_map(|need| [" ", need]).collect();
    let binary = quote(&place.binary.to_string_lossy());
    let mut lines = vec![
        "[Unit]".to_owned(),
        format!("Description=Sanctum {}: {}", spec.house_name, spec.summary),
        format!("After=network.target{after}"),
    ];
    lines.extend((!needs.is_empty()).then(|| format!("Wants={}", needs.join(" "))));
    lines.extend([
        // It has a breaker of its own; systemd's would keep it down without a word.
        "StartLimitIntervalSec=0\n".to_owned(),
        "[Service]".to_owned(),
        format!("Type={}", if keeps_all { "notify" } else { "exec" }),
        format!("ExecStart={binary} {}", words(spec).join(" ")),
        format!("Environment={}", quote(&format!("SANCTUM_HOME={home}"))),
        format!("WorkingDirectory={}", escape(&home)),
        format!("Restart={}", if keeps_all { "always" } else { "on-failure" }),
    ]);
    // Its one loop says that it turns; a process that hangs is killed and started again, and finds its children.
    lines.extend(keeps_all.then(|| "NotifyAccess=main\nWatchdogSec=30".to_owned()));
    lines.extend([
        "RestartSec=1".to_owned(),
        format!("RestartPreventExitStatus={} {} {}", exit::USAGE, exit::NO_INPUT, exit::CONFIG),
        // Its children outlive it: the next one keeps them.
        format!("KillMode={}", if keeps_all { "process" } else { "mixed" }),
        format!("TimeoutStopSec={}", spec.grace.as_secs() + MARGIN),
        "UMask=0077\n".to_owned(),
        format!("ReadWritePaths={}", quote(&home)),
    ]);
    lines.extend(HARDENING.iter().chain(if network { ROUTER } else { OTHERS }).map(|&line| line.to_owned()));
    lines.push("\n[Install]\nWantedBy=multi-user.target\n".to_owned());
    lines.join("\n")
}

/// Nothing here keeps a service from its work: it writes only below its home, and talks only to the network.
const HARDENING: &[&str] = &[
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "PrivateTmp=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "RestrictSUIDSGID=yes",
    "RestrictRealtime=yes",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
];

/// The kernel's tables and raw packets are the work of these, so its tunables and modules stay in reach.
const ROUTER: &[&str] = &[
    "CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW",
    "AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET",
];

/// Nobody else needs any capability.
const OTHERS: &[&str] = &[
    "CapabilityBoundingSet=",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
];

/// `%` begins a specifier everywhere in a unit file.
pub(super) fn escape(text: &str) -> String {
    text.replace('%', "%%")
}

/// One word, whatever is in it.
pub(super) fn quote(text: &str) -> String {
    let escaped = escape(text).replace('\\', "\\\\").replace('"', "\\\"").replace('$', "$$");
    if escaped.contains(char::is_whitespace) { format!("\"{escaped}\"") } else { escaped }
}
