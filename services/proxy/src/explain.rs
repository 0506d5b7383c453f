//! How a request would be routed: the same decisions as for a real one, told instead of acted on.

use sanctum_api::Problem;
use sanctum_api::proxy::{Candidate, Explain, Explanation};
use sanctum_http::{Caller, Refusal};
use sanctum_kernel::Right;
use sanctum_llm::view::Marks;

use crate::ask::{Api, Ask, Places};
use crate::candidates::{Considered, consider, resolve, tier};
use crate::class::{self, Class};
use crate::gate::Gate;
use crate::identity::Who;
use crate::intent::Prompt;
use crate::kinds::{Intent, Privacy};
use crate::pipeline::nobody;
use crate::reach::{Anywhere, LocalOnly, Reach};
use crate::table::AUTO;

pub(crate) fn explain(gate: &Gate, caller: &Caller, ask: &Explain) -> Result<Explanation, Refusal> {
    let agent = ask.agent.clone().unwrap_or_else(|| caller.name.clone());
    let who = Who { agent, key: None, foreign: None, right: Right::Read };
    let declared = ask.class.as_deref().map(class::parse).transpose().map_err(|refusal| {
        let mut problem = Problem::new(422, "class", refusal.fault.message);
        problem.field = Some("class".to_owned());
        Refusal(problem)
    })?;
    let tools: Vec<&str> = ask.tools.iter().map(String::as_str).collect();
    let prompt =
        Prompt { latest: &ask.prompt, earlier: &[], system: None, tools: &tools, images: ask.images };
    let class = class::strictest(&prompt, gate.agent(&who.agent).class, declared);
    let asked = Ask {
        api: Api::Chat,
        model: ask.model.clone().unwrap_or_else(|| AUTO.to_owned()),
        stream: true,
        max_tokens: ask.max_tokens,
        choices: 1,
        input: (ask.prompt.len() / 3 + 32) as u64,
        tools: !tools.is_empty(),
        images: ask.images,
        signed: false,
        sealed: false,
        thinks: false,
        marks: Marks::None,
        wants_usage: false,
        places: Places::default(),
    };
    Ok(if class.privacy.is_private() {
        tell::<LocalOnly>(gate, &who, &asked, &class)
    } else {
        tell::<Anywhere>(gate, &who, &asked, &class)
    })
}

fn tell<R: Reach>(gate: &Gate, who: &Who, ask: &Ask, class: &Class) -> Explanation {
    let mut told = Explanation {
        agent: who.agent.clone(),
        asked: ask.model.clone(),
        privacy: privacy(class.privacy).to_owned(),
        privacy_because: class.privacy_because.to_string(),
        intent: intent(class.intent).to_owned(),
        intent_because: class.intent_because.to_string(),
        rule: "none".to_owned(),
        tier: String::new(),
        candidates: Vec::new(),
        winner: None,
        refusal: None,
    };
    let Some(resolution) = resolve(gate, who, ask, class) else {
        told.refusal = Some(format!("nothing is called `{}`", ask.model));
        return told;
    };
    let plan = consider(gate, who, ask, class, resolution);
    told.rule = plan.rule.to_string();
    tier(plan.tier).clone_into(&mut told.tier);
    told.candidates = plan.all.iter().map(candidate).collect();
    let seats = plan.seats::<R>();
    told.winner = seats.first().map(|kept| {
        let pick = kept.seat.pick();
        format!("{}/{}", pick.entry.provider, pick.name)
    });
    if told.winner.is_none() {
        told.refusal = Some(nobody(&plan, class, gate).fault.message);
    }
    told
}

fn candidate(one: &Considered) -> Candidate {
    let entry = &one.pick.entry;
    let because = match &one.verdict {
        Ok(()) if one.rescue => "it is in this house, for when the others cannot be had".to_owned(),
        Ok(()) => "it can answer".to_owned(),
        Err(why) => why.to_string(),
    };
    Candidate {
        provider: entry.provider.to_string(),
        model: one.pick.name.to_string(),
        tier: tier(entry.tier).to_owned(),
        locality: entry.locality.word().to_owned(),
        kept: one.verdict.is_ok(),
        because,
        reserve_usd: one.reserve.as_dollars(),
    }
}

const fn privacy(privacy: Privacy) -> &'static str {
    match privacy {
        Privacy::Open => "open",
        Privacy::Finance => "finance",
        Privacy::Health => "health",
    }
}

const fn intent(intent: Intent) -> &'static str {
    match intent {
        Intent::Chat => "chat",
        Intent::Image => "image",
        Intent::Reasoning => "reasoning",
        Intent::Code => "code",
        Intent::Security => "security",
    }
}
