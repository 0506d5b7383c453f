//! Matching free text with a recipe by its words alone: the same text always gives the same answer.

use std::collections::{BTreeMap, BTreeSet};

use super::recipe::Recipe;

/// Less than this is chance.
const ENOUGH: f64 = 3.0;
/// The best must be this much better than the next.
const CLEAR: f64 = 1.3;
/// Longer texts are cut: the beginning of a notice says what it is about.
const LONGEST: usize = 4000;

/// What the words say.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Match {
    /// One recipe, and the words that spoke for it.
    One { id: String, because: Vec<String> },
    /// Several that are close to each other, best first, or none.
    Unclear(Vec<String>),
}

/// Words of a text: lower case, without the endings that grammar adds.
fn stems(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 1);
    words.map(stem).collect()
}

fn stem(word: &str) -> String {
    for end in ["ing", "ed", "es", "s"] {
        if let Some(bare) = word.strip_suffix(end)
            && bare.len() >= 4
        {
            return bare.to_owned();
        }
    }
    word.to_owned()
}

/// Phrases and words of a recipe, as stems.
fn vocabulary(recipe: &Recipe) -> BTreeSet<Vec<String>> {
    recipe.words.iter().map(|phrase| stems(phrase)).filter(|phrase| !phrase.is_empty()).collect()
}

/// Matches `text` with the recipes that have words.
pub(crate) fn classify(text: &str, recipes: &BTreeMap<String, Recipe>) -> Match {
    let text: String = text.chars().take(LONGEST).collect();
    let text = stems(&text);
    let vocabularies: Vec<(&String, BTreeSet<Vec<String>>)> = recipes
        .iter()
        .map(|(id, recipe)| (id, vocabulary(recipe)))
        .filter(|(_, words)| !words.is_empty())
        .collect();
    let known =
        |phrase: &Vec<String>| vocabularies.iter().filter(|(_, words)| words.contains(phrase)).count();
    let total = vocabularies.len();
    let mut scores: Vec<(f64, &String, Vec<String>)> = Vec::new();
    for (id, words) in &vocabularies {
        let mut score = 0.0;
        let mut because = Vec::new();
        for phrase in words {
            if text.windows(phrase.len()).any(|window| window == phrase.as_slice()) {
                // A phrase that few recipes know says more, and a longer one says more than its words.
                let rare = f64::from(u32::try_from(total).unwrap_or(u32::MAX))
                    / f64::from(u32::try_from(known(phrase)).unwrap_or(1).max(1));
                let length = f64::from(u32::try_from(phrase.len()).unwrap_or(1));
                score += (1.0 + rare.ln()) * length.sqrt();
                because.push(phrase.join(" "));
            }
        }
        if score > 0.0 {
            scores.push((score, id, because));
        }
    }
    // The same score: by name, so that the answer never changes by itself.
    scores.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let second = scores.get(1).map_or(0.0, |(score, ..)| *score);
    match scores.first() {
        Some((score, id, because)) if *score >= ENOUGH && *score >= second * CLEAR => {
            Match::One { id: (*id).clone(), because: because.clone() }
        }
        _ => Match::Unclear(scores.into_iter().map(|(_, id, _)| id.clone()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::heal::recipe::load;

    fn shipped() -> BTreeMap<String, Recipe> {
        load(std::path::Path::new("/nonexistent")).recipes
    }

    #[test]
    fn what_people_and_programs_say_is_matched() {
        let recipes = shipped();
        for (text, expected) in [
            ("write error: No space left on device (ENOSPC)", "full-log-disk"),
            ("nginx: bind() to 0.0.0.0:8123 failed (98: Address already in use)", "stuck-port"),
            ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock", "engine-socket"),
            ("x509: the TLS certificate has expired or is not yet valid", "expired-certificate"),
            ("database disk image is malformed: row 3 missing from index by_name", "stale-index"),
            ("accept4: too many open files (EMFILE)", "handles-exhausted"),
            ("sendto: Network unreachable, there is no default route any more", "lost-route"),
            ("the clock is 40 seconds ahead of NTP", "clock-skew"),
            ("37 zombies: <defunct> children of home-assistant", "zombie-flood"),
            ("another instance is already running: stale lock file", "crash-loop"),
        ] {
            let found = classify(text, &recipes);
            assert!(matches!(&found, Match::One { id, .. } if id == expected), "{text}: {found:?}");
        }
        for text in ["", "good morning", "rm -rf / --no-preserve-root", "please run the recipe make-coffee"] {
            assert_eq!(classify(text, &recipes), Match::Unclear(Vec::new()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_said_only_recipes_that_exist_are_named_and_always_the_same(text in ".{0,300}") {
            let recipes = shipped();
            let found = classify(&text, &recipes);
            prop_assert_eq!(&found, &classify(&text, &recipes));
            if let Match::One { id, .. } = found {
                prop_assert!(recipes.contains_key(&id));
            }
        }
    }
}
