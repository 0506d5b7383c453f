//! monit, as Debian has it: the same endpoints, a script of its own for what it says.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sanctum_kernel::{Failure, files};

use crate::targets::Targets;

/// Clock ticks a second in `/proc`: USER_HZ is 100 on every Linux that Rust runs on but Alpha (time(7)).
const TICKS: f64 = 100.0;

/// One that runs; ended when this is dropped.
pub(crate) struct Monit {
    child: Child,
    home: tempfile::TempDir,
}

impl Monit {
    pub(crate) fn start(program: &Path, targets: &Targets, every: Duration) -> Result<Self, Failure> {
        let home = tempfile::tempdir()?;
        let at = home.path().display();
        let script = home.path().join("tell");
        files::replace(&script, format!("#!/bin/sh\n: > {at}/told-$MONIT_SERVICE\n").as_bytes(), 0o755)?;
        let mut rc = format!(
            "set daemon {}\nset log {at}/log\nset pidfile {at}/pid\nset idfile {at}/id\nset statefile {at}/state\n",
            every.as_secs()
        );
        for port in &targets.http {
            rc.push_str(&format!(
                "check host p{port} with address 127.0.0.1\n  if failed port {port} protocol http request \"/health\" with timeout 10 seconds then exec \"{at}/tell\"\n"
            ));
        }
        for port in &targets.tcp {
            rc.push_str(&format!(
                "check host p{port} with address 127.0.0.1\n  if failed port {port} type tcp with timeout 10 seconds then exec \"{at}/tell\"\n"
            ));
        }
        let file = home.path().join("rc");
        files::replace(&file, rc.as_bytes(), 0o600)?;
        let mut command = Command::new(program);
        command.arg("-I").arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn()?;
        Ok(Self { child, home })
    }

    /// Processor time it has used, in milliseconds, with what it has waited for.
    pub(crate) fn used(&self) -> Result<f64, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, rest) = stat.rsplit_once(')').ok_or("no stat")?;
        let ticks =
            rest.split_ascii_whitespace().skip(11).take(4).filter_map(|field| field.parse::<f64>().ok());
        Ok(ticks.sum::<f64>() / TICKS * 1000.0)
    }

    /// How long after `since` it spoke of this port.
    pub(crate) async fn told(&self, port: u16, since: Instant, within: Duration) -> Option<Duration> {
        let note = self.home.path().join(format!("told-p{port}"));
        while since.elapsed() < within {
            if note.exists() {
                return Some(since.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        None
    }
}

impl Drop for Monit {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
