//! The labelled prompts, and what no list of words can say.

use proptest::prelude::*;

use super::evaluate::{Labelled, Part, Score, Share};
use super::*;

fn prompts() -> Vec<Labelled> {
    Labelled::read(include_str!("../../data/prompts.jsonl")).unwrap()
}

fn late() -> Vec<Labelled> {
    let sets =
        [include_str!("../../data/prompts-late.jsonl"), include_str!("../../data/prompts-late-2.jsonl")];
    sets.iter().flat_map(|set| Labelled::read(set).unwrap()).collect()
}

/// What must hold, a little under what was measured: intent, class, private kept in the house, code and security pinned.
fn holds(score: &Score, floors: [f64; 4]) {
    let measured = [score.intents(), score.classes(), score.kept(), score.pinned()].map(Share::percent);
    let fine = measured.iter().zip(floors).all(|(measured, floor)| *measured >= floor);
    assert!(fine, "{measured:?} is under {floors:?}");
}

#[test]
fn prompts_are_read_well_and_what_is_private_is_kept() {
    holds(&Score::of(&prompts(), Part::Tuned), [97.0, 95.0, 99.0, 97.0]);
    holds(&Score::of(&prompts(), Part::HeldOut), [96.0, 95.0, 96.0, 96.0]);
    holds(&Score::of(&late(), Part::All), [96.0, 91.0, 88.0, 95.0]);
}

#[test]
fn the_set_is_large_in_both_languages_and_names_nothing_twice() {
    let prompts = prompts();
    let french = prompts.iter().filter(|labelled| labelled.lang == "fr").count();
    assert!(prompts.len() >= 600 && french >= 200, "{} of {}", french, prompts.len());
    let mut seen = std::collections::HashSet::new();
    assert!(prompts.iter().all(|labelled| seen.insert((&labelled.text, &labelled.tools))));
    let held_out = prompts.iter().filter(|labelled| labelled.is_of(Part::HeldOut)).count();
    assert!((prompts.len() / 4..prompts.len() / 2).contains(&held_out));
}

fn read(latest: &str, earlier: &[&str]) -> Reading {
    classify(&Prompt { latest, earlier, ..Prompt::default() })
}

#[test]
fn what_was_private_once_stays_so_wherever_it_stands() {
    let said = "my blood pressure was 150/95 this morning";
    assert_eq!(read("and what about lunch?", &["ok", said]).privacy, Privacy::Health);
    assert_eq!(
        read("thanks", &["ok", "the IBAN for the rent is BE71 0961 2345 6769"]).privacy,
        Privacy::Finance
    );
    let system = Prompt {
        latest: "hi",
        system: Some("Bert takes metformin 500 mg; his doctor is Dr. X."),
        ..Prompt::default()
    };
    assert_eq!(classify(&system).privacy, Privacy::Health);
    let general =
        Prompt { latest: "hi", system: Some("You help with health, code and finance."), ..Prompt::default() };
    assert_eq!(classify(&general).privacy, Privacy::Open, "what an agent is for is not what it is told");
}

#[test]
fn a_word_in_the_middle_of_a_book_is_seen() {
    let prose =
        "The lighthouse stood at the end of the island, and nobody went there in winter. ".repeat(13_000);
    for (words, class) in [
        ("My son was diagnosed with leukaemia", Privacy::Health),
        ("mon fils a un diabète de type 2", Privacy::Health),
        ("what is left on my savings account", Privacy::Finance),
    ] {
        let middle = prose.len() / 2;
        let (before, after) = prose.split_at(middle);
        let text = format!("{before} {words}. {after}");
        assert_eq!((text.len() > 1_000_000, read(&text, &[]).privacy), (true, class), "{words}");
    }
    assert_eq!(read(&prose, &[]).privacy, Privacy::Open);
}

/// A coding agent sends its repository: what programs call things must not keep it in the house.
#[test]
fn programs_and_their_documents_stay_open() {
    let texts = [
        include_str!("../../../../ARCHITECTURE.md"),
        include_str!("../../../../core/http/src/client.rs"),
        include_str!("../../../../services/notify/src/accept.rs"),
    ];
    for text in texts {
        let reading = read(text, &[]);
        assert_eq!(
            (reading.privacy, reading.intent),
            (Privacy::Open, Intent::Code),
            "{}",
            reading.privacy_because
        );
        assert_eq!(read("continue", &[text]).privacy, Privacy::Open);
    }
}

#[test]
fn text_as_json_writes_it_is_read_as_well() {
    assert_eq!(read("j\\u2019ai une d\\u00e9pression\\nque faire", &[]).privacy, Privacy::Health);
    assert_eq!(read("one\\nmy mortgage\\ntwo", &[]).privacy, Privacy::Finance);
    assert_eq!(read("MA TENSION ARTÉRIELLE", &[]).privacy, Privacy::Health);
    assert_eq!(read("ma tension arte\u{301}rielle", &[]).privacy, Privacy::Health);
}

#[test]
fn a_few_words_go_on_with_what_was_spoken_of() {
    let program = "```rust\nfn main() { let x = vec![1]; }\n```\nthe borrow checker complains";
    let reading = read("continue", &["sure, here is the fix", program]);
    assert_eq!((reading.intent, reading.sure), (Intent::Code, false));
    assert_eq!(read("good morning! any plans today?", &[program]).intent, Intent::Chat, "talk is talk");
    let tools = Prompt { latest: "continue", tools: &["apply_patch", "shell"], ..Prompt::default() };
    assert_eq!(classify(&tools).intent, Intent::Code);
    let picture = Prompt { latest: "and this one?", images: true, ..Prompt::default() };
    assert_eq!(classify(&picture).intent, Intent::Image);
}

#[test]
fn evidence_is_named_in_words() {
    let reading = read("refactor this: ```js\nfoo()\n``` and my cholesterol is high", &[]);
    assert_eq!(reading.privacy_because, "the word \"cholesterol…\"");
    assert_eq!(read("can you fix src/main.rs:12:5?", &[]).intent_because, "a stack trace");
    assert_eq!(read("hello", &[]).privacy_because, "no word of health or money");
}

proptest! {
    #[test]
    fn any_text_is_read_and_always_the_same(text in "\\PC{0,300}", earlier in "\\PC{0,100}") {
        prop_assert_eq!(read(&text, &[&earlier]), read(&text, &[&earlier]));
    }

    #[test]
    fn more_said_before_never_makes_it_less_private(latest in "[a-z ]{0,40}", at in 0_usize..818, other in "\\PC{0,80}") {
        let prompts = prompts();
        let said = &prompts[at % prompts.len()].text;
        let before = read(&latest, &[said]).privacy;
        prop_assert!(read(&latest, &[&other, said]).privacy >= before);
    }
}
