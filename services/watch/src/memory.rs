//! The same trouble again: how often, and what helped the last time.

use jiff::{SignedDuration, Timestamp};

use crate::store::Alike;
use crate::words;

/// A month, as far as this is concerned.
pub(crate) const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);

/// `3rd time this month; restart fixed it in 41 s last time`. `past` is newest first, without the one at hand.
pub(crate) fn sentence(past: &[Alike], now: Timestamp) -> Option<String> {
    let last = past.first()?;
    let month = now.checked_sub(MONTH).unwrap_or(Timestamp::MIN);
    let recent = past.iter().filter(|alike| alike.began >= month).count();
    let times = match recent {
        0 => format!("seen before, {} ago", words::span(words::between(last.began, now))),
        recent => format!("{} time this month", words::ordinal(recent + 1)),
    };
    let over = past.iter().find_map(|alike| Some((alike, alike.resolved?)));
    Some(match over {
        Some((alike, end)) => {
            let took = words::span(words::between(alike.began, end));
            let last = if alike == last { "last time" } else { "an earlier time" };
            match &alike.helped {
                Some(action) => format!("{times}; {action} fixed it in {took} {last}"),
                None => format!("{times}; it took {took} and nothing that was tried helped {last}"),
            }
        }
        None => times,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(began: &str, lasted: Option<i64>, helped: Option<&str>) -> Alike {
        let began: Timestamp = began.parse().unwrap();
        let resolved = lasted.map(|secs| began + SignedDuration::from_secs(secs));
        Alike { began, detected: began, resolved, helped: helped.map(str::to_owned) }
    }

    /// W9: same fingerprint, how often, and what helped.
    #[test]
    fn w9_the_same_trouble_again_says_how_often_and_what_helped() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let restart = alike("2026-11-20T12:00:00Z", Some(41), Some("restart bridge"));
        let older = alike("2026-11-03T12:00:00Z", Some(600), None);
        let oldest = alike("2026-08-03T12:00:00Z", Some(600), None);
        assert_eq!(sentence(&[], now), None);
        let says = |past: &[Alike]| sentence(past, now).unwrap();
        assert_eq!(
            says(&[restart.clone(), older.clone(), oldest.clone()]),
            "3rd time this month; restart bridge fixed it in 41 s last time"
        );
        assert_eq!(
            says(&[older]),
            "2nd time this month; it took 10 min and nothing that was tried helped last time"
        );
        assert_eq!(
            says(&[oldest]),
            "seen before, 111 d ago; it took 10 min and nothing that was tried helped last time"
        );
        let open = alike("2026-11-21T12:00:00Z", None, None);
        assert_eq!(
            says(&[open, restart]),
            "3rd time this month; restart bridge fixed it in 41 s an earlier time"
        );
    }
}
