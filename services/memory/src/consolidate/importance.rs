//! What a note is worth keeping: base × source × recency^-0.3 × (1 + ln(accesses + 1)) × links, between 0 and 1.

use jiff::{SignedDuration, Timestamp};
use sanctum_api::memory::{Head, Origin};

/// Above this a note stays for good.
pub(crate) const PERMANENT: f32 = 0.8;
/// A note that was used so often does not expire, and is not moved out of a full folder.
pub(crate) const USED: u32 = 5;
/// Below this change a score is not written again: a line in a file is a commit in its history.
const MOVED: f32 = 0.05;

const DAY: f64 = 86_400.0;
/// Recency is counted in months: within the first nothing fades.
const MONTH: f64 = 30.0;

/// How much the word of its source counts.
const fn source(origin: Origin) -> f64 {
    match origin {
        Origin::Owner => 1.0,
        Origin::System => 0.9,
        Origin::Agent => 0.8,
        Origin::Untrusted => 0.5,
    }
}

/// The score of a note. `links` lead to it.
pub(crate) fn score(head: &Head, links: u32, now: Timestamp) -> f32 {
    let base = f64::from(head.base.unwrap_or(head.importance).clamp(0.0, 1.0));
    let months = now.duration_since(head.updated).as_secs_f64() / DAY / MONTH;
    let recency = months.max(1.0).powf(-0.3);
    let used = 1.0 + f64::from(head.accesses).ln_1p();
    let linked = 1.0 + 0.1 * f64::from(links.min(5));
    let score = base * source(head.origin) * recency * used * linked;
    #[expect(clippy::cast_possible_truncation, reason = "between 0 and 1")]
    let score = (score.clamp(0.0, 1.0) * 1000.0).round() as f32 / 1000.0;
    score
}

/// Whether a new score is worth a line.
pub(crate) fn has_moved(old: f32, new: f32) -> bool {
    (old - new).abs() >= MOVED || (old > PERMANENT) != (new > PERMANENT)
}

/// For how long a note of this score is kept unused; `None` for good.
pub(crate) fn keeps(score: f32) -> Option<SignedDuration> {
    let days = match score {
        score if score > PERMANENT => return None,
        score if score >= 0.5 => 90,
        score if score >= 0.3 => 30,
        _ => 7,
    };
    Some(SignedDuration::from_hours(days * 24))
}

/// When it is over: after its own days, if it names any, else after those its score gives. `None`: it stays.
pub(crate) fn ends(head: &Head, score: f32) -> Option<Timestamp> {
    if head.accesses >= USED {
        return None;
    }
    let days = head.ttl_days.map(|days| SignedDuration::from_hours(i64::from(days) * 24));
    let kept = days.or_else(|| keeps(score))?;
    head.updated.checked_add(kept).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::gate::tests::head;

    fn days(days: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + days * 86_400).unwrap()
    }

    #[test]
    fn the_bands_are_those_of_the_design() {
        let kept = |score| keeps(score).map(|kept| kept.as_hours() / 24);
        assert_eq!(
            [kept(0.81), kept(0.8), kept(0.5), kept(0.49), kept(0.3), kept(0.29)],
            [None, Some(90), Some(90), Some(30), Some(30), Some(7)]
        );
        let note = Head { base: Some(0.5), accesses: 1, ..head("a") };
        let expected = 0.5 * 0.8 * 3.0_f64.powf(-0.3) * (1.0 + 2.0_f64.ln()) * 1.2;
        assert!((f64::from(score(&note, 2, days(90))) - expected).abs() < 1e-3);
    }

    #[test]
    fn five_uses_protect_and_its_own_days_count_first() {
        let note = Head { ttl_days: Some(3), ..head("a") };
        assert_eq!(ends(&note, 0.9), Some(days(3)));
        assert_eq!(ends(&Head { accesses: USED, ..note }, 0.1), None);
        assert_eq!(ends(&head("a"), 0.2), Some(days(7)));
        assert_eq!(ends(&head("a"), 0.9), None);
    }

    proptest! {
        #[test]
        fn it_falls_with_age_and_rises_with_use_and_links(
            base in 0.0_f32..=1.0, accesses in 0_u32..50, links in 0_u32..20, age in -10_i64..4000, more in 1_i64..500,
        ) {
            let note = Head { base: Some(base), accesses, ..head("a") };
            let now = score(&note, links, days(age));
            prop_assert!((0.0..=1.0).contains(&now));
            prop_assert!(score(&note, links, days(age + more)) <= now);
            prop_assert!(score(&note, links + 1, days(age)) >= now);
            let more_used = Head { accesses: accesses + 1, ..note.clone() };
            prop_assert!(score(&more_used, links, days(age)) >= now);
            // It is made from what was given, not from what it was last time: scoring twice changes nothing.
            let again = score(&Head { importance: now, ..note }, links, days(age));
            prop_assert!((again - now).abs() < f32::EPSILON);
        }
    }
}
