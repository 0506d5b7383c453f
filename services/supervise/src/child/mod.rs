//! One process from its birth until nothing of it is left.

mod birth;
mod body;
mod ear;
mod who;

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use sanctum_kernel::Paths;
use sanctum_kernel::inventory::StopSignal;
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::engine::{Event, Exit};
use crate::keeper::{LATER, Message};
use crate::log::{Log, Logs, Noted, Tail};
use crate::pids::Identity;
use crate::process::{self, Leaders};
use crate::{Plan, pids, pipe, plan};
use body::{Body, End};
pub(crate) use ear::Ears;
use ear::{Ear, Word};

/// How long output is awaited after the last process that could write it has gone.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// A process that SIGKILL does not end hangs in the kernel; nobody can wait for that.
const BEYOND_REACH: Duration = Duration::from_secs(10);
/// Between two looks at a group that is ending.
const LOOK: Duration = Duration::from_millis(5);

/// What children need to be born and buried.
#[derive(Debug)]
pub(crate) struct Cradle {
    pub(crate) logs: Logs,
    pub(crate) paths: Paths,
    pub(crate) environment: Mutex<Vec<String>>,
    pub(crate) leaders: Leaders,
    /// Sockets of those whose next process is on its way.
    pub(crate) ears: Ears,
    pub(crate) messages: mpsc::UnboundedSender<Message>,
}

impl Cradle {
    /// Children that are born from now on see other variables.
    pub(crate) fn revise(&self, environment: &[String]) {
        environment.clone_into(&mut self.environment.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Makes what the first process of a plan will need, so that its start does not wait for the file system. What cannot be made
    /// is tried again, and complained of, when it starts.
    pub(crate) fn prepare(&self, plan: &Plan) {
        pipe::prepare(&self.paths, &plan.name);
        if plan.notify {
            self.ears.prepare(&self.paths, plan);
        }
    }

    /// Nothing of this one runs, and nothing will at once: what was kept for its next process goes.
    pub(crate) fn put_away(&self, name: &str) {
        self.ears.drop(name);
        pids::forget(&self.paths, name);
    }

    pub(crate) fn environment(&self) -> Vec<String> {
        self.environment.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a living child can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Terminate,
    Kill,
}

/// What a process prints.
enum Output {
    /// What the log says of its beginning, the log, and where the output comes from.
    Unread(Noted, Log, OwnedFd),
    /// Comes when nobody can print any more.
    Read(oneshot::Receiver<()>),
}

impl Output {
    /// Takes it from now on, once.
    async fn read(&mut self, tail: &Tail) {
        if matches!(self, Self::Read(_)) {
            return;
        }
        let (over, end) = oneshot::channel();
        if let Self::Unread(how, mut log, pipe) = std::mem::replace(self, Self::Read(end)) {
            log.put(how).await;
            log.capture(pipe, Arc::clone(tail), over);
        }
    }
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
    /// No other is started with it.
    pub(crate) alone: bool,
}

impl Life {
    /// Lives it; says when it was born and when it is over.
    pub(crate) async fn live(mut self, cradle: Arc<Cradle>) {
        let exit = match self.run_once(&cradle).await {
            Ok(exit) => exit,
            Err(exit) => {
                let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
                tail.push_back(exit.to_string());
                drop(tail);
                exit
            }
        };
        cradle.logs.of(&self.plan.name).note(&format!("ended: {exit}")).await;
        let (unit, run) = (self.unit, self.run);
        cradle.messages.send(Message::Event(Event::Exited { unit, run, exit })).ok();
    }

    /// Starts the process, or takes over the one that was found.
    async fn begin(&mut self, cradle: &Arc<Cradle>, ear: Option<&Ear>) -> Result<Body, Exit> {
        if let Some(found) = self.found.take() {
            return Ok(Body::Adopted(found));
        }
        let ear = ear.map(Ear::address);
        if self.alone && birth::is_quick(&self.plan) {
            return birth::give(&self.plan, cradle, ear).map(Body::Born);
        }
        let (plan, cradle) = (Arc::clone(&self.plan), Arc::clone(cradle));
        let born = tokio::task::spawn_blocking(move || birth::give(&plan, &cradle, ear));
        let born = born.await.map_err(|error| Exit::NotStarted(error.to_string()))?;
        born.map(Body::Born)
    }

    async fn run_once(&mut self, cradle: &Arc<Cradle>) -> Result<Exit, Exit> {
        let failed =
            |error: std::io::Error| Exit::NotStarted(format!("its output has no way to its log: {error}"));
        let read = pipe::reading(&cradle.paths, &self.plan.name).map_err(failed)?;
        let mut ear = self.plan.notify.then(|| cradle.ears.take(&cradle.paths, &self.plan)).flatten();
        // Before the birth, so that no death goes unnoticed.
        let mut deaths = unix::signal(SignalKind::child()).map_err(failed)?;
        let mut body = self.begin(cradle, ear.as_ref()).await?;
        let pid = body.pid();
        cradle.leaders.add(pid);
        let end = End::of(pid);
        let (unit, run) = (self.unit, self.run);
        // Those that are started with it come first, and then what is written of each.
        tokio::task::yield_now().await;
        let (identity, how) = match body {
            Body::Born(_) => {
                let file =
                    plan::program(&self.plan, &cradle.environment()).and_then(|file| plan::stamp(&file));
                (Identity::of(&self.plan, pid, file), format!("started: process {pid}"))
            }
            Body::Adopted(ref identity) => {
                (identity.clone(), format!("kept: process {pid} of an earlier supervisor"))
            }
        };
        cradle.messages.send(Message::Born { unit, run, identity }).ok();
        let log = cradle.logs.of(&self.plan.name);
        let mut output = Output::Unread(log.noted(&how), log, read);
        let waited = self.wait(&mut body, &end, &mut deaths, &mut ear, (&mut output, cradle)).await;
        let (exit, asked) = waited.map_err(|error| Exit::NotStarted(error.to_string()))?;
        output.read(&self.tail).await;
        cradle.leaders.remove(pid);
        self.sweep(pid, asked, cradle).await;
        if let Output::Read(end) = output
            && tokio::time::timeout(LAST_WORDS, end).await.is_err()
        {
            tracing::debug!(
                service = self.plan.name,
                "somebody outside still holds the output of a service open"
            );
        }
        cradle.ears.keep(&self.plan.name, ear);
        Ok(exit)
    }

    /// Waits for the process itself; passes orders on to its group, and what it says of itself to the keeper.
    async fn wait(
        &mut self,
        body: &mut Body,
        end: &End,
        deaths: &mut unix::Signal,
        ear: &mut Option<Ear>,
        (output, cradle): (&mut Output, &Cradle),
    ) -> std::io::Result<(Exit, bool)> {
        // What it prints meanwhile waits in its pipe.
        let log_at = Instant::now() + LATER;
        let mut asked = false;
        let born_here = matches!(body, Body::Born(_));
        let (unit, run) = (self.unit, self.run);
        loop {
            if let Some(exit) = body.ended()? {
                return Ok((exit, asked));
            }
            tokio::select! {
                // Where the kernel tells of this process, the death of another wakes nobody here.
                _ = deaths.recv(), if born_here && !end.is_told() => {}
                () = end.come(), if !born_here || end.is_told() => {}
                word = Ear::hear(ear) => match word {
                    Word::Ready => drop(cradle.messages.send(Message::Event(Event::Ready { unit, run }))),
                    Word::Status(text) => drop(cradle.messages.send(Message::Said { unit, run, text })),
                },
                () = tokio::time::sleep_until(log_at), if matches!(output, Output::Unread(..)) => {
                    output.read(&self.tail).await;
                }
                Some(order) = self.orders.recv() => {
                    asked = true;
                    let signal = if order == Order::Kill { Signal::KILL } else { signal(self.plan.stop_signal) };
                    process::signal_group(body.pid(), signal);
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
            let escaped = process::escaped(&self.plan.name, cradle.paths.home(), &cradle.leaders.all());
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
                process::signal_all(&escaped, signal(self.plan.stop_signal));
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

const fn signal(signal: StopSignal) -> Signal {
    match signal {
        StopSignal::Term => Signal::TERM,
        StopSignal::Int => Signal::INT,
        StopSignal::Quit => Signal::QUIT,
        StopSignal::Hup => Signal::HUP,
        StopSignal::Usr1 => Signal::USR1,
        StopSignal::Usr2 => Signal::USR2,
    }
}
