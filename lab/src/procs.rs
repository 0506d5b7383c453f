//! Processes of the lab: started in a namespace, known by their id, ended by it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Failure, exit};

/// What a process gets after it was asked to stop, before it is made to.
const GRACE: Duration = Duration::from_secs(5);

/// A process that ends with the lab.
#[derive(Debug)]
pub(crate) struct Proc {
    name: String,
    child: Child,
}

/// A command inside a network namespace.
pub(crate) fn within(ns: &str, program: &str, args: &[&str]) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", ns, program]).args(args).env("PATH", path());
    command
}

/// Where administrators' programs are, also for whoever has a short PATH.
pub(crate) fn path() -> String {
    format!("{}:/usr/sbin:/sbin:/usr/bin:/bin", std::env::var("PATH").unwrap_or_default())
}

/// Where a program is, if it is installed.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    path().split(':').map(|dir| PathBuf::from(dir).join(program)).find(|file| file.is_file())
}

/// Runs a command to its end; what it printed, or what it complained of.
pub(crate) fn run(mut command: Command, input: &str) -> Result<String, Failure> {
    command.env("PATH", path()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let words = shown(&command);
    let mut child = command.spawn().map_err(|error| {
        Hinted::new(exit::UNAVAILABLE, format!("could not start `{words}`"), "is it installed?")
            .because(error)
    })?;
    if let Some(mut pipe) = child.stdin.take() {
        pipe.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(out);
    }
    let why = format!("{}{out}", String::from_utf8_lossy(&output.stderr));
    Err(format!("`{words}` ended with {}: {}", output.status, why.trim()).into())
}

/// `ip` with words.
pub(crate) fn ip(words: &str) -> Result<String, Failure> {
    let mut command = Command::new("ip");
    command.args(words.split_whitespace());
    run(command, "")
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

impl Proc {
    /// Starts a process in a group of its own, so that a Ctrl-C at the terminal is for the lab alone.
    pub(crate) fn start(name: &str, mut command: Command) -> Result<Self, Failure> {
        use std::os::unix::process::CommandExt as _;
        command.process_group(0).stdin(Stdio::null());
        let words = shown(&command);
        let child = command.spawn().map_err(|error| {
            Hinted::new(exit::UNAVAILABLE, format!("could not start `{words}`"), "is it installed?")
                .because(error)
        })?;
        Ok(Self { name: name.to_owned(), child })
    }

    pub(crate) fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| format!("{}: {status}", self.name))
    }

    /// Asks it to stop, and makes it.
    pub(crate) fn stop(&mut self) {
        let Some(pid) = self.pid().filter(|_| self.ended().is_none()) else { return };
        if kill_process_group(pid, Signal::TERM).is_ok()
            && !gone(pid, GRACE)
            && kill_process_group(pid, Signal::KILL).is_err()
        {
            return;
        }
        self.child.wait().ok();
    }
}

impl Drop for Proc {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Waits until a process is gone; whether it is.
pub(crate) fn gone(pid: Pid, within: Duration) -> bool {
    let Ok(watched) = pidfd_open(pid, PidfdFlags::empty()) else { return true };
    let patience = Timespec::try_from(within).ok();
    let mut fds = [PollFd::new(&watched, PollFlags::IN)];
    poll(&mut fds, patience.as_ref()).is_ok_and(|ready| ready > 0)
}

/// Ends everything that lives in a namespace of ours, by process id.
pub(crate) fn clear(ns: &str) {
    let me = std::process::id().to_string();
    let listed = ip(&format!("netns pids {ns}")).unwrap_or_default();
    let pids: Vec<Pid> = listed
        .lines()
        .filter(|pid| *pid != me)
        .filter_map(|pid| pid.trim().parse().ok())
        .filter_map(Pid::from_raw)
        .collect();
    for (signal, patience) in [(Signal::TERM, GRACE), (Signal::KILL, GRACE)] {
        let told: Vec<Pid> = pids.iter().copied().filter(|pid| kill_process(*pid, signal).is_ok()).collect();
        if told.into_iter().all(|pid| gone(pid, patience)) {
            break;
        }
    }
}
