//! What stages do before anybody is thought of: limits of the key, answers from memory, memories.

use sanctum_http::Bytes;
use sanctum_llm::FaultKind;
use sanctum_llm::view::View;

use crate::account::Account;
use crate::aftermath::Aftermath;
use crate::ask::{Api, Ask};
use crate::class::Class;
use crate::gate::Gate;
use crate::identity::Who;
use crate::kinds::Privacy;
use crate::refusal::Refusal;
use crate::stages::cache::Look;
use crate::stages::recall::{Recalled, Said};

/// The rate of the key; of the agent where it has none.
pub(crate) fn limit(gate: &Gate, who: &Who, ask: &Ask, account: &mut Account) -> Result<(), Refusal> {
    if !gate.config.limits.is_on() {
        return Ok(());
    }
    let key = account.line().key.clone().unwrap_or_else(|| format!("agent {}", who.agent));
    let tokens = ask.input + ask.max_tokens.unwrap_or(0);
    let now = gate.house.shared.clock.now();
    match gate.stages.limits.before(&key, &who.agent, tokens, now) {
        Ok(room) => {
            account.counted = Some((key, tokens));
            account.told = room.headers;
            Ok(())
        }
        Err(limited) => {
            let message = limited.to_string();
            account.told = limited.headers;
            account.told.retain(|(name, _)| *name != "retry-after");
            Err(Refusal::new(429, FaultKind::RateLimited, "rate_limit_exceeded", message).after(limited.wait))
        }
    }
}

/// The answer to the same request, if it is kept.
pub(crate) fn remembered(
    gate: &Gate,
    api: Api,
    who: &Who,
    bytes: &Bytes,
    class: &Class,
    account: &mut Account,
) -> Look {
    if !api.completes() || who.foreign.is_some() {
        return Look::Off;
    }
    let now = gate.house.shared.clock.now();
    let look = gate.stages.cache.before(&who.agent, api.word(), bytes, class.privacy, now);
    account.told.extend(look.word().map(|word| ("x-sanctum-cache", word.to_owned())));
    if let Look::Miss(key) = look {
        account.after = Aftermath::new(gate, Some(key), None);
    }
    look
}

/// What memory has to say, and what it will be told.
pub(crate) async fn recall(
    gate: &Gate,
    api: Api,
    who: &Who,
    bytes: &Bytes,
    class: &Class,
    account: &mut Account,
) -> Option<Recalled> {
    let memory = &gate.stages.recall;
    let (asks, tells) = (memory.recalls(&who.agent), memory.listens(&who.agent));
    if !api.completes() || !(asks || tells) {
        return None;
    }
    let latest = View::scan(api.shape(), bytes).map(|view| view.latest().into_owned()).unwrap_or_default();
    let said = tells.then(|| Said {
        key: account.trace().to_string(),
        agent: who.agent.clone(),
        at: gate.house.shared.clock.now().as_millisecond(),
        class: word(class.privacy).to_owned(),
        user: latest.clone(),
        assistant: String::new(),
        model: String::new(),
    });
    let key = account.after.take().and_then(|after| after.key);
    account.after = Aftermath::new(gate, key, said);
    match Box::pin(memory.before(&who.agent, &latest, class.privacy)).await {
        Ok(recalled) => Some(recalled),
        Err(why) => {
            tracing::debug!(?why, "a request goes without memories");
            None
        }
    }
}

const fn word(privacy: Privacy) -> &'static str {
    match privacy {
        Privacy::Open => "general",
        Privacy::Finance => "finance",
        Privacy::Health => "health",
    }
}
