//! Evidence recall: the share of a question's evidence turns among the first five and ten, without any judge.

use std::time::Instant;

use sanctum_embed::{Embedder, Vector, default_dir};
use sanctum_kernel::{Failure, Tasks, stop};
use sanctum_memory::bare::{Bare, Said};

use crate::locomo::{Question, Set, read};
use crate::{peers, plain};

/// The bars for recall@5 and recall@10.
const BARS: [f64; 2] = [0.66, 0.75];
const CATEGORIES: [&str; 4] = ["multi-hop", "temporal", "open-domain", "single-hop"];

/// Recall@5, recall@10 and the mean reciprocal rank of a recipe, over questions of one kind.
pub(crate) struct Row {
    name: String,
    ranked: Vec<Vec<u32>>,
}

pub(crate) async fn measure(file: &str) -> Result<bool, Failure> {
    let set = read(file)?;
    println!("{} turns, {} questions of categories 1 to 4, one store", set.turns.len(), set.questions.len());
    let mut rows = baselines(&set)?;
    rows.extend(peers::measure(&set));
    let ours = [("recall, words only", false), ("recall", true)];
    for (name, meaning) in ours {
        rows.push(own(&set, name, meaning).await?);
    }
    println!(
        "{:<28} {:>15} {:>6}   {}",
        "",
        "R@5 / R@10",
        "MRR",
        CATEGORIES.map(|name| format!("{name:>13}")).join(" ")
    );
    for row in &rows {
        print(&set, row);
    }
    let conversations: Vec<String> = by_conversation(&set, rows.last());
    println!("recall by conversation (R@5 / R@10): {}", conversations.join(", "));
    let best = rows.last().map_or([0.0; 3], |row| scores(&set, row, |_| true));
    Ok(best.iter().zip(BARS).all(|(score, bar)| *score >= bar))
}

fn baselines(set: &Set) -> Result<Vec<Row>, Failure> {
    let ask = |name: &str, find: &dyn Fn(&Question) -> Result<Vec<u32>, Failure>| {
        let ranked = set.questions.iter().map(find).collect::<Result<_, _>>()?;
        Ok::<Row, Failure>(Row { name: name.to_owned(), ranked })
    };
    let fts = plain::Fts::new(set)?;
    let mut rows = vec![
        ask("grep", &|question| Ok(plain::grep(set, &question.text)))?,
        ask("BM25 alone (FTS5)", &|question| fts.ask(&question.text))?,
    ];
    let Some(model) = default_dir().and_then(|dir| Embedder::open(&dir).ok()) else {
        println!("there are no weights: tools/models fetches them");
        return Ok(rows);
    };
    let one = |text: &str| -> Result<Vector, Failure> { Ok(model.embed(text)?) };
    let turns = set.turns.iter().map(|turn| one(&turn.text)).collect::<Result<Vec<_>, _>>()?;
    rows.push(ask("MiniLM-L6 alone", &|question| Ok(plain::nearest(&turns, &one(&question.text)?)))?);
    rows.push(ask("plain RRF of both", &|question| {
        let near = plain::nearest(&turns, &one(&question.text)?);
        Ok(plain::fused([&fts.ask(&question.text)?, &near]))
    })?);
    Ok(rows)
}

async fn own(set: &Set, name: &str, meaning: bool) -> Result<Row, Failure> {
    let state = tempfile::tempdir()?;
    let (stopper, stop) = stop::channel();
    let (tasks, _failures) = Tasks::new(stop);
    let engine = Bare::open(state.path().to_owned(), meaning, &tasks).await;
    let said = (0..).zip(&set.turns).map(|(row, turn)| Said {
        row,
        session: Some(turn.session.clone()),
        at: turn.at,
        until: None,
        text: turn.text.clone(),
    });
    engine.take(said);
    if meaning {
        while engine.state().1 < engine.state().0 {
            if let (0, _, Some(reason)) | (_, 0, Some(reason)) = engine.state()
                && reason.contains("words alone:")
            {
                println!("{reason}");
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }
    let now = set.turns.iter().map(|turn| turn.at).max().unwrap_or_default();
    let began = Instant::now();
    let mut ranked = Vec::new();
    for question in &set.questions {
        ranked.push(engine.ask(&question.text, now, 50).await.into_iter().map(|(row, _)| row).collect());
    }
    let each = began.elapsed().as_secs_f64() * 1e3 / set.questions.len().max(1) as f64;
    println!("{name}: {each:.1} ms for each question, one after the other");
    drop(engine);
    stopper.request();
    tasks.drain().await;
    Ok(Row { name: name.to_owned(), ranked })
}

impl Row {
    pub(crate) fn new(name: &str, ranked: Vec<Vec<u32>>) -> Self {
        Self { name: name.to_owned(), ranked }
    }
}

fn scores(set: &Set, row: &Row, of: impl Fn(&Question) -> bool) -> [f64; 3] {
    let mut sums = [0.0; 3];
    let mut count = 0.0;
    for (question, ranked) in set.questions.iter().zip(&row.ranked).filter(|(question, _)| of(question)) {
        count += 1.0;
        let among =
            |first: usize| ranked.iter().take(first).filter(|at| question.evidence.contains(at)).count();
        let all = question.evidence.len() as f64;
        let first = ranked.iter().position(|at| question.evidence.contains(at));
        let found =
            [among(5) as f64 / all, among(10) as f64 / all, first.map_or(0.0, |at| 1.0 / (at as f64 + 1.0))];
        sums.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
    }
    sums.map(|sum| sum / f64::max(count, 1.0))
}

fn print(set: &Set, row: &Row) {
    let [five, ten, reciprocal] = scores(set, row, |_| true);
    let kinds = (1..=4).map(|category| {
        let [five, ten, _] = scores(set, row, |question| question.category == category);
        format!("{:>13}", format!("{five:.3}/{ten:.3}"))
    });
    let kinds: Vec<String> = kinds.collect();
    println!(
        "{:<28} {:>15} {reciprocal:>6.3}   {}",
        row.name,
        format!("{five:.3} / {ten:.3}"),
        kinds.join(" ")
    );
}

fn by_conversation(set: &Set, row: Option<&Row>) -> Vec<String> {
    let most = set.questions.iter().map(|question| question.conversation).max().unwrap_or(0);
    let each = |row: &Row, number| {
        let [five, ten, _] = scores(set, row, |question: &Question| question.conversation == number);
        format!("{five:.3}/{ten:.3}")
    };
    row.map(|row| (0..=most).map(|number| each(row, number)).collect()).unwrap_or_default()
}
