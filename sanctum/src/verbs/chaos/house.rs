//! The house that is hurt: its directory, its file, its processes, and the ways to ask them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sanctum_api::supervise::{Client as Supervise, Phase, ServiceState};
use sanctum_api::watch::{Body, Client as Watch, Incident, Stage, State};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Failure, Paths, exit, files};
use tokio::time::Instant;

use super::child::SOUND;
use super::plan::{Plan, Whom};
use crate::CATALOGUE;
use crate::cli::Cli;

/// The house's own that take part.
const OWN: [&str; 4] = ["supervise", "deadman", "watch", "notify"];
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// A running house.
pub(super) struct House {
    dir: Option<tempfile::TempDir>,
    pub(super) cli: Cli,
    ports: Vec<u16>,
    up: Child,
}

/// Everything at one moment.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) services: Vec<ServiceState>,
    pub(super) incidents: Vec<Incident>,
    pub(super) body: Body,
}

impl Look {
    pub(super) fn pids(&self) -> BTreeMap<String, u32> {
        self.services.iter().filter_map(|service| Some((service.name.clone(), service.pid?))).collect()
    }

    /// Everything runs, works, and nothing is said to be wrong.
    pub(super) fn is_calm(&self) -> bool {
        self.services.iter().all(|service| service.phase == Phase::Ready)
            && self.body.nodes.iter().all(|node| node.state == State::Healthy)
            && self.incidents.iter().all(|incident| incident.stage == Stage::Resolved)
    }

    /// What keeps it from being calm.
    pub(super) fn unrest(&self) -> String {
        let services = self.services.iter().filter(|service| service.phase != Phase::Ready);
        let services = services.map(|service| format!("{} {}", service.name, service.phase.word()));
        let nodes = self.body.nodes.iter().filter(|node| node.state != State::Healthy);
        let nodes = nodes.map(|node| format!("{} {}: {}", node.name, node.state.word(), node.detail));
        let open = self.incidents.iter().filter(|incident| incident.stage != Stage::Resolved);
        let open = open.map(|incident| format!("incident {} of {}", incident.id, incident.root));
        services.chain(nodes).chain(open).collect::<Vec<_>>().join(" · ")
    }
}

impl House {
    /// Begins it; whatever comes, it is to be ended.
    pub(super) fn raise(plan: &Plan, verbose: bool) -> Result<Self, Failure> {
        let dir = tempfile::Builder::new().prefix("sanctum-chaos-").tempdir()?;
        let paths = Paths::new(dir.path().join("home"));
        paths.prepare()?;
        // All at once: what is asked for later could be one of the first.
        let mut own = free_ports(OWN.len() + plan.services.len())?;
        let ports = own.split_off(OWN.len());
        let cli = Cli { paths: paths.clone(), json: true, verbose };
        for service in &plan.services {
            let place = paths.home().join("parts").join(&service.name);
            files::private_dir(&paths.home().join("parts"))?;
            files::private_dir(&place)?;
            files::replace(&place.join("state"), SOUND.as_bytes(), 0o600)?;
        }
        let text = config(plan, &own, &ports, paths.home(), &std::env::current_exe()?);
        files::replace(&paths.config(), text.as_bytes(), 0o600)?;
        cli.settings()?;
        let log = files::append(&paths.logs().join("supervise.log"))?;
        let up = Command::new(std::env::current_exe()?)
            .arg("--home")
            .arg(paths.home())
            .args(["up", "--detached"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()?;
        Ok(Self { dir: Some(dir), cli, ports, up })
    }

    /// Waits until it is up and well.
    pub(super) async fn settled(&self) -> Result<(), Failure> {
        self.until("the house is up and well", Duration::from_mins(1), |look| look.is_calm().then_some(())).await
    }

    /// The directory of a part.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        self.cli.paths.home().join("parts").join(name)
    }

    pub(super) fn port(&self, at: usize) -> Option<u16> {
        self.ports.get(at).copied()
    }

    pub(super) async fn look(&self) -> Result<Look, Failure> {
        let services = self.supervise()?.services().await?;
        let watch = Watch::new(self.cli.transport("watch")?);
        Ok(Look { services, incidents: watch.incidents(1).await?, body: watch.body().await? })
    }

    pub(super) fn supervise(&self) -> Result<Supervise, Failure> {
        Ok(Supervise::new(self.cli.transport("supervise")?))
    }

    /// Looks until something holds. Services that do not answer meanwhile are what this is about.
    pub(super) async fn until<T>(
        &self,
        what: &str,
        patience: Duration,
        mut holds: impl FnMut(&Look) -> Option<T>,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        let mut last = "nobody answers".to_owned();
        while began.elapsed() < patience {
            match self.look().await {
                Ok(look) => match holds(&look) {
                    Some(found) => return Ok(found),
                    None => last = look.unrest(),
                },
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(LOOK).await;
        }
        let message = format!("waited {} s in vain: {what} ({last})", patience.as_secs());
        Err(Hinted::new(exit::NO, message, "`--keep` leaves the house's directory, with its logs").into())
    }

    /// The process of one of the house's own or of a part.
    pub(super) async fn pid(&self, name: &str) -> Option<u32> {
        if name == "supervise" {
            return sanctum_supervise::holder(&self.cli.paths).map(|holder| holder.pid);
        }
        self.supervise().ok()?.service(name).await.ok()?.pid
    }

    /// Ends the house; what does not end is killed.
    pub(super) async fn end(mut self, keep: bool) -> Result<Option<PathBuf>, Failure> {
        if let Ok(supervise) = self.supervise() {
            supervise.down().await.ok();
        }
        let began = Instant::now();
        while sanctum_supervise::holder(&self.cli.paths).is_some() && began.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(LOOK).await;
        }
        if let Some(holder) = sanctum_supervise::holder(&self.cli.paths) {
            signal(holder.pid, rustix::process::Signal::KILL);
        }
        sanctum_supervise::end_survivors(&self.cli.paths, Duration::from_secs(5)).await;
        self.up.kill().ok();
        self.up.wait().ok();
        let kept = self.cli.paths.home().to_owned();
        if keep {
            self.dir.take().map(tempfile::TempDir::keep);
            return Ok(Some(kept));
        }
        Ok(None)
    }
}

/// Sends a signal to a process that may be gone.
pub(super) fn signal(pid: u32, signal: rustix::process::Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        rustix::process::kill_process(pid, signal).ok();
    }
}

/// None of those that the kernel gives to whoever connects (Linux begins with them at 32768): whoever is killed must find its own
/// free when it comes back.
fn free_ports(count: usize) -> Result<Vec<u16>, Failure> {
    const FROM: u16 = 20_000;
    const BELOW: u16 = 32_768;
    let first = u16::from_le_bytes(sanctum_kernel::trace::random::<2>()) % (BELOW - FROM);
    let all = (0..BELOW - FROM).map(|at| FROM + (first + at) % (BELOW - FROM));
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let ports: Vec<u16> = all.filter(free).take(count).collect();
    if ports.len() < count { Err("too few ports below 32768 are free".into()) } else { Ok(ports) }
}

fn config(plan: &Plan, own: &[u16], ports: &[u16], home: &std::path::Path, program: &std::path::Path) -> String {
    let mut text = String::from("[listen]\n");
    let mut add = |line: std::fmt::Arguments<'_>| if text.write_fmt(line).is_err() {};
    for (name, port) in OWN.iter().zip(own) {
        add(format_args!("{name} = \"127.0.0.1:{port}\"\n"));
    }
    let others = CATALOGUE.iter().map(|entry| entry.spec.name).filter(|name| !OWN.contains(name));
    let others: Vec<String> = others.map(|name| format!("\"{name}\"")).collect();
    add(format_args!("{}", include_str!("chaos.toml").replace("@OTHERS@", &others.join(", "))));
    for (at, (service, port)) in plan.services.iter().zip(ports).enumerate() {
        let names: Vec<String> =
            service.requires.iter().map(|&need| format!("\"{}\"", plan.name(Whom::Service(need)))).collect();
        let needs: Vec<String> = service.requires.iter().filter_map(|&need| ports.get(need)).map(u16::to_string).collect();
        let requires = if needs.is_empty() { String::new() } else { format!(", \"--requires\", \"{}\"", needs.join(",")) };
        let (name, names, dir, program) = (&service.name, names.join(", "), home.join("parts").join(&service.name), program.display());
        let tier = if at % 2 == 0 { "critical" } else { "important" };
        add(format_args!(
            "\n[service.{name}]\nport = {port}\ncriticality = \"{tier}\"\nrequires = [{names}]\nheal = [\"restart\"]\n\
             check.health = {{ every = \"1s\", timeout = \"1s\", start-within = \"1s\", http = {{ url = \"http://127.0.0.1:{port}/health\", body = \"\\\"ok\\\":true\", json = {{ at = \"/skew\", max = 5.0 }} }} }}\n\
             [service.{name}.run]\ncommand = [\"{program}\", \"chaos\", \"child\", \"--port\", \"{port}\", \"--dir\", \"{dir}\"{requires}]\ngrace = \"1s\"\n\
             ready = {{ http = {{ url = \"http://127.0.0.1:{port}/alive\" }} }}\n",
            dir = dir.display()
        ));
    }
    text
}
