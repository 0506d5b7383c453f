//! Gateways of language models as processes: our own binary, and the peers that `tools/peers` installs.

mod peers;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sanctum_kernel::Paths;
use sanctum_kernel::peers::read_token;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

/// The peers there are start commands for.
pub const PEERS: [&str; 7] =
    ["smg", "smg-anthropic", "ferrogw", "ferrogw-anthropic", "tensorzero", "litellm", "portkey"];

/// The key LiteLLM lets in; others want none.
pub const PEER_KEY: &str = "sk-bench-0123456789abcdef0123456789abcdef";

/// A gateway that runs until it is dropped.
#[derive(Debug)]
pub struct Gateway {
    pub name: String,
    pub addr: SocketAddr,
    /// What stands before `/chat/completions`.
    pub base: String,
    /// When its process was started.
    pub since: Instant,
    command: Command,
    child: Child,
    dir: tempfile::TempDir,
}

impl Gateway {
    /// Our binary with this configuration, which needs no `[listen]`. `wrap` stands before the command, as in
    /// `taskset -c 1`.
    pub fn ours(binary: &Path, config: &str, wrap: &[&str]) -> Self {
        Self::ours_beside(binary, config, wrap, &[])
    }

    /// The same with more services in its process, each on a free port.
    pub fn ours_beside(binary: &Path, config: &str, wrap: &[&str], others: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let addr = free();
        let paths = Paths::new(dir.path());
        paths.prepare().unwrap();
        let listen: Vec<String> = others.iter().map(|name| format!("{name} = \"{}\"\n", free())).collect();
        let listen = listen.concat();
        let text = format!("[listen]\nproxy = \"{addr}\"\n{listen}\n{config}");
        sanctum_kernel::files::replace(&paths.config(), text.as_bytes(), 0o600).unwrap();
        let mut command = wrapped(wrap, binary);
        command.arg("--home").arg(dir.path()).args(["run", "proxy"]).args(others);
        // A key for whatever stands behind it, as `env:LAB_UPSTREAM_KEY`.
        command.env("LAB_UPSTREAM_KEY", "sk-upstream");
        Self::spawn("sanctum", addr, "/v1", command, dir)
    }

    /// A peer in front of `upstream` (`http://127.0.0.1:PORT`), whose model is called `mock`; `None` when it is not
    /// installed.
    pub fn peer(name: &str, upstream: &str, wrap: &[&str]) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let addr = free();
        let (kind, of) = name.split_once('-').unwrap_or((name, "openai"));
        let program = peers::program(kind);
        if !program.exists() {
            return None;
        }
        let start = peers::Start { of, port: addr.port(), upstream, dir: dir.path() };
        let mut command = wrapped(wrap, if kind == "portkey" { Path::new("node") } else { &program });
        match kind {
            "smg" => start.smg(&mut command),
            "ferrogw" => start.ferrogw(&mut command),
            "tensorzero" => start.tensorzero(&mut command),
            "litellm" => start.litellm(&mut command),
            _ => start.portkey(&mut command, &program),
        }
        command.env("HOME", dir.path()).env("DO_NOT_TRACK", "1");
        let base = if kind == "tensorzero" { "/openai/v1" } else { "/v1" };
        let mut gateway = Self::spawn(name, addr, base, command, dir);
        if kind == "tensorzero" {
            gateway.addr = gateway.told_url()?;
        }
        Some(gateway)
    }

    /// Any program that listens at `addr`.
    pub fn program(name: &str, program: &Path, args: &[&str], addr: SocketAddr, wrap: &[&str]) -> Self {
        let mut command = wrapped(wrap, program);
        command.args(args);
        Self::spawn(name, addr, "/v1", command, tempfile::tempdir().unwrap())
    }

    fn spawn(name: &str, addr: SocketAddr, base: &str, mut command: Command, dir: tempfile::TempDir) -> Self {
        let log = sanctum_kernel::files::append(&dir.path().join("gateway.log")).unwrap();
        command.current_dir(dir.path());
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let since = Instant::now();
        let child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { name: name.to_owned(), addr, base: base.to_owned(), since, command, child, dir }
    }

    /// TensorZero's embedded gateway chooses its port itself.
    fn told_url(&self) -> Option<SocketAddr> {
        let file = self.dir.path().join("url");
        for _ in 0..6000 {
            if let Ok(url) = std::fs::read_to_string(&file) {
                let addr = url.trim().strip_prefix("http://")?.split('/').next()?.parse();
                return addr
                    .ok()
                    .map(|addr: SocketAddr| SocketAddr::from((Ipv4Addr::LOCALHOST, addr.port())));
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        None
    }

    /// Stops it and starts it again over what it has kept; does not wait until it listens.
    pub fn restart(&mut self) {
        self.stop();
        drop(std::fs::remove_file(self.dir.path().join("url")));
        self.since = Instant::now();
        self.child = self.command.spawn().unwrap();
        if self.name == "tensorzero" {
            self.addr = self.told_url().expect("it says where it listens");
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn home(&self) -> &Path {
        self.dir.path()
    }

    /// The last lines it wrote.
    pub fn last_words(&self) -> String {
        let text = std::fs::read_to_string(self.dir.path().join("gateway.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Waits until it takes connections; the last words of one that does not.
    pub fn until_open(&mut self, within: Duration) -> Result<(), String> {
        let until = self.since + within;
        while TcpStream::connect(self.addr).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("{} ended with {status}:\n{}", self.name, self.last_words()));
            }
            if Instant::now() > until {
                return Err(format!(
                    "{} is not up after {} s:\n{}",
                    self.name,
                    within.as_secs(),
                    self.last_words()
                ));
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        Ok(())
    }

    /// A virtual key of ours for an agent, made as a person makes one.
    pub fn key(&self, agent: &str) -> Result<String, String> {
        let token =
            read_token(&Paths::new(self.dir.path()), "cli", "proxy").map_err(|error| error.to_string())?;
        let body = json!({ "agent": agent }).to_string();
        let head = format!(
            "POST /keys HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            self.addr,
            token.expose_secret(),
            body.len()
        );
        let mut answer = Vec::new();
        let mut stream = TcpStream::connect(self.addr).map_err(|error| error.to_string())?;
        let talked = stream.write_all(head.as_bytes()).and_then(|()| stream.read_to_end(&mut answer));
        talked.map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&answer);
        let json = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str::<Value>(body).ok());
        let secret = json.as_ref().and_then(|json| json["secret"].as_str());
        secret.map(str::to_owned).ok_or_else(|| format!("no key was made: {text}"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Gateway {
    fn stop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).unwrap();
        for signal in [Signal::TERM, Signal::KILL] {
            // It may have ended by itself.
            kill_process(pid, signal).ok();
            for _ in 0..500 {
                if matches!(self.child.try_wait(), Ok(Some(_))) {
                    return;
                }
                std::thread::park_timeout(Duration::from_millis(10));
            }
        }
    }
}

fn wrapped(wrap: &[&str], program: &Path) -> Command {
    match wrap.split_first() {
        None => Command::new(program),
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    }
}

/// A port nobody has at this moment.
fn free() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// Where `tools/clients` puts them.
pub fn clients_home() -> PathBuf {
    cache().join("clients")
}

fn cache() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache =
        cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"));
    cache.join("sanctum")
}
