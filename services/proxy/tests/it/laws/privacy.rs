//! What is private is answered in the house or not at all: not one connection to the cloud, whatever is configured, asked and
//! broken.

use sanctum_testkit::House;
use sanctum_testkit::provider::{Provider, Reply as Served};
use serde_json::{Value, json};

use super::client::{Reply, Wire};
use super::dice::Dice;
use super::rule;
use super::words::{APIS, body, path, prompts};
use crate::door::house::{CATALOGUE, lines};

const CONFIGS: usize = 10;
const REQUESTS: usize = 14;
const MODELS: &[&str] = &["m0", "m1", "m2", "m3", "m4", "m5"];
const NAMES: &[&str] = &[
    "m0",
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "a0",
    "a1",
    "g-any",
    "claude-opus",
    "auto",
    "",
    "cloud/gpt",
    "claude/x",
    "gemini/y",
    "near/z",
    "nothing",
];
const FAULTS: &[&str] = &[
    "429",
    "429-seconds",
    "500",
    "502-html",
    "503",
    "529",
    "401",
    "404",
    "context",
    "reset-before-head",
    "close-before-head",
    "half-head",
    "reset-after-head",
    "reset-mid",
    "half-frame",
    "end-mid",
    "slow",
    "stall-after-head",
    "stall-mid",
    "error-body",
    "error-first",
    "error-mid",
    "length-long",
    "garbage-stream",
    "garbage-body",
    "empty",
    "repeats",
    "never",
];

/// The cloud of all three kinds, and two seats of the house.
struct Town {
    cloud: Provider,
    near: Provider,
    beside: Provider,
}

impl Town {
    fn seats(&self) -> [&Provider; 2] {
        [&self.near, &self.beside]
    }

    #[expect(clippy::too_many_lines, reason = "a file is written from its top to its end")]
    fn config(&self, dice: &mut Dice, number: usize) -> String {
        let (cloud, near, beside) = (self.cloud.url(), self.near.url(), self.beside.url());
        let speaks = dice.pick(&[
            "[\"chat\"]",
            "[\"chat\", \"messages\"]",
            "[\"messages\", \"chat\"]",
            "[\"chat\", \"responses\", \"messages\"]",
        ]);
        let mut text = "[proxy]\nconnect = \"1s\"\nfirst-byte = \"200ms\"\nidle = \"200ms\"\n".to_owned();
        text +=
            &format!("fallback = {:?}\n", dice.some(&["m0", "m3", "a0", "g-else", "cloud/gpt", "near/z"], 3));
        text += &format!("rescue = {:?}\n", dice.pick(&["never", "spent", "always"]));
        text += &format!("attempts = {}\ntrim = {}\n", 1 + dice.below(5), dice.once_in(2));
        text +=
            &format!("hedge = {:?}\nhold = {:?}\n", dice.pick(&["0s", "20ms"]), dice.pick(&["0s", "10ms"]));
        text += &format!("[proxy.breaker]\nfailures = {}\nopen = \"100ms\"\n", dice.pick(&[2, 1000]));
        text += &format!("[proxy.mask]\non = {}\n[proxy.cache]\non = {}\n", dice.once_in(2), dice.once_in(3));
        text += &format!("[proxy.budget]\nhouse = {:?}\n", dice.pick(&["0.00", "0.0001", "50.00"]));
        for (name, kind, url) in [
            ("cloud", "openai", format!("{cloud}/v1")),
            ("claude", "anthropic", format!("{cloud}/v1")),
            ("gemini", "gemini", format!("{cloud}/v1beta")),
        ] {
            text += &format!(
                "[proxy.provider.{name}]\nkind = \"{kind}\"\nbase-url = \"{url}\"\nauth = \"none\"\n"
            );
        }
        text += &format!(
            "[proxy.provider.near]\nkind = \"openai\"\nbase-url = \"{near}/v1\"\nauth = \"none\"\nlocality = \"local\"\nspeaks = {speaks}\n"
        );
        text += &format!(
            "[proxy.provider.beside]\nkind = \"anthropic\"\nbase-url = \"{beside}/v1\"\nauth = \"none\"\nlocality = \"local\"\n"
        );
        let all = ["cloud", "claude", "gemini", "near", "beside"];
        for (at, id) in MODELS.iter().chain(&["g-*", "claude-*"]).enumerate() {
            let provider = if *id == "claude-*" { "claude" } else { dice.pick(&all) };
            text += &format!(
                "[proxy.model.{id:?}]\nprovider = \"{provider}\"\ntier = {:?}\n",
                dice.pick(&["small", "standard", "strong"])
            );
            text += &format!("fallback = {:?}\n", dice.some(MODELS, 2));
            match provider {
                "near" | "beside" if dice.once_in(4) => {
                    text += &format!("locality = \"cloud\"\nname = \"passed-{at}\"\n");
                }
                "near" | "beside" => {}
                _ if dice.once_in(6) => text += "locality = \"local\"\n",
                _ => text += "price = { input = 1.0, output = 5.0 }\n",
            }
        }
        text += &format!(
            "[proxy.model.mark-{number}]\nprovider = \"cloud\"\nauto = false\nprice = {{ input = 0.0, output = 0.0 }}\n"
        );
        text += &format!("[proxy.alias]\na0 = {:?}\na1 = \"a0\"\n", dice.pick(MODELS));
        for (agent, class) in [("doctor", "health"), ("banker", "finance"), ("plain", "general")] {
            text += &format!(
                "[proxy.agent.{agent}]\nclass = \"{class}\"\nfallback = {:?}\n",
                dice.some(NAMES, 3)
                    .into_iter()
                    .filter(|name| !matches!(*name, "" | "nothing" | "auto"))
                    .collect::<Vec<_>>()
            );
            if dice.once_in(2) {
                text += &format!("model = {:?}\n", dice.pick(MODELS));
            }
        }
        text + "[proxy.own-credentials.own]\nmodels = \"claude-*\"\nprovider = \"claude\"\nagent = \"doctor\"\n"
    }

    fn untouched(&self, case: &Case) {
        let seen = self.cloud.requests();
        assert!(self.cloud.connections().is_empty(), "the cloud was called for {case:?}: {:?}", seen.last());
        for seat in self.seats() {
            let passed =
                seat.requests().iter().any(|seen| String::from_utf8_lossy(&seen.body).contains("\"passed-"));
            assert!(!passed, "a seat that passes on was told {case:?}");
        }
    }
}

/// One private request.
#[derive(Debug)]
struct Case {
    api: &'static str,
    agent: &'static str,
    class: Option<&'static str>,
    model: &'static str,
    words: Vec<String>,
    headers: Vec<(String, String)>,
    body: Value,
    faults: [Option<&'static str>; 2],
}

fn case(dice: &mut Dice, private: &[String], wire: &Wire) -> Case {
    let (api, model) = (dice.pick(APIS), dice.pick(NAMES));
    let (mut agent, mut class, mut words) =
        (dice.pick(&["plain", "cli"]), None, vec!["Tell me a story about a bridge.".to_owned()]);
    match dice.below(4) {
        0 => agent = dice.pick(&["doctor", "banker"]),
        1 => class = Some(dice.pick(&["health", "finance"])),
        2 => words.push(dice.pick(private)),
        _ => words.insert(0, dice.pick(private)),
    }
    if dice.once_in(3) && words.len() == 2 {
        words.retain(|text| private.contains(text));
    }
    let mut headers = vec![("x-sanctum-agent".to_owned(), agent.to_owned())];
    headers.extend(class.map(|class| ("x-sanctum-class".to_owned(), class.to_owned())));
    // A client with credentials of its own, who may or may not say who it is.
    if dice.once_in(3) {
        headers.push(("authorization".to_owned(), "Bearer sk-ant-oat01-of-the-client".to_owned()));
        if agent == "doctor" && dice.once_in(2) {
            headers.remove(0);
        } else {
            headers.push(("x-sanctum-key".to_owned(), wire.token().to_owned()));
        }
    }
    let stream = dice.once_in(2);
    let texts: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut body = body(api, model, &texts, stream, dice);
    if dice.once_in(4) && api == "chat" {
        body["tools"] = json!([{ "type": "function", "function": { "name": "look_up", "parameters": { "type": "object", "properties": {} } } }]);
    }
    let mut fault = || (!dice.once_in(2)).then(|| dice.pick(FAULTS));
    let faults = [fault(), fault()];
    Case { api, agent, class, model, words, headers, body, faults }
}

/// A local answer, or a refusal that says why.
fn judge(case: &Case, reply: &Reply) {
    let served = reply.header("x-sanctum-served");
    if reply.is_good() {
        // Tokens may be counted by the proxy itself.
        let here = case.api == "count-tokens" && served.is_empty();
        assert!(
            here || served.starts_with("near/") || served.starts_with("beside/"),
            "served by `{served}`: {case:?}"
        );
        return;
    }
    let reason = reply.reason();
    assert!(!reason.is_empty(), "no reason for {}: {} {case:?}", reply.status, reply.text());
    let attempts = reply.header("x-sanctum-attempts");
    let told = match reply.status {
        // Nobody can answer now, or nothing is called so.
        429 | 503 => true,
        // In the words of Anthropic's API: a seat is left alone for a moment, or the house has none that may be told.
        529 => {
            matches!(case.api, "messages" | "count-tokens")
                && attempts == "0"
                && ["left alone", "must not leave"].iter().any(|why| reason.contains(why))
        }
        404 => case.model == "nothing" || attempts != "0",
        // What a seat has said of the request itself.
        400 => attempts != "0" || case.model.is_empty(),
        _ => false,
    };
    assert!(told, "{} after {attempts} attempts: {reason}: {case:?}", reply.status);
}

/// Explaining says the same and asks nobody.
async fn explained(house: &House, town: &Town, case: &Case) {
    let seen = || town.seats().map(|seat| (seat.requests().len(), seat.connections().len()));
    let before = seen();
    let mut ask = json!({ "agent": case.agent, "model": case.model, "prompt": case.words.join("\n"), "tools": [], "images": false });
    if let Some(class) = case.class {
        ask["class"] = class.into();
    }
    let (status, told) = house.send("proxy", "POST", "/explain", &ask).await;
    assert_eq!(status, 200, "{told}");
    assert_ne!(told["privacy"], "open", "{case:?}: {told}");
    let winner = told["winner"].as_str().unwrap_or("near/");
    assert!(winner.starts_with("near/") || winner.starts_with("beside/"), "{told}");
    assert_eq!(seen(), before, "explaining asked somebody: {case:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_private_ever_reaches_the_cloud() {
    let mut dice = Dice::new();
    let private = prompts(|line| line["privacy"] != "open", |reading| reading.privacy.is_private());
    let town = Town { cloud: Provider::start(), near: Provider::start(), beside: Provider::start() };
    let mut house = House::new(&CATALOGUE).config(&town.config(&mut dice, 0)).start().await;
    let (mut local, mut count) = (0, 0);
    for number in 1..=CONFIGS {
        let config = town.config(&mut dice, number);
        rule(&mut house, &config, &format!("mark-{number}")).await;
        let wire = Wire::to(&house);
        for _ in 0..REQUESTS {
            let case = case(&mut dice, &private, &wire);
            for (seat, fault) in town.seats().into_iter().zip(case.faults) {
                seat.behave();
                if let Some(fault) = fault {
                    seat.always("*", Served::fault(fault));
                }
            }
            let reply =
                wire.post(path(case.api), &case.headers, &serde_json::to_vec(&case.body).unwrap()).await;
            town.untouched(&case);
            judge(&case, &reply);
            explained(&house, &town, &case).await;
            local += usize::from(reply.is_good());
            count += 1;
        }
    }
    for line in lines(&house, count).await {
        assert_ne!(line["privacy"], "open", "{line}");
        assert_eq!(line["egress"], false, "{line}");
        assert_ne!(line["locality"], "cloud", "{line}");
    }
    assert!(local > count / 10, "the house answers where it can: {local} of {count}");
    // The watch sees what it is there to see.
    rule(&mut house, &town.config(&mut dice, 99), "mark-99").await;
    let open = json!({ "model": "mark-99", "messages": [{ "role": "user", "content": "Tell me a story." }] });
    Wire::to(&house).post(path("chat"), &[], &serde_json::to_vec(&open).unwrap()).await;
    assert!(!town.cloud.connections().is_empty(), "what is open goes to the cloud");
    house.stop().await;
}
