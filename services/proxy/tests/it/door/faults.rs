//! What a client sees of every fault there is, alone and with somebody to fall back on.

use std::time::Duration;

use sanctum_testkit::eventually;
use sanctum_testkit::provider::{FAULTS, Nature, Reply};
use serde_json::{Value, json};

use super::house::{PATIENCE, World, chat, header, json_of, lines, messages, post, streamed};
use super::hub;
use super::raw::Raw;

/// Short enough for silence to be tested.
const IMPATIENT: &str = "first-byte = \"400ms\"\nidle = \"400ms\"\n";

#[tokio::test]
async fn who_fails_is_replaced_before_anything_reaches_the_client() {
    for fault in FAULTS {
        let (Nature::Refused(_) | Nature::Broken) = fault.nature else { continue };
        let world = World::new();
        let house = world.house(&format!("{IMPATIENT}fallback = [\"second\"]\n")).await;
        for body in [chat("strong", "Bonjour"), streamed(chat("strong", "Bonjour"))] {
            world.cloud.always("strong", Reply::fault(fault.name));
            let answer = post(&house, "/v1/chat/completions", &body).await;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let stays = matches!(fault.name, "400" | "413");
            if fault.name == "repeats" && body["stream"] == true {
                // Words that have been told cannot be taken back.
                assert_eq!(answer.status, 200);
                continue;
            }
            if stays {
                assert!(matches!(answer.status, 400 | 413), "{}: {} {text}", fault.name, answer.status);
                assert_eq!(world.other.requests().len(), 0, "{}", fault.name);
                continue;
            }
            assert_eq!(answer.status, 200, "{}: {text}", fault.name);
            assert_eq!(header(&answer, "x-sanctum-served"), "other/second", "{}", fault.name);
            assert_eq!(text.matches("[DONE]").count(), usize::from(body["stream"] == true), "{}", fault.name);
        }
        house.stop().await;
    }
}

#[tokio::test]
async fn alone_the_failure_is_told_in_the_dialect_and_the_status_is_kept() {
    let world = World::new();
    let house = world.house(IMPATIENT).await;
    for (fault, status) in [
        ("400", 400),
        ("context", 400),
        ("404", 404),
        ("413", 413),
        ("429", 429),
        ("500", 500),
        ("503", 503),
        ("529", 529),
    ] {
        let answer = post(&house, "/v1/chat/completions", &chat(&format!("fault-{fault}"), "x")).await;
        assert_eq!(answer.status, status, "{fault}");
        let error = json_of(&answer);
        assert!(error["error"]["message"].is_string(), "{fault}: {error}");
        let answer = post(&house, "/v1/messages", &messages(&format!("claude/fault-{fault}"), "x")).await;
        assert_eq!(answer.status, status, "{fault}");
        assert_eq!(json_of(&answer)["type"], "error", "{fault}");
    }
    for fault in ["401", "402", "403"] {
        let answer = post(&house, "/v1/chat/completions", &chat(&format!("fault-{fault}"), "x")).await;
        assert_eq!(
            (answer.status, &json_of(&answer)["error"]["code"]),
            (502, &json!("upstream_auth")),
            "{fault}"
        );
    }
    house.stop().await;
}

#[tokio::test]
async fn half_an_answer_never_looks_like_a_whole_one() {
    for fault in ["reset-mid", "half-frame", "end-mid", "stall-mid", "error-mid"] {
        let world = World::new();
        let house = world.house(&format!("{IMPATIENT}fallback = [\"second\"]\n")).await;
        for (path, body) in [
            ("/v1/chat/completions", streamed(chat(&format!("fault-{fault}"), "Bonjour"))),
            ("/v1/messages", streamed(messages(&format!("claude/fault-{fault}"), "Bonjour"))),
            ("/v1/messages", streamed(messages(&format!("fault-{fault}"), "Bonjour"))),
        ] {
            let mut client = Raw::post(&house, path, &body).await;
            assert!(client.rest(PATIENCE).await, "{fault} {path}: the connection is cut");
            let text = client.text();
            assert!(text.starts_with("HTTP/1.1 200"), "{fault} {path}: {text}");
            assert!(!text.ends_with("0\r\n\r\n"), "{fault} {path}: no proper end: {text}");
            assert!(!text.contains("[DONE]") && !text.contains("message_stop"), "{fault} {path}: {text}");
            assert_eq!(world.other.requests().len(), 0, "{fault}: nobody answers twice");
        }
        for line in lines(&house, 3).await {
            assert!(line["finish"] == "cut" || line["finish"] == "error", "{fault}: {line}");
        }
        house.stop().await;
    }
}

#[tokio::test]
async fn strange_but_whole_streams_pass() {
    let world = World::new();
    let house = world.house("").await;
    // The test's own client reads no more than eight megabytes.
    let whole = || FAULTS.iter().filter(|fault| fault.nature == Nature::Whole && fault.name != "huge");
    for fault in whole() {
        let body = streamed(chat(&format!("fault-{}", fault.name), "Bonjour"));
        let answer = post(&house, "/v1/chat/completions", &body).await;
        assert_eq!(answer.status, 200, "{}: {}", fault.name, String::from_utf8_lossy(&answer.body));
    }
    let good = whole().count();
    for line in lines(&house, good).await {
        assert_eq!(line["finish"], "stop", "{line}");
        assert!(line["tokens"]["out"].as_u64().unwrap() > 0, "{line}");
    }
    house.stop().await;
}

#[tokio::test]
async fn retry_after_is_passed_on_and_respected() {
    let world = World::new();
    let house = world.house("").await;
    let first = post(&house, "/v1/chat/completions", &chat("fault-429-hour", "x")).await;
    assert_eq!((first.status, header(&first, "retry-after")), (429, "3600"));
    let asked = world.cloud.requests().len();
    let second = post(&house, "/v1/chat/completions", &chat("fault-429-hour", "x")).await;
    assert_eq!(second.status, 429);
    assert!(!header(&second, "retry-after").is_empty());
    assert_eq!(world.cloud.requests().len(), asked, "it has asked to be left alone");
    let other = post(&house, "/v1/chat/completions", &chat("standard", "x")).await;
    assert_eq!(other.status, 200, "another model of the same provider is no less well");
    house.stop().await;
}

#[tokio::test]
async fn five_failures_open_the_breaker_people_are_told_and_one_probe_closes_it() {
    let world = World::new();
    let house = world.house("[proxy.breaker]\nopen = \"300ms\"\n").await;
    world.cloud.always("strong", Reply::fault("500"));
    for _ in 0..5 {
        assert_eq!(post(&house, "/v1/chat/completions", &chat("strong", "x")).await.status, 500);
    }
    let asked = world.cloud.requests().len();
    let answer = post(&house, "/v1/chat/completions", &chat("strong", "x")).await;
    assert_eq!((answer.status, world.cloud.requests().len()), (503, asked), "it is left alone");
    let (_, stats) = house.get("proxy", "/stats").await;
    let state =
        stats["providers"].as_array().unwrap().iter().find(|one| one["name"] == "cloud").unwrap().clone();
    assert_eq!(state["breaker"], "open", "{state}");
    let told = hub::told(house.paths().home());
    eventually("the hub to be told", PATIENCE, async || {
        told.lock().unwrap().iter().any(|notice: &Value| notice["title"] == "cloud is down").then_some(())
    })
    .await;
    world.cloud.behave();
    eventually("the probe to close it", PATIENCE, async || {
        (post(&house, "/v1/chat/completions", &chat("strong", "x")).await.status == 200).then_some(())
    })
    .await;
    eventually("the hub to be told that it is over", PATIENCE, async || {
        told.lock().unwrap().iter().any(|notice: &Value| notice["resolved"] == true).then_some(())
    })
    .await;
    house.stop().await;
}

#[tokio::test]
async fn a_second_candidate_is_asked_beside_a_slow_first() {
    let world = World::new();
    world.cloud.always("strong", Reply::fault("never"));
    let house = world.house("hedge = \"50ms\"\nfallback = [\"second\"]\n").await;
    let answer = tokio::time::timeout(PATIENCE, post(&house, "/v1/chat/completions", &chat("strong", "x")))
        .await
        .unwrap();
    assert_eq!((answer.status, header(&answer, "x-sanctum-served")), (200, "other/second"));
    let line = lines(&house, 1).await.remove(0);
    assert!(line["marks"].as_array().unwrap().contains(&json!("hedged")), "{line}");
    eventually("the first to be let go", Duration::from_secs(10), async || {
        (!world.cloud.cancelled().is_empty()).then_some(())
    })
    .await;
    house.stop().await;
}
