//! The floor under recall's quality, on talks that were made up for it; with the weights and without them.

use std::path::PathBuf;

use jiff::Timestamp;
use sanctum_kernel::{Tasks, stop};
use serde::Deserialize;

use super::bare::{Bare, Said};

#[derive(Deserialize)]
struct Fixture {
    now: Timestamp,
    talks: Vec<Talk>,
    facts: Vec<Fact>,
    questions: Vec<Question>,
    stale: Vec<Stale>,
    none: Vec<String>,
}

#[derive(Deserialize)]
struct Talk {
    session: String,
    at: Timestamp,
    turns: Vec<String>,
}

#[derive(Deserialize)]
struct Fact {
    text: String,
    since: Timestamp,
    until: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Question {
    ask: String,
    evidence: Vec<String>,
}

#[derive(Deserialize)]
struct Stale {
    ask: String,
    fact: usize,
    never: Option<usize>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../../tests/data/talks.json")).unwrap()
}

/// All of it as notes, facts first.
fn said(fixture: &Fixture) -> Vec<Said> {
    let mut all = Vec::new();
    for fact in &fixture.facts {
        let row = u32::try_from(all.len()).unwrap();
        all.push(Said { row, session: None, at: fact.since, until: fact.until, text: fact.text.clone() });
    }
    for talk in &fixture.talks {
        for (at, text) in (0_i64..).zip(&talk.turns) {
            let row = u32::try_from(all.len()).unwrap();
            let at = talk.at.checked_add(jiff::Span::new().seconds(at * 30)).unwrap();
            all.push(Said { row, session: Some(talk.session.clone()), at, until: None, text: text.clone() });
        }
    }
    all
}

fn row(fixture: &Fixture, evidence: &str) -> u32 {
    let (talk, turn) = evidence.split_once(':').unwrap();
    let (talk, turn) = (talk.parse::<usize>().unwrap(), turn.parse::<usize>().unwrap());
    let before: usize = fixture.talks[..talk - 1].iter().map(|talk| talk.turns.len()).sum();
    u32::try_from(fixture.facts.len() + before + turn - 1).unwrap()
}

async fn engine(
    meaning: bool,
    order: impl FnOnce(&mut Vec<Said>),
) -> (Fixture, Bare, tempfile::TempDir, Tasks, stop::Stopper) {
    let state = tempfile::tempdir().unwrap();
    let (stopper, stop) = stop::channel();
    let (tasks, _) = Tasks::new(stop);
    let engine = Bare::open(PathBuf::from(state.path()), meaning, &tasks).await;
    let fixture = fixture();
    let mut said = said(&fixture);
    order(&mut said);
    engine.take(said.into_iter());
    (fixture, engine, state, tasks, stopper)
}

async fn whole(engine: &Bare) {
    let every = std::time::Duration::from_millis(50);
    for _ in 0..2400 {
        let (passages, vectors, _) = engine.state();
        if vectors == passages {
            return;
        }
        tokio::time::sleep(every).await;
    }
    panic!("the weights are missing, or they are slow: tools/models fetches them: {:?}", engine.state());
}

/// Recall@5 and recall@10 of the questions that have an answer.
#[expect(clippy::cast_precision_loss, reason = "a few dozen")]
async fn found(fixture: &Fixture, engine: &Bare) -> (f64, f64) {
    let mut sums = (0.0, 0.0);
    for question in &fixture.questions {
        let rows: Vec<u32> = question.evidence.iter().map(|evidence| row(fixture, evidence)).collect();
        let hits = engine.ask(&question.ask, fixture.now, 10).await;
        let among = |first: usize| hits.iter().take(first).filter(|(row, _)| rows.contains(row)).count();
        sums.0 += among(5) as f64 / rows.len() as f64;
        sums.1 += among(10) as f64 / rows.len() as f64;
    }
    let count = fixture.questions.len() as f64;
    (sums.0 / count, sums.1 / count)
}

#[tokio::test]
async fn words_alone_find_most_answers_and_say_that_they_are_alone() {
    let (fixture, engine, _state, _tasks, _stopper) = engine(false, |_| ()).await;
    let (five, ten) = found(&fixture, &engine).await;
    assert!(five >= 0.82 && ten >= 0.85, "{five:.3} {ten:.3}");
    assert!(engine.state().2.unwrap().contains("words alone"));
}

#[tokio::test]
async fn words_and_meaning_find_more() {
    let (fixture, engine, _state, _tasks, _stopper) = engine(true, |_| ()).await;
    whole(&engine).await;
    let (five, ten) = found(&fixture, &engine).await;
    assert!(five >= 0.82 && ten >= 0.87, "{five:.3} {ten:.3}");
    assert_eq!(engine.state().2, None);
}

#[tokio::test]
async fn what_was_replaced_does_not_come_up_until_its_time_is_asked_about() {
    let (fixture, engine, _state, _tasks, _stopper) = engine(false, |_| ()).await;
    for stale in &fixture.stale {
        let hits = engine.ask(&stale.ask, fixture.now, 10).await;
        let rank = hits.iter().position(|(row, _)| *row == u32::try_from(stale.fact).unwrap());
        assert!(rank.is_some_and(|rank| rank < 2), "{}: {rank:?}", stale.ask);
        if let Some(never) = stale.never {
            assert!(hits.iter().all(|(row, _)| *row != u32::try_from(never).unwrap()), "{}", stale.ask);
        }
    }
}

#[tokio::test]
async fn what_nobody_knows_scores_below_what_somebody_does() {
    let (fixture, engine, _state, _tasks, _stopper) = engine(true, |_| ()).await;
    whole(&engine).await;
    let mut known = Vec::new();
    for question in &fixture.questions {
        known.push(engine.ask(&question.ask, fixture.now, 1).await.first().map_or(0.0, |hit| hit.1));
    }
    known.sort_by(f32::total_cmp);
    let median = known[known.len() / 2];
    for question in &fixture.none {
        let best = engine.ask(question, fixture.now, 1).await.first().map_or(0.0, |hit| hit.1);
        assert!(best < median, "{question}: {best} {median}");
    }
}

#[tokio::test]
async fn the_same_notes_give_the_same_answers_in_whatever_order_they_came() {
    let (fixture, one, _state, _tasks, _stopper) = engine(true, |_| ()).await;
    let (_, two, _state, _tasks, _stopper) = engine(true, |said| said.reverse()).await;
    let (_, three, _state, _tasks, _stopper) = engine(true, |said| {
        // Some are taken twice, which changes nothing.
        let again: Vec<Said> = said.iter().step_by(3).cloned().collect();
        said.extend(again);
    })
    .await;
    for engine in [&one, &two, &three] {
        whole(engine).await;
    }
    for question in &fixture.questions {
        let first = one.ask(&question.ask, fixture.now, 50).await;
        assert_eq!(first, one.ask(&question.ask, fixture.now, 50).await);
        assert_eq!(first, two.ask(&question.ask, fixture.now, 50).await);
        assert_eq!(first, three.ask(&question.ask, fixture.now, 50).await);
    }
}
