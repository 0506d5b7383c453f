//! Agents that show a key of the house: the proxy keeps the keys, and says whose one is.
//!
//! An agent is who its key says, whatever it says of itself; and its model may be anywhere, so that what is private stays here
//! unless the owner has said that this one runs in the house.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use sanctum_api::Problem;
use sanctum_api::proxy::{Client, ShownKey};
use sanctum_http::axum::http::StatusCode;
use sanctum_http::{Caller, Guests, Refusal};
use sanctum_kernel::{Chain, Clock, Right};

use crate::library::{Library, Who};

impl Library {
    /// Who a caller is. `named` is in whose name one of the house's own asks; the door's word on an agent outweighs it.
    pub(crate) fn who(&self, caller: &Caller, named: Option<&str>) -> Who {
        match &caller.agent {
            Some(agent) => self.agent(&caller.name, agent),
            None => Who::caller(&caller.name, named),
        }
    }

    /// An agent that came by itself.
    pub(crate) fn agent(&self, name: &str, agent: &str) -> Who {
        let who = Who::caller(name, Some(agent));
        let inside = self.config().mcp.inside.iter().any(|inside| inside == agent);
        if inside { who } else { who.outside() }
    }
}

/// What every key begins with: nothing else is worth a question.
const PREFIX: &str = "sk-sanctum-";
/// A key that is taken back opens for so long still; an agent that asks a hundred times a second costs one question in that time.
const KNOWN: Duration = Duration::from_secs(5);
/// More keys than this are not remembered at once.
const MOST: usize = 256;

/// Asks the proxy, and remembers for a moment.
#[derive(Debug)]
pub(crate) struct Keys {
    proxy: Client,
    clock: Clock,
    /// Of the secret only a hash that no other process can repeat is kept.
    hasher: RandomState,
    known: Mutex<HashMap<u64, (String, Timestamp)>>,
}

impl Keys {
    pub(crate) fn new(proxy: Client, clock: Clock) -> Self {
        Self { proxy, clock, hasher: RandomState::new(), known: Mutex::default() }
    }

    async fn holder(&self, secret: &str) -> Result<Option<String>, Refusal> {
        let hash = self.hasher.hash_one(secret);
        let now = self.clock.now();
        if let Some((agent, until)) = self.lock().get(&hash)
            && now < *until
        {
            return Ok(Some(agent.clone()));
        }
        let shown = ShownKey { secret: secret.to_owned(), scope: "memory".to_owned() };
        let holder = self.proxy.check_key(&shown).await.map_err(|error| {
            let status = StatusCode::SERVICE_UNAVAILABLE.as_u16();
            let problem = Problem::new(status, "keys", "nobody can say now whose this key is");
            Refusal(
                problem
                    .detail(Chain(&error).to_string())
                    .hint("the proxy keeps the keys: `sanctum status proxy`"),
            )
        })?;
        let mut known = self.lock();
        known.retain(|_, (_, until)| now < *until);
        if let Some(agent) = &holder.agent
            && known.len() < MOST
        {
            known.insert(hash, (agent.clone(), now.checked_add(KNOWN).unwrap_or(now)));
        }
        Ok(holder.agent)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, (String, Timestamp)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guests for Keys {
    fn admit<'a>(
        &'a self,
        token: &'a str,
    ) -> futures_core::future::BoxFuture<'a, Result<Option<Caller>, Refusal>> {
        Box::pin(async move {
            if !token.starts_with(PREFIX) {
                return Ok(None);
            }
            let agent = self.holder(token).await?;
            // Its name is no name of the house's own, whatever the agent is called.
            Ok(agent.map(|agent| Caller {
                name: format!("key of {agent}"),
                right: Right::Act,
                agent: Some(agent),
            }))
        })
    }
}
