//! Searches of 8 clients among synthetic notes: each asks something else every time, and what it asks is read by the model.
//!
//! The notes' own vectors are not made of their texts, which would take an hour for a million: they are those of a few
//! hundred real sentences, each with noise of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sanctum_embed::{DIMENSIONS, Embedder, Vector, default_dir};
use sanctum_kernel::{Failure, Tasks, files, stop};
use sanctum_memory::bare::{Bare, Said};

use crate::plot::{self, Point};

pub(crate) const CLIENTS: u32 = 8;
/// Questions of each client, and how long it thinks between two where it does.
const QUESTIONS: u32 = 100;
const THINKING: Duration = Duration::from_millis(200);
/// The bars, in milliseconds: number of notes, median, 99th percentile.
const BARS: [(u32, f64, f64); 2] = [(100_000, 10.0, 40.0), (1_000_000, f64::INFINITY, 150.0)];
/// For 100,000 notes, in MB.
const MEMORY: f64 = 300.0;

/// Xorshift, so that every run sees the same notes.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new() -> Self {
        Self(0x5EED)
    }

    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A made-up word: of 20,000, those in front are met most often, and none as often as `the`.
    fn word(&mut self) -> String {
        let mut rank = (50.0 * 400_f64.powf(self.roll())) as usize;
        let mut word = String::new();
        let (heads, tails) = ("bdfgklmnprstvz".as_bytes(), "aeiou".as_bytes());
        for _ in 0..4 {
            word.push(char::from(heads[rank % heads.len()]));
            rank /= heads.len();
            word.push(char::from(tails[rank % tails.len()]));
            rank /= tails.len();
        }
        word
    }

    fn name(&mut self) -> String {
        format!("Name{}", (self.roll() * 500.0) as u32)
    }

    pub(crate) fn text(&mut self) -> String {
        let words = 12 + (self.roll() * 26.0) as usize;
        let words: Vec<String> = (0..words).map(|_| self.word()).collect();
        format!("{}: {}.", self.name(), words.join(" "))
    }

    pub(crate) fn question(&mut self) -> String {
        format!(
            "When did {} talk about the {} and the {} of {}?",
            self.name(),
            self.word(),
            self.word(),
            self.word()
        )
    }

    fn near(&mut self, base: &Vector) -> Vector {
        let noise: Vec<f32> =
            base.cells().iter().map(|cell| cell + (self.roll() as f32 - 0.5) * 0.12).collect();
        Vector::of(&noise).unwrap_or_else(|| base.clone())
    }
}

/// Vectors of a few hundred sentences.
pub(crate) struct Bases(Vec<Vector>);

impl Bases {
    pub(crate) fn new(dice: &mut Dice) -> Result<Self, Failure> {
        let model = Embedder::open(&default_dir().ok_or("there is no home")?)?;
        let sentences: Vec<String> = (0..400).map(|_| dice.text()).collect();
        let bases: Vec<Vector> = sentences
            .iter()
            .filter_map(|text| model.embed(text).ok())
            .filter(|vector| vector.cells().len() == DIMENSIONS)
            .collect();
        if bases.is_empty() { Err("no sentence has a vector".into()) } else { Ok(Self(bases)) }
    }

    /// A vector for a note.
    pub(crate) fn near(&self, row: u32, dice: &mut Dice) -> Vector {
        dice.near(&self.0[row as usize % self.0.len()])
    }
}

/// `drawing`: where the growth is drawn to.
pub(crate) async fn measure(sizes: &[u32], drawing: Option<&str>) -> Result<bool, Failure> {
    let mut dice = Dice::new();
    let bases = Bases::new(&mut dice)?;
    println!("{CLIENTS} clients, {QUESTIONS} questions each; milliseconds, their own reading included");
    println!(
        "{:>9} {:>22} {:>8} {:>8} {:>14} {:>8} {:>9}",
        "notes", "clients", "p50", "p99", "CPU a question", "PSS MB", "load s"
    );
    let mut fine = true;
    let mut shown = Vec::new();
    for size in sizes {
        let (row, held) = one(*size, &bases, &mut dice).await?;
        fine &= held;
        shown.push(row);
    }
    bars(&shown);
    if let Some(drawing) = drawing {
        files::replace(Path::new(drawing), plot::svg(&shown).as_bytes(), 0o644)?;
        println!("drawn: {drawing}");
    }
    Ok(fine)
}

async fn one(size: u32, bases: &Bases, dice: &mut Dice) -> Result<(Point, bool), Failure> {
    let state = tempfile::tempdir()?;
    let (stopper, stop) = stop::channel();
    let (tasks, _failures) = Tasks::new(stop);
    let engine = Arc::new(Bare::open(state.path().to_owned(), true, &tasks).await);
    let now: Timestamp = "2026-11-01T00:00:00Z".parse()?;
    let began = Instant::now();
    let notes = (0..size).map(|row| {
        let at = now.checked_sub(jiff::Span::new().minutes(i64::from(size - row))).unwrap_or(now);
        let said =
            Said { row, session: Some(format!("talk-{}", row / 20)), at, until: None, text: dice.text() };
        (said, bases.near(row, dice))
    });
    // The generator cannot be in two hands, so notes are made first, a portion at a time.
    let mut notes = notes.peekable();
    while notes.peek().is_some() {
        let portion: Vec<(Said, Vector)> = notes.by_ref().take(4096).collect();
        engine.take_with(portion.into_iter());
    }
    drop(notes);
    let load = began.elapsed().as_secs_f64();
    // The first question of each client finds no room prepared.
    clients(&engine, dice, now, Duration::ZERO, 2).await;
    let mut held = true;
    let mut shown = Point { notes: size, processor: f64::NAN, slow: f64::NAN };
    for (name, thinking) in [("as fast as they can", Duration::ZERO), ("five questions/s each", THINKING)] {
        let before = crate::processor();
        let mut times = clients(&engine, dice, now, thinking, QUESTIONS).await;
        let each = (crate::processor() - before) * 1e3 / times.len().max(1) as f64;
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
        let memory = crate::pss();
        println!(
            "{size:>9} {name:>22} {:>8.1} {:>8.1} {each:>14.2} {memory:>8.0} {load:>9.1}",
            at(0.5),
            at(0.99)
        );
        if thinking.is_zero() {
            (shown.processor, shown.slow) = (each, at(0.99));
        }
        for (_, median, slow) in BARS.iter().filter(|(notes, _, _)| *notes == size) {
            held &= at(0.5) <= *median && at(0.99) <= *slow;
        }
        held &= size != 100_000 || memory <= MEMORY;
    }
    drop(engine);
    stopper.request();
    tasks.drain().await;
    Ok((shown, held))
}

/// How long each question took, in milliseconds.
async fn clients(
    engine: &Arc<Bare>,
    dice: &mut Dice,
    now: Timestamp,
    thinking: Duration,
    each: u32,
) -> Vec<f64> {
    let mut all = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let questions: Vec<String> = (0..each).map(|_| dice.question()).collect();
        let engine = Arc::clone(engine);
        all.spawn(async move {
            let mut times = Vec::new();
            tokio::time::sleep(thinking * client / CLIENTS).await;
            for question in questions {
                let began = Instant::now();
                engine.ask(&question, now, 10).await;
                times.push(began.elapsed().as_secs_f64() * 1e3);
                tokio::time::sleep(thinking.saturating_sub(began.elapsed())).await;
            }
            times
        });
    }
    all.join_all().await.into_iter().flatten().collect()
}

/// Processor time of a question over the number of notes.
fn bars(rows: &[Point]) {
    let most = rows.iter().map(|row| row.processor).fold(f64::MIN_POSITIVE, f64::max);
    println!("processor time of a question, by notes:");
    for Point { notes, processor, .. } in rows {
        println!("{notes:>9} {} {processor:.2} ms", "█".repeat((processor / most * 50.0).ceil() as usize));
    }
}
