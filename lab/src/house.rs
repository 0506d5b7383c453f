//! The real house: its configuration, its processes in the router's namespace, and our way to its services.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use sanctum_api::{Transport, firewall, screen, supervise};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::peers::read_token;
use sanctum_kernel::{Clock, Failure, Paths, Peer, exit, files};

use crate::net::{CONSOLE_MAC, Net, TABLET_MAC};
use crate::procs::{Proc, run, within};
use crate::wait;

pub(crate) const CONSOLE: &str = "ava-xbox";
pub(crate) const CONSOLE_NAME: &str = "Ava's Xbox";
pub(crate) const TABLET: &str = "grandmas-tablet";
/// The services and the ports they have by default; the router's loopback is nobody else's.
const SERVICES: [(&str, u16); 5] =
    [("firewall", 1984), ("screen", 4078), ("notify", 4077), ("dashboard", 1111), ("supervise", 2189)];

/// A house that runs; it is asked to stop when this is dropped.
#[derive(Debug)]
pub(crate) struct House {
    binary: PathBuf,
    paths: Paths,
    router: String,
    up: Option<Proc>,
    /// From `sanctum up` to every service ready.
    pub(crate) ready_ms: f64,
}

/// Tonight: a time zone in which it is the middle of the night, and the next minute in which it ends.
#[derive(Debug, Clone)]
pub(crate) struct Night {
    pub(crate) zone: String,
    pub(crate) wake: Time,
    pub(crate) wake_at: Timestamp,
}

impl Night {
    /// The clock is never faked: of all the zones of the world that differ by whole hours, one has its 02:xx now. The
    /// night ends at the first full minute that is at least `soonest` away.
    pub(crate) fn now(soonest: Duration) -> Result<Self, Failure> {
        let now = Clock::system().now();
        let names = (-14..=12).map(|hours: i32| format!("Etc/GMT{hours:+}"));
        let (zone, tz) = names
            .filter_map(|name| TimeZone::get(&name).ok().map(|tz| (name, tz)))
            .find(|(_, tz)| now.to_zoned(tz.clone()).hour() == 2)
            .ok_or("no time zone has 02:xx now: is the IANA database installed?")?;
        let earliest = now.checked_add(soonest)?.as_second();
        let wake_at = Timestamp::from_second(earliest + (60 - earliest.rem_euclid(60)))?;
        let wake = wake_at.to_zoned(tz).time();
        Ok(Self { zone, wake, wake_at })
    }

    /// A night that goes on for hours.
    pub(crate) fn long() -> Result<Self, Failure> {
        Self::now(Duration::from_hours(4))
    }

    /// What a clock on the wall shows now.
    pub(crate) fn wall(&self) -> String {
        let tz = TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC);
        Clock::system().now().to_zoned(tz).strftime("%H:%M:%S").to_string()
    }
}

/// The whole configuration.
fn config(night: &Night, sink: u16) -> String {
    let wake = night.wake.strftime("%H:%M");
    let zone = &night.zone;
    format!(
        r#"[house]
name = "The lab"
timezone = "{zone}"

[person.parent]
role = "parent"

[person.ava]
role = "child"
name = "Ava"

[device.{CONSOLE}]
name = "{CONSOLE_NAME}"
mac = ["{CONSOLE_MAC}"]
owner = "ava"
tier = "gaming"

[device.{TABLET}]
name = "Grandma's tablet"
mac = ["{TABLET_MAC}"]
tier = "exempt"

[firewall]
backend = "nftables"
reconcile = "2s"

[firewall.nftables]
lan = ["br-lan"]

[screen.schedule]
weekday = "21:30"
weekend = "21:30"
holiday = "21:30"
wake = "{wake}"
wake-guests = "{wake}"

[notify]
per-hour = 0
dedup = "1s"

[notify.roles]
phone = ["parents-phone"]

[notify.channel.webhook.parents-phone]
url = "http://127.0.0.1:{sink}/parent"
"#
    )
}

impl House {
    /// Writes a configuration, starts the real binary in the router's namespace and waits until all are ready.
    pub(crate) async fn up(binary: &Path, net: &Net, night: &Night, sink: u16) -> Result<Self, Failure> {
        let paths = Paths::new(net.dir.path().join("home"));
        paths.prepare()?;
        files::replace(&paths.config(), config(night, sink).as_bytes(), 0o600)?;
        let mut house =
            Self { binary: binary.to_owned(), paths, router: net.router.clone(), up: None, ready_ms: 0.0 };
        house.cli(&["config", "check"])?;
        let begun = crate::now();
        let log = files::append(&house.paths.logs().join("up.log"))?;
        let mut command = within(&net.router, &house.program(), &["--home", &house.home(), "up"]);
        command.stdout(log.try_clone()?).stderr(log);
        house.up = Some(Proc::start("sanctum up", command)?);
        house.until_ready().await?;
        house.ready_ms = crate::ms(crate::now() - begun);
        Ok(house)
    }

    async fn until_ready(&mut self) -> Result<(), Failure> {
        let mut last = String::from("supervise did not answer");
        let ready = wait::until("every service to be ready", 20, async || {
            if let Some(how) = self.up.as_mut().and_then(Proc::ended) {
                return Some(Err(how));
            }
            let services = self.supervise().ok()?.services().await.ok()?;
            let waiting: Vec<String> = services
                .iter()
                .filter(|one| !one.ready)
                .map(|one| format!("{} {}", one.name, one.phase.word()))
                .collect();
            last = waiting.join(", ");
            (services.len() + 1 >= SERVICES.len() && waiting.is_empty()).then_some(Ok(()))
        });
        let ready = ready.await.and_then(|ended| ended.map_err(Failure::from));
        ready.map_err(|error| {
            let said = std::fs::read_to_string(self.paths.logs().join("up.log")).unwrap_or_default();
            Hinted::new(
                exit::UNAVAILABLE,
                format!("the house did not come up: {error} ({last})"),
                format!("it said:\n{said}"),
            )
            .into()
        })
    }

    fn program(&self) -> String {
        self.binary.display().to_string()
    }

    fn home(&self) -> String {
        self.paths.home().display().to_string()
    }

    pub(crate) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The real command line, about this house.
    pub(crate) fn cli(&self, words: &[&str]) -> Result<String, Failure> {
        let home = self.home();
        run(within(&self.router, &self.program(), &[&["--home", &home], words].concat()), "")
    }

    /// The way to a service, with the command line's token.
    pub(crate) fn transport(&self, service: &str) -> Result<Arc<dyn Transport>, Failure> {
        let port = SERVICES.iter().find(|(name, _)| *name == service).map_or(0, |(_, port)| *port);
        let token = read_token(&self.paths, "cli", service)?;
        let addr = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        Ok(sanctum_http::transport(Peer { name: service.to_owned(), addr, token }))
    }

    pub(crate) fn firewall(&self) -> Result<firewall::Client, Failure> {
        Ok(firewall::Client::new(self.transport("firewall")?))
    }

    pub(crate) fn screen(&self) -> Result<screen::Client, Failure> {
        Ok(screen::Client::new(self.transport("screen")?))
    }

    pub(crate) fn supervise(&self) -> Result<supervise::Client, Failure> {
        Ok(supervise::Client::new(self.transport("supervise")?))
    }

    /// Waits until the router is armed for tonight: the console is blocked and strangers are.
    pub(crate) async fn until_armed(&self) -> Result<(), Failure> {
        wait::until("the router to be armed for tonight", 15, async || {
            let router = self.firewall().ok()?.router().await.ok()?;
            let device = self.firewall().ok()?.device(CONSOLE).await.ok()?;
            let closed = router.newcomers == firewall::Newcomers::Block
                && device.block.is_some_and(|block| is_in_force(block.verdict));
            closed.then_some(())
        })
        .await
    }

    /// The process of a service.
    pub(crate) async fn pid(&self, service: &str) -> Result<u32, Failure> {
        let state = self.supervise()?.service(service).await?;
        state.pid.ok_or_else(|| format!("`{service}` has no process").into())
    }

    /// What the services wrote last, for whoever has to find out why.
    pub(crate) fn last_words(&self) -> String {
        let Ok(logs) = std::fs::read_dir(self.paths.logs()) else { return String::new() };
        let mut names: Vec<PathBuf> = logs.flatten().map(|entry| entry.path()).collect();
        names.sort();
        let tail = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let last = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default().join("\n    ");
            format!("  {}\n    {last}\n", path.file_name().unwrap_or_default().to_string_lossy())
        };
        names.iter().map(tail).collect()
    }

    /// Stops it as a person would.
    pub(crate) fn down(&mut self) -> Result<(), Failure> {
        let asked = self.cli(&["down"]);
        if let Some(pid) = self.up.as_ref().and_then(Proc::pid)
            && !crate::procs::gone(pid, Duration::from_secs(10))
        {
            return Err("`sanctum up` still runs 10 s after `sanctum down`".into());
        }
        asked.map(drop)
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // Whatever is left then is ended with the namespace it lives in.
        self.up = None;
    }
}

/// Whether a verdict says that nothing passes.
pub(crate) fn is_in_force(verdict: firewall::Verdict) -> bool {
    matches!(verdict, firewall::Verdict::Proven | firewall::Verdict::Applied)
}

/// The binary that is tried: given, or beside ourselves.
pub(crate) fn binary(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let beside = std::env::current_exe().ok().and_then(|me| Some(me.parent()?.join("sanctum")));
    let found = given.or(beside).filter(|path| path.is_file());
    let found = found.ok_or_else(|| {
        Hinted::new(
            exit::NO_INPUT,
            "there is no `sanctum` beside this program",
            "build it (cargo build --release -p sanctum), or name it with --sanctum PATH",
        )
    })?;
    Ok(found.canonicalize()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_always_night_somewhere_and_it_ends_in_time() {
        let night = Night::now(Duration::from_secs(20)).unwrap();
        let left = night.wake_at.duration_since(Clock::system().now()).as_secs_f64();
        assert!((19.0..=80.5).contains(&left), "{left}");
        assert!(night.wall().starts_with("02:"), "{}", night.wall());
        assert_eq!(night.wake.second(), 0);
    }
}
