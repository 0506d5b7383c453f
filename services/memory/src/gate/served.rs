//! What was recalled to whom a moment ago: it must not come back as a new memory.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::gist::Gist;

/// Texts kept of one conversation or agent, and conversations and agents kept at all: the oldest goes.
const TEXTS: usize = 128;
const KEYS: usize = 1024;

/// What was recalled lately, by conversation and by agent. In memory: what it forgets at a restart is found as a duplicate.
/// When a text was told, its number, and what it says.
type Told = (Timestamp, u64, Gist);

#[derive(Debug)]
pub(crate) struct Served {
    window: SignedDuration,
    told: Mutex<HashMap<String, VecDeque<Told>>>,
}

impl Served {
    pub(crate) fn new(window: SignedDuration) -> Self {
        Self { window, told: Mutex::default() }
    }

    /// Remembers that these texts were told.
    pub(crate) fn tell<'a>(
        &self,
        agent: Option<&str>,
        session: Option<&str>,
        texts: impl IntoIterator<Item = &'a str>,
        now: Timestamp,
    ) {
        let keys = keys(agent, session);
        if keys.is_empty() {
            return;
        }
        let gists: Vec<(u64, Gist)> =
            texts.into_iter().map(|text| (super::gist::hash(text), Gist::of(text))).collect();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if told.len() >= KEYS && !told.contains_key(&key) {
                forget_oldest(&mut told);
            }
            let lately = told.entry(key).or_default();
            for (hash, gist) in &gists {
                lately.retain(|(_, other, _)| other != hash);
                lately.push_back((now, *hash, gist.clone()));
            }
            let over = lately.len().saturating_sub(TEXTS);
            lately.drain(..over);
        }
    }

    /// Whether all a text says was just told to this conversation or agent.
    pub(crate) fn echoes(
        &self,
        text: &Gist,
        agent: Option<&str>,
        session: Option<&str>,
        now: Timestamp,
    ) -> bool {
        let mut all = Gist::default();
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys(agent, session) {
            for (at, _, gist) in told.get(&key).into_iter().flatten() {
                // A clock that went back makes nothing old.
                if now.duration_since(*at) > self.window {
                    continue;
                }
                if text.echoes(gist) {
                    return true;
                }
                all.join(gist);
            }
        }
        text.echoes(&all)
    }
}

fn keys(agent: Option<&str>, session: Option<&str>) -> Vec<String> {
    let named = |kind: &str, name: Option<&str>| {
        name.filter(|name| !name.is_empty()).map(|name| format!("{kind}:{name}"))
    };
    [named("session", session), named("agent", agent)].into_iter().flatten().collect()
}

fn forget_oldest(told: &mut HashMap<String, VecDeque<(Timestamp, u64, Gist)>>) {
    let oldest =
        told.iter().min_by_key(|(_, lately)| lately.back().map(|(at, ..)| *at)).map(|(key, _)| key.clone());
    if let Some(key) = oldest {
        told.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
    }

    #[test]
    fn what_was_told_comes_back_as_an_echo_for_a_while_and_only_to_whom_it_was_told() {
        let served = Served::new(SignedDuration::from_mins(30));
        served.tell(Some("yoda"), Some("s1"), ["Bert's dentist is Doctor Lamy in Namur."], at(0));
        let back = Gist::of("I recall that Bert's dentist is Doctor Lamy in Namur.");
        assert!(served.echoes(&back, None, Some("s1"), at(29)));
        assert!(served.echoes(&back, Some("yoda"), None, at(1)));
        assert!(!served.echoes(&back, Some("yoda"), Some("s1"), at(31)), "too long ago");
        assert!(!served.echoes(&back, Some("windu"), Some("s2"), at(1)), "told to another");
        assert!(!served.echoes(&back, None, None, at(1)));
        assert!(served.echoes(&back, Some("yoda"), None, at(-600)), "a clock that went back");
    }

    #[test]
    fn it_stays_small() {
        let served = Served::new(SignedDuration::from_hours(1));
        for i in 0..2000 {
            served.tell(Some(&format!("agent {i}")), None, [&*format!("text number {i}")], at(i));
        }
        for i in 0..500 {
            served.tell(Some("yoda"), None, [&*format!("text number {i}")], at(i));
        }
        let told = served.told.lock().unwrap();
        assert!(told.len() <= KEYS && told["agent:yoda"].len() == TEXTS);
    }
}
