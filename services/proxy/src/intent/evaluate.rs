//! How well labelled prompts are read: accuracy, confusion, and recall of what is private. For tests and benches.

use std::fmt::Write as _;

use serde::Deserialize;

use super::{Prompt, Reading, classify};
use crate::kinds::{Intent, Privacy};

/// One line of `data/prompts.jsonl`.
#[derive(Debug, Clone, Deserialize)]
pub struct Labelled {
    pub text: String,
    pub intent: Intent,
    pub privacy: Privacy,
    pub lang: String,
    #[serde(default)]
    pub tools: Vec<String>,
}

/// Which of the prompts are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The two thirds rules were tuned on.
    Tuned,
    /// The third that was never read while they were.
    HeldOut,
    All,
}

impl Labelled {
    /// Prompts, one JSON object a line.
    pub fn read(lines: &str) -> Result<Vec<Self>, serde_json::Error> {
        lines.lines().map(serde_json::from_str).collect()
    }

    /// FNV-1a modulo 3, as `data/README.md` says.
    fn is_held_out(&self) -> bool {
        let hash = self.text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        hash.is_multiple_of(3)
    }

    pub fn is_of(&self, part: Part) -> bool {
        part == Part::All || self.is_held_out() == (part == Part::HeldOut)
    }

    /// How it is read.
    pub fn reading(&self) -> Reading {
        let tools: Vec<&str> = self.tools.iter().map(String::as_str).collect();
        classify(&Prompt { latest: &self.text, tools: &tools, ..Prompt::default() })
    }
}

const INTENTS: [Intent; 5] = [Intent::Chat, Intent::Image, Intent::Reasoning, Intent::Code, Intent::Security];
const CLASSES: [Privacy; 3] = [Privacy::Open, Privacy::Finance, Privacy::Health];

/// Labels beside readings, counted.
#[derive(Debug, Clone, Default)]
pub struct Score {
    pairs: Vec<(Intent, Intent, Privacy, Privacy)>,
}

/// Of so many, so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub part: usize,
    pub of: usize,
}

impl Share {
    #[expect(clippy::cast_precision_loss, reason = "counts of prompts")]
    pub fn percent(self) -> f64 {
        self.part as f64 * 100.0 / self.of.max(1) as f64
    }
}

impl Score {
    pub fn of(prompts: &[Labelled], part: Part) -> Self {
        let pairs = prompts.iter().filter(|labelled| labelled.is_of(part)).map(|labelled| {
            let reading = labelled.reading();
            (labelled.intent, reading.intent, labelled.privacy, reading.privacy)
        });
        Self { pairs: pairs.collect() }
    }

    fn share(
        &self,
        among: impl Fn(Intent, Privacy) -> bool,
        right: impl Fn(Intent, Intent, Privacy, Privacy) -> bool,
    ) -> Share {
        let among = self.pairs.iter().filter(|pair| among(pair.0, pair.2));
        let part = among.clone().filter(|(a, b, c, d)| right(*a, *b, *c, *d)).count();
        Share { part, of: among.count() }
    }

    /// Intents that are read as labelled.
    pub fn intents(&self) -> Share {
        self.share(|_, _| true, |label, read, _, _| label == read)
    }

    /// Classes that are read as labelled.
    pub fn classes(&self) -> Share {
        self.share(|_, _| true, |_, _, label, read| label == read)
    }

    /// What is private and is kept in the house, under whichever of the two names.
    pub fn kept(&self) -> Share {
        self.share(|_, privacy| privacy.is_private(), |_, _, _, read| read.is_private())
    }

    /// What is open and is kept in the house all the same.
    pub fn overkept(&self) -> Share {
        self.share(|_, privacy| !privacy.is_private(), |_, _, _, read| read.is_private())
    }

    /// What must not be weakened and is not.
    pub fn pinned(&self) -> Share {
        self.share(|intent, _| intent.is_pinned(), |_, read, _, _| read.is_pinned())
    }

    /// As people read it; the tables have labels down and readings across.
    pub fn report(&self, title: &str) -> String {
        let mut out = format!("{title}: {} prompts\n", self.pairs.len());
        for (name, share) in [
            ("intent as labelled", self.intents()),
            ("class as labelled", self.classes()),
            ("private kept in the house", self.kept()),
            ("open kept in the house", self.overkept()),
            ("code and security pinned", self.pinned()),
        ] {
            writeln!(out, "  {name:<26} {:>5.1} %  ({} of {})", share.percent(), share.part, share.of).ok();
        }
        table(&mut out, &INTENTS, |label, read| {
            self.pairs.iter().filter(|pair| (pair.0, pair.1) == (label, read)).count()
        });
        table(&mut out, &CLASSES, |label, read| {
            self.pairs.iter().filter(|pair| (pair.2, pair.3) == (label, read)).count()
        });
        out
    }
}

fn table<T: Copy + std::fmt::Debug>(out: &mut String, words: &[T], count: impl Fn(T, T) -> usize) {
    let word = |word: T| format!("{word:?}").to_lowercase();
    write!(out, "\n  {:<10}", "").ok();
    for read in words {
        write!(out, "{:>10}", word(*read)).ok();
    }
    out.push('\n');
    for label in words {
        write!(out, "  {:<10}", word(*label)).ok();
        for read in words {
            match count(*label, *read) {
                0 => write!(out, "{:>10}", "·").ok(),
                n => write!(out, "{n:>10}").ok(),
            };
        }
        out.push('\n');
    }
}
