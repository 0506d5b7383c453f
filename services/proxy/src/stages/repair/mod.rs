//! Conversations that moved from one model to another, made acceptable to the next: reasoning whose signature is missing or
//! another issuer's, and results of tools that do not stand behind their calls.
//!
//! A signature is only valid for its issuer, and Anthropic refuses a request with a foreign one, or whose tool results do not
//! follow their calls at once (docs.anthropic.com, "Extended thinking", "Tool use").

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use sanctum_llm::{Dialect, Part, Request, Role, Turn};
use schemars::JsonSchema;
use serde::Deserialize;

/// Conversations that changed their model are made acceptable to the next one.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Repair reasoning and the order of tool results before a request goes out.
    pub on: bool,
    /// What becomes of reasoning that the next model would refuse.
    pub foreign: Foreign,
}

/// What becomes of reasoning that the next model would refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Foreign {
    /// It is left out.
    #[default]
    Strip,
    /// It is told as plain text.
    Text,
}

/// What had to be done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Parts of reasoning left out or told as text.
    pub thinking: usize,
    /// Results of tools that were moved behind their calls.
    pub moved: usize,
    /// Results invented for calls that have none, so that the request is one.
    pub invented: usize,
    /// Results told as text, because nobody called for them.
    pub orphans: usize,
    /// Reasoning was switched off, because the turn that goes on has lost its own.
    pub switched_off: bool,
}

impl Repaired {
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Signatures that are remembered; one is 16 bytes here.
const REMEMBERED: usize = 20_000;

/// Who issued which signature, as far as it passed here.
#[derive(Debug, Default)]
pub struct Repair {
    config: Config,
    issuers: Mutex<Issuers>,
}

#[derive(Debug, Default)]
struct Issuers {
    of: HashMap<u64, u64>,
    order: VecDeque<u64>,
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Who is asked next.
#[derive(Debug, Clone, Copy)]
pub struct Target<'t> {
    pub dialect: Dialect,
    /// Whose signatures it accepts: the provider's name, or the family of models for one that serves several.
    pub issuer: &'t str,
    /// It has refused a signature just now: none that is not known to be its own is sent again.
    pub wary: bool,
}

impl Repair {
    pub fn new(config: Config) -> Self {
        Self { config, issuers: Mutex::default() }
    }

    pub const fn is_on(&self) -> bool {
        self.config.on
    }

    /// Makes a request acceptable to `to`.
    pub fn before(&self, request: &mut Request, to: Target<'_>) -> Repaired {
        let mut repaired = Repaired::default();
        if !self.config.on {
            return repaired;
        }
        let native = request.from == to.dialect;
        for turn in &mut request.turns {
            let parts = std::mem::take(&mut turn.parts);
            turn.parts =
                parts.into_iter().filter_map(|part| self.part(part, to, native, &mut repaired)).collect();
        }
        request.turns.retain(|turn| !turn.parts.is_empty());
        order(&mut request.turns, &mut repaired);
        repaired.switched_off = to.dialect == Dialect::Messages && lost_its_reasoning(request);
        if repaired.switched_off
            && let Some(reasoning) = &mut request.reasoning
        {
            reasoning.enabled = Some(false);
            (reasoning.adaptive, reasoning.effort, reasoning.budget) = (false, None, None);
        }
        repaired
    }

    /// A signature of an answer that passed: only `issuer` will accept it.
    pub fn after(&self, signature: &str, issuer: &str) {
        if !self.config.on || signature.is_empty() {
            return;
        }
        let key = hash(signature);
        let mut issuers = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        if issuers.of.insert(key, hash(issuer)).is_none() {
            issuers.order.push_back(key);
            if issuers.order.len() > REMEMBERED
                && let Some(oldest) = issuers.order.pop_front()
            {
                issuers.of.remove(&oldest);
            }
        }
    }

    /// Whether `to` will accept this signature; one nobody remembers is believed to be of the dialect it came in.
    fn accepts(&self, signature: &str, to: Target<'_>, native: bool) -> bool {
        let issuers = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        match issuers.of.get(&hash(signature)) {
            Some(issuer) => *issuer == hash(to.issuer),
            None => native && !to.wary,
        }
    }

    fn part(&self, part: Part, to: Target<'_>, native: bool, repaired: &mut Repaired) -> Option<Part> {
        let signed = matches!(to.dialect, Dialect::Messages | Dialect::Responses | Dialect::Gemini);
        match part {
            Part::Thinking { text, signature } => {
                let good = match &signature {
                    Some(signature) => signed && self.accepts(signature, to, native),
                    // OpenAI's chat completions know no signatures; Anthropic refuses reasoning without one.
                    None => to.dialect != Dialect::Messages,
                };
                if good {
                    return Some(Part::Thinking { text, signature });
                }
                // Where reasoning is plain, it may be told without its signature.
                if to.dialect == Dialect::Chat {
                    return Some(Part::Thinking { text, signature: None });
                }
                repaired.thinking += 1;
                (self.config.foreign == Foreign::Text && !text.is_empty()).then(|| Part::text(text))
            }
            Part::Redacted { data, id } => {
                let good = signed && self.accepts(&data, to, native);
                repaired.thinking += usize::from(!good);
                good.then_some(Part::Redacted { data, id })
            }
            // A call without a valid signature is still a call.
            Part::ToolCall { id, name, arguments, signature: Some(signature), cache } => {
                let good = self.accepts(&signature, to, native);
                repaired.thinking += usize::from(!good);
                Some(Part::ToolCall { id, name, arguments, signature: good.then_some(signature), cache })
            }
            other => Some(other),
        }
    }
}

/// A turn of the model that goes on with results of tools must begin with its reasoning where reasoning is on.
fn lost_its_reasoning(request: &Request) -> bool {
    let on = request
        .reasoning
        .as_ref()
        .is_some_and(|reasoning| reasoning.enabled != Some(false) && !reasoning.adaptive);
    let mut turns = request.turns.iter().rev();
    let goes_on = turns
        .next()
        .is_some_and(|turn| turn.parts.iter().any(|part| matches!(part, Part::ToolResult { .. })));
    let assistant = turns.find(|turn| turn.role == Role::Assistant);
    let begins = assistant
        .and_then(|turn| turn.parts.first())
        .is_some_and(|part| matches!(part, Part::Thinking { .. } | Part::Redacted { .. }));
    on && goes_on && !begins
}

fn call_ids(turn: &Turn) -> Vec<String> {
    let ids = turn.parts.iter().filter_map(|part| match part {
        Part::ToolCall { id, .. } => Some(id.clone()),
        _ => None,
    });
    ids.collect()
}

fn result_id(part: &Part) -> Option<&str> {
    match part {
        Part::ToolResult { id, .. } => Some(id),
        _ => None,
    }
}

/// Brings every result behind its call: right after the turn that called, all of them in one turn, in the order of the calls.
fn order(turns: &mut Vec<Turn>, repaired: &mut Repaired) {
    if is_ordered(turns) {
        return;
    }
    let mut results: HashMap<String, (usize, Part)> = HashMap::new();
    let called: HashSet<String> = turns.iter().flat_map(call_ids).collect();
    for (at, turn) in turns.iter_mut().enumerate() {
        let parts = std::mem::take(&mut turn.parts);
        for part in parts {
            match result_id(&part) {
                Some(id) if called.contains(id) => {
                    results.entry(id.to_owned()).or_insert((at, part));
                }
                Some(_) => {
                    repaired.orphans += 1;
                    turn.parts.extend(as_text(part));
                }
                None => turn.parts.push(part),
            }
        }
    }
    let mut ordered: Vec<Turn> = Vec::with_capacity(turns.len());
    let mut owed: Vec<Part> = Vec::new();
    for (at, turn) in std::mem::take(turns).into_iter().enumerate() {
        let mut turn = turn;
        if !owed.is_empty() && turn.role == Role::User {
            let mut parts = std::mem::take(&mut owed);
            parts.append(&mut turn.parts);
            turn.parts = parts;
        } else if !owed.is_empty() {
            ordered.push(user(std::mem::take(&mut owed)));
        }
        for id in call_ids(&turn) {
            let found = results.remove(&id);
            repaired.moved += usize::from(found.as_ref().is_some_and(|(was, _)| *was != at + 1));
            repaired.invented += usize::from(found.is_none());
            owed.push(found.map_or_else(|| invented(id), |(_, part)| part));
        }
        if !turn.parts.is_empty() {
            ordered.push(turn);
        }
    }
    // The last calls are still being answered where nothing came after them; then nothing is owed.
    if !owed.is_empty() {
        ordered.push(user(owed));
    }
    *turns = ordered;
}

fn user(parts: Vec<Part>) -> Turn {
    Turn { role: Role::User, parts, name: None, extra: Vec::new() }
}

fn invented(id: String) -> Part {
    let parts = vec![Part::text("There is no result: the call was interrupted.")];
    Part::ToolResult { id, name: None, parts, error: true, cache: None }
}

fn as_text(part: Part) -> Vec<Part> {
    match part {
        Part::ToolResult { parts, .. } => parts,
        other => vec![other],
    }
}

/// Whether every turn that calls is followed by one that begins with its results and no others.
fn is_ordered(turns: &[Turn]) -> bool {
    let mut owed: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    for turn in turns {
        let results: Vec<&str> = turn.parts.iter().map_while(result_id).collect();
        let all = turn.parts.iter().filter_map(result_id).count();
        let distinct = results.iter().all(|id| seen.insert((*id).to_owned()));
        let right =
            results.len() == owed.len() && results.iter().all(|id| owed.iter().any(|owed| owed == id));
        if !distinct || all != results.len() || !right {
            return false;
        }
        owed = call_ids(turn);
    }
    owed.is_empty()
}

#[cfg(test)]
mod tests;
