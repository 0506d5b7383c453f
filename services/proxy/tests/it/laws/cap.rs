//! Caps hold at the door: whatever comes at once, is abandoned, or runs while the configuration changes.

use std::time::Duration;

use futures_util::future::join_all;
use sanctum_testkit::provider::{Provider, Reply as Served, Tokens};
use sanctum_testkit::{House, eventually};
use serde_json::{Value, json};

use super::client::Wire;
use super::dice::Dice;
use super::rule;
use super::words::{TALK, path};
use crate::door::house::{CATALOGUE, PATIENCE, lines};

const CASES: usize = 8;
const AT_ONCE: usize = 40;
/// Most tokens of an answer.
const MOST: u64 = 50;

/// What one configuration allows, in nano-dollars.
#[derive(Debug, Clone)]
struct Caps {
    number: usize,
    input: u64,
    output: u64,
    agents: [u64; 2],
    house: Option<u64>,
}

fn dollars(nanos: u64) -> String {
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

fn nanos(dollars: &Value) -> u64 {
    let text = format!("{:.9}", dollars.as_f64().unwrap());
    text.replace('.', "").parse().unwrap()
}

impl Caps {
    fn config(&self, cloud: &Provider, attempts: usize) -> String {
        let Self { number, input, output, agents, house } = self;
        let (one, two) = (dollars(agents[0]), dollars(agents[1]));
        let house = house.map(|house| format!("house = \"{}\"\n", dollars(house))).unwrap_or_default();
        format!(
            r#"
[proxy]
rescue = "never"
attempts = {attempts}
[proxy.provider.cloud]
kind = "openai"
base-url = "{}/v1"
auth = "none"
[proxy.provider.claude]
kind = "anthropic"
base-url = "{}"
auth = "none"
[proxy.model.paid]
provider = "cloud"
price = {{ input = {input}.0, output = {output}.0, cached = {input}.0 }}
[proxy.model.dear]
provider = "claude"
price = {{ input = {input}.0, output = {output}.0 }}
fallback = ["paid"]
[proxy.alias]
mark-{number} = "paid"
[proxy.agent.a{number}]
cap = "{one}"
[proxy.agent.b{number}]
cap = "{two}"
[proxy.budget]
{house}"#,
            cloud.url(),
            cloud.url() + "/v1",
        )
    }
}

/// One request; abandoned in the middle of its answer, or read to its end. Whether it was answered.
async fn one(
    wire: &Wire,
    agent: String,
    api: &str,
    model: &str,
    stream: bool,
    leaves: Option<usize>,
) -> bool {
    let text = "a long walk by the river ".repeat(20);
    let mut body = match api {
        "responses" => json!({ "model": model, "input": text, "max_output_tokens": MOST }),
        _ => json!({ "model": model, "messages": [{ "role": "user", "content": text }], "max_tokens": MOST }),
    };
    if stream {
        body["stream"] = true.into();
    }
    let (headers, body) = (vec![("x-sanctum-agent".to_owned(), agent)], serde_json::to_vec(&body).unwrap());
    if let Some(bytes) = leaves {
        wire.leave(path(api), &headers, &body, bytes, Duration::from_millis(200)).await;
        return false;
    }
    let reply = wire.post(path(api), &headers, &body).await;
    assert!(reply.is_good() || !reply.reason().is_empty(), "{}: {}", reply.status, reply.text());
    reply.is_good()
}

/// What agents, and the house, have spent by the ledger; once nothing is under way.
async fn settled(house: &House) -> Value {
    eventually("nothing to be under way", PATIENCE, async || {
        let (_, stats) = house.get("proxy", "/stats").await;
        (stats["house"]["reserved_usd"] == 0.0 && stats["live"].as_array()?.is_empty()).then_some(stats)
    })
    .await
}

#[expect(clippy::too_many_lines, reason = "one story")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caps_hold_whatever_comes_at_once_is_abandoned_or_reconfigured() {
    let mut dice = Dice::new();
    let cloud = Provider::start();
    let mut caps = Caps { number: 0, input: 1, output: 1, agents: [1, 1], house: None };
    let mut house = House::new(&CATALOGUE).config(&caps.config(&cloud, 2)).start().await;
    let mut asked = 0;
    for number in 1..=CASES {
        (caps.number, caps.input, caps.output) =
            (number, 1 + dice.below(9) as u64, 1 + dice.below(50) as u64);
        // Ten times what one request is reserved at most.
        let ten = 10 * (caps.input * (800 / 3 + 64) + caps.output * MOST) * 1000;
        let before = nanos(&settled(&house).await["house"]["settled_usd"]);
        caps.agents = [ten, ten];
        caps.house = dice.once_in(2).then_some(before + ten + ten / 2);
        let tokens = Tokens {
            input: 1 + dice.below(120) as u64,
            cached: 0,
            output: 1 + dice.below(50) as u64,
            ..Tokens::default()
        };
        cloud.behave();
        cloud.always("*", Served::good().tokens(tokens).paced(Duration::from_millis(dice.below(4) as u64)));
        if dice.once_in(2) {
            cloud.always(
                "dear",
                Served::fault(dice.pick(&["429", "500", "empty", "reset-before-head", "error-first"])),
            );
        }
        rule(&mut house, &caps.config(&cloud, 2), &format!("mark-{number}")).await;
        let wire = Wire::to(&house);
        let requests: Vec<_> = (0..AT_ONCE)
            .map(|at| {
                let agent = format!("{}{number}", if at % 2 == 0 { "a" } else { "b" });
                let leaves = dice.once_in(4).then(|| dice.pick(&[1, 400, 900]));
                one(
                    &wire,
                    agent,
                    dice.pick(TALK),
                    dice.pick(&["paid", "paid", "dear"]),
                    leaves.is_some() || dice.once_in(2),
                    leaves,
                )
            })
            .collect();
        let reload = async {
            for attempts in [3, 4] {
                house.reconfigure(&caps.config(&cloud, attempts)).await;
            }
        };
        let (answered, ()) = tokio::join!(join_all(requests), reload);
        asked += AT_ONCE;
        let stats = settled(&house).await;
        let lines = lines(&house, asked).await;
        assert_eq!(lines.len(), asked);
        let mut all = 0;
        for (agent, cap) in ["a", "b"].into_iter().zip(caps.agents) {
            let agent = format!("{agent}{number}");
            let mine = lines.iter().filter(|line| line["agent"] == agent.as_str());
            let spent: u64 = mine.map(|line| nanos(&line["cost_usd"])).sum();
            assert!(spent <= cap, "{agent} has spent {spent} of {cap}: {caps:?}");
            let ledger =
                stats["agents"].as_array().unwrap().iter().find(|spend| spend["agent"] == agent.as_str());
            assert_eq!(
                ledger.map_or(0, |spend| nanos(&spend["settled_usd"])),
                spent,
                "log and ledger agree: {caps:?}"
            );
            all += spent;
        }
        assert!(all > 0, "something was bought: {caps:?} {answered:?}");
        let after = nanos(&stats["house"]["settled_usd"]);
        assert_eq!(after, before + all, "the house's own sum: {caps:?}");
        assert!(caps.house.is_none_or(|cap| after <= cap), "the house has spent {after}: {caps:?}");
    }
    house.stop().await;
}
