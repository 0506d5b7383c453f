//! Asking work to stop, and waiting until it has.

use tokio::sync::{mpsc, watch};

/// Handed to every service and task. Resolves when the host wants it to wind down; the host then waits, up to
/// the service's grace period, until every clone is gone: nobody can forget to report.
#[derive(Debug, Clone)]
pub struct Stop {
    requested: watch::Receiver<bool>,
    _held: mpsc::Sender<()>,
}

/// The host's end: requests the stop and waits for it.
#[derive(Debug)]
pub struct Stopper {
    request: watch::Sender<bool>,
    released: mpsc::Receiver<()>,
}

/// A stopper and the first of its tokens.
pub fn channel() -> (Stopper, Stop) {
    let (request, requested) = watch::channel(false);
    let (held, released) = mpsc::channel(1);
    (Stopper { request, released }, Stop { requested, _held: held })
}

impl Stop {
    /// Resolves once a stop is requested; at once if it has been.
    pub async fn requested(&self) {
        let mut requested = self.requested.clone();
        // A closed channel means the host is gone, which is also a stop.
        requested.wait_for(|stop| *stop).await.ok();
    }

    /// Whether a stop has been requested.
    pub fn is_requested(&self) -> bool {
        *self.requested.borrow()
    }

    /// Runs `work` until it ends or a stop is requested; `None` if stopped.
    pub async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.requested() => None,
            done = work => Some(done),
        }
    }
}

impl Stopper {
    /// Requests the stop and returns when every token is gone.
    pub async fn stop(mut self) {
        self.request();
        while self.released.recv().await.is_some() {}
    }

    /// Requests the stop without waiting.
    pub fn request(&self) {
        self.request.send_replace(true);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_stop_waits_until_every_token_is_gone() {
        let (stopper, stop) = channel();
        let second = stop.clone();
        let stopping = stopper.stop();
        tokio::pin!(stopping);
        drop(stop);
        let early = tokio::time::timeout(Duration::from_millis(20), &mut stopping).await;
        assert!(early.is_err(), "a token is still held");
        assert!(second.is_requested());
        drop(second);
        stopping.await;
    }

    #[tokio::test]
    async fn a_vanished_host_is_a_stop_too() {
        let (stopper, stop) = channel();
        drop(stopper);
        stop.requested().await;
    }
}
