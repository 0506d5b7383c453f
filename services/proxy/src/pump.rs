//! The frames of a stream, passed on as they come, with a scanner beside them. No task, no channel: it runs when the client's
//! connection can take more, and is dropped with it, which closes the provider's side.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use memchr::memmem;
use sanctum_http::{Body, Bytes, Cut, Frame, Received};
use sanctum_llm::{Dialect, Usage};
use tokio::time::Sleep;

use crate::account::Account;
use crate::attempt::Begun;
use crate::body;
use crate::budget::cost;
use crate::refusal;
use crate::relay::Relay;
use crate::usage::Finish;

/// A stream on its way.
pub(crate) struct Pump {
    upstream: Option<Received>,
    /// Read but not passed on yet.
    waiting: VecDeque<Bytes>,
    relay: Relay,
    /// The client's.
    dialect: Dialect,
    swallow: Option<Swallow>,
    account: Box<Account>,
    limits: Limits,
    heard: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    /// What comes after the bytes that wait: the end, or a cut.
    closing: Option<Closing>,
    turn: Option<tokio::sync::OwnedSemaphorePermit>,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    idle: Duration,
    heartbeat: Duration,
    /// Tokens of output that the client's own limit does not bound, reserved so far.
    output: Option<u64>,
    more: u64,
}

#[derive(Debug)]
enum Closing {
    End,
    /// Why, and whether the connection has had a turn to send what came before.
    Cut(&'static str, bool),
}

/// Keeps back the one chunk with the tokens that the client has not asked for.
#[derive(Debug, Default)]
struct Swallow {
    /// Of an event whose end has not come.
    held: Vec<u8>,
    /// So much of it has no end in it.
    searched: usize,
}

impl Pump {
    pub(crate) fn new(begun: Box<Begun>, account: Box<Account>, ask_limit: Option<u64>) -> Self {
        let config = &account.gate.config;
        let limits = Limits {
            idle: config.idle.0,
            heartbeat: config.heartbeat.0,
            output: if ask_limit.is_some() { None } else { Some(config.assume_output) },
            more: config.assume_output.max(1),
        };
        Self {
            upstream: Some(begun.body),
            waiting: begun.first,
            relay: begun.relay,
            dialect: begun.dialect,
            swallow: begun.swallow.then(Swallow::default),
            account,
            limits,
            heard: Instant::now(),
            timer: None,
            closing: None,
            turn: begun.turn,
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            while let Some(bytes) = self.waiting.pop_front() {
                if let Some(bytes) = self.pass(bytes) {
                    if let Some(after) = &mut self.account.after {
                        after.see(&bytes);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
            }
            if matches!(self.closing, Some(Closing::End)) {
                self.account.complete(self.dialect, "text/event-stream; charset=utf-8");
            }
            match &mut self.closing {
                Some(Closing::End) => return Poll::Ready(None),
                Some(Closing::Cut(why, told @ false)) => {
                    // What has been said must be on its way before the connection is cut.
                    (*told, _) = (true, why);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Closing::Cut(why, true)) => return Poll::Ready(Some(Err((*why).into()))),
                None => {}
            }
            let Some(upstream) = &mut self.upstream else { return Poll::Ready(None) };
            match Pin::new(upstream).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.heard = Instant::now();
                    self.waiting.extend(self.relay.push(data));
                    self.watch();
                }
                Poll::Ready(Some(Err(error))) => {
                    self.cut("upstream_broken", &format!("the provider's stream broke off: {error}"));
                }
                Poll::Ready(None) => self.ended(),
                Poll::Pending => match self.quiet(cx) {
                    Poll::Ready(Some(beat)) => return Poll::Ready(Some(Ok(Frame::data(beat)))),
                    Poll::Ready(None) => {}
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
    }

    /// Bytes for the client: as they came, but for what it has not asked for.
    fn pass(&mut self, bytes: Bytes) -> Option<Bytes> {
        match &mut self.swallow {
            Some(swallow) => swallow.pass(bytes),
            None => Some(bytes),
        }
    }

    /// Money and failures, after more has come.
    fn watch(&mut self) {
        let guess = self.relay.output_guess();
        self.account.saw_output(guess);
        if let Some(usage) = self.relay.usage() {
            self.account.usage = Some(usage);
        }
        let Some(reserved) = self.limits.output else { return };
        // A margin, because a chunk may be more than a token.
        if guess + guess / 4 + 64 <= reserved {
            return;
        }
        let more = Usage { output: self.limits.more, ..Usage::default() };
        match self.account.extend(cost(&self.account.price(), &more)) {
            Ok(()) => self.limits.output = Some(reserved + self.limits.more),
            Err(spent) => self.stop_for_money(&spent.to_string()),
        }
    }

    /// Ends the stream as a model does that has reached its limit.
    fn stop_for_money(&mut self, why: &str) {
        self.upstream = None;
        if !self.relay.between() {
            // Everything up to the last whole event has been passed on; half an event cannot be ended well.
            return self.fail(Finish::Budget, "budget", why);
        }
        let ending = self.relay.ending(self.dialect);
        self.account.end(Finish::Budget, 200, Some(why.to_owned()));
        self.closing = Some(Closing::End);
        self.waiting.push_back(ending);
    }

    /// The provider's side has ended.
    fn ended(&mut self) {
        self.upstream = None;
        self.turn = None;
        self.waiting.extend(self.relay.close());
        if let Some(rest) = self.swallow.take().map(|swallow| swallow.held).filter(|rest| !rest.is_empty()) {
            self.waiting.push_back(Bytes::from(rest));
        }
        if let Some(usage) = self.relay.usage() {
            self.account.usage = Some(usage);
        }
        if let Some(fault) = self.relay.take_fault() {
            self.account.end(Finish::Error, 200, Some(fault.message));
            self.closing = Some(Closing::Cut("the provider failed", false));
            return;
        }
        // Some local servers forget the last word after the reason; nobody who has both was cut.
        if self.relay.done() || self.relay.finish().is_some() {
            self.account.end(self.relay.finish().unwrap_or(Finish::Other), 200, None);
            self.closing = Some(Closing::End);
            return;
        }
        self.cut("upstream_broken", "the provider's stream ended in the middle");
    }

    /// Half an answer must not look like a whole one: an error event where one fits, and the connection is cut.
    fn cut(&mut self, code: &str, why: &str) {
        self.upstream = None;
        self.fail(Finish::Cut, code, why);
    }

    fn fail(&mut self, finish: Finish, code: &str, why: &str) {
        if self.relay.between() {
            let refused = refusal::Refusal::new(502, sanctum_llm::FaultKind::Internal, code, why);
            let trace = self.account.trace().to_string();
            let error = refusal::write(self.dialect, &refused.fault, &trace);
            let event = self.relay.failure(self.dialect, &refused.fault, &error);
            self.waiting.push_back(event);
        }
        if let Some(usage) = self.relay.usage() {
            self.account.usage = Some(usage);
        }
        self.account.end(finish, 200, Some(why.to_owned()));
        self.closing = Some(Closing::Cut("the stream was cut", false));
    }

    /// Nothing comes: a heartbeat every while, and an end after too long.
    fn quiet(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let every = self.limits.heartbeat.min(self.limits.idle);
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(every)));
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        // The timer is not set anew with every frame; it may be early.
        let silent = self.heard.elapsed();
        let left = self.limits.heartbeat.saturating_sub(silent);
        let due = if left.is_zero() { self.limits.heartbeat } else { left };
        timer.as_mut().reset(tokio::time::Instant::now() + due.min(self.limits.idle));
        if silent >= self.limits.idle {
            self.cut("upstream_silent", "the provider's stream fell silent");
            return Poll::Ready(None);
        }
        if silent >= self.limits.heartbeat && self.relay.between() {
            return Poll::Ready(Some(body::heartbeat(self.dialect)));
        }
        // Asked again, so that the timer that was just set wakes this task.
        Poll::Ready(None)
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        // The client has gone, or all is said; either way this is what has been seen.
        if let Some(usage) = self.relay.usage() {
            self.account.usage = Some(usage);
        }
        self.account.saw_output(self.relay.output_guess());
        self.account.lose(&self.relay.losses());
        for signature in self.relay.signatures() {
            self.account.remember(&signature);
        }
        self.account.status(200);
    }
}

impl Swallow {
    /// Passes whole events on, but not the one without choices that tells the tokens.
    fn pass(&mut self, bytes: Bytes) -> Option<Bytes> {
        let telling = |bytes: &[u8]| memmem::find(bytes, b"\"usage\"").is_some() && tells(bytes);
        if self.held.is_empty() && bytes.ends_with(b"\n\n") && !telling(&bytes) {
            return Some(bytes);
        }
        self.held.extend_from_slice(&bytes);
        let mut out = Vec::with_capacity(self.held.len());
        let mut at = 0;
        // An end may begin in what has been searched: three bytes of its four.
        let mut from = self.searched.saturating_sub(3);
        while let Some(end) = event_end(self.held.get(from..).unwrap_or_default()) {
            let end = from + end;
            let event = self.held.get(at..end).unwrap_or_default();
            if !tells(event) {
                out.extend_from_slice(event);
            }
            (at, from) = (end, end);
        }
        self.held.drain(..at);
        self.searched = self.held.len();
        (!out.is_empty()).then(|| Bytes::from(out))
    }
}

/// Where an event ends: behind its empty line.
fn event_end(bytes: &[u8]) -> Option<usize> {
    let unix = memmem::find(bytes, b"\n\n").map(|at| at + 2);
    let dos = memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4);
    match (unix, dos) {
        (Some(unix), Some(dos)) => Some(unix.min(dos)),
        (one, other) => one.or(other),
    }
}

/// Whether it is the chunk with the tokens and nothing else: no choices.
fn tells(event: &[u8]) -> bool {
    let none = memmem::find(event, b"\"choices\":[]").or_else(|| memmem::find(event, b"\"choices\": []"));
    let usage = memmem::find(event, b"\"usage\":{").or_else(|| memmem::find(event, b"\"usage\": {"));
    none.is_some() && usage.is_some()
}
