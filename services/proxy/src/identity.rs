//! Who asks: a peer of the house, or who holds one of its keys.

use std::sync::Arc;

use sanctum_http::hyper::http::{HeaderName, HeaderValue};
use sanctum_http::{HeaderMap, header};
use sanctum_kernel::Right;
use sanctum_llm::FaultKind;

use crate::ask::Api;
use crate::gate::Gate;
use crate::glob::Glob;
use crate::keys::{Admitted, DENIED, Denied, Scope};
use crate::refusal::Refusal;

/// Who asks, and by what right.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) agent: String,
    pub(crate) key: Option<Arc<Admitted>>,
    /// A credential that is not of this house: it may be the client's own at a provider.
    pub(crate) foreign: Option<(HeaderName, HeaderValue)>,
    /// Somebody of the house itself, who may look and change.
    pub(crate) right: Right,
}

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const OWN: HeaderName = HeaderName::from_static("x-sanctum-key");
const AGENT: HeaderName = HeaderName::from_static("x-sanctum-agent");

/// What a header shows.
fn shown(value: &HeaderValue) -> Option<&str> {
    let text = value.to_str().ok()?;
    let bare = match text.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest,
        _ => text,
    };
    Some(bare.trim()).filter(|bare| !bare.is_empty())
}

/// Who the headers say it is. A credential of this house that is not valid is refused; one that is not of this house is only
/// good where a route for the client's own credentials, or an anonymous agent, is configured.
pub(crate) fn identify(gate: &Gate, headers: &HeaderMap, api: Api) -> Result<Who, Refusal> {
    let mut foreign = None;
    for name in [OWN, X_API_KEY, header::AUTHORIZATION] {
        let Some(value) = headers.get(&name) else { continue };
        let Some(secret) = shown(value) else { continue };
        match admit(gate, secret) {
            Ok(mut who) => {
                // Who says who it is beside bringing its own credentials may do both.
                who.foreign = foreign.or_else(|| other(headers, &name));
                return checked(who, headers, api);
            }
            Err(Denied::Unknown) => {
                foreign = foreign.or_else(|| (name != OWN).then(|| (name, value.clone())));
            }
            Err(denied) => {
                tracing::debug!(%denied, "a key was refused");
                return Err(unauthorized());
            }
        }
    }
    let agent = |name: &Option<String>| name.clone();
    if let Some(credential) = foreign {
        let mut routes = gate.config.own_credentials.values();
        let Some(agent) = routes.find_map(|route| agent(&route.agent)) else { return Err(unauthorized()) };
        return Ok(Who { agent, key: None, foreign: Some(credential), right: Right::Open });
    }
    let agent = gate.config.anonymous.clone().ok_or_else(unauthorized)?;
    Ok(Who { agent, key: None, foreign: None, right: Right::Open })
}

fn other(headers: &HeaderMap, taken: &HeaderName) -> Option<(HeaderName, HeaderValue)> {
    let names = [X_API_KEY, header::AUTHORIZATION];
    names
        .into_iter()
        .filter(|name| name != taken)
        .find_map(|name| Some((name.clone(), headers.get(&name)?.clone())))
}

fn admit(gate: &Gate, secret: &str) -> Result<Who, Denied> {
    if let Some((peer, right)) = gate.house.shared.peers.admit(secret) {
        return Ok(Who { agent: peer.to_owned(), key: None, foreign: None, right });
    }
    let key = gate.house.keys.admit(secret)?;
    Ok(Who { agent: key.agent().to_owned(), key: Some(key), foreign: None, right: Right::Open })
}

fn checked(mut who: Who, headers: &HeaderMap, api: Api) -> Result<Who, Refusal> {
    if let Some(key) = &who.key {
        let scope = if api == Api::Embeddings { Scope::Embeddings } else { Scope::Chat };
        if !key.may(scope) {
            let message = format!("this key may not be used for {}", scope.word());
            return Err(Refusal::new(403, FaultKind::Forbidden, "scope", message).never_again());
        }
    } else if who.right >= Right::Act
        && let Some(agent) = headers.get(AGENT).and_then(|value| value.to_str().ok())
    {
        // The house's own tools ask in the name of others.
        agent.clone_into(&mut who.agent);
    }
    Ok(who)
}

fn unauthorized() -> Refusal {
    let message = format!(
        "{DENIED}: show a key of this house as `Authorization: Bearer` or `x-api-key`; `sanctum keys create` makes one"
    );
    Refusal::new(401, FaultKind::Unauthorized, "invalid_api_key", message).never_again()
}

impl Who {
    /// Whether it may ask for a model, by the name it wrote.
    pub(crate) fn may_ask(&self, gate: &Gate, model: &str) -> bool {
        let rules = &gate.agent(&self.agent).models;
        let agent = rules.is_empty() || rules.iter().any(|pattern| Glob::new(pattern).matches(model));
        agent && self.key.as_ref().is_none_or(|key| key.may_ask(model))
    }
}
