//! What was seen of a block: a pure function of what should be and what was read back.

use sanctum_api::firewall::Verdict;

use crate::backend::{Cut, Evidence, Rules};

/// A verdict with its evidence, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judged {
    pub verdict: Verdict,
    pub evidence: String,
}

impl Judged {
    fn new(verdict: Verdict, evidence: impl Into<String>) -> Self {
        Self { verdict, evidence: evidence.into() }
    }

    /// It could not be looked at.
    pub(crate) fn unknown(why: &str) -> Self {
        Self::new(Verdict::Unknown, format!("could not look: {why}"))
    }
}

/// The verdict on one address. `leaked` counts packets that passed since the last look.
pub(crate) fn address(wanted: &Cut, found: Option<&Evidence>, leaked: u64, rules: &Rules) -> Judged {
    match rules {
        Rules::Gone(what) | Rules::Broken(what) => return Judged::new(Verdict::Missing, what.clone()),
        Rules::Foreign(what) if leaked == 0 => return Judged::new(Verdict::Missing, what.clone()),
        _ => {}
    }
    let Some(found) = found else {
        return Judged::new(Verdict::Missing, "the address is not blocked on the router");
    };
    if !found.whole {
        return Judged::new(Verdict::Missing, "only half of the block is on the router");
    }
    if leaked > 0 {
        return Judged::new(Verdict::Leaking, format!("{leaked} packets passed although it is blocked"));
    }
    if found.cut != *wanted && found.cut != Cut::All {
        if let (Cut::Services(wanted), Cut::Services(found)) = (wanted, &found.cut)
            && !wanted.is_subset(found)
        {
            let missing: Vec<&str> = wanted.difference(found).map(String::as_str).collect();
            return Judged::new(
                Verdict::Missing,
                format!("the router does not block {}", missing.join(", ")),
            );
        }
        return Judged::new(Verdict::Missing, "the router blocks less than it should");
    }
    match (found.dropped, found.learnt) {
        (0, None) => Judged::new(Verdict::Applied, "in force; nothing was sent yet"),
        (0, Some(0)) => {
            Judged::new(Verdict::Applied, "in force; no address of these services was seen in the DNS yet")
        }
        (0, Some(known)) => Judged::new(
            Verdict::Applied,
            format!("in force for {known} addresses seen in the DNS; nothing was sent yet"),
        ),
        (dropped, Some(known)) => Judged::new(
            Verdict::Proven,
            format!("{dropped} packets dropped, 0 passed to {known} addresses seen in the DNS"),
        ),
        (dropped, None) => Judged::new(Verdict::Proven, format!("{dropped} packets dropped, 0 passed")),
    }
}

/// The verdict on a device: as bad as that on its worst address, and as proven as its best.
pub(crate) fn device(mut addresses: Vec<Judged>) -> Judged {
    let all = addresses.len();
    if all == 0 {
        return Judged::new(Verdict::Unknown, "the device has no address yet");
    }
    let bad = |judged: &Judged| !matches!(judged.verdict, Verdict::Proven | Verdict::Applied);
    let wrong = addresses.iter().filter(|judged| bad(judged)).count();
    addresses.sort_by_key(|judged| rank(judged.verdict));
    let mut worst = addresses.swap_remove(0);
    if wrong > 0 && all > 1 {
        worst.evidence = format!("{} of {all} addresses in force: {}", all - wrong, worst.evidence);
    }
    worst
}

const fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Leaking => 0,
        Verdict::Missing => 1,
        Verdict::Unknown => 2,
        Verdict::Proven => 3,
        Verdict::Applied => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(whole: bool, dropped: u64) -> Evidence {
        Evidence { cut: Cut::All, whole, dropped, leaked: 0, learnt: None }
    }

    #[test]
    fn each_state_has_its_name() {
        let check = |found: Option<&Evidence>, leaked, rules: &Rules, verdict| {
            assert_eq!(address(&Cut::All, found, leaked, rules).verdict, verdict);
        };
        check(Some(&found(true, 0)), 0, &Rules::Whole, Verdict::Applied);
        check(Some(&found(true, 3)), 0, &Rules::Whole, Verdict::Proven);
        check(Some(&found(true, 3)), 1, &Rules::Whole, Verdict::Leaking);
        check(Some(&found(true, 3)), 1, &Rules::Foreign("above".into()), Verdict::Leaking);
        check(Some(&found(true, 3)), 0, &Rules::Foreign("above".into()), Verdict::Missing);
        check(Some(&found(false, 3)), 0, &Rules::Whole, Verdict::Missing);
        check(Some(&found(true, 3)), 0, &Rules::Broken("drop".into()), Verdict::Missing);
        check(None, 0, &Rules::Whole, Verdict::Missing);
    }

    #[test]
    fn a_device_is_as_bad_as_its_worst_address() {
        let judged = device(vec![
            address(&Cut::All, Some(&found(true, 3)), 0, &Rules::Whole),
            address(&Cut::All, None, 0, &Rules::Whole),
        ]);
        assert_eq!(judged.verdict, Verdict::Missing);
        assert!(judged.evidence.starts_with("1 of 2 addresses"), "{}", judged.evidence);
    }
}
