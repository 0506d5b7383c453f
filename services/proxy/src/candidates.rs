//! Who could answer, in the order in which they are tried, each with why it is kept or dropped. Pure but for a look at
//! breakers and money; the same for the real thing and for its explanation.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use sanctum_llm::view::Marks;

use crate::ask::{Api, Ask};
use crate::budget::{Dollars, cost};
use crate::class::Class;
use crate::config::{Can, Locality, Rescue};
use crate::gate::Gate;
use crate::identity::Who;
use crate::kinds::{Intent, Nano, Tier};
use crate::reach::{Reach, Seat};
use crate::table::{AUTO, Entry, Pick, Rule};
use crate::upstream::{Provider, Standing};

/// One that was thought of.
#[derive(Debug)]
pub(crate) struct Considered {
    pub(crate) pick: Pick,
    pub(crate) provider: Option<Arc<Provider>>,
    pub(crate) verdict: Result<(), Dropped>,
    /// What would be reserved for it.
    pub(crate) reserve: Nano,
    /// Only there for when the others cannot be had.
    pub(crate) rescue: bool,
    /// It has room for this many tokens only: older messages are left out.
    pub(crate) room: Option<u64>,
}

/// One that is asked.
#[derive(Debug)]
pub(crate) struct Kept<R> {
    pub(crate) seat: Seat<R>,
    pub(crate) reserve: Nano,
    pub(crate) room: Option<u64>,
}

/// Why one is not asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Dropped {
    /// It is not in this house, and what is asked must not leave it.
    Private,
    Cannot(Can),
    /// It has no room: tokens that are needed, and that there are.
    Context(u64, u64),
    /// It is weaker than what must not be weakened.
    Weaker(Tier),
    Open(Timestamp),
    Probing,
    Resting(Timestamp),
    Unusable(String),
    Unpriced,
    Money(Nano),
    /// It is kept for when the money is gone.
    NotNeeded,
    NotAllowed,
    /// Its provider is not in the configuration any more.
    Gone,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private => f.write_str("it is not in this house, and this must not leave it"),
            Self::Cannot(can) => write!(f, "it cannot do {}", can.word()),
            Self::Context(needed, room) => {
                write!(f, "it has room for {room} tokens, and {needed} are needed")
            }
            Self::Weaker(floor) => {
                write!(f, "it is weaker than {}, and this is never weakened", tier(*floor))
            }
            Self::Open(until) => write!(f, "its provider fails; it is left alone until {until}"),
            Self::Probing => {
                f.write_str("its provider has failed; one request is finding out whether it still does")
            }
            Self::Resting(until) => write!(f, "its provider asks to be left alone until {until}"),
            Self::Unusable(why) => write!(f, "its provider cannot be asked: {why}"),
            Self::Unpriced => f.write_str("its price is not known, so no cap could hold"),
            Self::Money(left) => write!(f, "only {} is left today", Dollars(*left)),
            Self::NotNeeded => f.write_str("it answers when the money of the day is gone"),
            Self::NotAllowed => f.write_str("this agent or key may not ask for it"),
            Self::Gone => f.write_str("its provider is not configured"),
        }
    }
}

pub(crate) const fn tier(tier: Tier) -> &'static str {
    match tier {
        Tier::Small => "small",
        Tier::Standard => "standard",
        Tier::Strong => "strong",
    }
}

/// The outcome of routing.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) rule: Rule,
    /// The strength that is wanted.
    pub(crate) tier: Tier,
    pub(crate) all: Vec<Considered>,
    /// The client pays.
    pub(crate) own: bool,
}

/// What a name leads to, before anything is known of who is there.
#[derive(Debug)]
pub(crate) struct Resolution {
    pub(crate) rule: Rule,
    picks: Vec<(Pick, bool)>,
    own: bool,
}

/// Resolution: exact name, alias, glob, the client's own credentials, or the house's choice.
pub(crate) fn resolve(gate: &Gate, who: &Who, ask: &Ask, class: &Class) -> Option<Resolution> {
    let agent = gate.agent(&who.agent);
    let table = &gate.table;
    if let Some(resolution) = own_credentials(gate, who, ask) {
        return Some(resolution);
    }
    let asked = if matches!(ask.model.as_str(), "" | AUTO) {
        agent.model.as_deref().unwrap_or(AUTO)
    } else {
        &ask.model
    };
    let (rule, mut picks) = if asked == AUTO {
        let want = wanted(gate, who, class);
        let mut choices: Vec<Pick> = table.choices().collect();
        choices.sort_by(|a, b| rank(&a.entry, want).total_cmp(&rank(&b.entry, want)));
        (Rule::Auto, choices)
    } else {
        let (first, rule) = table.find(asked)?;
        let own = first.entry.fallback.clone();
        let others = agent.fallback.as_ref().unwrap_or(&gate.config.fallback);
        // Vectors of two models do not compare, and a voice is a voice: only completions are somebody else's to answer.
        let rest = own
            .iter()
            .chain(others)
            .filter(|_| ask.api.completes())
            .filter_map(|name| table.configured(name));
        (rule, std::iter::once(first).chain(rest).collect())
    };
    let mut seen: Vec<(Arc<str>, Arc<str>)> = Vec::with_capacity(picks.len());
    let mut fresh = |pick: &Pick| {
        let id = (Arc::clone(&pick.entry.provider), Arc::clone(&pick.name));
        let new = !seen.contains(&id);
        seen.push(id);
        new
    };
    picks.retain(&mut fresh);
    let mut picks: Vec<(Pick, bool)> = picks.into_iter().map(|pick| (pick, false)).collect();
    // What is private always has the house's own models to fall back on, the money only when it is gone.
    if ask.api.completes() {
        let local = table.choices().filter(|pick| pick.entry.locality == Locality::Local);
        let mut local: Vec<Pick> = local.filter(&mut fresh).collect();
        local.sort_by_key(|pick| std::cmp::Reverse(pick.entry.tier));
        picks.extend(local.into_iter().map(|pick| (pick, true)));
    }
    Some(Resolution { rule, picks, own: false })
}

fn own_credentials(gate: &Gate, who: &Who, ask: &Ask) -> Option<Resolution> {
    who.foreign.as_ref()?;
    let mut routes = gate.config.own_credentials.iter();
    let (name, route) =
        routes.find(|(_, route)| crate::glob::Glob::new(&route.models).matches(&ask.model))?;
    let pick = gate.table.of(&route.provider, &ask.model)?;
    Some(Resolution { rule: Rule::OwnCredentials(name.clone()), picks: vec![(pick, false)], own: true })
}

/// The strength that a request wants where the house chooses.
fn wanted(gate: &Gate, who: &Who, class: &Class) -> Tier {
    match class.intent {
        Intent::Code | Intent::Security | Intent::Reasoning => Tier::Strong,
        Intent::Chat | Intent::Image => gate.agent(&who.agent).tier.unwrap_or(Tier::Standard),
    }
}

/// Order of choice: the wanted strength, then the next weaker, then the next stronger; the cheaper first among equals.
fn rank(entry: &Entry, want: Tier) -> f64 {
    let distance = f64::from(entry.tier as i8 - want as i8);
    let distance = if distance > 0.0 { distance * 2.0 + 0.5 } else { -distance * 2.0 };
    let price = entry.price.map_or(1e5, |price| price.input + price.output);
    distance * 1e7 + price
}

/// Candidates: everyone the resolution leads to, filtered by privacy, capability, room, breaker and money.
pub(crate) fn consider(gate: &Gate, who: &Who, ask: &Ask, class: &Class, resolution: Resolution) -> Plan {
    let now = gate.house.shared.clock.now();
    let Resolution { rule, picks, own } = resolution;
    let mut all: Vec<Considered> = picks
        .into_iter()
        .map(|(pick, rescue)| {
            let provider = gate.providers.get(&pick.entry.provider).map(Arc::clone);
            let verdict = first_look(gate, (who, ask, class), &pick, provider.as_ref(), own);
            let reserve = if own { Nano(0) } else { estimate(gate, ask, &pick.entry) };
            Considered { pick, provider, verdict, reserve, rescue, room: None }
        })
        .collect();
    if gate.config.trim && ask.api.completes() {
        allow_trimming(&mut all);
    }
    let floor = floor(&rule, class, &all);
    if let Some(floor) = floor {
        drop_if(&mut all, |one| (one.pick.entry.tier < floor).then_some(Dropped::Weaker(floor)));
    }
    drop_if(&mut all, |one| standing(one, now));
    let spent = money(gate, who, &mut all, own);
    let rescue = class.privacy.is_private()
        || match gate.config.rescue {
            Rescue::Never => false,
            Rescue::Spent => spent,
            Rescue::Always => true,
        };
    if !rescue {
        drop_if(&mut all, |one| one.rescue.then_some(Dropped::NotNeeded));
    }
    let tier = floor.unwrap_or_else(|| match &rule {
        Rule::Auto => wanted(gate, who, class),
        _ => all.first().map(|one| one.pick.entry.tier).unwrap_or_default(),
    });
    Plan { rule, tier, all, own }
}

/// Who has too little room is asked after those who have enough, for the newest part of the conversation.
fn allow_trimming(all: &mut [Considered]) {
    for one in all.iter_mut() {
        if let Err(Dropped::Context(_, room)) = one.verdict {
            (one.verdict, one.room) = (Ok(()), Some(room));
        }
    }
    all.sort_by_key(|one| one.room.is_some());
}

fn drop_if(all: &mut [Considered], why: impl Fn(&Considered) -> Option<Dropped>) {
    for one in all.iter_mut().filter(|one| one.verdict.is_ok()) {
        if let Some(why) = why(one) {
            one.verdict = Err(why);
        }
    }
}

/// What of it does not change from minute to minute.
fn first_look(
    gate: &Gate,
    (who, ask, class): (&Who, &Ask, &Class),
    pick: &Pick,
    provider: Option<&Arc<Provider>>,
    own: bool,
) -> Result<(), Dropped> {
    let entry = &pick.entry;
    let provider = provider.ok_or(Dropped::Gone)?;
    let local = entry.locality == Locality::Local && provider.locality() == Locality::Local;
    if class.privacy.is_private() && !local {
        return Err(Dropped::Private);
    }
    let named = [ask.model.as_str(), entry.id.text(), &pick.name];
    if !named.iter().any(|name| !name.is_empty() && *name != AUTO && who.may_ask(gate, name))
        && !who.may_ask(gate, AUTO)
    {
        return Err(Dropped::NotAllowed);
    }
    if let Some(unusable) = provider.unusable().filter(|_| !own) {
        return Err(Dropped::Unusable(unusable.0.clone()));
    }
    if let Some(can) =
        needed(ask).into_iter().find(|need| entry.can.as_ref().is_some_and(|can| !can.contains(need)))
    {
        return Err(Dropped::Cannot(can));
    }
    if matches!(ask.api, Api::Embeddings | Api::Speech | Api::CountTokens) && !serves(ask.api, provider) {
        let can = if ask.api == Api::Embeddings { Can::Embeddings } else { Can::Speech };
        return Err(Dropped::Cannot(can));
    }
    if let Some(context) = entry.context {
        let needed = ask.input.saturating_add(ask.max_tokens.unwrap_or(0));
        // The estimate is more rather than less; only what cannot fit by far is dropped for it.
        if ask.input / 2 + ask.max_tokens.unwrap_or(0) > context {
            return Err(Dropped::Context(needed, context));
        }
    }
    Ok(())
}

/// Whether a provider has this API at all.
fn serves(api: Api, provider: &Provider) -> bool {
    use sanctum_llm::Dialect;
    match api {
        Api::Embeddings | Api::Speech => provider.speaks.contains(&Dialect::Chat),
        _ => true,
    }
}

fn needed(ask: &Ask) -> Vec<Can> {
    let mut needed = Vec::new();
    match ask.api {
        Api::Embeddings => needed.push(Can::Embeddings),
        Api::Speech => needed.push(Can::Speech),
        _ => {
            needed.extend(ask.tools.then_some(Can::Tools));
            needed.extend(ask.images.then_some(Can::Vision));
        }
    }
    needed
}

/// The least strength of what is never weakened: that of the model that was asked for, or the strongest there is.
fn floor(rule: &Rule, class: &Class, all: &[Considered]) -> Option<Tier> {
    if !class.intent.is_pinned() {
        return None;
    }
    let able = |one: &&Considered| {
        !matches!(one.verdict, Err(Dropped::Private | Dropped::Cannot(_) | Dropped::Gone))
    };
    if *rule != Rule::Auto
        && let Some(asked) = all.first().filter(|one| able(one))
    {
        return Some(asked.pick.entry.tier);
    }
    all.iter().filter(able).map(|one| one.pick.entry.tier).max()
}

fn standing(one: &Considered, now: Timestamp) -> Option<Dropped> {
    match one.provider.as_ref()?.breaker.standing(&one.pick.name, now) {
        Standing::Closed => None,
        Standing::Open(until) => Some(Dropped::Open(until)),
        Standing::Probing => Some(Dropped::Probing),
        Standing::Resting(until) => Some(Dropped::Resting(until)),
    }
}

/// Drops whom there is no money for; whether there was any such.
fn money(gate: &Gate, who: &Who, all: &mut [Considered], own: bool) -> bool {
    let costs = |one: &Considered| one.verdict.is_ok() && one.pick.entry.locality == Locality::Cloud;
    if own || !all.iter().any(costs) {
        return false;
    }
    let room = gate.house.ledger.room(&who.agent);
    let mut spent = false;
    for one in all.iter_mut().filter(|one| costs(one)) {
        let unpriced = one.pick.entry.price.is_none();
        if unpriced && room < Nano(u64::MAX / 2) {
            one.verdict = Err(Dropped::Unpriced);
        } else if one.reserve > room || (room == Nano(0) && one.reserve > Nano(0)) {
            one.verdict = Err(Dropped::Money(room));
            spent = true;
        }
    }
    spent
}

/// Tokens of an answer whose model has no known limit and whose client sets none.
const LONG_ANSWER: u64 = 16_384;

/// The most a request may cost at a model, as far as can be told before: what a stream grows beyond is reserved later.
fn estimate(gate: &Gate, ask: &Ask, entry: &Entry) -> Nano {
    let Some(price) = &entry.price else { return Nano(0) };
    if ask.api == Api::CountTokens {
        return Nano(0);
    }
    let most = entry.max_output.unwrap_or(LONG_ANSWER);
    let output = match (ask.max_tokens, ask.stream) {
        (Some(most), _) => most,
        (None, true) => gate.config.assume_output.min(most),
        (None, false) => most,
    };
    let output = if ask.api.completes() { output.saturating_mul(ask.choices) } else { 0 };
    let (short, hour) = match ask.marks {
        Marks::None => (0, 0),
        Marks::Minutes => (ask.input, 0),
        Marks::Hour => (0, ask.input),
    };
    let usage = sanctum_llm::Usage {
        input: ask.input,
        cached: 0,
        written_5m: short,
        written_1h: hour,
        output,
        reasoning: 0,
    };
    cost(price, &usage)
}

impl Plan {
    /// Whether the first who is kept speaks this dialect itself.
    pub(crate) fn first_speaks(&self, dialect: sanctum_llm::Dialect) -> bool {
        let first = self.all.iter().find(|one| one.verdict.is_ok());
        first.and_then(|one| one.provider.as_ref()).is_some_and(|provider| provider.speaks.contains(&dialect))
    }

    /// The seats that are kept, as the type of the letter allows; anything beyond its reach is not even representable.
    pub(crate) fn seats<R: Reach>(&self) -> Vec<Kept<R>> {
        let kept = self.all.iter().filter(|one| one.verdict.is_ok());
        let seat = |one: &Considered| {
            let seat = Seat::admit(&one.pick, one.provider.as_ref()?)?;
            Some(Kept { seat, reserve: one.reserve, room: one.room })
        };
        kept.filter_map(seat).collect()
    }
}
