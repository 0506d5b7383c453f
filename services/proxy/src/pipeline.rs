//! One request, from connection to log line:
//!
//! connection → agent → class → borrowed view → resolution → intent → candidates → reservation → attempt → frames pumped with
//! a scanner beside them → settlement → one log line.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use sanctum_http::hyper::http::{HeaderName, HeaderValue, Request, Response, request};
use sanctum_http::{Bytes, HeaderMap, Incoming, header};
use sanctum_kernel::Trace;
use sanctum_llm::view::View;
use sanctum_llm::{Dialect, FaultKind, count};

use crate::account::Account;
use crate::ask::{Api, Ask};
use crate::attempt::{Answered, Call, Failed, Trail};
use crate::body::{self, OutBody, Waiting};
use crate::candidates::{Dropped, Plan, consider, resolve};
use crate::class::{self, Class};
use crate::config::Locality;
use crate::gate::Gate;
use crate::hedge::{race, turn};
use crate::identity::{Who, identify};
use crate::pump::Pump;
use crate::reach::{Envelope, Letter, Reach, Seat};
use crate::recast::Wish;
use crate::refusal::Refusal;
use crate::relay::Relay;
use crate::staged as stages;
use crate::stages::cache::{Kept as KeptAnswer, Look};
use crate::stages::recall::Recalled;
use crate::surface::read;
use crate::upstream::{forwarded, returned};
use crate::usage::Finish;

/// Answers one model request. Its account is opened before the first wait: whoever leaves at once has a line as well.
pub(crate) fn answer(
    gate: Arc<Gate>,
    api: Api,
    request: Request<Incoming>,
) -> impl Future<Output = Response<OutBody>> + Send {
    let trace =
        request.headers().get("traceparent").and_then(|value| value.to_str().ok()).and_then(Trace::parse);
    let trace = trace.unwrap_or_else(Trace::start);
    // The place of its line is taken first, so that there always is one.
    let slot = gate.house.log.try_slot();
    let opened = slot.map(|slot| Account::open(Arc::clone(&gate), api, trace.id(), slot));
    async move {
        let mut account = match opened {
            Some(account) => account,
            None => Account::open(Arc::clone(&gate), api, trace.id(), gate.house.log.slot().await),
        };
        let (head, incoming) = request.into_parts();
        match prepare(&gate, api, head, incoming, &mut account).await {
            Err(refusal) => refusal.respond(api, account),
            Ok(Prepared::Kept(kept, age)) => replay(&kept, age, account),
            Ok(Prepared::Counted(tokens)) => counted(tokens, account),
            Ok(Prepared::Asks(Envelope::Private(letter), ready)) => serve(*ready, letter, account).await,
            Ok(Prepared::Asks(Envelope::Open(letter), ready)) => serve(*ready, letter, account).await,
        }
    }
}

/// What comes of looking at a request.
enum Prepared {
    Asks(Envelope, Box<Ready>),
    /// The same was answered before.
    Kept(Arc<KeptAnswer>, SignedDuration),
    /// Only its size was asked, and nobody needs to be asked for that.
    Counted(u64),
}

/// The size of a prompt, as well as it can be told without its model.
fn count_here(bytes: &Bytes) -> Result<u64, Refusal> {
    let request = count::read(Dialect::Messages.codec(), bytes)?;
    Ok(count::request(&request))
}

fn counted(tokens: u64, mut account: Box<Account>) -> Response<OutBody> {
    let body = count::answer(Dialect::Messages, tokens);
    account.end(Finish::Stop, 200, None);
    let mut response = Response::new(OutBody::Whole(Some(Bytes::from(body))));
    let headers = response.headers_mut();
    body::mark(headers, &account);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer from memory.
fn replay(kept: &KeptAnswer, age: SignedDuration, mut account: Box<Account>) -> Response<OutBody> {
    let mut headers = HeaderMap::with_capacity(12);
    account.line().marks.push(Cow::Borrowed("cache-hit"));
    account.end(Finish::Stop, 200, None);
    account.told.push(("age", age.as_secs().to_string()));
    account.told.push(("x-sanctum-served", kept.served.clone()));
    body::mark(&mut headers, &account);
    if let Ok(media) = HeaderValue::from_str(&kept.media) {
        headers.insert(header::CONTENT_TYPE, media);
    }
    let body = match kept.pieces.as_slice() {
        [only] => OutBody::Whole(Some(only.clone())),
        pieces => OutBody::Pieces(pieces.iter().cloned().collect()),
    };
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

/// Everything that is known before somebody is asked.
struct Ready {
    api: Api,
    ask: Ask,
    plan: Plan,
    headers: HeaderMap,
    own: Option<(HeaderName, HeaderValue)>,
    query: Option<String>,
    recalled: Option<Recalled>,
    filled: Option<Arc<sanctum_llm::Request>>,
}

/// Connection → agent → view → class → resolution → candidates; then the bytes are sealed.
async fn prepare(
    gate: &Gate,
    api: Api,
    head: request::Parts,
    incoming: Incoming,
    account: &mut Account,
) -> Result<Prepared, Refusal> {
    let who = identify(gate, &head.headers, api)?;
    who.agent.clone_into(&mut account.line().agent);
    account.line().key = who.key.as_ref().map(|key| key.id().to_owned());
    let declared = class::declared(&head.headers)?;
    let bytes = read::whole(incoming, &head.headers, gate.config.body_limit).await?;
    let (mut ask, mut class) = look(gate, api, &bytes, &who, declared)?;
    let filled = match api {
        Api::Responses => gate.house.shelves.fill(api, &account.owner(), &bytes),
        _ => None,
    };
    if let Some(filled) = &filled {
        // What it names is asked as well: a conversation stays what it was about.
        let whole = Bytes::from(api.dialect().codec().write_request(filled).body);
        let (all, stricter) = look(gate, api, &whole, &who, declared)?;
        ask.grow(&all);
        class = stricter;
    }
    account.introduce(&who.agent, &ask.model, ask.stream);
    account.guess.input = ask.input;
    note_class(account, &class);
    stages::limit(gate, &who, &ask, account)?;
    let look = stages::remembered(gate, api, &who, &bytes, &class, account);
    if let Look::Hit { kept, age } = look {
        return Ok(Prepared::Kept(kept, age));
    }
    let recalled = stages::recall(gate, api, &who, &bytes, &class, account).await;
    ask.input += recalled.as_ref().map_or(0, |recalled| u64::from(recalled.tokens));
    let resolution = resolve(gate, &who, &ask, &class).ok_or_else(|| unknown(gate, &ask))?;
    account.line().rule = Cow::Owned(resolution.rule.to_string());
    let plan = consider(gate, &who, &ask, &class, resolution);
    if api == Api::CountTokens && !plan.first_speaks(Dialect::Messages) {
        return Ok(Prepared::Counted(count_here(&bytes)?));
    }
    if plan.own {
        account.paid_by_client();
    }
    if plan.all.iter().all(|one| one.verdict.is_err()) {
        return Err(nobody(&plan, &class, gate));
    }
    let own = who.foreign.filter(|_| plan.own);
    let query = head.uri.query().map(str::to_owned);
    let privacy = class.privacy;
    let ready = Ready { api, ask, plan, headers: forwarded(&head.headers), own, query, recalled, filled };
    Ok(Prepared::Asks(Envelope::seal(privacy, bytes), Box::new(ready)))
}

/// The borrowed view, and what is read from it.
pub(crate) fn look(
    gate: &Gate,
    api: Api,
    bytes: &Bytes,
    who: &Who,
    declared: Option<crate::config::Class>,
) -> Result<(Ask, Class), Refusal> {
    let view = View::scan(api.shape(), bytes)?;
    let class = class::read(&view, gate.agent(&who.agent).class, declared);
    let sealed = view.signed && sanctum_llm::responses::holds_seals(bytes);
    Ok((Ask { sealed, ..Ask::of(api, &view) }, class))
}

fn note_class(account: &mut Account, class: &Class) {
    let line = account.line();
    (line.privacy, line.intent) = (class.privacy, class.intent);
    line.privacy_because.clone_from(&class.privacy_because);
    line.intent_because.clone_from(&class.intent_because);
}

/// Candidates in the letter's reach → reservation → attempt, until one answers; a client that waits long for a stream is
/// told so.
async fn serve<R: Reach>(ready: Ready, letter: Letter<R>, account: Box<Account>) -> Response<OutBody> {
    let (stream, dialect) = (ready.ask.stream, ready.api.dialect());
    let every = account.gate.config.heartbeat.0;
    if !stream || every.is_zero() {
        return find(ready, letter, account).await;
    }
    let mut later: body::Later = Box::pin(find(ready, letter, account));
    tokio::select! {
        biased;
        response = &mut later => response,
        () = tokio::time::sleep(every) => {
            let mut response = Response::new(OutBody::Waiting(Box::new(Waiting::new(later, dialect, every))));
            body::streaming(response.headers_mut());
            response
        }
    }
}

async fn find<R: Reach>(ready: Ready, letter: Letter<R>, mut account: Box<Account>) -> Response<OutBody> {
    match attempts(&ready, &letter, &mut account).await {
        Ok(answered) => settle(&ready, answered, account),
        Err(refusal) => refusal.respond(ready.api, account),
    }
}

async fn attempts<R: Reach>(
    ready: &Ready,
    letter: &Letter<R>,
    account: &mut Account,
) -> Result<Answered, Refusal> {
    let gate = Arc::clone(&account.gate);
    let call = ready.call(&gate, account.begun() + gate.config.deadline.0);
    let mut last: Option<Refusal> = None;
    let seats = ready.plan.seats::<R>();
    let mut left = seats.as_slice();
    while let [kept, others @ ..] = left {
        left = others;
        if account.attempts() >= gate.config.attempts as usize || Instant::now() >= call.deadline {
            break;
        }
        // It stood well when it was chosen; many may have come at once since.
        let breaker = &kept.seat.provider().breaker;
        if !breaker.enter(&kept.seat.pick().name, gate.house.shared.clock.now()) {
            continue;
        }
        let beside = others.first().filter(|_| !gate.config.hedge.0.is_zero());
        let both = beside.map_or(kept.reserve, |beside| kept.reserve.plus(beside.reserve));
        if let Err(spent) = account.reserve(both) {
            breaker.left();
            last.get_or_insert_with(|| broke(&spent.to_string()));
            continue;
        }
        // Nobody waits for a second answer where there is none to be had.
        let hold = if others.is_empty() { Duration::ZERO } else { call.hold };
        let call = Call { hold, wish: Wish { room: kept.room, ..call.wish }, ..call };
        let begun = Instant::now();
        let (seat, outcome) = match beside {
            None => (&kept.seat, one(&call, letter, &kept.seat, account).await),
            Some(beside) => {
                // What is rare is kept apart, so that what is not stays small.
                let both = Box::pin(two(&call, letter, (&kept.seat, &beside.seat), account));
                let (seat, outcome, both) = both.await;
                left = if both { others.get(1..).unwrap_or_default() } else { others };
                (seat, outcome)
            }
        };
        match outcome {
            Ok(answered) => {
                told(&gate, seat, begun.elapsed());
                account.answered();
                return Ok(answered);
            }
            Err(failed) => {
                blame(&gate, seat, &failed);
                account.failed(failed.outcome, failed.charged);
                last = Some(failed.refusal);
                if !failed.next {
                    break;
                }
            }
        }
    }
    let last = last.unwrap_or_else(|| {
        let message = "everybody who could answer is being left alone for a moment";
        Refusal::new(503, FaultKind::Overloaded, "no_candidate", message).after(Duration::from_secs(1))
    });
    Err(if !R::admits(Locality::Cloud) && last.fault.status >= 500 { stays_unanswered(last) } else { last })
}

/// Every seat of the house has failed, and there is nobody else who may be asked: the client is told both.
fn stays_unanswered(last: Refusal) -> Refusal {
    let message = format!(
        "this must not leave this house, and no model of this house could answer: {}",
        last.fault.message
    );
    let (retry_after, retry, finish) = (last.retry_after, last.retry, last.finish);
    let refusal = Refusal::new(503, FaultKind::Overloaded, "no_local_seat", message);
    Refusal { retry_after, retry, finish, ..refusal }
}

/// Two seats, the second only if the first takes long; who it was in the end, and whether both were asked.
async fn two<'s, R: Reach>(
    call: &Call<'_>,
    letter: &Letter<R>,
    (first, second): (&'s Seat<R>, &'s Seat<R>),
    account: &mut Account,
) -> (&'s Seat<R>, Result<Answered, Failed>, bool) {
    account.attempt(first.pick());
    account.expose();
    let hedge = account.gate.config.hedge.0;
    let outcome = race(call, letter, first, second, hedge).await;
    let (seat, other) = if outcome.second { (second, first) } else { (first, second) };
    if let Some(since) = outcome.late {
        account.raced(other.pick(), since);
    }
    account.attempt(seat.pick());
    account.expose();
    account.absorb(outcome.trail);
    (seat, outcome.answered, outcome.late.is_some())
}

impl Ready {
    /// What goes with every attempt.
    fn call<'a>(&'a self, gate: &'a Gate, deadline: Instant) -> Call<'a> {
        Call {
            ask: &self.ask,
            headers: &self.headers,
            own: self.own.as_ref(),
            query: self.query.as_deref(),
            deadline,
            hold: gate.config.hold.0,
            idle: gate.config.idle.0,
            wish: Wish {
                stages: &gate.stages,
                cloud: false,
                recalled: self.recalled.as_ref(),
                room: None,
                wary: false,
                filled: self.filled.as_ref(),
                now: gate.house.shared.clock.now().as_second(),
            },
        }
    }
}

/// One attempt at one seat; once more without signed reasoning, if that is what it refuses.
async fn one<R: Reach>(
    call: &Call<'_>,
    letter: &Letter<R>,
    seat: &Seat<R>,
    account: &mut Account,
) -> Result<Answered, Failed> {
    let mut trail = Trail::default();
    account.attempt(seat.pick());
    account.expose();
    let outcome = turn(call, letter, seat, &mut trail).await;
    account.absorb(trail);
    let Err(failed) = outcome else { return outcome };
    if !failed.signature {
        return Err(failed);
    }
    account.failed(failed.outcome, failed.charged);
    account.attempt(seat.pick());
    account.expose();
    let wary = Call { wish: Wish { wary: true, ..call.wish }, ..*call };
    let mut trail = Trail::default();
    let outcome = Box::pin(turn(&wary, letter, seat, &mut trail)).await;
    account.absorb(trail);
    outcome
}

fn told<R: Reach>(gate: &Gate, seat: &Seat<R>, took: Duration) {
    let (provider, now) = (seat.provider(), gate.house.shared.clock.now());
    if provider.breaker.answered(took, provider.slow, now, &gate.config.breaker) {
        crate::watch::changed(gate, provider);
    }
}

fn blame<R: Reach>(gate: &Gate, seat: &Seat<R>, failed: &Failed) {
    let (provider, now) = (seat.provider(), gate.house.shared.clock.now());
    if failed.blame {
        let why = format!("{}: {}", failed.outcome, failed.refusal.fault.message);
        if provider.breaker.failed(&why, now, &gate.config.breaker) {
            crate::watch::changed(gate, provider);
        }
    } else {
        provider.breaker.left();
    }
    if let Some(wait) =
        failed.refusal.retry_after.filter(|_| matches!(failed.refusal.fault.status, 429 | 503 | 529))
    {
        provider.breaker.rest(&seat.pick().name, wait, now);
    }
}

/// The answer's head, and its body: whole, or pumped. From here on the account goes with the body.
fn settle(ready: &Ready, answered: Answered, mut account: Box<Account>) -> Response<OutBody> {
    let mut headers = HeaderMap::with_capacity(12);
    let (status, out) = match answered {
        Answered::Whole { parts, body, usage, finish } => {
            returned(&parts.headers, &mut headers);
            account.usage = usage;
            if usage.is_none() {
                account.guess.output = (body.len() / 4) as u64;
            }
            account.end(finish, parts.status.as_u16(), None);
            if let Some(after) = &mut account.after {
                after.see(&body);
            }
            account.complete(ready.api.dialect(), "application/json");
            body::mark(&mut headers, &account);
            drop(account);
            (parts.status, OutBody::Whole(Some(body)))
        }
        Answered::Stream(begun) => {
            returned(&begun.parts.headers, &mut headers);
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            body::mark(&mut headers, &account);
            let status = begun.parts.status;
            if matches!(begun.relay, Relay::Other(_)) {
                body::streaming(&mut headers);
            }
            (status, OutBody::Stream(Box::new(Pump::new(begun, account, ready.ask.max_tokens))))
        }
    };
    let mut response = Response::new(out);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// What to do where nobody could be asked.
const NOBODY: &str = "no model is configured that could answer: name who may be asked in sanctum.toml, such as \
                      `[proxy] use = [\"ollama\"]`; `sanctum models` then lists what there is";

fn unknown(gate: &Gate, ask: &Ask) -> Refusal {
    let asked = &ask.model;
    let message = if gate.table.entries.is_empty() {
        format!("the model `{asked}` does not exist here: {NOBODY}")
    } else {
        format!("the model `{asked}` does not exist here; `/v1/models` lists what there is")
    };
    Refusal::new(404, FaultKind::NotFound, "model_not_found", message).param("model").never_again()
}

fn broke(why: &str) -> Refusal {
    Refusal {
        finish: Finish::Refused,
        ..Refusal::new(402, FaultKind::Budget, "budget_exhausted", why).never_again()
    }
}

/// Why nobody is left, by what weighs most.
pub(crate) fn nobody(plan: &Plan, class: &Class, gate: &Gate) -> Refusal {
    let now = gate.house.shared.clock.now();
    let reasons = || plan.all.iter().filter_map(|one| one.verdict.as_ref().err());
    let first = |want: fn(&Dropped) -> bool| reasons().find(|why| want(why));
    let wait = reasons().filter_map(|why| match why {
        Dropped::Open(until) | Dropped::Resting(until) => Duration::try_from(until.duration_since(now)).ok(),
        Dropped::Probing => Some(Duration::from_secs(1)),
        _ => None,
    });
    let wait = wait.min();
    if let Some(why) = first(|why| matches!(why, Dropped::NotAllowed))
        && reasons().all(|why| matches!(why, Dropped::NotAllowed | Dropped::NotNeeded))
    {
        return Refusal::new(403, FaultKind::Forbidden, "model_not_allowed", why.to_string()).never_again();
    }
    if let Some(wait) = wait {
        let resting = first(|why| matches!(why, Dropped::Resting(_)));
        let (status, kind) =
            if resting.is_some() { (429, FaultKind::RateLimited) } else { (503, FaultKind::Overloaded) };
        let message = describe(plan);
        return Refusal::new(status, kind, "no_candidate", message).after(wait.max(Duration::from_secs(1)));
    }
    if class.privacy.is_private() {
        let what = if class.privacy == crate::kinds::Privacy::Health { "health" } else { "finance" };
        let message = format!(
            "this is about {what} ({}), so it must not leave this house, and no model of this house can answer: {}",
            class.privacy_because,
            describe(plan)
        );
        return Refusal::new(503, FaultKind::Overloaded, "no_local_seat", message).never_again();
    }
    if let Some(why) = first(|why| matches!(why, Dropped::Money(_))) {
        return broke(&format!("the money of the day is gone: {why}"));
    }
    if let Some(why @ Dropped::Context(..)) = first(|why| matches!(why, Dropped::Context(..))) {
        let message = format!("maximum context length exceeded: {why}");
        return Refusal::new(400, FaultKind::ContextLength, "context_length_exceeded", message)
            .param("messages")
            .never_again();
    }
    if let Some(why @ Dropped::Cannot(_)) = first(|why| matches!(why, Dropped::Cannot(_))) {
        return Refusal::invalid("unsupported", why.to_string()).never_again();
    }
    let status = if plan.all.is_empty() { 404 } else { 503 };
    let kind = if status == 404 { FaultKind::NotFound } else { FaultKind::Overloaded };
    Refusal::new(status, kind, "no_candidate", describe(plan)).never_again()
}

fn describe(plan: &Plan) -> String {
    let told: Vec<String> = plan
        .all
        .iter()
        .filter_map(|one| {
            Some(format!("{}/{}: {}", one.pick.entry.provider, one.pick.name, one.verdict.as_ref().err()?))
        })
        .take(5)
        .collect();
    if told.is_empty() { NOBODY.to_owned() } else { told.join("; ") }
}
