//! The account of one request: what it is worth, what it has cost, and its one line in the log.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sanctum_api::proxy::Fallback;
use sanctum_kernel::trace::TraceId;
use sanctum_llm::{Dialect, Loss, Usage};

use crate::aftermath::Aftermath;
use crate::ask::Api;
use crate::attempt::Trail;
use crate::budget::{Reservation, Spent, cost};
use crate::config::Locality;
use crate::gate::Gate;
use crate::kinds::{Nano, Price};
use crate::live::Place;
use crate::meters::WELL;
use crate::table::Pick;
use crate::usage::{Attempt, Finish, Line, Slot, Source};

/// Opened when a request comes in. When it is dropped, its money is settled and its line is written, whatever has happened:
/// there is no path on which a request has no line, and none on which it has two.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) gate: Arc<Gate>,
    slot: Option<Slot>,
    line: Line,
    begun: Instant,
    place: Place,
    money: Option<Reservation>,
    /// What is being asked right now, and whether it has been told anything.
    serving: Option<Serving>,
    /// What attempts before have cost.
    spent: Nano,
    pub(crate) usage: Option<Usage>,
    /// Tokens as they look from here, where the provider does not say.
    pub(crate) guess: Usage,
    first: Option<Duration>,
    ended: bool,
    /// The first attempt that failed, for the list of fallbacks.
    fell: Option<(String, Cow<'static, str>)>,
    /// The client pays.
    own: bool,
    /// The key and the tokens that its limits were told.
    pub(crate) counted: Option<(String, u64)>,
    /// Headers of stages for the answer.
    pub(crate) told: Vec<(&'static str, String)>,
    /// Who wants the answer when it is whole.
    pub(crate) after: Option<Aftermath>,
}

#[derive(Debug)]
struct Serving {
    pick: Pick,
    price: Price,
    since: Instant,
    /// Something has gone out, so that the provider may count it whatever comes back.
    exposed: bool,
}

impl Account {
    pub(crate) fn open(gate: Arc<Gate>, api: Api, trace: TraceId, slot: Slot) -> Box<Self> {
        let now = gate.house.shared.clock.now();
        let place = gate.house.live.enter(trace, now);
        gate.house.count();
        let mut line = Line::new(now, trace, "");
        line.api = Cow::Borrowed(api.word());
        Box::new(Self {
            gate,
            slot: Some(slot),
            line,
            begun: Instant::now(),
            place,
            money: None,
            serving: None,
            spent: Nano(0),
            usage: None,
            guess: Usage::default(),
            first: None,
            ended: false,
            fell: None,
            own: false,
            counted: None,
            told: Vec::new(),
            after: None,
        })
    }

    pub(crate) const fn line(&mut self) -> &mut Line {
        &mut self.line
    }

    pub(crate) const fn trace(&self) -> TraceId {
        self.line.trace
    }

    /// Whose conversations are not another's.
    pub(crate) fn owner(&self) -> String {
        format!("{}/{}", self.line.agent, self.line.key.as_deref().unwrap_or_default())
    }

    pub(crate) fn attempts(&self) -> usize {
        self.line.attempts.len()
    }

    pub(crate) const fn begun(&self) -> Instant {
        self.begun
    }

    /// Who asks for what.
    pub(crate) fn introduce(&mut self, agent: &str, asked: &str, stream: bool) {
        agent.clone_into(&mut self.line.agent);
        asked.clone_into(&mut self.line.asked);
        self.line.stream = stream;
        self.place.row.say(|words| {
            agent.clone_into(&mut words.agent);
            asked.clone_into(&mut words.asked);
            words.streaming = stream;
        });
    }

    /// The client pays a provider with credentials of its own.
    pub(crate) const fn paid_by_client(&mut self) {
        self.own = true;
    }

    /// Takes the money for the next attempt.
    pub(crate) fn reserve(&mut self, amount: Nano) -> Result<(), Spent> {
        let amount = if self.own { Nano(0) } else { amount }.plus(self.spent);
        if let Some(money) = &mut self.money {
            return money.change_to(amount);
        }
        let money = self.gate.house.ledger.reserve(&self.line.agent, self.line.trace, amount)?;
        self.line.of(&money);
        self.money = Some(money);
        Ok(())
    }

    /// More output has come than was reserved for.
    pub(crate) fn extend(&mut self, more: Nano) -> Result<(), Spent> {
        match &mut self.money {
            Some(money) if !self.own => money.extend(more),
            _ => Ok(()),
        }
    }

    /// An attempt begins.
    pub(crate) fn attempt(&mut self, pick: &Pick) {
        let price = if self.own { Price::default() } else { pick.entry.price.unwrap_or_default() };
        self.place
            .row
            .say(|words| words.serving = Some((Arc::clone(&pick.entry.provider), Arc::clone(&pick.name))));
        self.serving = Some(Serving { pick: pick.clone(), price, since: Instant::now(), exposed: false });
    }

    /// The letter is going out.
    pub(crate) fn expose(&mut self) {
        if let Some(serving) = &mut self.serving {
            serving.exposed = true;
            self.line.egress |= serving.pick.entry.locality == Locality::Cloud;
        }
    }

    /// What an attempt has left behind.
    pub(crate) fn absorb(&mut self, trail: Trail) {
        if let Some(serving) = &mut self.serving {
            serving.exposed &= trail.exposed;
        }
        self.lose(&trail.losses);
        self.marked(&trail.marks);
        self.usage = trail.usage;
        if trail.asked.is_some() {
            self.after.get_or_insert_default().shelve(trail.asked);
        } else if let Some(after) = &mut self.after {
            after.shelve(None);
        }
    }

    /// A second candidate that was asked beside the first came too late: it may count what it has read.
    pub(crate) fn raced(&mut self, pick: &Pick, since: Instant) {
        let usage = Usage { output: 0, ..self.guess };
        self.spent = self.spent.plus(cost(&pick.entry.price.unwrap_or_default(), &usage));
        self.line.egress |= pick.entry.locality == Locality::Cloud;
        self.line.attempts.push(Attempt {
            provider: pick.entry.provider.to_string(),
            model: pick.name.to_string(),
            outcome: Cow::Borrowed("late"),
            ms: since.elapsed().as_secs_f64() * 1e3,
        });
        self.marked(&[Cow::Borrowed("hedged")]);
    }

    /// The attempt came to nothing. `charged` if the provider may count it all the same.
    pub(crate) fn failed(&mut self, outcome: Cow<'static, str>, charged: bool) {
        self.note(outcome.clone());
        if let Some(serving) = self.serving.take() {
            let usage = self.usage.take().or_else(|| charged.then_some(Usage { output: 0, ..self.guess }));
            if let Some(usage) = usage.filter(|_| charged) {
                self.spent = self.spent.plus(cost(&serving.price, &usage));
            }
            if self.fell.is_none() {
                let from = format!("{}/{}", serving.pick.entry.provider, serving.pick.name);
                self.fell = Some((from, outcome));
            }
        }
    }

    fn note(&mut self, outcome: Cow<'static, str>) {
        let Some(serving) = &self.serving else { return };
        let provider = &serving.pick.entry.provider;
        let meters = &self.gate.house.meters;
        if outcome == WELL {
            meters.of(provider, &serving.pick.name, operation(&self.line.api)).well.inc();
        } else {
            meters.attempt(provider, &outcome);
        }
        self.line.attempts.push(Attempt {
            provider: provider.to_string(),
            model: serving.pick.name.to_string(),
            outcome,
            ms: serving.since.elapsed().as_secs_f64() * 1e3,
        });
    }

    /// The attempt is the one whose answer the client gets.
    pub(crate) fn answered(&mut self) {
        self.note(Cow::Borrowed(WELL));
        if let Some(serving) = &self.serving {
            self.line.provider = Some(serving.pick.entry.provider.to_string());
            self.line.model = Some(serving.pick.name.to_string());
            self.line.tier = Some(serving.pick.entry.tier);
            self.line.locality = Some(Cow::Borrowed(serving.pick.entry.locality.word()));
            self.first = Some(self.begun.elapsed());
        }
    }

    /// `provider/model` of who answers.
    pub(crate) fn served(&self) -> Option<String> {
        Some(format!("{}/{}", self.line.provider.as_ref()?, self.line.model.as_ref()?))
    }

    /// The client has the whole of a good answer.
    pub(crate) fn complete(&mut self, dialect: Dialect, media: &str) {
        let Some(mut after) = self.after.take() else { return };
        after.keep(&self.gate.house.shelves, &self.owner());
        if matches!(self.line.finish, Finish::Stop) {
            after.done(&Arc::clone(&self.gate), dialect, media, self.served());
        }
    }

    pub(crate) fn rule(&self) -> &str {
        &self.line.rule
    }

    pub(crate) fn losses(&self) -> &[String] {
        &self.line.losses
    }

    pub(crate) fn price(&self) -> Price {
        self.serving.as_ref().map(|serving| serving.price).unwrap_or_default()
    }

    pub(crate) fn lose(&mut self, losses: &[Loss]) {
        self.line.losses.extend(losses.iter().map(|loss| format!("{}: {}", loss.what, loss.became)));
    }

    /// A signature that passed: only who issued it will accept it again.
    pub(crate) fn remember(&self, signature: &str) {
        if let Some(serving) = &self.serving {
            self.gate.stages.repair.after(signature, &serving.pick.entry.provider);
        }
    }

    /// What was done to the request on the way.
    pub(crate) fn marked(&mut self, marks: &[crate::usage::Word]) {
        for mark in marks {
            if !self.line.marks.contains(mark) {
                self.line.marks.push(mark.clone());
            }
        }
    }

    pub(crate) fn saw_output(&mut self, tokens: u64) {
        self.guess.output = tokens;
        self.place.row.tokens_out.store(tokens, std::sync::atomic::Ordering::Relaxed);
    }

    /// It is over. Only the first word counts.
    pub(crate) fn end(&mut self, finish: Finish, status: u16, error: Option<String>) {
        if !self.ended {
            self.ended = true;
            (self.line.finish, self.line.status, self.line.error) = (finish, status, error);
        }
    }

    pub(crate) const fn status(&mut self, status: u16) {
        self.line.status = status;
    }

    fn settle(&mut self) -> Nano {
        let Some(serving) = &self.serving else { return self.spent };
        if !serving.exposed && self.usage.is_none() {
            return self.spent;
        }
        let usage = self.usage.unwrap_or(self.guess);
        self.line.tokens = usage.into();
        self.line.source = if self.usage.is_some() { Source::Reported } else { Source::Estimated };
        let real = cost(&serving.price, &usage).plus(self.spent);
        let meters = &self.gate.house.meters;
        let meter = meters.of(&serving.pick.entry.provider, &serving.pick.name, operation(&self.line.api));
        meter.note(&usage, real.as_dollars(), self.begun.elapsed(), self.first);
        real
    }

    fn tell_fallback(&mut self) {
        let Some((from, because)) = self.fell.take() else { return };
        let to = self.line.provider.is_some().then(|| self.served()).flatten();
        self.gate.house.fell_back(Fallback {
            at: self.line.time,
            trace: self.line.trace.to_string(),
            agent: self.line.agent.clone(),
            from,
            to,
            because: because.into_owned(),
        });
    }
}

fn operation(api: &str) -> &'static str {
    match api {
        "embeddings" => "embeddings",
        "speech" => "text_to_speech",
        _ => "chat",
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if !self.ended {
            // Nobody has said how it ended, so the client has gone.
            if self.serving.is_some() && self.line.provider.is_none() {
                self.note(Cow::Borrowed("cancelled"));
            }
            self.line.finish = Finish::Cancelled;
            if let Some(provider) = self
                .serving
                .as_ref()
                .and_then(|serving| self.gate.providers.get(&serving.pick.entry.provider))
            {
                provider.breaker.left();
            }
        }
        let real = self.settle();
        if let Some((key, counted)) = self.counted.take() {
            let tokens = self.line.tokens.input + self.line.tokens.output;
            self.gate.stages.limits.after(&key, &self.line.agent, counted, tokens);
        }
        self.tell_fallback();
        self.line.cost_usd = real;
        self.line.total_ms = self.begun.elapsed().as_secs_f64() * 1e3;
        self.line.first_ms = self.first.map(|first| first.as_secs_f64() * 1e3);
        if let Some(money) = self.money.take() {
            money.settle(real);
        }
        self.gate.house.live.leave(&self.place);
        let line = std::mem::replace(
            &mut self.line,
            Line::new(jiff::Timestamp::UNIX_EPOCH, self.place.row.trace, ""),
        );
        match self.slot.take() {
            Some(slot) => slot.write(line),
            None => self.gate.house.log.write(line),
        }
    }
}
