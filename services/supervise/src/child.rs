//! One process from its birth until nothing of it is left.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use sanctum_kernel::{Chain, Paths};
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::engine::{Event, Exit};
use crate::keeper::Message;
use crate::log::{Logs, Tail};
use crate::pids::Identity;
use crate::process::{self, Leaders};
use crate::{Plan, pids, pipe, plan};

/// How long output is awaited after the last process that could write it has gone.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// A process that SIGKILL does not end hangs in the kernel; nobody can wait for that.
const BEYOND_REACH: Duration = Duration::from_secs(10);
/// Between two looks at a group that is ending.
const LOOK: Duration = Duration::from_millis(5);
/// Between two looks for a process whose end nobody announces.
const LOOK_FOR: Duration = Duration::from_millis(100);

/// What children need to be born and buried.
#[derive(Debug)]
pub(crate) struct Cradle {
    pub(crate) logs: Logs,
    pub(crate) paths: Paths,
    pub(crate) environment: Mutex<Vec<String>>,
    pub(crate) leaders: Leaders,
    pub(crate) messages: mpsc::UnboundedSender<Message>,
}

impl Cradle {
    /// Children that are born from now on see other variables.
    pub(crate) fn revise(&self, environment: &[String]) {
        environment.clone_into(&mut self.environment.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn environment(&self) -> Vec<String> {
        self.environment.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a living child can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Terminate,
    Kill,
}

/// Which process of which plan.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) plan: Arc<Plan>,
    pub(crate) unit: usize,
    pub(crate) run: u64,
    pub(crate) tail: Tail,
    pub(crate) orders: mpsc::UnboundedReceiver<Order>,
    /// A process of an earlier supervisor that runs as the plan says: it is kept instead of starting another.
    pub(crate) found: Option<Identity>,
}

/// The process itself, by how it came here.
enum Body {
    Born(Child),
    Adopted(Identity),
}

impl Body {
    fn pid(&self) -> u32 {
        match self {
            Self::Born(child) => child.id(),
            Self::Adopted(identity) => identity.pid,
        }
    }

    /// How it ended, if it has.
    fn ended(&mut self) -> std::io::Result<Option<Exit>> {
        match self {
            Self::Born(child) => child.try_wait().map(|status: Option<ExitStatus>| status.map(Exit::from)),
            Self::Adopted(identity) => {
                let lives = sanctum_kernel::process::born(identity.pid).as_ref() == Some(&identity.born);
                Ok((!lives).then_some(Exit::Unseen))
            }
        }
    }
}

impl Life {
    /// Lives it; says when it was born and when it is over.
    pub(crate) async fn live(mut self, cradle: Arc<Cradle>) {
        let exit = match self.run_once(&cradle).await {
            Ok(exit) => exit,
            Err(error) => {
                let reason = format!("`{}`: {}", self.plan.command.display(), Chain(&error));
                let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
                tail.push_back(format!("could not start {reason}"));
                drop(tail);
                Exit::NotStarted(reason)
            }
        };
        cradle.logs.of(&self.plan.name).note(&format!("ended: {exit}")).await;
        let (unit, run) = (self.unit, self.run);
        cradle.messages.send(Message::Event(Event::Exited { unit, run, exit })).ok();
    }

    fn command(&self, cradle: &Cradle) -> std::io::Result<Command> {
        // One pipe for both streams keeps their lines in order.
        let output = pipe::writing(&cradle.paths, &self.plan.name)?;
        let mut command = Command::new(&self.plan.command);
        command
            .args(&self.plan.args)
            .current_dir(cradle.paths.home())
            .env_clear()
            .envs(plan::environment(&self.plan, &cradle.environment(), &cradle.paths))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0);
        Ok(command)
    }

    /// Starts the process, or takes over the one that was found.
    async fn begin(&mut self, cradle: &Cradle) -> std::io::Result<Body> {
        if let Some(found) = self.found.take() {
            return Ok(Body::Adopted(found));
        }
        let mut command = self.command(cradle)?;
        // Forking a large process takes a while, and its copies of the pipe must be closed before anyone waits for the
        // end of the output.
        let born =
            tokio::task::spawn_blocking(move || command.spawn()).await.map_err(std::io::Error::other)?;
        born.map(Body::Born)
    }

    async fn run_once(&mut self, cradle: &Cradle) -> std::io::Result<Exit> {
        let read = pipe::reading(&cradle.paths, &self.plan.name)?;
        // Before the birth, so that no death goes unnoticed.
        let mut deaths = unix::signal(SignalKind::child())?;
        let mut body = self.begin(cradle).await?;
        let pid = body.pid();
        cradle.leaders.add(pid);
        let (unit, run) = (self.unit, self.run);
        cradle.messages.send(Message::Born { unit, run, pid }).ok();
        pids::remember(&cradle.paths, &self.plan, pid);
        let mut log = cradle.logs.of(&self.plan.name);
        match &body {
            Body::Born(_) => log.note(&format!("started: process {pid}")).await,
            Body::Adopted(_) => log.note(&format!("kept: process {pid} of an earlier supervisor")).await,
        }
        let mut capture = JoinSet::new();
        capture.spawn(log.capture(read, Arc::clone(&self.tail)));
        let (exit, asked) = self.wait(&mut body, &mut deaths).await?;
        cradle.leaders.remove(pid);
        self.sweep(pid, asked, cradle).await;
        if tokio::time::timeout(LAST_WORDS, capture.join_next()).await.is_err() {
            tracing::debug!(
                service = self.plan.name,
                "somebody outside still holds the output of a service open"
            );
        }
        pids::forget(&cradle.paths, &self.plan.name);
        Ok(exit)
    }

    /// Waits for the process itself; passes orders on to its group.
    async fn wait(&mut self, body: &mut Body, deaths: &mut unix::Signal) -> std::io::Result<(Exit, bool)> {
        let mut asked = false;
        let adopted = matches!(body, Body::Adopted(_));
        let end = watch(body.pid()).filter(|_| adopted);
        loop {
            if let Some(exit) = body.ended()? {
                return Ok((exit, asked));
            }
            tokio::select! {
                _ = deaths.recv() => {}
                () = ending(end.as_ref()), if adopted => {}
                Some(order) = self.orders.recv() => {
                    asked = true;
                    process::signal_group(body.pid(), if order == Order::Kill { Signal::KILL } else { Signal::TERM });
                }
            }
        }
    }

    /// Ends what the process left behind: at once if it died by itself, within its grace if it was asked to end.
    async fn sweep(&mut self, pid: u32, asked: bool, cradle: &Cradle) {
        let mut kill_since = (!asked).then(Instant::now);
        let mut asked_escaped = false;
        loop {
            process::reap_group(pid);
            let escaped = process::escaped(&self.plan.name, cradle.paths.home());
            if escaped.is_empty() && !process::group_lives(pid) {
                return;
            }
            if let Some(since) = kill_since {
                process::signal_group(pid, Signal::KILL);
                process::signal_all(&escaped, Signal::KILL);
                if since.elapsed() > BEYOND_REACH {
                    tracing::error!(
                        service = self.plan.name,
                        group = pid,
                        "processes of a service cannot be ended"
                    );
                    return;
                }
            } else if !std::mem::replace(&mut asked_escaped, true) {
                process::signal_all(&escaped, Signal::TERM);
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                Some(order) = self.orders.recv() => {
                    if order == Order::Kill {
                        kill_since = Some(Instant::now());
                    }
                }
            }
            cradle.leaders.reap_orphans();
        }
    }
}

/// What becomes readable when a process that is nobody's child here ends (pidfd_open(2)).
#[cfg(target_os = "linux")]
fn watch(pid: u32) -> Option<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>> {
    let pid = process::pid(pid)?;
    let fd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::NONBLOCK).ok()?;
    // SAFETY: the descriptor is owned, moves in, and is closed by nobody else.
    #[expect(unsafe_code, reason = "the safe constructor is deprecated for not asking this")]
    unsafe { tokio::io::unix::AsyncFd::register_with_interest(fd, tokio::io::Interest::READABLE) }.ok()
}

#[cfg(not(target_os = "linux"))]
fn watch(_: u32) -> Option<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>> {
    None
}

/// Until it may have ended: told by the kernel where it tells, looked for where it does not.
async fn ending(end: Option<&tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>>) {
    match end {
        Some(end) => {
            // The guard keeps it readable: an ended process stays ended.
            if end.readable().await.is_err() {
                tokio::time::sleep(LOOK_FOR).await;
            }
        }
        None => tokio::time::sleep(LOOK_FOR).await,
    }
}
