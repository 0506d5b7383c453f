//! A hub as a process: ours, the floor, or Alertmanager.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sanctum_http::{Outbound, Outgoing};
use sanctum_kernel::{Failure, Paths, peers::read_token};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::load::until_broken;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    Floor,
    Alertmanager,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "notify",
            Self::Floor => "bare outbox",
            Self::Alertmanager => "alertmanager",
        }
    }

    pub(crate) fn is_there(self) -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        self != Self::Alertmanager
            || std::env::split_paths(&path).any(|dir| dir.join("prometheus-alertmanager").exists())
    }
}

#[derive(Debug)]
pub(crate) struct Peer {
    kind: Kind,
    home: tempfile::TempDir,
    port: u16,
    sink: String,
    child: Option<Child>,
}

/// Makes the request that says the id.
pub(crate) type Make = Arc<dyn Fn(&str) -> Outgoing + Send + Sync>;

impl Peer {
    pub(crate) fn new(kind: Kind, sink: &str) -> Result<Self, Failure> {
        // On a disk, because a file system in memory has no fsync to wait for.
        let home = tempfile::Builder::new()
            .prefix("notify-bench")
            .tempdir_in(std::env::current_dir()?.join("target"))?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        Ok(Self { kind, home, port, sink: sink.to_owned(), child: None })
    }

    pub(crate) async fn start(&mut self) -> Result<(), Failure> {
        let home = self.home.path();
        let (home_text, port) = (home.display().to_string(), self.port.to_string());
        let mut command = match self.kind {
            Kind::Alertmanager => {
                let config = format!(
                    "route: {{receiver: sink, group_by: ['...'], group_wait: 0s, group_interval: 1s}}\nreceivers: [{{name: sink, webhook_configs: [{{url: '{}', send_resolved: false}}]}}]\n",
                    self.sink
                );
                sanctum_kernel::files::replace(&home.join("am.yml"), config.as_bytes(), 0o600)?;
                let mut command = Command::new("prometheus-alertmanager");
                command.args([
                    format!("--config.file={home_text}/am.yml"),
                    format!("--storage.path={home_text}/data"),
                    format!("--web.listen-address=127.0.0.1:{port}"),
                    "--cluster.listen-address=".to_owned(),
                ]);
                command
            }
            kind => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args([
                    if kind == Kind::Ours { "--serve-ours" } else { "--serve-floor" },
                    &home_text,
                    &port,
                    &self.sink,
                ]);
                command
            }
        };
        self.child = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        let path = match self.kind {
            Kind::Ours | Kind::Floor => "/ready",
            Kind::Alertmanager => "/-/ready",
        };
        let url = format!("http://127.0.0.1:{port}{path}");
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            let ask = Outgoing {
                method: "GET",
                url: url.clone(),
                headers: Vec::new(),
                body: Vec::new(),
                timeout: Duration::from_secs(1),
            };
            if Outbound::default().send(ask).await.is_ok_and(|answer| answer.is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(format!("{} is not ready after 20 s", self.kind.name()).into())
    }

    pub(crate) fn request(&self) -> Make {
        let (kind, port) = (self.kind, self.port);
        let token = read_token(&Paths::new(self.home.path()), "cli", "notify")
            .map(|token| token.expose_secret().to_owned())
            .unwrap_or_default();
        Arc::new(move |id| {
            let (path, body) = match kind {
                Kind::Alertmanager => (
                    "/api/v2/alerts",
                    json!([{ "labels": { "alertname": "bench", "severity": "warning", "id": format!("id={id}") }, "annotations": { "message": "body" } }]),
                ),
                _ => (
                    "/notify",
                    json!({ "source": "bench", "severity": "error", "title": "t", "message": format!("id={id} body") }),
                ),
            };
            let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            if kind == Kind::Ours {
                headers.push(("authorization".to_owned(), format!("Bearer {token}")));
            }
            Outgoing {
                method: "POST",
                url: format!("http://127.0.0.1:{port}{path}"),
                headers,
                body: body.to_string().into_bytes(),
                timeout: Duration::from_secs(30),
            }
        })
    }

    /// Four clients post until the hub is killed after `length`; the ids that were accepted.
    pub(crate) async fn load_until_killed(&mut self, length: Duration, prefix: &str) -> Vec<String> {
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..4 {
            let make = self.request();
            let prefix = format!("{prefix}{client}");
            clients.spawn(until_broken(move |id: &str| make(id), prefix));
        }
        tokio::time::sleep(length).await;
        self.kill();
        let mut accepted = Vec::new();
        while let Some(Ok(ids)) = clients.join_next().await {
            accepted.extend(ids);
        }
        accepted
    }

    /// Resident memory in MB.
    pub(crate) fn memory(&self) -> f64 {
        let Some(child) = &self.child else { return f64::NAN };
        let text = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok())
            .map_or(f64::NAN, |kb| kb / 1024.0)
    }

    /// Processor time it has used, in microseconds.
    pub(crate) fn cpu(&self) -> f64 {
        let Some(child) = &self.child else { return f64::NAN };
        let text = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
        // Behind the name, which may hold anything, utime and stime are the 12th and 13th (proc_pid_stat(5)), in
        // hundredths of a second on every Linux.
        let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
        rest.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>()
            * 10_000.0
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take()
            && child.kill().and_then(|()| child.wait()).is_err()
        {}
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
    }
}
