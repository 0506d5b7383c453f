//! What may become a memory. No model is asked: most of what is junk shows it, and a wrong judge at the door is worse than none.

mod config;
pub(crate) mod gist;
pub(crate) mod noise;
pub(crate) mod secrets;
pub(crate) mod served;
pub(crate) mod sketch;
mod state;
pub(crate) mod truth;

use sanctum_api::memory::Outcome;

pub(crate) use config::Config;
pub(crate) use state::Gate;

/// What is about to be kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draft<'a> {
    pub(crate) title: Option<&'a str>,
    pub(crate) text: &'a str,
    /// What it is a statement about: one that supersedes is no duplicate, however alike.
    pub(crate) key: Option<&'a str>,
    /// The agent that writes, if one does: a person has no quota.
    pub(crate) agent: Option<&'a str>,
}

/// What is known that bears on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// The note that says it word for word.
    pub(crate) same: Option<String>,
    /// A note it adds nothing to.
    pub(crate) near: Option<String>,
    /// All it says was recalled to this conversation a moment ago.
    pub(crate) echoes: bool,
    /// How often this agent has come with the same beginning, dates aside.
    pub(crate) began_so: u32,
    /// Notes of this agent in the hour before.
    pub(crate) written: u32,
}

/// What the gate makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    Leave { outcome: Outcome, note: Option<String>, reason: String },
}

/// Judges a draft by what is known. Pure: the same draft and facts always get the same verdict.
pub(crate) fn judge(draft: &Draft<'_>, facts: &Facts, config: &Config) -> Verdict {
    let leave = |outcome, note: Option<&String>, reason: String| Verdict::Leave {
        outcome,
        note: note.cloned(),
        reason,
    };
    let secret = secrets::find(draft.text).into_iter().next();
    if let Some(secret) = secret.or_else(|| secrets::find(draft.title.unwrap_or_default()).into_iter().next())
    {
        return leave(
            Outcome::Secret,
            None,
            format!("it holds {}: secrets belong into the house's store of secrets", secret.what),
        );
    }
    if draft.agent.is_some() && facts.written >= config.notes_per_hour {
        let reason = format!("{} notes in an hour are the most an agent may write", config.notes_per_hour);
        return leave(Outcome::Quota, None, reason);
    }
    if let Some(reason) = noise::boot(draft.text) {
        return leave(Outcome::BootNoise, None, reason);
    }
    // A key says that this is meant as a new word on the matter; only the same word is none.
    if let Some(same) = &facts.same {
        return leave(Outcome::Duplicate, Some(same), "a note says this word for word".to_owned());
    }
    if draft.key.is_none() && facts.echoes {
        return leave(
            Outcome::RecallLoop,
            None,
            "it was recalled to this conversation a moment ago".to_owned(),
        );
    }
    if draft.agent.is_some() && facts.began_so >= config.starts {
        let reason = format!("this agent has come with the same beginning {} times", facts.began_so);
        return leave(Outcome::BootNoise, None, reason);
    }
    if let Some(near) = facts.near.as_ref().filter(|_| draft.key.is_none()) {
        return leave(Outcome::NearDuplicate, Some(near), "it adds nothing to what a note says".to_owned());
    }
    Verdict::Keep
}

#[cfg(test)]
pub(crate) mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;
    use sanctum_api::memory::{Class, Head, Kind, Origin};

    use super::*;

    pub(crate) fn head(id: &str) -> Head {
        Head {
            id: id.to_owned(),
            path: format!("knowledge/general/{id}.md"),
            title: id.to_owned(),
            kind: Kind::Semantic,
            class: Class::General,
            origin: Origin::Agent,
            agent: None,
            source: None,
            session: None,
            key: None,
            created: Timestamp::from_second(1_700_000_000).unwrap(),
            updated: Timestamp::from_second(1_700_000_000).unwrap(),
            valid_from: None,
            valid_until: None,
            importance: 0.5,
            base: None,
            accesses: 0,
            tags: Vec::new(),
            entities: Vec::new(),
            superseded_by: None,
            ttl_days: None,
            version: "1".to_owned(),
            trouble: None,
        }
    }

    fn outcome(draft: &Draft<'_>, facts: &Facts) -> Option<Outcome> {
        match judge(draft, facts, &Config::default()) {
            Verdict::Keep => None,
            Verdict::Leave { outcome, .. } => Some(outcome),
        }
    }

    const PLAIN: Draft<'static> =
        Draft { title: None, text: "Bert likes leeks.", key: None, agent: Some("yoda") };

    #[test]
    fn each_reason_has_its_outcome_and_a_correction_passes() {
        let known = |facts: Facts| outcome(&PLAIN, &facts);
        assert_eq!(known(Facts::default()), None);
        assert_eq!(
            known(Facts { same: Some("a".into()), near: Some("b".into()), ..Facts::default() }),
            Some(Outcome::Duplicate)
        );
        assert_eq!(known(Facts { near: Some("b".into()), ..Facts::default() }), Some(Outcome::NearDuplicate));
        assert_eq!(
            known(Facts { echoes: true, near: Some("b".into()), ..Facts::default() }),
            Some(Outcome::RecallLoop)
        );
        assert_eq!(known(Facts { written: 1_000_000, ..Facts::default() }), Some(Outcome::Quota));
        assert_eq!(known(Facts { began_so: 1000, ..Facts::default() }), Some(Outcome::BootNoise));
        let keyed = Draft { key: Some("bert.likes"), ..PLAIN };
        let facts = Facts { near: Some("b".into()), echoes: true, ..Facts::default() };
        assert_eq!(outcome(&keyed, &facts), None, "a new word on a matter is no duplicate");
        let person = Draft { agent: None, ..PLAIN };
        assert_eq!(outcome(&person, &Facts { written: 1_000_000, began_so: 1000, ..Facts::default() }), None);
    }

    proptest! {
        #[test]
        fn a_secret_is_never_kept_whatever_is_known(
            before in "[a-z ]{0,40}", same in any::<bool>(), echoes in any::<bool>(), keyed in any::<bool>(), written in 0_u32..10_000,
        ) {
            let text = format!("{before} {}{}", "ghp_", "a1B2c3D4e5".repeat(4));
            let draft = Draft { text: &text, key: keyed.then_some("k"), ..PLAIN };
            let facts = Facts { same: same.then(|| "x".to_owned()), echoes, written, ..Facts::default() };
            prop_assert_eq!(outcome(&draft, &facts), Some(Outcome::Secret));
        }
    }
}
