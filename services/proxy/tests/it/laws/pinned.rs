//! Code and security stay on a model that is as strong as what was asked for, or as the strongest there is, when the money is
//! gone and when the strong ones fail.

use std::collections::BTreeMap;

use sanctum_testkit::House;
use sanctum_testkit::provider::{Provider, Reply as Served};
use serde_json::Value;

use super::client::{Reply, Wire};
use super::dice::Dice;
use super::rule;
use super::words::{TALK, body, path, prompts};
use crate::door::house::{CATALOGUE, lines};

const CONFIGS: usize = 8;
const REQUESTS: usize = 12;
const TIERS: &[&str] = &["small", "standard", "strong"];
const MODELS: &[&str] = &["m0", "m1", "m2", "m3", "m4"];
const FAULTS: &[&str] = &[
    "429",
    "500",
    "503",
    "529",
    "401",
    "reset-before-head",
    "empty",
    "repeats",
    "error-body",
    "error-first",
];

fn rank(tier: &str) -> usize {
    TIERS.iter().position(|have| *have == tier).unwrap()
}

/// Models of one configuration: where each is, and how strong.
type Models = BTreeMap<&'static str, (&'static str, usize)>;

fn config(dice: &mut Dice, cloud: &Provider, near: &Provider) -> (String, Models, &'static str) {
    let (cloud, near) = (cloud.url(), near.url());
    let mut text = format!(
        "[proxy]\nrescue = {:?}\nattempts = {}\n",
        dice.pick(&["never", "spent", "always"]),
        1 + dice.below(6)
    );
    text += &format!(
        "fallback = {:?}\n[proxy.breaker]\nfailures = {}\n",
        dice.some(MODELS, 4),
        dice.pick(&[2, 1000])
    );
    for (name, url, more) in [("cloud", &cloud, ""), ("near", &near, "locality = \"local\"\n")] {
        text += &format!(
            "[proxy.provider.{name}]\nkind = \"openai\"\nbase-url = \"{url}/v1\"\nauth = \"none\"\n{more}"
        );
    }
    let mut models = Models::new();
    for id in MODELS {
        // One of the house that is weak is always there to be tempted by.
        let (provider, tier) = if *id == "m4" {
            ("near", "small")
        } else {
            (dice.pick(&["cloud", "cloud", "near"]), dice.pick(TIERS))
        };
        text += &format!(
            "[proxy.model.{id}]\nprovider = \"{provider}\"\ntier = \"{tier}\"\nfallback = {:?}\n",
            dice.some(MODELS, 3)
        );
        if provider == "cloud" {
            text +=
                &format!("price = {{ input = {}.0, output = {}.0 }}\n", dice.below(9), 1 + dice.below(50));
        }
        models.insert(id, (provider, rank(tier)));
    }
    let alias = dice.pick(MODELS);
    text += &format!("[proxy.alias]\nfast = \"{alias}\"\n");
    let poor: &[&str] = &["0.00", "0.000001"];
    let caps = [
        ("coder", "code", poor),
        ("guard", "security", &["0.0005", "9.00"]),
        ("plain", "general", &["9.00"]),
    ];
    for (agent, class, caps) in caps {
        let cap = dice.pick(caps);
        text += &format!(
            "[proxy.agent.{agent}]\nclass = \"{class}\"\ncap = \"{cap}\"\ntier = {:?}\n",
            dice.pick(TIERS)
        );
    }
    (text, models, alias)
}

/// A pinned request: agent, header and words; at least one of them says so.
fn who(dice: &mut Dice, pinned: &[String]) -> (&'static str, Option<&'static str>, String) {
    let (mut agent, mut class, mut words) =
        (dice.pick(&["plain", "coder", "guard"]), None, "Tell me a story about a bridge.".to_owned());
    match dice.below(3) {
        0 => agent = dice.pick(&["coder", "guard"]),
        1 => class = Some(dice.pick(&["code", "security"])),
        _ => words = dice.pick(pinned),
    }
    (agent, class, words)
}

fn judge(reply: &Reply, models: &Models, floor: usize, case: &str) {
    if !reply.is_good() {
        assert!(!reply.reason().is_empty(), "{}: {}: {case}", reply.status, reply.text());
        return;
    }
    let served = reply.header("x-sanctum-served");
    let (provider, model) = served.split_once('/').unwrap();
    let (at, tier) = models[model];
    assert_eq!(provider, at, "{case}");
    assert!(tier >= floor, "{} answered where {} was due: {case}", TIERS[tier], TIERS[floor]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn code_and_security_are_never_weakened() {
    let mut dice = Dice::new();
    let pinned = prompts(
        |line| line["privacy"] == "open" && matches!(line["intent"].as_str(), Some("code" | "security")),
        |reading| reading.intent.is_pinned() && !reading.privacy.is_private(),
    );
    let (cloud, near) = (Provider::start(), Provider::start());
    let mut house = House::new(&CATALOGUE).config(&config(&mut dice, &cloud, &near).0).start().await;
    let (mut good, mut broke) = (0, 0);
    for number in 0..CONFIGS {
        let (text, models, alias) = config(&mut dice, &cloud, &near);
        let marked = text.replace("[proxy.alias]\n", &format!("[proxy.alias]\nmark-{number} = \"m0\"\n"));
        rule(&mut house, &marked, &format!("mark-{number}")).await;
        let wire = Wire::to(&house);
        let strongest = models.values().map(|(_, tier)| *tier).max().unwrap();
        for _ in 0..REQUESTS {
            let (agent, class, words) = who(&mut dice, &pinned);
            let asked = dice.pick(&["auto", "fast", "", "m0", "m1", "m2", "m3", "m4"]);
            for seat in [&cloud, &near] {
                seat.behave();
                for model in MODELS {
                    if dice.once_in(4) {
                        seat.always(model, Served::fault(dice.pick(FAULTS)));
                    }
                }
            }
            let named = if asked == "fast" { alias } else { asked };
            let floor = models.get(named).map_or(strongest, |(_, tier)| *tier);
            let (api, stream) = (dice.pick(TALK), dice.once_in(2));
            let mut headers = vec![("x-sanctum-agent".to_owned(), agent.to_owned())];
            headers.extend(class.map(|class| ("x-sanctum-class".to_owned(), class.to_owned())));
            let body: Value = body(api, asked, &[words.as_str()], stream, &mut dice);
            let reply = wire.post(path(api), &headers, &serde_json::to_vec(&body).unwrap()).await;
            judge(&reply, &models, floor, &format!("{agent} {class:?} {body}\n{marked}"));
            good += usize::from(reply.is_good());
            broke += usize::from(reply.reason().contains("left today"));
        }
    }
    assert!(good > 0, "some are answered: {good}");
    assert!(broke > 0, "some have no money");
    for line in lines(&house, CONFIGS * REQUESTS).await {
        assert!(line["intent"] == "code" || line["intent"] == "security", "{line}");
    }
    house.stop().await;
}
