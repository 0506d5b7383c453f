//! The labelled prompts: accuracy, confusion and recall on the part rules were tuned on and on the part held out.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Prompt, classify};
use crate::kinds::{Intent, Privacy};

#[derive(Debug, Deserialize)]
struct Labelled {
    text: String,
    intent: Intent,
    privacy: Privacy,
    #[serde(default)]
    tools: Vec<String>,
}

fn set() -> Vec<Labelled> {
    let lines = include_str!("../../data/prompts.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// FNV-1a modulo 3, as `data/README.md` says.
fn is_held_out(text: &str) -> bool {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.is_multiple_of(3)
}

#[derive(Default)]
struct Score {
    total: u32,
    intent: u32,
    privacy: u32,
    /// Of those that are private: seen as private of whatever class, and of the right one.
    private: (u32, u32, u32),
    /// Of those that are open: taken for private.
    open: (u32, u32),
    /// Of those that are pinned: seen as pinned.
    pinned: (u32, u32),
    intents: BTreeMap<(Intent, Intent), u32>,
    classes: BTreeMap<(Privacy, Privacy), u32>,
}

fn score(held_out: bool) -> Score {
    let show = std::env::var_os("SHOW").is_some() && !held_out;
    let mut score = Score::default();
    for labelled in set().iter().filter(|labelled| is_held_out(&labelled.text) == held_out) {
        let tools: Vec<&str> = labelled.tools.iter().map(String::as_str).collect();
        let reading = classify(&Prompt { latest: &labelled.text, tools: &tools, ..Prompt::default() });
        if show && (reading.intent, reading.privacy) != (labelled.intent, labelled.privacy) {
            let text: String = labelled.text.chars().take(90).collect();
            println!(
                "{:?}->{:?} {:?}->{:?} [{} | {}] {text:?}",
                labelled.intent,
                reading.intent,
                labelled.privacy,
                reading.privacy,
                reading.intent_because,
                reading.privacy_because
            );
        }
        score.total += 1;
        score.intent += u32::from(reading.intent == labelled.intent);
        score.privacy += u32::from(reading.privacy == labelled.privacy);
        if labelled.privacy.is_private() {
            score.private.0 += 1;
            score.private.1 += u32::from(reading.privacy.is_private());
            score.private.2 += u32::from(reading.privacy == labelled.privacy);
        } else {
            score.open.0 += 1;
            score.open.1 += u32::from(reading.privacy.is_private());
        }
        if labelled.intent.is_pinned() {
            score.pinned.0 += 1;
            score.pinned.1 += u32::from(reading.intent.is_pinned());
        }
        *score.intents.entry((labelled.intent, reading.intent)).or_default() += 1;
        *score.classes.entry((labelled.privacy, reading.privacy)).or_default() += 1;
    }
    score
}

fn percent(part: u32, of: u32) -> f64 {
    f64::from(part) * 100.0 / f64::from(of.max(1))
}

/// What must hold, a little under what was measured: intent, privacy, private seen as private, pinned seen as pinned.
fn holds(score: &Score, floors: [f64; 4]) {
    let measured = [
        percent(score.intent, score.total),
        percent(score.privacy, score.total),
        percent(score.private.1, score.private.0),
        percent(score.pinned.1, score.pinned.0),
    ];
    assert!(
        measured.iter().zip(floors).all(|(measured, floor)| *measured >= floor),
        "{measured:?} < {floors:?}"
    );
}

#[test]
fn the_part_rules_were_tuned_on_is_read_well() {
    holds(&score(false), [96.0, 95.0, 99.0, 97.0]);
}
