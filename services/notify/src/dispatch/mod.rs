//! Delivering: one worker for every channel, working from rows.

pub(crate) mod breaker;
pub(crate) mod outcome;
pub(crate) mod queue;
pub(crate) mod worker;

use std::time::Duration;

use crate::config::Delivery;

/// The wait before attempt `tries + 1`: it doubles, and a quarter of it is chance so that many do not come at once.
pub(crate) fn backoff(config: &Delivery, tries: u32, chance: u8) -> Duration {
    let wait =
        config.first_wait.0.saturating_mul(1 << tries.saturating_sub(1).min(20)).min(config.longest_wait.0);
    wait.mul_f64(0.875 + 0.25 * f64::from(chance) / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_limit() {
        let config = Delivery::default();
        for (tries, secs) in [(1, 1), (2, 2), (3, 4), (9, 256), (20, 900), (400, 900)] {
            let (least, most) = (backoff(&config, tries, 0), backoff(&config, tries, 255));
            let wait = Duration::from_secs(secs);
            assert!(
                least <= wait && wait <= most && most.as_secs_f64() / least.as_secs_f64() < 1.3,
                "{tries}"
            );
        }
    }
}
