//! `sanctum doctor`: what would keep the house from working, and the way out of each.

use std::net::TcpListener;
use std::process::Command;

use sanctum_kernel::exit;
use sanctum_settings::{load, secrets};
use serde::Serialize;

use crate::CATALOGUE;
use crate::cli::{Cli, Outcome};
use crate::paint::Paint;

/// Look at the machine, the configuration and the house, and say what is in the way.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 0 if nothing is in the way, 1 otherwise. Warnings do not count.")]
pub(crate) struct Args {}

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Finding {
    Good,
    Warning,
    Bad,
}

#[derive(Debug, Serialize)]
struct Look {
    what: String,
    finding: Finding,
    detail: String,
    hint: Option<String>,
}

impl Look {
    fn new(what: &str, finding: Finding, detail: impl Into<String>) -> Self {
        Self { what: what.to_owned(), finding, detail: detail.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

pub(crate) fn run(_: Args, cli: &Cli) -> Outcome {
    let mut looks = vec![home(cli), configuration(cli), disk(cli), clock(), zone(cli)];
    looks.extend(ports(cli));
    looks.extend(router(cli));
    looks.extend(alive(cli));
    cli.show(&looks, |out, paint| looks.iter().try_for_each(|look| draw(out, paint, look)))?;
    let bad = looks.iter().any(|look| look.finding == Finding::Bad);
    Ok(if bad { exit::NO } else { exit::OK })
}

fn draw(out: &mut dyn std::io::Write, paint: Paint, look: &Look) -> std::io::Result<()> {
    let mark = match look.finding {
        Finding::Good => paint.green("good"),
        Finding::Warning => paint.yellow("mind"),
        Finding::Bad => paint.red("bad "),
    };
    writeln!(out, "{mark}  {}  {}", paint.bold(format!("{:<14}", look.what)), look.detail)?;
    match &look.hint {
        Some(hint) => writeln!(out, "      {:<14}  {} {hint}", "", paint.cyan("→")),
        None => Ok(()),
    }
}

fn home(cli: &Cli) -> Look {
    let home = cli.paths.home();
    match cli.paths.prepare().map(|()| tempfile::tempfile_in(cli.paths.state())) {
        Ok(Ok(_)) => Look::new("home", Finding::Good, format!("{} can be written", home.display())),
        Ok(Err(error)) => Look::new("home", Finding::Bad, format!("{} cannot be written: {error}", home.display())).hint("choose another with --home or SANCTUM_HOME"),
        Err(error) => Look::new("home", Finding::Bad, sanctum_kernel::Chain(&error).to_string()).hint("choose another with --home or SANCTUM_HOME"),
    }
}

fn configuration(cli: &Cli) -> Look {
    let path = cli.paths.config();
    if !path.exists() {
        return Look::new("configuration", Finding::Bad, format!("{} is not there", path.display())).hint("`sanctum init` writes one");
    }
    match load(&path, &CATALOGUE) {
        Ok(loaded) => match secrets(&loaded, &cli.paths) {
            None => Look::new("configuration", Finding::Good, format!("{} is good", path.display())),
            Some(problems) => Look::new("configuration", Finding::Bad, count(problems.all.len(), "secret cannot be read", "secrets cannot be read")).hint("`sanctum config check` shows which"),
        },
        Err(problems) => Look::new("configuration", Finding::Bad, count(problems.all.len(), "problem", "problems")).hint("`sanctum config check` shows them"),
    }
}

fn count(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// Less than this and SQLite's log may not grow through a busy night.
const LITTLE: u64 = 256 * 1024 * 1024;

fn disk(cli: &Cli) -> Look {
    match rustix::fs::statvfs(cli.paths.home()) {
        Ok(fs) => {
            let free = fs.f_bavail.saturating_mul(fs.f_frsize);
            let detail = format!("{} MiB free", free / 1024 / 1024);
            if free < LITTLE { Look::new("disk", Finding::Bad, detail).hint("free some space: what cannot be kept is refused") } else { Look::new("disk", Finding::Good, detail) }
        }
        Err(error) => Look::new("disk", Finding::Warning, format!("could not be asked: {error}")),
    }
}

/// The day this was written; an earlier clock is wrong.
const BUILT: &str = "2026-11-01T00:00:00Z";

fn clock() -> Look {
    let now = sanctum_kernel::Clock::system().now();
    let built: Option<jiff::Timestamp> = BUILT.parse().ok();
    if built.is_some_and(|built| now < built) {
        return Look::new("clock", Finding::Bad, format!("it shows {}: before this program was built", now.strftime("%Y-%m-%d %H:%M UTC"))).hint("set the clock, or start NTP: bedtimes depend on it");
    }
    let shown = now.strftime("%Y-%m-%d %H:%M UTC").to_string();
    if sanctum_kernel::Clock::system().discipline().is_some_and(|clock| !clock.synchronised) {
        let look = Look::new("clock", Finding::Warning, format!("{shown}; nothing keeps it right"));
        return look.hint("start NTP (`timedatectl set-ntp true`): bedtimes drift with the clock");
    }
    Look::new("clock", Finding::Good, shown)
}

fn zone(cli: &Cli) -> Look {
    match cli.settings() {
        Ok(loaded) => {
            let zone = &loaded.house.house.timezone;
            let now = sanctum_kernel::Clock::system().now().to_zoned(zone.tz());
            let look = Look::new("time zone", Finding::Good, format!("{zone}: it is {}", now.strftime("%A %H:%M")));
            if ["UTC", "Etc/UTC", "Etc/UCT", "Etc/GMT"].contains(&zone.to_string().as_str()) { Look { finding: Finding::Warning, ..look }.hint("set `timezone` in `[house]` unless you live by UTC") } else { look }
        }
        Err(_) => Look::new("time zone", Finding::Warning, "unknown until the configuration is good"),
    }
}

fn ports(cli: &Cli) -> Vec<Look> {
    let Ok(loaded) = cli.settings() else { return Vec::new() };
    let running = cli.paths.tokens().join("cli-notify").exists();
    let mut looks = Vec::new();
    for (name, addr) in loaded.addresses() {
        let Err(error) = TcpListener::bind(addr) else { continue };
        let ours = running && cli.transport(&name).is_ok_and(|to| cli.block_on(sanctum_api::transport::get::<sanctum_api::Health>(&*to, "/health")).is_ok_and(|health| answers(&health)));
        if !ours {
            looks.push(Look::new("ports", Finding::Bad, format!("{name} cannot listen on {addr}: {error}")).hint(format!("end what holds it, or set `{name}` in `[listen]`")));
        }
    }
    if looks.is_empty() {
        looks.push(Look::new("ports", Finding::Good, "every address is free, or ours"));
    }
    looks
}

/// Whether one of our services is there, be it unwell: then `/health` is a 503.
fn answers(health: &Result<sanctum_api::Health, sanctum_api::CallError>) -> bool {
    health.as_ref().map_or_else(|error| error.problem().is_some_and(|problem| problem.status == 503), |_| true)
}

/// The real router needs tools and rights; a simulated one does not.
fn router(cli: &Cli) -> Vec<Look> {
    let Ok(loaded) = cli.settings() else { return Vec::new() };
    let simulated = loaded.with_section("firewall", |section: &sanctum_kernel::section::Section<'_>| section.parse::<sanctum_firewall::Config>()).is_ok_and(|config| config.backend == sanctum_firewall::backend::Kind::simulated);
    if simulated {
        let look = Look::new("router", Finding::Warning, "the router is simulated: nothing is really blocked");
        return vec![look.hint("on a Linux router set `backend = \"nftables\"` in `[firewall]`")];
    }
    let root = rustix::process::geteuid().is_root();
    let nft = Command::new("nft").arg("--version").output().is_ok_and(|output| output.status.success());
    let tell = |ok: bool, what: &str, good: &str, bad: &str, hint: &str| match ok {
        true => Look::new(what, Finding::Good, good),
        false => Look::new(what, Finding::Bad, bad).hint(hint),
    };
    vec![
        tell(root, "rights", "root: the kernel's tables may be changed", "not root: the kernel's tables may not be changed", "run as root, or give CAP_NET_ADMIN and CAP_NET_RAW (the systemd unit does)"),
        tell(nft, "nft", "nft is there", "nft is not installed", "install the package `nftables`"),
    ]
}

fn alive(cli: &Cli) -> Vec<Look> {
    if !cli.paths.tokens().join("cli-notify").exists() {
        return vec![Look::new("house", Finding::Warning, "it is not running").hint("`sanctum up` starts it")];
    }
    let mut looks = Vec::new();
    for entry in &CATALOGUE {
        let name = entry.spec.name;
        let Ok(to) = cli.transport(name) else { continue };
        let health = cli.block_on(sanctum_api::transport::get::<sanctum_api::Health>(&*to, "/health"));
        match health {
            Ok(Ok(health)) => {
                let finding = if health.status == sanctum_kernel::Status::Well { Finding::Good } else { Finding::Warning };
                let detail = health.parts.iter().filter(|(_, part)| part.status != sanctum_kernel::Status::Well).map(|(part, said)| format!("{part}: {}", said.detail)).collect::<Vec<_>>().join("; ");
                looks.push(Look::new(name, finding, if detail.is_empty() { "well".to_owned() } else { detail }));
            }
            Ok(Err(error)) if error.problem().is_some_and(|problem| problem.status == 503) => looks.push(Look::new(name, Finding::Bad, "unwell").hint(format!("`sanctum status {name}` says why"))),
            Ok(Err(error)) => looks.push(Look::new(name, Finding::Bad, sanctum_kernel::Chain(&error).to_string()).hint(format!("`sanctum logs {name}` says why"))),
            Err(_) => {}
        }
    }
    looks
}
