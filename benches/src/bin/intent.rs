//! How well and how fast a request is read: accuracy and confusion on the labelled prompts, microseconds, megabytes a second.

use std::hint::black_box;
use std::time::{Duration, Instant};

use sanctum_proxy::intent::evaluate::{Labelled, Part, Score};
use sanctum_proxy::intent::{Prompt, classify};

const PROMPTS: &str = include_str!("../../../services/proxy/data/prompts.jsonl");
const LATE: &str = include_str!("../../../services/proxy/data/prompts-late.jsonl");
const LATE_2: &str = include_str!("../../../services/proxy/data/prompts-late-2.jsonl");
/// Rounds of every measurement; the median is told, and the fastest.
const ROUNDS: usize = 41;

#[expect(clippy::print_stdout, reason = "a tool for the terminal")]
fn main() -> Result<(), serde_json::Error> {
    let prompts = Labelled::read(PROMPTS)?;
    println!("{}", Score::of(&prompts, Part::Tuned).report("Rules were tuned on these"));
    println!("{}", Score::of(&prompts, Part::HeldOut).report("Held out, never read while tuning"));
    println!("{}", Score::of(&Labelled::read(LATE)?, Part::All).report("Late, learned from since"));
    println!("{}", Score::of(&Labelled::read(LATE_2)?, Part::All).report("Late 2, learned from since"));
    classify(&Prompt::default());
    let set = median(|| {
        prompts
            .iter()
            .map(sanctum_proxy::intent::evaluate::Labelled::reading)
            .filter(|reading| reading.sure)
            .count()
    });
    let count = u32::try_from(prompts.len()).unwrap_or(1);
    println!("a prompt of the set: {:.2} µs (mean of one round, median of {ROUNDS})", micros(set.0 / count));
    for (name, text) in texts() {
        let small = text.get(..floor(&text, 4096)).unwrap_or_default();
        let prompt = Prompt { latest: small, ..Prompt::default() };
        let (middle, best) = median(|| classify(&prompt));
        print!("{name:<8} 4 KiB: {:>5.1} µs (best {:.1})", micros(middle), micros(best));
        let book = text.repeat((1 << 20) / text.len() + 1);
        let prompt = Prompt { latest: &book, ..Prompt::default() };
        let (middle, best) = median(|| classify(&prompt));
        #[expect(clippy::cast_precision_loss, reason = "a megabyte")]
        let rate = |took: Duration| book.len() as f64 / 1e6 / took.as_secs_f64();
        println!("   1 MiB: {:>5.0} MB/s (best {:.0})", rate(middle), rate(best));
    }
    Ok(())
}

/// Prose, French prose and a program, of the repository itself or of the set.
fn texts() -> Vec<(&'static str, String)> {
    let french: String = PROMPTS
        .lines()
        .filter(|line| line.contains("\"lang\": \"fr\"") && line.contains("\"open\""))
        .collect();
    vec![
        ("prose", include_str!("../../../ARCHITECTURE.md").to_owned()),
        ("french", french),
        ("program", include_str!("../../../core/http/src/client.rs").to_owned()),
    ]
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn micros(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6
}

/// The median and the best of many rounds.
fn median<T>(mut work: impl FnMut() -> T) -> (Duration, Duration) {
    let mut took: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            black_box(work());
            begun.elapsed()
        })
        .collect();
    took.sort_unstable();
    let at = |i: usize| took.get(i).copied().unwrap_or_default();
    (at(ROUNDS / 2), at(0))
}
