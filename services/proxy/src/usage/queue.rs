//! Lines on their way to the writer: bounded by who may ask, never dropped.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::line::Line;

/// A line, and the place it takes until it is written.
pub(crate) type Waiting = (Line, Option<OwnedSemaphorePermit>);

/// How long lines gather before they are written together.
const GATHER: Duration = Duration::from_millis(2);
/// How often the writer looks around when there is nothing to write.
const IDLE: Duration = Duration::from_millis(500);
/// Lines that are written without waiting for more.
const PLENTY: usize = 512;

#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    /// For the writer: there are lines, or it is time to stop.
    come: Condvar,
    /// For those who wait until everything is written.
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<Waiting>,
    /// Lines that came, and lines the writer is done with.
    came: u64,
    done: u64,
    /// The writer sleeps until something comes.
    idle: bool,
    /// Somebody waits for everything to be written.
    hurry: bool,
    stopping: bool,
    stopped: bool,
}

/// What the writer is woken with.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) lines: Vec<Waiting>,
    pub(crate) stopping: bool,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, line: Waiting) {
        let mut state = self.state();
        state.lines.push(line);
        state.came += 1;
        let wake = state.idle || state.lines.len() == PLENTY;
        state.idle = false;
        drop(state);
        if wake {
            self.come.notify_all();
        }
    }

    /// Waits for lines, then a moment for more of them.
    pub(crate) fn take(&self) -> Batch {
        let mut state = self.state();
        if state.lines.is_empty() && !state.stopping {
            state.idle = true;
            let waited =
                self.come.wait_timeout_while(state, IDLE, |state| state.lines.is_empty() && !state.stopping);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.idle = false;
        }
        if !state.lines.is_empty() {
            let more = |state: &mut State| state.lines.len() < PLENTY && !state.stopping && !state.hurry;
            let waited = self.come.wait_timeout_while(state, GATHER, more);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Batch { lines: std::mem::take(&mut state.lines), stopping: state.stopping }
    }

    /// Waits before a failed write is tried again; `true` when it is time to stop.
    pub(crate) fn pause(&self, period: Duration) -> bool {
        let waited = self.come.wait_timeout_while(self.state(), period, |state| !state.stopping);
        waited.unwrap_or_else(PoisonError::into_inner).0.stopping
    }

    /// The writer is done with `lines` of them.
    pub(crate) fn wrote(&self, lines: usize) {
        let mut state = self.state();
        state.done += lines as u64;
        if state.done >= state.came {
            state.hurry = false;
        }
        drop(state);
        self.done.notify_all();
    }

    /// The writer has ended: nobody need wait for it.
    pub(crate) fn ended(&self) {
        self.state().stopped = true;
        self.done.notify_all();
    }

    pub(crate) fn stop(&self) {
        self.state().stopping = true;
        self.come.notify_all();
    }

    /// Waits until every line that has come is written; `false` when that takes longer than `patience`.
    pub(crate) fn flushed(&self, patience: Duration) -> bool {
        let mut state = self.state();
        let until = state.came;
        state.hurry = state.done < until;
        self.come.notify_all();
        let waited =
            self.done.wait_timeout_while(state, patience, |state| state.done < until && !state.stopped);
        waited.unwrap_or_else(PoisonError::into_inner).0.done >= until
    }
}
