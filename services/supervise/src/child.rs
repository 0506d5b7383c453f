//! One process from its birth until nothing of it is left.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use sanctum_kernel::{Chain, Paths};
use tokio::net::unix::pipe;
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::engine::{Event, Exit};
use crate::keeper::Message;
use crate::log::{Logs, Tail};
use crate::nursery::Nursery;
use crate::process::{self, Leaders};
use crate::{Plan, pids, plan};

/// How long output is awaited after the last process that could write it has gone.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// A process that SIGKILL does not end hangs in the kernel; nobody can wait for that.
const BEYOND_REACH: Duration = Duration::from_secs(10);
/// Between two looks at a group that is ending.
const LOOK: Duration = Duration::from_millis(5);

/// What children need to be born and buried.
#[derive(Debug)]
pub(crate) struct Cradle {
    pub(crate) nursery: Nursery,
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

    fn command(&self, cradle: &Cradle, output: std::io::PipeWriter) -> std::io::Result<Command> {
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
        process::die_with_parent(&mut command);
        Ok(command)
    }

    async fn run_once(&mut self, cradle: &Cradle) -> std::io::Result<Exit> {
        // One pipe for both streams keeps their lines in order.
        let (read, write) = std::io::pipe()?;
        // Before the birth, so that no death goes unnoticed.
        let mut deaths = unix::signal(SignalKind::child())?;
        let mut child = cradle.nursery.spawn(self.command(cradle, write)?).await?;
        let pid = child.id();
        cradle.leaders.add(pid);
        let (unit, run) = (self.unit, self.run);
        cradle.messages.send(Message::Born { unit, run, pid }).ok();
        pids::remember(&cradle.paths, &self.plan.name, pid);
        let mut log = cradle.logs.of(&self.plan.name);
        log.note(&format!("started: process {pid}")).await;
        let mut capture = JoinSet::new();
        capture.spawn(log.capture(pipe::Receiver::from_owned_fd(read.into())?, Arc::clone(&self.tail)));
        let (exit, asked) = self.wait(&mut child, &mut deaths).await?;
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
    async fn wait(&mut self, child: &mut Child, deaths: &mut unix::Signal) -> std::io::Result<(Exit, bool)> {
        let mut asked = false;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok((status.into(), asked));
            }
            tokio::select! {
                _ = deaths.recv() => {}
                Some(order) = self.orders.recv() => {
                    asked = true;
                    process::signal_group(child.id(), if order == Order::Kill { Signal::KILL } else { Signal::TERM });
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
