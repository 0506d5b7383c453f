//! What a request is about: the agent, the client and its text each may say, and the strictest word holds.

use std::borrow::Cow;

use sanctum_http::HeaderMap;
use sanctum_llm::view::View;

use crate::config::Class as Declared;
use crate::intent::{Prompt, classify};
use crate::kinds::{Intent, Privacy};
use crate::refusal::Refusal;

/// What a request is about, and who said so.
#[derive(Debug, Clone)]
pub(crate) struct Class {
    pub(crate) privacy: Privacy,
    pub(crate) privacy_because: Cow<'static, str>,
    pub(crate) intent: Intent,
    pub(crate) intent_because: Cow<'static, str>,
}

/// The word of a client, in `x-sanctum-class`.
pub(crate) fn declared(headers: &HeaderMap) -> Result<Option<Declared>, Refusal> {
    let Some(value) = headers.get("x-sanctum-class") else { return Ok(None) };
    parse(value.to_str().unwrap_or_default()).map(Some)
}

/// A class by its word. One that is not known is refused: it may have been meant to keep something in the house.
pub(crate) fn parse(word: &str) -> Result<Declared, Refusal> {
    match word {
        "general" => Ok(Declared::General),
        "code" => Ok(Declared::Code),
        "security" => Ok(Declared::Security),
        "health" => Ok(Declared::Health),
        "finance" => Ok(Declared::Finance),
        other => {
            let message = format!("there is no class `{other}`: general, code, security, health or finance");
            Err(Refusal::invalid("class", message).param("x-sanctum-class"))
        }
    }
}

/// Reads the whole conversation, so that one that has ever touched what is private stays private, whatever its last words are.
pub(crate) fn read(view: &View<'_>, agent: Declared, client: Option<Declared>) -> Class {
    let (latest, earlier) = (view.latest(), view.earlier());
    let tools: Vec<&str> = view.tools.iter().map(|name| &**name).collect();
    let system: Vec<&str> = view.system().into_iter().collect();
    let prompt = Prompt {
        latest: &latest,
        earlier: &earlier,
        system: system.first().copied(),
        tools: &tools,
        images: view.images > 0,
    };
    strictest(&prompt, agent, client)
}

/// The strictest of the three.
pub(crate) fn strictest(prompt: &Prompt<'_>, agent: Declared, client: Option<Declared>) -> Class {
    let reading = classify(prompt);
    let mut class = Class {
        privacy: reading.privacy,
        privacy_because: reading.privacy_because,
        intent: reading.intent,
        intent_because: reading.intent_because,
    };
    for (declared, by) in [(Some(agent), "agent"), (client, "header")] {
        let (privacy, intent) = match declared {
            None | Some(Declared::General) => (Privacy::Open, None),
            Some(Declared::Code) => (Privacy::Open, Some(Intent::Code)),
            Some(Declared::Security) => (Privacy::Open, Some(Intent::Security)),
            Some(Declared::Health) => (Privacy::Health, None),
            Some(Declared::Finance) => (Privacy::Finance, None),
        };
        if privacy > class.privacy {
            (class.privacy, class.privacy_because) = (privacy, Cow::Borrowed(by));
        }
        if let Some(intent) = intent.filter(|intent| *intent > class.intent) {
            (class.intent, class.intent_because) = (intent, Cow::Borrowed(by));
        }
    }
    class
}
