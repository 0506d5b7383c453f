//! I1, I2, I4 and I5 over random configurations, requests and faults; the provider's record of connections is the witness.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sanctum_testkit::provider::Reply;
use serde_json::{Value, json};

use sanctum_http::{Answer, Outbound, Outgoing};
use sanctum_testkit::House;

use super::house::{PATIENCE, World, chat, header, lines, messages, streamed};

#[derive(Debug, Clone)]
struct Case {
    rescue: &'static str,
    fallback: Vec<&'static str>,
    hedge: bool,
    cap: Option<&'static str>,
    local_fault: Option<&'static str>,
    cloud_fault: Option<&'static str>,
    asks: Vec<(&'static str, &'static str, Option<&'static str>, bool)>,
}

fn case() -> impl Strategy<Value = Case> {
    let models = prop::sample::select(vec![
        "strong",
        "standard",
        "second",
        "claude-x",
        "fast",
        "auto",
        "small",
        "cloud/any",
    ]);
    let paths = prop::sample::select(vec!["/v1/chat/completions", "/v1/messages"]);
    let classes =
        prop::sample::select(vec![None, Some("health"), Some("finance"), Some("code"), Some("security")]);
    let faults = || {
        prop::sample::select(vec![
            None,
            None,
            Some("500"),
            Some("429-hour"),
            Some("reset-before-head"),
            Some("error-first"),
            Some("empty"),
            Some("garbage-stream"),
        ])
    };
    let fallback =
        prop::collection::vec(prop::sample::select(vec!["second", "strong", "small", "claude-x"]), 0..3);
    let caps = prop::sample::select(vec![None, Some("0.00"), Some("0.01"), Some("5.00")]);
    let rescue = prop::sample::select(vec!["never", "spent", "always"]);
    let asks = prop::collection::vec((models, paths, classes, any::<bool>()), 1..6);
    (rescue, fallback, any::<bool>(), caps, faults(), faults(), asks).prop_map(
        |(rescue, fallback, hedge, cap, local_fault, cloud_fault, asks)| Case {
            rescue,
            fallback,
            hedge,
            cap,
            local_fault,
            cloud_fault,
            asks,
        },
    )
}

fn config(case: &Case) -> String {
    let hedge = if case.hedge { "hedge = \"20ms\"\n" } else { "" };
    let cap = case.cap.map(|cap| format!("[proxy.agent.cli]\ncap = \"{cap}\"\n")).unwrap_or_default();
    format!(
        "first-byte = \"2s\"\nrescue = \"{}\"\nfallback = {}\n{hedge}{cap}",
        case.rescue,
        json!(case.fallback)
    )
}

/// How strong the models of [`World`] are.
fn strength(served: &str) -> u8 {
    match served {
        "cloud/strong" | "other/second" | "claude/claude-x" => 3,
        "local/small" => 1,
        _ => 2,
    }
}

async fn check(case: &Case) -> Result<(), TestCaseError> {
    let world = World::new();
    let house = world.house(&config(case)).await;
    if let Some(fault) = case.local_fault {
        world.local.always("small", Reply::fault(fault));
    }
    if let Some(fault) = case.cloud_fault {
        for model in ["strong", "standard", "claude-x", "any"] {
            world.cloud.always(model, Reply::fault(fault));
        }
    }
    for (number, (model, path, class, stream)) in case.asks.iter().enumerate() {
        let (before, others) = (world.cloud.requests().len(), world.other.requests().len());
        let secret = format!("word-{number}");
        let body = if path.ends_with("messages") { messages(model, &secret) } else { chat(model, &secret) };
        let body = if *stream { streamed(body) } else { body };
        let headers: Vec<(&str, &str)> = class.iter().map(|class| ("x-sanctum-class", *class)).collect();
        // A stream that is cut is no answer, and that is fine here.
        let Some(answer) = ask(&house, path, &headers, &body).await else { continue };
        if matches!(class, Some("health" | "finance")) {
            prop_assert_eq!(world.cloud.requests().len(), before, "I1: the cloud was asked");
            prop_assert_eq!(world.other.requests().len(), others, "I1: the other cloud was asked");
            prop_assert!(answer.status != 200 || header(&answer, "x-sanctum-served") == "local/small");
        }
        if matches!(class, Some("code" | "security")) && answer.status == 200 {
            let least = if *model == "auto" { 3 } else { strength(&named(model)) };
            let served = header(&answer, "x-sanctum-served");
            prop_assert!(strength(served) >= least, "I2: {} was served by {}", model, served);
        }
        untouched(&world, &body, model)?;
    }
    let lines = lines(&house, case.asks.len()).await;
    prop_assert_eq!(lines.len(), case.asks.len(), "I4: one line for each request");
    for line in &lines {
        prop_assert!(line["privacy"] == "open" || line["egress"] == false, "I1 in the log: {}", line);
    }
    if let Some(cap) = case.cap {
        let spent: f64 = lines.iter().map(|line| line["cost_usd"].as_f64().unwrap()).sum();
        prop_assert!(spent <= cap.parse::<f64>().unwrap() + 1e-9, "I3: {} of {}", spent, cap);
    }
    house.stop().await;
    Ok(())
}

async fn ask(house: &House, path: &str, headers: &[(&str, &str)], body: &Value) -> Option<Answer> {
    let mut all = vec![("authorization".to_owned(), format!("Bearer {}", house.token("cli", "proxy")))];
    all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let url = format!("http://{}{path}", house.addr("proxy"));
    let body = body.to_string().into_bytes();
    let outgoing = Outgoing { method: "POST", url, headers: all, body, timeout: PATIENCE };
    Outbound::default().send(outgoing).await.ok()
}

fn named(model: &str) -> String {
    match model {
        "fast" | "standard" => "cloud/standard".to_owned(),
        "second" => "other/second".to_owned(),
        "claude-x" => "claude/claude-x".to_owned(),
        "small" => "local/small".to_owned(),
        "strong" => "cloud/strong".to_owned(),
        other => other.to_owned(),
    }
}

/// I5: a whole request in the provider's own dialect arrives as it was sent, but for the model's name.
fn untouched(world: &World, body: &Value, model: &str) -> Result<(), TestCaseError> {
    if body["stream"] == true {
        return Ok(());
    }
    let sent = body.to_string();
    let own = world.cloud.requests().into_iter().filter(|seen| {
        let messages = seen.path.starts_with("/v1/messages");
        messages == body.get("max_tokens").is_some() && seen.json()["messages"] == body["messages"]
    });
    for seen in own {
        let mut same = seen.json();
        same["model"] = model.into();
        prop_assert_eq!(same, body.clone());
        let name = seen.json()["model"].to_string();
        let text = String::from_utf8_lossy(&seen.body)
            .replace(&format!("\"model\":{name}"), &format!("\"model\":\"{model}\""));
        prop_assert_eq!(&text, &sent, "I5");
    }
    Ok(())
}

#[test]
fn the_promises_hold_whatever_is_configured_asked_and_broken() {
    let mut runner = TestRunner::new(Config { cases: 24, max_shrink_iters: 30, ..Config::default() });
    let outcome = runner.run(&case(), |case| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
            .block_on(check(&case))
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
