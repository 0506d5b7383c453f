//! A request in other words: in another dialect, or changed by a stage; and its answer in the client's.

use std::sync::Arc;

use sanctum_http::Bytes;
use sanctum_llm::responses::Shelf;
use sanctum_llm::view::Marks;
use sanctum_llm::{
    Answer, Dialect, Finish as Said, Loss, Malformed, Part, Request, Role, Written, count, messages,
};

use crate::ask::Ask;
use crate::config::Can;
use crate::scan::{Judged, broken, is_repetition};
use crate::stages::mask::Masked;
use crate::stages::recall::{Recalled, inject};
use crate::stages::repair::Target;
use crate::table::Pick;
use crate::usage::{Finish, Word};
use crate::wardrobe::Wardrobe;

/// What is done to a request on its way to one seat.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wish<'a> {
    pub(crate) stages: &'a Wardrobe,
    /// The seat is not in this house.
    pub(crate) cloud: bool,
    pub(crate) recalled: Option<&'a Recalled>,
    /// Tokens of context there are; older messages are left out for it.
    pub(crate) room: Option<u64>,
    /// It has just refused a signature.
    pub(crate) wary: bool,
    /// The request with what it names in its place.
    pub(crate) filled: Option<&'a Arc<Request>>,
    /// Seconds since 1970.
    pub(crate) now: i64,
}

/// A request in other words.
#[derive(Debug, Clone)]
pub(crate) struct Recast {
    pub(crate) body: Bytes,
    pub(crate) losses: Vec<Loss>,
    /// What the client asked, for writing its answer.
    pub(crate) asked: Arc<Request>,
    pub(crate) masked: Masked,
    pub(crate) marks: Vec<Word>,
    /// Seconds since 1970, for answers that do not say when they were made.
    pub(crate) now: i64,
}

impl Wish<'_> {
    /// Whether the client's own bytes will not do, although the seat speaks its dialect.
    pub(crate) fn changes(&self, ask: &Ask, target: Dialect, pick: &Pick) -> bool {
        self.recalled.is_some()
            || self.room.is_some()
            || self.wary
            || self.filled.is_some()
            || ask.sealed
            || (ask.thinks && !thinks(pick))
            || (self.cloud && self.stages.mask.is_on())
            // Where the client has set marks of its own, nothing is added.
            || (target == Dialect::Messages && self.stages.marks_on() && ask.marks == Marks::None)
            || (ask.signed && self.stages.repair.is_on())
    }
}

/// Writes the request anew, in `target`, for the model of `pick`.
pub(crate) fn recast(
    body: &[u8],
    ask: &Ask,
    target: Dialect,
    pick: &Pick,
    wish: &Wish<'_>,
) -> Result<Recast, Malformed> {
    let client = ask.api.dialect();
    let asked = match wish.filled {
        Some(filled) => Request::clone(filled),
        None => client.codec().read_request(body)?,
    };
    let mut request = asked.clone();
    let mut marks: Vec<Word> = Vec::new();
    if client != target {
        // Whoever kept the conversation that this goes on from, it is neither the house nor this seat.
        Shelf::new(0).fill("", &mut request)?;
    }
    request.model = pick.name.to_string();
    let unthought = (!thinks(pick)).then(|| request.reasoning.take()).flatten();
    if request.stream && target == Dialect::Chat {
        // By that it is metered; the client's own wish stands in `asked`.
        request.include_usage = true;
    }
    if let Some(most) = pick.entry.max_output {
        request.max_tokens = request.max_tokens.map(|asked| asked.min(most));
    }
    if target == Dialect::Messages && request.max_tokens.is_none() {
        request.max_tokens = Some(pick.entry.max_output.unwrap_or_else(|| messages::max_tokens(&pick.name)));
    }
    if let Some(recalled) = wish.recalled {
        inject(&mut request, recalled);
        marks.push(Word::Borrowed("recalled"));
    }
    let left_out = wish.room.map_or(0, |room| trim(&mut request, room));
    if left_out > 0 {
        marks.push(Word::Borrowed("trimmed"));
    }
    let issuer = Target { dialect: target, issuer: &pick.entry.provider, wary: wish.wary };
    let repair =
        if wish.wary || wish.room.is_some() { &wish.stages.always_repair } else { &wish.stages.repair };
    if !repair.before(&mut request, issuer).is_nothing() {
        marks.push(Word::Borrowed("repaired"));
    }
    let mut masked = Masked::default();
    if wish.cloud {
        masked = wish.stages.mask.before(&mut request);
        if !masked.is_empty() {
            marks.push(Word::Borrowed("masked"));
        }
    }
    if target == Dialect::Messages && wish.stages.mark(&mut request) {
        marks.push(Word::Borrowed("cache-marks"));
    }
    let Written { body, mut losses } = target.codec().write_request(&request);
    if unthought.is_some_and(|reasoning| reasoning.enabled != Some(false)) {
        losses.push(Loss {
            what: "reasoning".to_owned(),
            became: "dropped: the model cannot think".to_owned(),
        });
    }
    if left_out > 0 {
        let became = format!("the {left_out} oldest left out: no model has room for all");
        losses.push(Loss { what: "messages".to_owned(), became });
    }
    Ok(Recast { body: body.into(), losses, asked: Arc::new(asked), masked, marks, now: wish.now })
}

/// Whether a model is known to think, or nothing is known of it.
fn thinks(pick: &Pick) -> bool {
    pick.entry.can.as_ref().is_none_or(|can| can.contains(&Can::Thinking))
}

/// When an answer was made, as its provider says, or now.
pub(crate) fn created(said: Option<i64>, now: i64) -> Option<i64> {
    said.filter(|at| *at > 0).or(Some(now))
}

/// Leaves out the oldest messages until it fits; how many. Instructions and the last message always stay.
fn trim(request: &mut Request, room: u64) -> usize {
    let room = room.saturating_sub(request.max_tokens.unwrap_or(0));
    let mut left_out = 0;
    while count::request(request) > room {
        let last = request.turns.len().saturating_sub(1);
        let oldest = request.turns.iter().position(|turn| turn.role != Role::System);
        let Some(oldest) = oldest.filter(|at| *at < last) else { break };
        request.turns.remove(oldest);
        left_out += 1;
    }
    left_out
}

/// A whole answer, in the client's dialect.
pub(crate) fn answer(
    recast: &Recast,
    from: Dialect,
    to: Dialect,
    body: &[u8],
) -> (Judged, Option<Bytes>, Vec<Loss>) {
    let codec = from.codec();
    let Ok(mut answer) = codec.read_answer(body) else {
        let fault = codec.read_fault(200, body);
        return (Judged { usage: None, finish: Finish::Error, broken: Some(fault) }, None, Vec::new());
    };
    let judged = judge(&answer);
    if judged.broken.is_some() {
        return (judged, None, Vec::new());
    }
    answer.created = created(answer.created, recast.now);
    recast.masked.after(&mut answer);
    let written = to.codec().write_answer(&answer, &recast.asked);
    (judged, Some(written.body.into()), written.losses)
}

fn judge(answer: &Answer) -> Judged {
    let says = |part: &Part| match part {
        Part::Text { text, .. } => !text.trim().is_empty(),
        Part::Thinking { .. } | Part::Redacted { .. } => false,
        _ => true,
    };
    let excused = matches!(answer.finish, Said::Length | Said::Refused | Said::Paused);
    let repeats =
        answer.parts.iter().any(|part| matches!(part, Part::Text { text, .. } if is_repetition(text)));
    let broken = if !excused && !answer.parts.iter().any(says) {
        Some(broken("the provider's answer is empty"))
    } else if repeats {
        Some(broken("the provider's answer repeats itself and nothing else"))
    } else {
        None
    };
    Judged { usage: answer.usage, finish: Finish::from(&answer.finish), broken }
}
