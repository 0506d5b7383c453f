//! What takes whose place: newer statements under a key supersede older ones, and what nobody may decide is shown.

use jiff::Timestamp;
use sanctum_api::memory::{Head, Origin};

/// What a new statement under a key does to those that were there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Effect {
    /// These are over from the moment on: the new one takes their place.
    pub(crate) supersedes: Vec<(String, Timestamp)>,
    /// The new one tells of a time before these began: it held until then.
    pub(crate) held_until: Option<Timestamp>,
    /// Both stand, and whoever asks is shown both.
    pub(crate) contradicts: Vec<String>,
}

/// Whose word counts more; a statement is only ever superseded by one that counts at least as much.
pub(crate) const fn weight(origin: Origin) -> u8 {
    match origin {
        Origin::Owner => 3,
        Origin::System => 2,
        Origin::Agent => 1,
        Origin::Untrusted => 0,
    }
}

/// From when on it holds, as far as it is known.
pub(crate) fn from(head: &Head) -> Timestamp {
    head.valid_from.unwrap_or(head.created)
}

fn is_current(head: &Head) -> bool {
    head.superseded_by.is_none() && !head.path.starts_with("archive/")
}

/// Whether both hold at some moment.
pub(crate) fn overlap(a: &Head, b: &Head) -> bool {
    let ends = |head: &Head| head.valid_until.unwrap_or(Timestamp::MAX);
    from(a) < ends(b) && from(b) < ends(a)
}

/// What `new` does to `others`, which have the same key. Pure: applying it is the caller's.
pub(crate) fn arrive(new: &Head, others: &[Head]) -> Effect {
    let mut effect = Effect::default();
    for old in others.iter().filter(|old| old.id != new.id && old.key == new.key && is_current(old)) {
        if !overlap(new, old) {
            continue;
        }
        let (new_from, old_from) = (from(new), from(old));
        if new_from < old_from {
            // It tells how it was before; what is now stays.
            if weight(old.origin) >= weight(new.origin) && new.valid_until.is_none() {
                let until = effect.held_until.map_or(old_from, |until| until.min(old_from));
                effect.held_until = Some(until);
            } else if new.valid_until.is_some() {
                effect.contradicts.push(old.id.clone());
            } else {
                effect.supersedes.push((old.id.clone(), old_from));
            }
        } else if weight(new.origin) >= weight(old.origin) && new.valid_until.is_none() {
            effect.supersedes.push((old.id.clone(), new_from));
        } else {
            effect.contradicts.push(old.id.clone());
        }
    }
    effect
}

/// Statements under the same key that hold at the same time, of which none is over: by pairs of positions in `heads`, which
/// is in order of keys.
pub(crate) fn contradictions(heads: &[Head]) -> Vec<(usize, usize)> {
    let mut keyed: Vec<(usize, &Head)> =
        heads.iter().enumerate().filter(|(_, head)| head.key.is_some() && is_current(head)).collect();
    keyed.sort_by(|a, b| a.1.key.cmp(&b.1.key).then(a.0.cmp(&b.0)));
    let mut found = Vec::new();
    for group in keyed.chunk_by(|a, b| a.1.key == b.1.key) {
        for (i, (first, a)) in group.iter().enumerate() {
            let rest = group.iter().skip(i + 1).filter(|(_, b)| overlap(a, b));
            found.extend(rest.map(|(second, _)| (*first, *second)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::gate::tests::head;

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + day * 86_400).unwrap()
    }

    fn statement(id: &str, origin: Origin, from: i64) -> Head {
        Head { origin, key: Some("dentist.phone".into()), valid_from: Some(day(from)), ..head(id) }
    }

    #[test]
    fn the_newer_takes_the_place_of_the_older_unless_it_counts_less() {
        let old = statement("old", Origin::Agent, 1);
        let effect = arrive(&statement("new", Origin::Agent, 5), std::slice::from_ref(&old));
        assert_eq!(effect.supersedes, [("old".to_owned(), day(5))]);
        let owners = statement("old", Origin::Owner, 1);
        let effect = arrive(&statement("new", Origin::Untrusted, 5), &[owners]);
        assert_eq!((effect.supersedes.len(), effect.contradicts), (0, vec!["old".to_owned()]));
        let effect = arrive(&statement("new", Origin::Agent, -9), &[old]);
        assert_eq!(
            (effect.supersedes.len(), effect.held_until),
            (0, Some(day(1))),
            "it tells how it was before"
        );
    }

    fn any(id: &'static str) -> impl Strategy<Value = Head> {
        let origin =
            prop::sample::select(vec![Origin::Owner, Origin::Agent, Origin::Untrusted, Origin::System]);
        (origin, 0_i64..30, prop::option::of(1_i64..10)).prop_map(move |(origin, from, length)| Head {
            valid_until: length.map(|length| day(from + length)),
            ..statement(id, origin, from)
        })
    }

    proptest! {
        #[test]
        fn nothing_that_counts_more_is_ever_ended(new in any("new"), old in any("old")) {
            let effect = arrive(&new, std::slice::from_ref(&old));
            if !effect.supersedes.is_empty() {
                prop_assert!(weight(new.origin) >= weight(old.origin));
            }
            // Every overlap is settled one way or shown.
            let settled = effect.supersedes.len() + effect.contradicts.len() + usize::from(effect.held_until.is_some());
            prop_assert_eq!(settled, usize::from(overlap(&new, &old)));
        }

        #[test]
        fn after_it_is_applied_nothing_contradicts_that_was_not_shown(new in any("new"), old in any("old")) {
            let effect = arrive(&new, std::slice::from_ref(&old));
            let (mut new, mut old) = (new, old);
            new.valid_until = effect.held_until.or(new.valid_until);
            if effect.supersedes.len() == 1 {
                old.superseded_by = Some("new".into());
            }
            let shown = !effect.contradicts.is_empty();
            prop_assert_eq!(contradictions(&[new, old]).len(), usize::from(shown));
        }
    }
}
