//! The worker of one channel: its failure, or its silence, is nobody else's.
//!
//! What it writes does not wait for the disk: after a power cut a message may be told again, under the same key, which
//! is what "at least once" says; and nobody who has something to say waits for the disk twice.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};
use sanctum_kernel::{Failure, Stop};
use sanctum_store::StoreError;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::breaker::May;
use super::outcome::{Done, News, settle};
use super::queue;
use crate::channels::{Channel, SendError};
use crate::hub::{Hub, Line};
use crate::message::Message;
use crate::{spread, trouble};

/// How long messages in flight may take when the service stops; what is left is resumed at the next start.
const FINISH: Duration = Duration::from_secs(3);
/// A look at the rows at least this often, so that nothing depends on a nudge.
const LOOK: SignedDuration = SignedDuration::from_secs(30);

/// How many rows are taken at once, as a multiple of what may be in flight.
const BATCH: usize = 8;
/// While many callers wait to be answered, the time between two looks…
const PACE: Duration = Duration::from_millis(100);
/// …at which one message is taken for so many callers that came since, the worst first…
const SHARE: u64 = 16;
/// …but never fewer than this: a hundred a second.
const LEAST: u64 = 10;

/// What may happen next.
enum Turn {
    Stopped,
    Handed(Message),
    Ended(Done),
    Written(Result<News, StoreError>),
    Look,
}

struct Worker<'a> {
    hub: &'a Arc<Hub>,
    line: &'a Line,
    flying: FuturesUnordered<BoxFuture<'static, Done>>,
    ended: Vec<Done>,
    writing: Option<BoxFuture<'static, Result<News, StoreError>>>,
    probe: Option<i64>,
    /// By the monotonic clock: a step of the wall clock must not keep anything waiting.
    looked: Option<Instant>,
    /// Nothing is taken before then.
    paced: Option<Instant>,
    /// Callers up to the last look.
    counted: u64,
    /// Taken from the rows, waiting for room.
    taken: VecDeque<Message>,
}

/// Runs until stopped.
pub(crate) async fn run(
    hub: Arc<Hub>,
    name: String,
    mut handed: mpsc::Receiver<Message>,
    stop: Stop,
) -> Result<(), Failure> {
    let Some(line) = hub.lines.get(&name) else { return Ok(()) };
    let mut worker = Worker {
        hub: &hub,
        line,
        flying: FuturesUnordered::new(),
        ended: Vec::new(),
        writing: None,
        probe: None,
        looked: None,
        paced: None,
        counted: 0,
        taken: VecDeque::new(),
    };
    let mut wake = worker.look().await;
    loop {
        match worker.turn(&mut handed, &stop, wake).await {
            Turn::Stopped => break,
            Turn::Handed(message) => worker.handed(message).await,
            Turn::Ended(done) => worker.take_in(done),
            Turn::Written(outcome) => worker.written(outcome),
            Turn::Look => wake = worker.look().await,
        }
        if !worker.taken.is_empty() && !worker.line.with(|breaker| breaker.is_closed()) {
            worker.put_back().await;
        }
        worker.fill();
        worker.write();
    }
    worker.finish().await;
    Ok(())
}

impl Worker<'_> {
    async fn turn(&mut self, handed: &mut mpsc::Receiver<Message>, stop: &Stop, wake: Timestamp) -> Turn {
        let room = self.room() > 0;
        let writing = self.writing.is_some();
        let written = async {
            match &mut self.writing {
                Some(writing) => writing.await,
                None => std::future::pending().await,
            }
        };
        let paced = tokio::time::sleep_until(self.paced.unwrap_or_else(Instant::now));
        tokio::select! {
            () = stop.requested() => Turn::Stopped,
            Some(done) = self.flying.next(), if !self.flying.is_empty() => Turn::Ended(done),
            outcome = written, if writing => Turn::Written(outcome),
            Some(message) = handed.recv(), if room => Turn::Handed(message),
            () = self.line.nudge.nudged(), if room => Turn::Look,
            () = self.hub.shared.clock.until(wake), if room => Turn::Look,
            () = paced, if room && self.paced.is_some() => Turn::Look,
        }
    }

    /// Takes from the rows what is due; returns when to look again.
    async fn look(&mut self) -> Timestamp {
        let now = self.hub.now();
        let later = now + LOOK;
        if !self.taken.is_empty() {
            // The last of them asks again.
            return later;
        }
        let room = if self.room() > 0 { self.line.channel.abilities().at_once * BATCH } else { 0 };
        // In a rush, many messages are taken at a time and not each as it comes.
        let busy = self.hub.is_busy();
        let soon = self.looked.map(|looked| looked + PACE).filter(|soon| busy && Instant::now() < *soon);
        self.paced = soon;
        if soon.is_some() {
            return later;
        }
        self.looked = Some(Instant::now());
        self.line.looks();
        let callers = self.hub.callers();
        let came = callers.saturating_sub(std::mem::replace(&mut self.counted, callers));
        let share = usize::try_from((came / SHARE).max(LEAST)).unwrap_or(usize::MAX);
        let (most, probe) = match self.line.with(|breaker| breaker.may(now)) {
            May::All if busy => (room.min(share), false),
            May::All => (room, false),
            May::Probe => (1, true),
            May::Nothing(until) => return until.unwrap_or(later),
        };
        if most == 0 {
            return later;
        }
        let (taken, next) = match self.take(now, most, probe).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::warn!(channel = %self.line.name, %error, "the queue could not be read");
                return now + SignedDuration::from_secs(1);
            }
        };
        let full = taken.len() == most || !self.hub.unspread.is_empty();
        if probe && let Some(message) = taken.first() {
            self.probe = Some(message.delivery);
            self.line.with(super::breaker::Breaker::probing);
            for message in taken {
                self.launch(message);
            }
            return next.unwrap_or(later).min(later);
        }
        self.taken.extend(taken);
        self.fill();
        if full && self.taken.is_empty() {
            self.line.nudge.nudge();
        }
        if probe { later } else { next.unwrap_or(later).min(later) }
    }

    /// Up to `most` messages that are due, and when there will be others. What is in its notification's row only is made
    /// rows of its own first, for all channels.
    async fn take(
        &mut self,
        now: Timestamp,
        most: usize,
        probe: bool,
    ) -> Result<(Vec<Message>, Option<Timestamp>), StoreError> {
        let name = self.line.name.clone();
        let made = Arc::new(self.hub.unspread.take(most));
        let making = Arc::clone(&made);
        let taken = self.hub.db.write_soon(move |tx| {
            let mut others = spread::these(tx, making.iter().map(|(_, id)| *id))?;
            others.remove(&name);
            let taken = queue::take(tx, &name, now, most, probe)?;
            Ok((taken, queue::next_due(tx, &name, now)?, others))
        });
        match taken.await {
            Ok((taken, next, others)) => {
                self.hub.wake(&others);
                Ok((taken, next))
            }
            Err(error) => {
                self.hub.unspread.put_back(&made);
                Err(error)
            }
        }
    }

    fn room(&self) -> usize {
        self.line.channel.abilities().at_once.saturating_sub(self.flying.len())
    }

    /// Launches what was taken as far as there is room; the last of it looks for more.
    fn fill(&mut self) {
        while self.room() > 0
            && let Some(message) = self.taken.pop_front()
        {
            self.launch(message);
            if self.taken.is_empty() {
                self.line.nudge.nudge();
            }
        }
    }

    /// What was taken and not begun waits as rows again: the channel is left alone, or the service stops.
    async fn put_back(&mut self) {
        let deliveries: Vec<i64> = self.taken.drain(..).map(|message| message.delivery).collect();
        let back = move |tx: &sanctum_store::Transaction<'_>| {
            let mut back =
                tx.prepare_cached("UPDATE deliveries SET state=min(tries, 1)*2, started=NULL WHERE id=?1")?;
            deliveries.iter().try_for_each(|delivery| back.execute([delivery]).map(drop))
        };
        if let Err(error) = self.hub.db.write_soon(back).await {
            tracing::warn!(%error, "messages could not be put back; they are resumed at the next start");
        }
    }

    /// A message begun by its acceptance; if the channel is left alone since, it waits as a row like the others.
    async fn handed(&mut self, message: Message) {
        if self.line.with(|breaker| breaker.is_closed()) {
            return self.launch(message);
        }
        self.taken.push_back(message);
        self.put_back().await;
    }

    fn launch(&mut self, mut message: Message) {
        let channel = Arc::clone(&self.line.channel);
        let deadline = self.hub.rules.config.delivery.deadline.0;
        let clock = self.hub.shared.clock.clone();
        self.flying.push(Box::pin(async move {
            message.now = clock.now();
            let trace = sanctum_kernel::Trace::within(message.trace);
            let outcome = trace.scope(attempt(&*channel, &message, deadline)).await;
            Done { message, ended: clock.now(), outcome }
        }));
    }

    /// Moves the breaker on and keeps the outcome for the next group.
    fn take_in(&mut self, done: Done) {
        let probe = self.probe.take_if(|probe| *probe == done.message.delivery).is_some();
        let (opened, closed) = match &done.outcome {
            Ok(_) | Err(SendError::Refused { .. } | SendError::Unavailable { .. }) => {
                (false, self.line.with(super::breaker::Breaker::well))
            }
            Err(SendError::Later { after, .. }) => {
                (self.line.with(|breaker| breaker.failed(done.ended, *after)), false)
            }
        };
        if probe && !closed {
            self.line.nudge.nudge();
        }
        if opened {
            let reason = done.outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
            trouble::breaker_opened(self.hub, &self.line.name, &reason);
        }
        if closed {
            trouble::breaker_closed(self.hub, &self.line.name);
        }
        self.ended.push(done);
    }

    /// Writes what has ended, as one job, while further messages are on their way.
    fn write(&mut self) {
        if self.writing.is_some() || self.ended.is_empty() {
            return;
        }
        let ended = std::mem::take(&mut self.ended);
        let (hub, name) = (Arc::clone(self.hub), self.line.name.clone());
        self.writing = Some(Box::pin(async move {
            let ended = Arc::new(ended);
            loop {
                let (again, within, channel) = (Arc::clone(&ended), Arc::clone(&hub), name.clone());
                let written = hub
                    .db
                    .write_soon(move |tx| settle(tx, &channel, &within.rules.config.delivery, &again))
                    .await;
                match written {
                    Err(error) if error.is_temporary() && !hub.shared.tasks.stop().is_requested() => {
                        tracing::warn!(channel = %name, %error, "an outcome could not be written; it is kept and tried again");
                        hub.shared.clock.sleep(Duration::from_secs(1)).await;
                    }
                    written => return written,
                }
            }
        }));
    }

    fn written(&mut self, outcome: Result<News, StoreError>) {
        self.writing = None;
        match outcome {
            Ok(news) => {
                if news.unblocked || !self.line.with(|breaker| breaker.is_closed()) {
                    self.line.nudge.nudge();
                }
                trouble::settled(self.hub, &self.line.name, &news);
            }
            Err(error) => {
                tracing::error!(channel = %self.line.name, %error, "an outcome could not be written");
            }
        }
    }

    async fn finish(mut self) {
        if !self.taken.is_empty() {
            self.put_back().await;
        }
        let end = tokio::time::timeout(FINISH, async {
            while let Some(done) = self.flying.next().await {
                self.ended.push(done);
            }
        });
        if end.await.is_err() {
            tracing::info!(channel = %self.line.name, "messages in flight are resumed at the next start");
        }
        if let Some(writing) = self.writing.take() {
            writing.await.map(drop).unwrap_or_default();
        }
        self.write();
        if let Some(writing) = self.writing.take() {
            writing.await.map(drop).unwrap_or_default();
        }
    }
}

async fn attempt(
    channel: &dyn Channel,
    message: &Message,
    deadline: Duration,
) -> Result<crate::channels::Receipt, SendError> {
    match tokio::time::timeout(deadline, channel.send(message)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(SendError::later(format!("no answer within {} s", deadline.as_secs_f32()))),
    }
}
