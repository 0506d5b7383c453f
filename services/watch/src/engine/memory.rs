//! What steps were good for, and what makes two troubles the same one.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::Action;

/// Tries after which an action that seldom helps yields to the next, and the share that is seldom.
const YIELDS: (u32, f64) = (5, 0.2);
/// Tries after which an action that often helps is tried first, and the share that is often.
const PROVEN: (u32, f64) = (3, 0.5);
/// Characters of a shape.
const LONGEST: usize = 80;

/// What one action was good for, for one kind of trouble of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub service: String,
    /// The check and the shape of what it saw.
    pub pattern: String,
    pub action: Action,
    pub tries: u32,
    pub helped: u32,
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcomes(BTreeMap<(String, String, Action), (u32, u32)>);

impl Outcomes {
    pub fn new(kept: impl IntoIterator<Item = Outcome>) -> Self {
        let pair = |kept: Outcome| ((kept.service, kept.pattern, kept.action), (kept.tries, kept.helped));
        Self(kept.into_iter().map(pair).collect())
    }

    pub fn iter(&self) -> impl Iterator<Item = Outcome> {
        self.0.iter().map(|((service, pattern, action), &(tries, helped))| Outcome {
            service: service.clone(),
            pattern: pattern.clone(),
            action: action.clone(),
            tries,
            helped,
        })
    }

    pub(super) fn learn(&mut self, service: &str, pattern: &str, action: &Action, helped: bool) -> Outcome {
        let key = (service.to_owned(), pattern.to_owned(), action.clone());
        let (tries, good) = self.0.entry(key).or_default();
        *tries = tries.saturating_add(1);
        *good = good.saturating_add(u32::from(helped));
        Outcome {
            service: service.to_owned(),
            pattern: pattern.to_owned(),
            action: action.clone(),
            tries: *tries,
            helped: *good,
        }
    }

    /// Which comes first: what has proved itself, the best of them first; what is not known, as declared; what seldom helps.
    pub(super) fn rank(&self, service: &str, pattern: &str, action: &Action) -> (u8, u32) {
        let key = (service.to_owned(), pattern.to_owned(), action.clone());
        let (tries, helped) = self.0.get(&key).copied().unwrap_or_default();
        let share = f64::from(helped) / f64::from(tries.max(1));
        if tries >= PROVEN.0 && share >= PROVEN.1 {
            return (0, 1_000 - helped * 1_000 / tries);
        }
        if tries >= YIELDS.0 && share < YIELDS.1 {
            return (2, 0);
        }
        (1, 0)
    }
}

/// What is the same about two details: words stay; numbers, addresses and identifiers become `#`.
pub fn shape(detail: &str) -> String {
    let mut shape = String::new();
    for word in detail.split_whitespace() {
        if shape.chars().count() >= LONGEST {
            break;
        }
        if !shape.is_empty() {
            shape.push(' ');
        }
        let mut last = ' ';
        for c in plain(word).chars() {
            if c != '#' || last != '#' {
                shape.push(c);
            }
            last = c;
        }
    }
    shape.chars().take(LONGEST).collect()
}

/// Digits become `#`; so does a long run of hexadecimal digits with at least one digit in it.
fn plain(word: &str) -> String {
    let mut plain = String::new();
    let mut run = String::new();
    for c in word.chars().chain(std::iter::once(' ')) {
        if c.is_ascii_hexdigit() {
            run.push(c);
            continue;
        }
        if run.len() >= 6 && run.chars().any(|c| c.is_ascii_digit()) {
            plain.push('#');
        } else {
            plain.extend(run.chars().map(|c| if c.is_ascii_digit() { '#' } else { c.to_ascii_lowercase() }));
        }
        run.clear();
        if c != ' ' {
            plain.extend(c.to_lowercase());
        }
    }
    plain
}

impl Action {
    /// As the file and people say it.
    pub fn word(&self) -> String {
        match self {
            Self::Restart => "restart".to_owned(),
            Self::Recipe(id) => format!("recipe:{id}"),
            Self::RestartRequirement => "restart-requirement".to_owned(),
            Self::RestartSubtree => "restart-subtree".to_owned(),
        }
    }

    /// What [`Action::word`] said.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "restart" => Some(Self::Restart),
            "restart-requirement" => Some(Self::RestartRequirement),
            "restart-subtree" => Some(Self::RestartSubtree),
            _ => word.strip_prefix("recipe:").map(|id| Self::Recipe(id.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_of_a_detail_has_no_numbers() {
        assert_eq!(shape("answered 503 after 1204 ms"), "answered # after # ms");
        assert_eq!(shape("connect 10.0.0.7:8123: refused"), "connect #.#.#.#:#: refused");
        assert_eq!(shape("pid 4711  died, build 9f3ac21b"), "pid # died, build #");
        assert_eq!(shape("Facade dead"), "facade dead", "words of letters a to f stay words");
        assert_eq!(shape(&"long ".repeat(60)).chars().count(), LONGEST);
    }

    #[test]
    fn what_fails_yields_and_what_helps_comes_first() {
        let mut memory = Outcomes::default();
        let (restart, recipe) = (Action::Restart, Action::Recipe("a".to_owned()));
        for _ in 0..4 {
            memory.learn("s", "p", &restart, false);
        }
        assert_eq!(memory.rank("s", "p", &restart), (1, 0), "four are not enough");
        memory.learn("s", "p", &restart, false);
        assert_eq!(memory.rank("s", "p", &restart), (2, 0));
        for helped in [true, false, true] {
            memory.learn("s", "p", &recipe, helped);
        }
        assert!(memory.rank("s", "p", &recipe) < (1, 0));
        assert_eq!(memory.rank("s", "q", &recipe), (1, 0), "another trouble is another memory");
        assert_eq!(Outcomes::new(memory.iter()), memory);
        for action in [restart, recipe, Action::RestartRequirement, Action::RestartSubtree] {
            assert_eq!(Action::parse(&action.word()), Some(action));
        }
    }
}
