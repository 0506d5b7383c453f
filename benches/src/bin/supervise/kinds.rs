//! Who is measured, and how each is told to keep the same children.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use sanctum_kernel::{Failure, files};
use serde_json::{Value, json};

/// A supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// posix_spawn and wait: no order, no logs, no features.
    Floor,
    Ours,
    S6,
    Runit,
    Monit,
    Pm2,
    Circus,
    Supervisord,
}

pub(crate) const ALL: [Kind; 8] =
    [Kind::Floor, Kind::Ours, Kind::S6, Kind::Runit, Kind::Pm2, Kind::Circus, Kind::Supervisord, Kind::Monit];

/// Where things are: the children's program, ours, the peers', and a place to work in.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) child: PathBuf,
    pub(crate) sanctum: PathBuf,
    pub(crate) peers: PathBuf,
}

/// Services in layers: each needs every one of the layer before.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    pub(crate) names: Vec<String>,
    pub(crate) layers: usize,
    /// Milliseconds until a child is ready.
    pub(crate) ms: u64,
}

impl Graph {
    pub(crate) fn new(count: usize, layers: usize, ms: u64) -> Self {
        Self { names: (0..count).map(|at| format!("s{at:02}")).collect(), layers, ms }
    }

    pub(crate) fn layer(&self, at: usize) -> usize {
        (at / (self.names.len() / self.layers).max(1)).min(self.layers.saturating_sub(1))
    }

    /// Names that the one at `at` needs.
    pub(crate) fn needs(&self, at: usize) -> Vec<&str> {
        let own = self.layer(at);
        let below = |(other, _): &(usize, &String)| self.layer(*other) + 1 == own;
        self.names.iter().enumerate().filter(below).map(|(_, name)| name.as_str()).collect()
    }
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Ours => "sanctum",
            Self::S6 => "s6",
            Self::Runit => "runit",
            Self::Monit => "monit",
            Self::Pm2 => "pm2",
            Self::Circus => "circus",
            Self::Supervisord => "supervisord",
        }
    }

    /// Those that wait about a second before each start are killed less often.
    pub(crate) const fn is_slow(self) -> bool {
        matches!(self, Self::Monit | Self::Circus | Self::Supervisord)
    }

    fn program(self, places: &Places) -> PathBuf {
        let peers = &places.peers;
        match self {
            Self::Floor => std::env::current_exe().unwrap_or_default(),
            Self::Ours => places.sanctum.clone(),
            // Where its parts lie is built into it: it is installed or not there.
            Self::S6 => PathBuf::from("/usr/bin/s6-svscan"),
            Self::Runit => peers.join("debian/usr/bin/runsvdir"),
            Self::Monit => peers.join("debian/usr/bin/monit"),
            Self::Pm2 => peers.join("pm2/node_modules/.bin/pm2-runtime"),
            Self::Circus => peers.join("circus/bin/circusd"),
            Self::Supervisord => peers.join("supervisor/bin/supervisord"),
        }
    }

    pub(crate) fn is_there(self, places: &Places) -> bool {
        self.program(places).exists()
    }

    #[expect(clippy::too_many_lines, reason = "a table: each peer after the other")]
    /// Writes what it needs into `dir` and says how it is started; `more` is for ours only.
    pub(crate) fn prepare(
        self,
        places: &Places,
        dir: &Path,
        graph: &Graph,
        more: &str,
    ) -> Result<Command, Failure> {
        let mut command = Command::new(self.program(places));
        let child = places.child.display().to_string();
        let ms = graph.ms;
        match self {
            Self::Floor => {
                command.args(["--floor", &child, &ms.to_string()]).args(&graph.names);
            }
            Self::Ours => {
                write(&dir.join("sanctum.toml"), &ours(places, dir, graph, more)?)?;
                command.arg("--home").arg(dir).arg("up");
            }
            Self::S6 | Self::Runit => {
                for name in &graph.names {
                    let fd = if self == Self::S6 { "3" } else { "-1" };
                    let service = dir.join("sv").join(name);
                    script(&service.join("run"), &format!("#!/bin/sh\nexec {child} {name} {ms} {fd}\n"))?;
                    if self == Self::S6 {
                        write(&service.join("notification-fd"), "3\n")?;
                    }
                }
                command.arg(dir.join("sv"));
            }
            Self::Monit => {
                write(&dir.join("monitrc"), &monit(&child, dir, graph)?)?;
                command.arg("-I").arg("-c").arg(dir.join("monitrc"));
            }
            Self::Pm2 => {
                let app = |name: &String| json!({ "name": name, "script": child, "args": format!("{name} {ms}"), "interpreter": "none", "exec_mode": "fork", "autorestart": true, "out_file": "/dev/null", "error_file": "/dev/null" });
                let apps: Vec<Value> = graph.names.iter().map(app).collect();
                write(&dir.join("eco.json"), &json!({ "apps": apps }).to_string())?;
                command.env("PM2_HOME", dir.join("pm2")).arg("start").arg(dir.join("eco.json"));
            }
            Self::Circus => {
                let mut text = format!(
                    "[circus]\ncheck_delay = 1\nendpoint = ipc://{0}/e\npubsub_endpoint = ipc://{0}/p\n",
                    dir.display()
                );
                for (at, name) in graph.names.iter().enumerate() {
                    let priority = 100 - graph.layer(at);
                    write!(
                        text,
                        "[watcher:{name}]\ncmd = {child} {name} {ms}\ncopy_env = True\npriority = {priority}\n"
                    )?;
                }
                write(&dir.join("c.ini"), &text)?;
                command.arg(dir.join("c.ini"));
            }
            Self::Supervisord => {
                let mut text = format!(
                    "[supervisord]\nnodaemon=true\nlogfile={0}/sd.log\npidfile={0}/sd.pid\nchildlogdir={0}\n",
                    dir.display()
                );
                for (at, name) in graph.names.iter().enumerate() {
                    let priority = graph.layer(at);
                    write!(
                        text,
                        "[program:{name}]\ncommand={child} {name} {ms}\nautorestart=true\nstartsecs=1\npriority={priority}\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
                    )?;
                }
                write(&dir.join("c.conf"), &text)?;
                command.arg("-c").arg(dir.join("c.conf"));
            }
        }
        let debian = places.peers.join("debian");
        if matches!(self, Self::Runit | Self::Monit) {
            let path = std::env::var("PATH").unwrap_or_default();
            command.env("PATH", format!("{}:{path}", debian.join("usr/bin").display()));
            let libs = [
                debian.join("usr/lib/x86_64-linux-gnu"),
                debian.join("usr/lib/aarch64-linux-gnu"),
                debian.join("lib/x86_64-linux-gnu"),
            ];
            command.env("LD_LIBRARY_PATH", libs.map(|lib| lib.display().to_string()).join(":"));
        }
        Ok(command)
    }
}

/// The whole configuration of ours: only the supervisor and the children.
fn ours(places: &Places, dir: &Path, graph: &Graph, more: &str) -> Result<String, Failure> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let head = format!(
        "[house]\ntimezone = \"UTC\"\n[listen]\nsupervise = \"{port}\"\n[firewall]\nbackend = \"simulated\"\n"
    );
    write(&dir.join("sanctum.toml"), &head)?;
    let asked = Command::new(&places.sanctum).arg("--home").arg(dir).args(["ports", "--json"]).output()?;
    let known: Vec<Value> = serde_json::from_slice(&asked.stdout)?;
    let others = known.iter().filter_map(|port| port["service"].as_str()).filter(|name| *name != "supervise");
    let disabled: Vec<&str> = others.collect();
    let mut text = format!(
        "{head}[supervise]\ndisabled = {disabled:?}\n\
         [supervise.backoff]\nreset-after = \"1s\"\n[supervise.breaker]\nfailures = 1000\n{more}"
    );
    let child = places.child.display().to_string();
    let sock = dir.join("b.sock").display().to_string();
    for (at, name) in graph.names.iter().enumerate() {
        let needs = graph.needs(at);
        write!(
            text,
            "\n[service.{name}]\nrequires = {needs:?}\n[service.{name}.run]\ncommand = [{child:?}, {name:?}, \"{}\"]\nnotify = true\n\
             [service.{name}.run.environment]\nBENCH_SOCK = {sock:?}\n",
            graph.ms
        )?;
    }
    Ok(text)
}

fn monit(child: &str, dir: &Path, graph: &Graph) -> Result<String, Failure> {
    let place = dir.display();
    let mut text = format!(
        "set daemon 1\nset log {place}/log\nset pidfile {place}/m.pid\nset idfile {place}/m.id\nset statefile {place}/m.st\n"
    );
    for (at, name) in graph.names.iter().enumerate() {
        let start = dir.join("st").join(name);
        script(
            &start,
            &format!(
                "#!/bin/sh\nexport BENCH_SOCK={place}/b.sock\nsetsid {child} {name} {} </dev/null >/dev/null 2>&1 &\necho $! >{place}/{name}.pid\n",
                graph.ms
            ),
        )?;
        write!(
            text,
            "check process {name} with pidfile {place}/{name}.pid\n  start program = \"{}\"\n",
            start.display()
        )?;
        for need in graph.needs(at) {
            writeln!(text, "  depends on {need}")?;
        }
    }
    Ok(text)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    Ok(files::replace(path, text.as_bytes(), 0o600)?)
}

fn script(path: &Path, text: &str) -> Result<(), Failure> {
    write(path, text)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}
