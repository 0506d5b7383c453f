//! How fast texts get their vectors: through recall, beside the model alone on the same texts.

use sanctum_embed::{Embedder, default_dir};
use sanctum_kernel::{Failure, Tasks, stop};
use sanctum_memory::bare::{Bare, Said};

use crate::locomo::{Set, read};

const TEXTS: usize = 512;
const PASSES: usize = 3;
/// Of the model's own rate.
const BAR: f64 = 0.9;

pub(crate) async fn measure(file: &str) -> Result<bool, Failure> {
    let set = read(file)?;
    let model = Embedder::open(&default_dir().ok_or("there is no home")?)?;
    println!("{TEXTS} texts, vectors for each second of processor time, {PASSES} passes in turns");
    println!("{:>16} {:>12}", "model alone", "recall");
    let mut ratios = Vec::new();
    for pass in 0..PASSES {
        let texts: Vec<&str> =
            set.turns.iter().skip(pass * TEXTS).take(TEXTS).map(|turn| turn.text.as_str()).collect();
        let alone = rate(&texts, &model)?;
        let recall = through(&set, pass).await?;
        println!("{alone:>16.1} {recall:>12.1}");
        ratios.push(recall / alone);
    }
    ratios.sort_by(f64::total_cmp);
    let ratio = ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN);
    println!("recall, words and cache included, at {ratio:.2} of the model alone");
    Ok(ratio >= BAR)
}

fn rate(texts: &[&str], model: &Embedder) -> Result<f64, Failure> {
    let before = crate::processor();
    for text in texts {
        model.embed(text)?;
    }
    Ok(texts.len() as f64 / (crate::processor() - before))
}

async fn through(set: &Set, pass: usize) -> Result<f64, Failure> {
    let state = tempfile::tempdir()?;
    let (stopper, stop) = stop::channel();
    let (tasks, _failures) = Tasks::new(stop);
    let engine = Bare::open(state.path().to_owned(), true, &tasks).await;
    let before = crate::processor();
    let turns = set.turns.iter().skip(pass * TEXTS).take(TEXTS);
    engine.take((0..).zip(turns).map(|(row, turn)| Said {
        row,
        session: Some(turn.session.clone()),
        at: turn.at,
        until: None,
        text: turn.text.clone(),
    }));
    while engine.state().1 < engine.state().0 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let (passages, _, _) = engine.state();
    let rate = f64::from(passages) / (crate::processor() - before);
    drop(engine);
    stopper.request();
    tasks.drain().await;
    Ok(rate)
}
