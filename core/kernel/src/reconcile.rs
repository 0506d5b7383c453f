//! One small mechanism for everything that compares desired with observed state, acts, and reads back.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::{Failure, Stop};

/// What reading back showed. A success code is a claim; this is what was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Applied {
    Applied,
    NotApplied,
    /// It could not be looked at; never the same as applied.
    Unknown,
}

/// Wakes a reconciler before its clock does. Nudges that come while it works fold into one more round.
#[derive(Debug, Clone, Default)]
pub struct Nudge(Arc<Notify>);

impl Nudge {
    pub fn nudge(&self) {
        self.0.notify_one();
    }

    /// Resolves at the next nudge, at once if one came since the last time.
    pub async fn nudged(&self) {
        self.0.notified().await;
    }
}

/// Runs `round` at once, then every `period` and at every nudge, until stopped. A round takes no hints: it looks
/// at the whole truth and may run twice. A failed round is logged and tried again at the next turn.
pub async fn reconcile<F>(stop: &Stop, period: Duration, nudge: &Nudge, mut round: impl FnMut() -> F)
where
    F: Future<Output = Result<(), Failure>>,
{
    while !stop.is_requested() {
        match stop.or(round()).await {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                tracing::warn!(error = %crate::Chain(&*error), "a round of reconciliation failed");
            }
            None => return,
        }
        tokio::select! {
            () = stop.requested() => return,
            () = nudge.nudged() => {}
            () = tokio::time::sleep(period) => {}
        }
        // Let the senders of a burst finish, so that it costs one round.
        yield_once().await;
    }
}

async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
