//! What the gate knows besides the draft: what is there already, what was just recalled, who has written how much.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};

use super::gist::Gist;
use super::served::Served;
use super::sketch::Sketches;
use super::{Config, Facts};
use crate::model::{Delta, Indexed};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The gate. Clones share it. Of notes it knows what it was given by [`Gate::apply`].
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    notes: RwLock<Notes>,
    served: Served,
    /// When each agent has written, within the last hour.
    written: Mutex<HashMap<String, VecDeque<Timestamp>>>,
}

#[derive(Debug, Default)]
struct Notes {
    sketches: Sketches,
    ids: HashMap<u32, Box<str>>,
}

impl Gate {
    pub(crate) fn new(config: Config) -> Self {
        let window = SignedDuration::try_from(config.recalled_within.0).unwrap_or(SignedDuration::MAX);
        let served = Served::new(window);
        Self(Arc::new(Inner { config, notes: RwLock::default(), served, written: Mutex::default() }))
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn served(&self) -> &Served {
        &self.0.served
    }

    /// Follows one commit of the index.
    pub(crate) fn apply(&self, deltas: &[Delta]) {
        // The words are read before the lock is taken.
        let read: Vec<_> = deltas
            .iter()
            .map(|delta| match delta {
                Delta::Put(note) => {
                    (note.row, counts(note).then(|| (gist(note), Box::from(note.head.id.as_str()))))
                }
                Delta::Gone(row) => (*row, None),
            })
            .collect();
        let mut notes = self.0.notes.write().unwrap_or_else(PoisonError::into_inner);
        for (row, note) in read {
            if let Some((gist, id)) = note {
                notes.sketches.put(row, &gist);
                if notes.ids.get(&row) != Some(&id) {
                    notes.ids.insert(row, id);
                }
            } else {
                notes.sketches.gone(row);
                notes.ids.remove(&row);
            }
        }
    }

    /// Ids of notes that say this word for word.
    pub(crate) fn same(&self, gist: &Gist) -> Vec<String> {
        let notes = self.0.notes.read().unwrap_or_else(PoisonError::into_inner);
        notes.sketches.same(gist).filter_map(|row| notes.ids.get(&row)).map(ToString::to_string).collect()
    }

    /// Ids of notes that may say nearly this.
    pub(crate) fn alike(&self, gist: &Gist, most: usize) -> Vec<String> {
        let notes = self.0.notes.read().unwrap_or_else(PoisonError::into_inner);
        notes
            .sketches
            .alike(gist, most)
            .iter()
            .filter_map(|row| notes.ids.get(row))
            .map(ToString::to_string)
            .collect()
    }

    /// Pairs of notes that say the same, or may, each pair once: ids, and whether it is word for word.
    pub(crate) fn pairs(&self, most: usize) -> Vec<(String, String, bool)> {
        let notes = self.0.notes.read().unwrap_or_else(PoisonError::into_inner);
        let id = |row: u32| notes.ids.get(&row).map(ToString::to_string);
        let pairs = notes.sketches.pairs(most).into_iter();
        pairs.filter_map(|(one, other, exact)| Some((id(one)?, id(other)?, exact))).collect()
    }

    /// How much this agent has written in the hour before.
    pub(crate) fn written(&self, agent: &str, now: Timestamp) -> u32 {
        let mut written = self.0.written.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(times) = written.get_mut(agent) else { return 0 };
        // A clock that went back must not lock anybody out for longer than an hour.
        times.retain(|at| now.duration_since(*at).abs() < HOUR);
        u32::try_from(times.len()).unwrap_or(u32::MAX)
    }

    /// This agent has written a note.
    pub(crate) fn wrote(&self, agent: &str, now: Timestamp) {
        let mut written = self.0.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.len() > 10_000 {
            written.retain(|_, times| times.back().is_some_and(|at| now.duration_since(*at).abs() < HOUR));
        }
        written.entry(agent.to_owned()).or_default().push_back(now);
    }

    /// What is known without asking the index.
    pub(crate) fn facts(
        &self,
        gist: &Gist,
        agent: Option<&str>,
        session: Option<&str>,
        now: Timestamp,
    ) -> Facts {
        Facts {
            same: self.same(gist).into_iter().next(),
            near: None,
            echoes: self.0.served.echoes(gist, agent, session, now),
            began_so: 0,
            written: agent.map_or(0, |agent| self.written(agent, now)),
        }
    }
}

/// Notes that stand for what is known: what is archived or superseded may be said again.
fn counts(note: &Indexed) -> bool {
    !note.head.path.starts_with("archive/")
        && !note.head.path.starts_with("meta/")
        && note.head.superseded_by.is_none()
}

/// What a note says, as a draft's text is read.
pub(crate) fn gist(note: &Indexed) -> Gist {
    let texts: Vec<&str> = note.passages.iter().map(|passage| passage.text.as_str()).collect();
    Gist::of(&texts.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::tests::head;
    use crate::model::Passage;

    fn note(row: u32, id: &str, path: &str, text: &str) -> Delta {
        let head = sanctum_api::memory::Head { path: path.into(), ..head(id) };
        let passages = vec![Passage { text: text.into(), hash: [0; 32] }];
        Delta::Put(Arc::new(Indexed { row, head, passages, links: Vec::new() }))
    }

    #[test]
    fn it_knows_what_is_there_and_forgets_what_is_set_aside() {
        let gate = Gate::new(Config::default());
        let (one, other) = ("Bert likes leeks very much.", "Bert likes leeks very much, and so does Chloé.");
        gate.apply(&[
            note(1, "a", "knowledge/a.md", one),
            note(2, "b", "inbox/yoda/b.md", other),
            note(3, "c", "inbox/yoda/c.md", one),
        ]);
        assert_eq!(gate.same(&Gist::of(one)), ["a", "c"]);
        assert!(gate.pairs(8).contains(&("a".to_owned(), "c".to_owned(), true)));
        gate.apply(&[note(1, "a", "archive/knowledge/a.md", one), Delta::Gone(3)]);
        assert!(gate.same(&Gist::of(one)).is_empty());
        assert_eq!(gate.same(&Gist::of(other)), ["b"]);
    }

    #[test]
    fn an_hour_later_an_agent_may_write_again_and_a_clock_that_went_back_locks_nobody_out() {
        let gate = Gate::new(Config::default());
        let at = |minute: i64| Timestamp::from_second(1_800_000_000 + minute * 60).unwrap();
        (0..10).for_each(|minute| gate.wrote("yoda", at(minute)));
        assert_eq!((gate.written("yoda", at(10)), gate.written("windu", at(10))), (10, 0));
        assert_eq!(gate.written("yoda", at(65)), 4);
        assert_eq!(gate.written("yoda", at(-500)), 0);
    }
}
