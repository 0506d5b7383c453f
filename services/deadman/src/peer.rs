//! The switch of another house, or of this one's other machine: each watches the other, and says once that it cannot see
//! it, and once that it can again.

use std::time::Duration;

use sanctum_api::Health;
use sanctum_http::{Outbound, Outgoing};

/// One that takes longer to answer is not to be seen; with little patience, even sooner.
const LONGEST: Duration = Duration::from_secs(5);

/// How long one question may take: several fit into the patience.
pub(crate) fn timeout(patience: Duration) -> Duration {
    LONGEST.min(patience / 4)
}

/// What there is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    Nothing,
    Lost { silent: Duration },
    Back { silent: Duration },
}

/// Pure: whether the other is to be seen.
#[derive(Debug)]
pub(crate) struct Sight {
    patience: Duration,
    /// Seen for the last time; at first, when the looking began.
    since: Duration,
    looked: Duration,
    pub(crate) lost: bool,
}

impl Sight {
    /// `lost` is what was said before this process began.
    pub(crate) const fn new(patience: Duration, lost: bool) -> Self {
        Self { patience, since: Duration::ZERO, looked: Duration::ZERO, lost }
    }

    pub(crate) fn look(&mut self, seen: bool, now: Duration) -> News {
        // Who was frozen himself has not looked.
        let gap = now.saturating_sub(self.looked);
        self.looked = now;
        if gap > self.patience {
            self.since = now.min(self.since + gap);
        }
        let silent = now.saturating_sub(self.since);
        if seen {
            self.since = now;
        }
        match (seen, self.lost) {
            (true, true) => {
                self.lost = false;
                News::Back { silent }
            }
            (false, false) if silent >= self.patience => {
                self.lost = true;
                News::Lost { silent }
            }
            _ => News::Nothing,
        }
    }
}

/// Asks the other how it is; what is wrong, in words. That it is unwell is its own house's business: it answers.
pub(crate) async fn ask(outbound: &Outbound, peer: &str, timeout: Duration) -> Result<(), String> {
    let url = format!("{}/health", peer.trim_end_matches('/'));
    let outgoing = Outgoing { method: "GET", url, headers: Vec::new(), body: Vec::new(), timeout };
    let answer = outbound.send(outgoing).await.map_err(|error| error.to_string())?;
    match serde_json::from_slice::<Health>(&answer.body) {
        Ok(health) if health.service == "deadman" => Ok(()),
        Ok(health) => Err(format!("`{}` answers in its place", health.service)),
        Err(_) => Err(format!("what answers there, with {}, is no switch", answer.status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn d4_the_loss_of_the_other_is_said_once_and_its_return_once() {
        let mut sight = Sight::new(at(60), false);
        let mut said = Vec::new();
        for second in 0..1000 {
            match sight.look(!(100..700).contains(&second), at(second)) {
                News::Nothing => {}
                news => said.push((second, news)),
            }
        }
        assert_eq!(said, [(159, News::Lost { silent: at(60) }), (700, News::Back { silent: at(601) })]);
    }

    #[test]
    fn d4_what_was_said_before_a_restart_is_not_said_again() {
        let mut sight = Sight::new(at(60), true);
        assert!((0..500).all(|second| sight.look(false, at(second)) == News::Nothing));
        assert_eq!(sight.look(true, at(500)), News::Back { silent: at(500) });
    }

    #[test]
    fn d4_who_was_frozen_accuses_nobody() {
        let mut sight = Sight::new(at(60), false);
        sight.look(true, at(1));
        assert_eq!(sight.look(false, at(4000)), News::Nothing);
        assert_eq!(sight.look(true, at(4005)), News::Nothing);
    }
}
