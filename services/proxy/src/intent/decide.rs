//! The decision: what the weights add up to.

use std::borrow::Cow;

use super::fold;
use super::lexicon::{Entry, LEXICON, TOPICS, Topic};
use super::meter::{self, Meter, Most};
use super::shape::{self, Shape};
use super::{Prompt, Reading};
use crate::kinds::{Intent, Privacy};

/// Text beyond this is looked at for privacy only, save its two ends: who pastes a book says what for before or after it.
const WINDOW: usize = 2048;
/// A text that looks this much like a program is one.
const CODE: u8 = 5;
/// A topic that weighs this much is meant; one less is a doubt.
const MEANT: u16 = 4;
/// What words must weigh to be private: where nobody stands beside them, and where somebody does.
#[derive(Debug, Clone, Copy)]
struct Bar {
    any: u8,
    personal: u8,
}

/// A few words: one of the strongest list is enough, and less where a person is named.
const WORDS: Bar = Bar { any: 4, personal: 4 };
/// A long text mentions much in passing; a program names things; instructions speak of what may come.
const LONG: Bar = Bar { any: 7, personal: 5 };
/// A long program names everything.
const PROGRAM: Bar = Bar { any: 12, personal: 8 };
/// From here on, in bytes, a text is long.
const FROM: usize = 1500;

impl Bar {
    const fn of(length: usize, guarded: bool) -> Self {
        match (length >= FROM, guarded) {
            (true, true) => PROGRAM,
            (false, false) => WORDS,
            _ => LONG,
        }
    }
}

/// Tools that only somebody who programs carries; the ones every agent has say nothing.
const PROGRAMMING: &[&str] = &[
    "apply_patch",
    "shell",
    "local_shell",
    "container.exec",
    "Bash",
    "Edit",
    "MultiEdit",
    "NotebookEdit",
    "str_replace_editor",
    "str_replace_based_edit_tool",
    "edit_file",
    "replace_in_file",
    "run_in_terminal",
    "replace_string_in_file",
    "insert_edit_into_file",
    "run_terminal_cmd",
    "execute_command",
];

/// What one text weighs.
#[derive(Debug, Default)]
struct Weights {
    topics: [u16; TOPICS],
    /// The entry that weighed most, by topic.
    most: [Most; TOPICS],
    health: Meter,
    finance: Meter,
    shape: Shape,
}

impl Weights {
    fn of(&self, topic: Topic) -> u16 {
        self.topics.get(topic as usize).copied().unwrap_or(0)
    }

    fn because(&self, topic: Topic) -> Cow<'static, str> {
        self.most.get(topic as usize).map_or(Cow::Borrowed(""), |most| word(most.entry))
    }
}

fn word(entry: usize) -> Cow<'static, str> {
    let words = LEXICON.entry(entry).map_or("", |entry| entry.words);
    let kind = if words.contains(' ') { "words" } else { "word" };
    format!("the {kind} \"{}\"", words.replace('*', "…")).into()
}

/// Reads a request. Deterministic; linear in the length of its texts.
pub fn classify(prompt: &Prompt<'_>) -> Reading {
    let latest = weigh(prompt.latest.as_bytes(), true);
    let tools = prompt.tools.iter().find(|tool| PROGRAMMING.contains(tool)).copied();
    let (intent, intent_because, sure) = intent(prompt, &latest, tools);
    let technical = intent.is_pinned();
    let (privacy, privacy_because) = privacy(prompt, &latest, technical);
    Reading { intent, intent_because, privacy, privacy_because, sure }
}

/// Which of the meters a pass over the text feeds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Everything,
    Privacy,
    Topics,
}

/// Weighs the words of a text: all of its topics, or privacy alone.
fn weigh(text: &[u8], wide: bool) -> Weights {
    let mut weights = Weights::default();
    let mut seen = Vec::new();
    let mut pass = |text: &[u8], pass: Pass| {
        let gate = if pass == Pass::Privacy { &LEXICON.private } else { &LEXICON.wide };
        fold::scan(text, gate, |at| look(text, at, pass, &mut weights, &mut seen));
    };
    match (wide, text.len() <= 2 * WINDOW) {
        (true, true) => pass(text, Pass::Everything),
        (false, _) => pass(text, Pass::Privacy),
        (true, false) => {
            pass(text, Pass::Privacy);
            pass(text.get(..WINDOW).unwrap_or_default(), Pass::Topics);
            pass(text.get(text.len() - WINDOW..).unwrap_or_default(), Pass::Topics);
        }
    }
    if wide {
        weights.shape = shape::look(text.get(..text.len().min(2 * WINDOW)).unwrap_or_default());
        amounts(&mut weights);
    }
    weights
}

/// Looks at one word; returns where to go on.
fn look(text: &[u8], at: usize, pass: Pass, weights: &mut Weights, seen: &mut Vec<usize>) -> usize {
    let word = fold::word(text, at);
    let on = word.end.max(at + 1);
    let Some(found) = LEXICON.find(text, &word) else { return on };
    let Some(entry) = LEXICON.entry(found.entry) else { return on };
    if pass != Pass::Topics {
        for topic in [Topic::Health, Topic::Finance] {
            let weight = meter::weight(text, found, entry, topic);
            if weight > 0 {
                let meter = if topic == Topic::Health { &mut weights.health } else { &mut weights.finance };
                meter.add(text, found, weight);
            }
        }
    }
    if pass != Pass::Privacy && !seen.contains(&found.entry) {
        seen.push(found.entry);
        add(weights, entry, found.entry);
    }
    found.end.max(on)
}

fn add(weights: &mut Weights, entry: &Entry, at: usize) {
    for ((sum, most), weight) in weights.topics.iter_mut().zip(&mut weights.most).zip(entry.weights) {
        *sum += u16::from(weight);
        if weight > most.weight {
            *most = Most { weight, entry: at };
        }
    }
}

/// Doses and sums of money weigh where words of their topic stand already.
fn amounts(weights: &mut Weights) {
    for (meter, there) in
        [(&mut weights.health, weights.shape.dose), (&mut weights.finance, weights.shape.amount)]
    {
        for most in [&mut meter.any, &mut meter.personal] {
            if there && most.weight > 0 {
                most.weight += 2;
            }
        }
    }
}

/// What is wanted, by what, and whether that is clear.
fn intent(prompt: &Prompt<'_>, latest: &Weights, tools: Option<&str>) -> (Intent, Cow<'static, str>, bool) {
    let (intent, because, sure) = wanted(latest, prompt.images, MEANT);
    let strong = |intent: Intent| intent.is_pinned() || intent == Intent::Reasoning;
    if sure || strong(intent) {
        return (intent, because, sure);
    }
    // A few words without a topic of their own go on with what was spoken of.
    let talk = latest.of(Topic::Chat) >= MEANT;
    if !talk && prompt.latest.len() < 200 {
        for said in prompt.earlier.iter().take(3) {
            let said = weigh(tail(said), true);
            let (before, because, _) = wanted(&said, false, MEANT + 2);
            if strong(before) {
                return (before, format!("{because}, said before").into(), false);
            }
        }
        if let Some(tool) = tools {
            return (Intent::Code, format!("the tool `{tool}`").into(), false);
        }
    }
    (intent, because, sure)
}

fn tail(text: &str) -> &[u8] {
    let bytes = text.as_bytes();
    bytes.get(bytes.len().saturating_sub(WINDOW)..).unwrap_or_default()
}

/// The intent of one text. `meant` is what a topic must weigh.
fn wanted(weights: &Weights, images: bool, meant: u16) -> (Intent, Cow<'static, str>, bool) {
    let (shape, looks) = weights.shape.code();
    let code = weights.of(Topic::Code) + u16::from(shape);
    let security = weights.of(Topic::Security) + u16::from(weights.shape.address) * 2;
    let [reasoning, image, chat] =
        [Topic::Reasoning, Topic::Image, Topic::Chat].map(|topic| weights.of(topic));
    let code_because = || {
        let word = weights.of(Topic::Code) > u16::from(shape);
        if word { weights.because(Topic::Code) } else { looks.into() }
    };
    let formula = reasoning + u16::try_from(weights.shape.formula.min(2)).unwrap_or(0);
    if security >= meant && security >= code {
        return (Intent::Security, weights.because(Topic::Security), security > meant + 1);
    }
    // Words of programs in passing, in a text that thinks of something else.
    let passing = shape == 0 && reasoning >= code * 2;
    if code >= meant && code + 2 > image && !passing {
        return (Intent::Code, code_because(), code > meant);
    }
    if images || (image >= meant && image + 2 > reasoning) {
        let because = if image > 0 { weights.because(Topic::Image) } else { "a picture".into() };
        return (Intent::Image, because, true);
    }
    if formula >= meant && formula * 2 > chat {
        return (Intent::Reasoning, weights.because(Topic::Reasoning), formula > meant);
    }
    // A doubt is settled for the stronger.
    if chat < meant && code + 1 >= meant {
        return (Intent::Code, code_because(), false);
    }
    let clear = chat > 0 && code + security + reasoning < meant;
    let because = if chat > 0 { weights.because(Topic::Chat) } else { "nothing else in its words".into() };
    (Intent::Chat, because, clear)
}

/// The strictest that any text shows.
fn privacy(prompt: &Prompt<'_>, latest: &Weights, technical: bool) -> (Privacy, Cow<'static, str>) {
    let mut strictest = judged(latest, Bar::of(prompt.latest.len(), technical), "");
    let mut judge = |text: &str, guarded: bool, place: &str| {
        if strictest.0 == Privacy::Health || text.is_empty() {
            return;
        }
        let bytes = text.as_bytes();
        let weights = weigh(bytes, false);
        let bar = Bar::of(bytes.len(), guarded);
        let mut judged = judged(&weights, bar, place);
        // A program that was read or written before is one, whatever is spoken of now.
        if judged.0.is_private() && !guarded && shape::look(tail(text)).code().0 >= CODE {
            judged = self::judged(&weights, Bar::of(bytes.len(), true), place);
        }
        if judged.0 > strictest.0 {
            strictest = judged;
        }
    };
    for said in prompt.earlier {
        judge(said, technical, ", said before");
    }
    judge(prompt.system.unwrap_or_default(), true, ", in its instructions");
    strictest
}

/// One text against a bar.
fn judged(weights: &Weights, bar: Bar, place: &str) -> (Privacy, Cow<'static, str>) {
    let reach = |meter: &Meter| {
        let personal = (meter.personal.weight >= bar.personal).then_some(meter.personal);
        personal.or((meter.any.weight >= bar.any).then_some(meter.any))
    };
    let because = |most: Most| -> Cow<'static, str> { format!("{}{place}", word(most.entry)).into() };
    match (reach(&weights.health), reach(&weights.finance)) {
        // What speaks of both is health, the stricter, unless money is clearly what it is about.
        (Some(health), Some(finance)) if health.weight + 2 < finance.weight => {
            (Privacy::Finance, because(finance))
        }
        (Some(health), _) => (Privacy::Health, because(health)),
        (None, Some(finance)) => (Privacy::Finance, because(finance)),
        (None, None) => (Privacy::Open, "no word of health or money".into()),
    }
}
