//! The whole house: how soon it is up, and what it costs when nothing happens.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sanctum_api::supervise::{Client, ServiceState};
use sanctum_kernel::peers::read_token;
use sanctum_kernel::{Failure, Paths, Peer, files};
use serde_json::json;

const HELP: &str = "\
The whole house, every service as a process of its own, in a directory and on ports of its own.

Usage: house [--starts N] [--settle SECONDS] [--watch SECONDS] [--json] [--sanctum PATH]

  --starts N         How often it is started to measure `sanctum up` to all ready [default: 7]
  --settle SECONDS   How long the last one is left alone before it is looked at [default: 20]
  --watch SECONDS    How long its use of the processor is counted [default: 30]
  --json             The numbers as JSON
  --sanctum PATH     The binary [default: `sanctum` beside this program]

Bars: up to all ready in 1 s (median), 120 MB PSS, 0.5 % CPU.
";

const SERVICES: [&str; 5] = ["firewall", "screen", "notify", "dashboard", "supervise"];
/// The bars: milliseconds, bytes, per cent of one core.
const BARS: (f64, f64, f64) = (1000.0, 120e6, 0.5);

/// Clock ticks a second in `/proc`: USER_HZ is 100 on every Linux that Rust runs on but Alpha (time(7)).
const TICKS: f64 = 100.0;

struct Args {
    starts: usize,
    settle: Duration,
    watch: Duration,
    json: bool,
    sanctum: PathBuf,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match parse(&words) {
        Ok(Some(args)) => run(&args),
        Ok(None) => say(HELP).map(|()| true),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            writeln!(std::io::stderr().lock(), "house: {error}").ok();
            ExitCode::FAILURE
        }
    }
}

fn say(text: &str) -> Result<(), Failure> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}

fn parse(words: &[String]) -> Result<Option<Args>, Failure> {
    let beside = std::env::current_exe()?.parent().map(|dir| dir.join("sanctum")).unwrap_or_default();
    let mut args = Args {
        starts: 7,
        settle: Duration::from_secs(20),
        watch: Duration::from_secs(30),
        json: false,
        sanctum: beside,
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| Failure::from(format!("`{word}` needs a value")));
        match word.as_str() {
            "-h" | "--help" => return Ok(None),
            "--json" => args.json = true,
            "--starts" => args.starts = value()?.parse::<usize>()?.max(1),
            "--settle" => args.settle = Duration::from_secs(value()?.parse()?),
            "--watch" => args.watch = Duration::from_secs(value()?.parse::<u64>()?.max(1)),
            "--sanctum" => args.sanctum = PathBuf::from(value()?),
            other => return Err(format!("`{other}` is no option; `--help` lists them").into()),
        }
    }
    if !args.sanctum.is_file() {
        return Err(format!(
            "there is no `{}`: build it with `cargo build --release -p sanctum`",
            args.sanctum.display()
        )
        .into());
    }
    Ok(Some(args))
}

/// A house that runs; it is ended with all its processes when this is dropped.
struct House {
    paths: Paths,
    supervise: SocketAddr,
    up: Child,
    ready: Duration,
}

impl House {
    /// Starts it and waits until every service is ready.
    async fn up(sanctum: &Path, home: &Path) -> Result<Self, Failure> {
        let paths = Paths::new(home);
        paths.prepare()?;
        // Ports that were free a moment ago; all are held until all are known.
        let held = SERVICES.map(|service| (service, TcpListener::bind(("127.0.0.1", 0))));
        let mut lines = String::from("[listen]\n");
        let mut addrs = BTreeMap::new();
        for (service, listener) in held {
            let addr = listener?.local_addr()?;
            lines.push_str(&format!("{service} = \"{addr}\"\n"));
            addrs.insert(service, addr);
        }
        let config = format!(
            "{lines}\n[person.parent]\nrole = \"parent\"\n\n[person.ava]\nrole = \"child\"\n\n[device.ava-xbox]\nmac = [\"60:45:bd:12:34:56\"]\nowner = \"ava\"\ntier = \"gaming\"\n"
        );
        files::replace(&paths.config(), config.as_bytes(), 0o600)?;
        let supervise = *addrs.get("supervise").ok_or("supervise has no address")?;
        let log = files::append(&paths.logs().join("up.log"))?;
        let begun = Instant::now();
        let up = Command::new(sanctum)
            .arg("--home")
            .arg(home)
            .arg("up")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut house = Self { paths, supervise, up, ready: Duration::ZERO };
        house.until_ready(begun).await?;
        Ok(house)
    }

    async fn services(&self) -> Option<Vec<ServiceState>> {
        let token = read_token(&self.paths, "cli", "supervise").ok()?;
        let peer = Peer { name: "supervise".to_owned(), addr: self.supervise, token };
        Client::new(sanctum_http::transport(peer)).services().await.ok()
    }

    async fn until_ready(&mut self, begun: Instant) -> Result<(), Failure> {
        while begun.elapsed() < Duration::from_secs(30) {
            if let Some(how) = self.up.try_wait()? {
                return self.up_said(&format!("`sanctum up` ended with {how}"));
            }
            let states = self.services().await.unwrap_or_default();
            if states.len() + 1 >= SERVICES.len() && states.iter().all(|state| state.ready) {
                self.ready = begun.elapsed();
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.up_said("it was not ready within 30 s")
    }

    fn up_said(&self, why: &str) -> Result<(), Failure> {
        let said = files::read(&self.paths.logs().join("up.log"))?;
        Err(format!("{why}; it said:\n{said}").into())
    }

    /// Every process of the house: `sanctum up` and all that descend from it.
    fn processes(&self) -> Vec<u32> {
        let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                Some((pid, stat(pid)?.first()?.parse().ok()?))
            })
            .collect();
        let mut ours = vec![self.up.id()];
        loop {
            let more: Vec<u32> = parents
                .iter()
                .filter(|(pid, parent)| ours.contains(parent) && !ours.contains(pid))
                .map(|(pid, _)| *pid)
                .collect();
            if more.is_empty() {
                return ours;
            }
            ours.extend(more);
        }
    }

    /// Asks it to stop and waits until it has.
    fn down(&mut self) {
        let ours = self.processes();
        let told = i32::try_from(self.up.id())
            .ok()
            .and_then(Pid::from_raw)
            .is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
        let end = Instant::now() + Duration::from_secs(15);
        while told && Instant::now() < end {
            if self.up.try_wait().ok().flatten().is_some() {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        for pid in ours.into_iter().filter_map(|pid| i32::try_from(pid).ok()).filter_map(Pid::from_raw) {
            kill_process(pid, Signal::KILL).ok();
        }
        self.up.wait().ok();
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.down();
    }
}

/// The fields of `/proc/PID/stat` after the state: parent first (proc(5), field 4).
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.split(' ').skip(1).map(str::to_owned).collect())
}

/// Clock ticks spent so far, in user and kernel mode (proc(5), fields 14 and 15).
fn ticks(pid: u32) -> Option<u64> {
    let fields = stat(pid)?;
    Some(fields.get(10)?.parse::<u64>().ok()? + fields.get(11)?.parse::<u64>().ok()?)
}

/// What a process is called, by the service it runs.
fn name(pid: u32) -> String {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<String> =
        line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let known = words.iter().find(|word| SERVICES.contains(&word.as_str()));
    known.cloned().unwrap_or_else(|| {
        if words.iter().any(|word| word == "up") { "supervise".to_owned() } else { words.join(" ") }
    })
}

/// Proportional set size in bytes: shared pages count by share, so that the sum is what the house really takes.
fn pss(pid: u32) -> Option<f64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find(|line| line.starts_with("Pss:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? * 1024.0)
}

fn run(args: &Args) -> Result<bool, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut ready = Vec::new();
        for _ in 1..args.starts {
            let home = tempfile::tempdir()?;
            ready.push(House::up(&args.sanctum, home.path()).await?.ready);
        }
        let home = tempfile::tempdir()?;
        let house = House::up(&args.sanctum, home.path()).await?;
        ready.push(house.ready);
        tokio::time::sleep(args.settle).await;
        let before: BTreeMap<u32, u64> =
            house.processes().into_iter().filter_map(|pid| Some((pid, ticks(pid)?))).collect();
        let since = Instant::now();
        tokio::time::sleep(args.watch).await;
        let watched = since.elapsed().as_secs_f64();
        let used: Vec<Used> = before
            .iter()
            .map(|(pid, begun)| {
                let spent = f64::from(
                    u32::try_from(ticks(*pid).unwrap_or(*begun).saturating_sub(*begun)).unwrap_or(u32::MAX),
                );
                Used {
                    name: name(*pid),
                    bytes: pss(*pid).unwrap_or(f64::INFINITY),
                    cpu: spent / TICKS / watched * 100.0,
                }
            })
            .collect();
        report(args, ready, &used)
    })
}

struct Used {
    name: String,
    bytes: f64,
    cpu: f64,
}

fn report(args: &Args, mut ready: Vec<Duration>, used: &[Used]) -> Result<bool, Failure> {
    ready.sort();
    let millis: Vec<f64> = ready.iter().map(|ready| ready.as_secs_f64() * 1e3).collect();
    let median = millis.get(millis.len() / 2).copied().unwrap_or(f64::NAN);
    let (bytes, cpu): (f64, f64) =
        (used.iter().map(|one| one.bytes).sum(), used.iter().map(|one| one.cpu).sum());
    let held = (median <= BARS.0, bytes <= BARS.1, cpu <= BARS.2);
    if args.json {
        let processes: Vec<_> = used
            .iter()
            .map(|one| json!({ "name": one.name, "pss_bytes": one.bytes, "cpu_percent": one.cpu }))
            .collect();
        say(&format!(
            "{:#}",
            json!({
                "ready_ms": { "median": median, "all": millis, "bar": BARS.0, "holds": held.0 },
                "pss_bytes": { "sum": bytes, "bar": BARS.1, "holds": held.1 },
                "cpu_percent": { "sum": cpu, "bar": BARS.2, "holds": held.2 },
                "processes": processes,
            })
        ))?;
        return Ok(held == (true, true, true));
    }
    let mark = |holds: bool| if holds { "holds" } else { "FAILS" };
    say(&format!("{:<34}{:>12}{:>12}", "the whole house", "seen", "bar"))?;
    let spread = (millis.first().copied().unwrap_or_default(), millis.last().copied().unwrap_or_default());
    say(&format!(
        "{:<34}{:>9.0} ms{:>9.0} ms  {}   {} starts, {:.0} to {:.0} ms",
        "`sanctum up` to all ready, median",
        median,
        BARS.0,
        mark(held.0),
        millis.len(),
        spread.0,
        spread.1
    ))?;
    say(&format!(
        "{:<34}{:>9.1} MB{:>9.0} MB  {}",
        "idle: PSS of all processes",
        bytes / 1e6,
        BARS.1 / 1e6,
        mark(held.1)
    ))?;
    say(&format!(
        "{:<34}{:>10.2} %{:>10.1} %  {}   over {} s",
        "idle: CPU of all processes",
        cpu,
        BARS.2,
        mark(held.2),
        args.watch.as_secs()
    ))?;
    for one in used {
        say(&format!("  {:<32}{:>9.1} MB{:>10.2} %", one.name, one.bytes / 1e6, one.cpu))?;
    }
    Ok(held == (true, true, true))
}
