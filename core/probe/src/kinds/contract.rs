//! A service does its real work, exercised whole, as one of its callers would.

use std::time::Duration;

use sanctum_api::notify::{By, DeliveryState, Notice, Severity};
use sanctum_api::transport::{Method, act};
use sanctum_api::{CallError, Transport, firewall, notify, proxy};
use sanctum_kernel::Chain;
use sanctum_kernel::inventory::check::Contract;
use sanctum_kernel::trace::{hex, random};
use serde_json::{Value, json};

use crate::answer::excerpt;
use crate::{Answer, Eyes};

/// How often it is looked whether a notification has arrived.
const PACE: Duration = Duration::from_millis(20);
/// A model that thinks first needs a few tokens before it says one.
const TOKENS: u32 = 32;
/// The channel that people look at and that calls nobody.
const QUIET: &str = "dashboard";
/// The hub knows by this label that it is a test, and counts it against nobody's limit.
const CANARY: &str = "canary";

pub(super) async fn look(eyes: &Eyes, contract: Contract) -> Result<Answer, Answer> {
    let service = match contract {
        Contract::Router => "firewall",
        Contract::Model => "proxy",
        Contract::Notification => "notify",
    };
    let to = sanctum_http::connect(&eyes.peers, service);
    let to = to.map_err(|error| Answer::unknown(format!("cannot ask: {error}")))?;
    match contract {
        Contract::Router => router(firewall::Client::new(to)).await,
        Contract::Model => model(&*to, &proxy::Client::new(to.clone())).await,
        Contract::Notification => notification(&notify::Client::new(to)).await,
    }
}

/// A refusal for lack of a right is ours; everything else is news about the service.
fn called(error: CallError) -> Answer {
    let detail = match error.problem() {
        Some(problem) => {
            format!("{}: {}", problem.title, problem.detail.as_deref().unwrap_or("no more is said"))
        }
        None => Chain(&error).to_string(),
    };
    match error.problem().map(|problem| problem.status) {
        Some(401 | 403) => Answer::unknown(detail),
        _ => Answer::fail(detail),
    }
}

async fn router(firewall: firewall::Client) -> Result<Answer, Answer> {
    let devices = firewall.devices().await.map_err(called)?;
    match devices.len() {
        0 => Err(Answer::fail("the router knows no host")),
        count => Ok(Answer::pass(format!("the router knows {count} hosts"))),
    }
}

async fn model(to: &dyn Transport, proxy: &proxy::Client) -> Result<Answer, Answer> {
    let mut models = proxy.models().await.map_err(called)?;
    models.retain(|model| !model.can.iter().any(|what| what == "embeddings"));
    // A local one first: it costs nothing and tells nobody.
    models.sort_by(|a, b| {
        let cost = |model: &proxy::Model| model.input_usd + model.output_usd;
        (a.locality != "local").cmp(&(b.locality != "local")).then(cost(a).total_cmp(&cost(b)))
    });
    let model = models.first().ok_or_else(|| Answer::unknown("the model router knows no model"))?;
    let words = json!([{ "role": "user", "content": "Say one word." }]);
    let body = json!({ "model": model.id, "messages": words, "max_tokens": TOKENS });
    let answer: Value = act(to, Method::Post, "/v1/chat/completions", &body).await.map_err(called)?;
    let said = answer.pointer("/choices/0/message/content").and_then(Value::as_str).unwrap_or_default();
    let tokens = answer.pointer("/usage/completion_tokens").and_then(Value::as_u64).unwrap_or(0);
    if said.trim().is_empty() && tokens == 0 {
        return Err(Answer::fail(format!("`{}` answered without a token", model.id)));
    }
    Ok(Answer::pass(format!("`{}` said `{}`", model.id, excerpt(said.as_bytes()))))
}

/// Says something that goes to the banner and to nobody's pocket, sees it there, and takes it away again.
async fn notification(hub: &notify::Client) -> Result<Answer, Answer> {
    // A question that was cut off leaves its banner behind.
    for banner in hub.banners().await.map_err(called)?.iter().filter(|banner| banner.source == CANARY) {
        hub.resolve(banner.id, &by()).await.map_err(called)?;
    }
    let mark = hex(&random::<8>());
    let mut notice =
        Notice::plain(CANARY, Severity::Info, "A test of the way to here", "It takes itself away.");
    notice.labels.insert(CANARY.to_owned(), mark.clone());
    notice.force_channels = vec![QUIET.to_owned()];
    notice.dedup_key = Some(format!("{CANARY}-{mark}"));
    let accepted = hub.notify(&notice, Some(mark)).await.map_err(called)?;
    if !accepted.channels.iter().any(|channel| channel == QUIET) {
        return Err(Answer::fail(format!("the hub took it and shows it nowhere ({})", accepted.status)));
    }
    let delivered = delivered(hub, accepted.id).await;
    let shown = hub.banners().await.map_err(called)?.iter().any(|banner| banner.id == accepted.id);
    hub.resolve(accepted.id, &by()).await.map_err(called)?;
    delivered?;
    if !shown {
        return Err(Answer::fail("it counts as delivered and is not on the banner"));
    }
    let left = hub.banners().await.map_err(called)?.iter().any(|banner| banner.id == accepted.id);
    if left {
        Err(Answer::fail("it is over and still on the banner"))
    } else {
        Ok(Answer::pass("it made the round trip"))
    }
}

fn by() -> By {
    By { who: "watch".to_owned(), until: None }
}

async fn delivered(hub: &notify::Client, id: i64) -> Result<(), Answer> {
    loop {
        let life = hub.notification(id).await.map_err(called)?;
        let delivery = life.deliveries.iter().find(|delivery| delivery.channel == QUIET);
        let delivery = delivery.ok_or_else(|| Answer::fail("the hub has lost it"))?;
        match delivery.state {
            DeliveryState::Delivered => return Ok(()),
            DeliveryState::Dead => {
                let outcome = delivery.attempts.last().map_or("no attempt", |attempt| &attempt.outcome);
                return Err(Answer::fail(format!("it was given up: {outcome}")));
            }
            _ => tokio::time::sleep(PACE).await,
        }
    }
}
