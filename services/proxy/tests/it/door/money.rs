//! I3 and I2 at the door: caps hold, local models answer when the money is gone, and code is never weakened.

use sanctum_testkit::House;
use sanctum_testkit::provider::{Reply, Tokens};
use serde_json::json;

use super::house::{World, chat, header, json_of, lines, post, streamed, with};

async fn spent(house: &House, agent: &str) -> f64 {
    let (_, stats) = house.get("proxy", "/stats").await;
    let row = stats["agents"].as_array().unwrap().iter().find(|row| row["agent"] == agent).cloned();
    row.map_or(0.0, |row| row["settled_usd"].as_f64().unwrap() + row["reserved_usd"].as_f64().unwrap())
}

fn capped(cap: &str) -> String {
    format!("[proxy.agent.cli]\ncap = \"{cap}\"\n")
}

#[tokio::test]
async fn when_the_money_is_gone_the_house_answers_and_code_is_refused_rather_than_weakened() {
    let world = World::new();
    world.cloud.always(
        "strong",
        Reply::text("dear").tokens(Tokens { input: 1000, output: 9_000, ..Tokens::default() }),
    );
    let house = world.house(&capped("0.30")).await;
    let mut dear = chat("strong", "Hello there, how are you?");
    dear["max_tokens"] = 10_000.into();
    let answer = post(&house, "/v1/chat/completions", &dear).await;
    assert_eq!(
        header(&answer, "x-sanctum-served"),
        "cloud/strong",
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    let answer = post(&house, "/v1/chat/completions", &dear).await;
    assert_eq!((answer.status, header(&answer, "x-sanctum-served")), (200, "local/small"));
    let code = with(&house, "/v1/chat/completions", &[("x-sanctum-class", "code")], &dear).await;
    assert_eq!(code.status, 402, "{}", String::from_utf8_lossy(&code.body));
    assert_eq!((header(&code, "x-should-retry"), header(&code, "retry-after")), ("false", ""));
    assert_eq!(json_of(&code)["error"]["code"], "budget_exhausted");
    assert!(spent(&house, "cli").await <= 0.30);
    let lines = lines(&house, 3).await;
    assert!((lines[0]["cost_usd"].as_f64().unwrap() - 0.23).abs() < 1e-3, "{}", lines[0]);
    assert_eq!((&lines[2]["finish"], &lines[2]["status"]), (&json!("refused"), &json!(402)));
    house.stop().await;
}

#[tokio::test]
async fn two_hundred_at_once_never_spend_more_than_the_cap() {
    let world = World::new();
    world
        .cloud
        .always("strong", Reply::text("x").tokens(Tokens { input: 10, output: 100, ..Tokens::default() }));
    let house = world.house(&format!("rescue = \"never\"\n{}", capped("0.05"))).await;
    let mut body = chat("strong", "x");
    body["max_tokens"] = 100.into();
    let asks = (0..200).map(|_| post(&house, "/v1/chat/completions", &body));
    let answers = futures_util::future::join_all(asks).await;
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.status == 402).count();
    assert_eq!(good + refused, 200);
    assert!(good > 5 && good < 40, "{good}");
    assert!(spent(&house, "cli").await <= 0.05 + 1e-9);
    assert_eq!(lines(&house, 200).await.len(), 200);
    house.stop().await;
}

#[tokio::test]
async fn a_stream_that_outgrows_the_money_ends_as_models_end() {
    let world = World::new();
    let long = "word ".repeat(4000);
    world.cloud.always("strong", Reply::text(&long));
    let house = world.house(&format!("rescue = \"never\"\nassume-output = 100\n{}", capped("0.006"))).await;
    let answer = post(&house, "/v1/chat/completions", &streamed(chat("strong", "Tell me a story"))).await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 200, "{text}");
    assert!(
        text.contains("\"finish_reason\":\"length\"") && text.ends_with("data: [DONE]\n\n"),
        "{}",
        text.len()
    );
    let line = lines(&house, 1).await.remove(0);
    assert_eq!(line["finish"], "budget", "{line}");
    house.stop().await;
}

#[tokio::test]
async fn a_model_without_a_price_is_not_asked_by_who_has_a_cap() {
    let world = World::new();
    let house = world.house(&format!("rescue = \"never\"\n{}", capped("1.00"))).await;
    let answer = post(&house, "/v1/chat/completions", &chat("cloud/unknown", "x")).await;
    assert!(answer.status >= 400 && world.cloud.requests().is_empty(), "{}", answer.status);
    house.stop().await;
}
