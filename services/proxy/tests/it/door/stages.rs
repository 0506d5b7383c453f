//! The optional stages, through the door.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sanctum_http::axum::routing::post as on_post;
use sanctum_http::axum::{Json, Router};
use sanctum_testkit::eventually;
use sanctum_testkit::provider::Reply;
use serde_json::{Value, json};

use super::house::{PATIENCE, World, chat, header, json_of, lines, messages, post, streamed};

fn text(answer: &sanctum_http::Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

/// What a client of chat completions reads out of a stream.
fn said(stream: &str) -> String {
    let events = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    let chunks = events.filter_map(|event| serde_json::from_str::<Value>(event).ok());
    chunks.filter_map(|chunk| Some(chunk["choices"][0]["delta"]["content"].as_str()?.to_owned())).collect()
}

#[tokio::test]
async fn what_is_personal_does_not_reach_the_cloud_and_comes_back_in_answers_and_streams() {
    let world = World::new();
    let house = world.house("[proxy.mask]\non = true\nnames = [\"Chloé\"]").await;
    let ask = chat("standard", "write to anne@example.org and Chloé");
    world.cloud.script(vec![Reply::text("Dear [NAME_1], I wrote to [EMAIL_1]."); 2]);
    let answer = post(&house, "/v1/chat/completions", &ask).await;
    assert_eq!(answer.status, 200, "{}", text(&answer));
    let sent = String::from_utf8(world.cloud.last().body.clone()).unwrap();
    assert!(sent.contains("[EMAIL_1]") && !sent.contains("anne@") && !sent.contains("Chloé"), "{sent}");
    let content = json_of(&answer)["choices"][0]["message"]["content"].clone();
    assert_eq!(content, "Dear Chloé, I wrote to anne@example.org.");
    let answer = post(&house, "/v1/chat/completions", &streamed(ask.clone())).await;
    assert_eq!(said(&text(&answer)), "Dear Chloé, I wrote to anne@example.org.");
    let mut local = ask;
    local["model"] = "small".into();
    post(&house, "/v1/chat/completions", &local).await;
    let sent = String::from_utf8(world.local.last().body.clone()).unwrap();
    assert!(sent.contains("anne@example.org"), "what stays in the house is not masked");
    let lines = lines(&house, 3).await;
    assert!(lines[0]["marks"].to_string().contains("masked"), "{}", lines[0]);
    house.stop().await;
}

#[tokio::test]
async fn the_same_question_is_answered_from_memory_streams_as_streams() {
    let world = World::new();
    let house = world.house("[proxy.cache]\non = true").await;
    let mut ask = chat("standard", "Bonjour");
    ask["temperature"] = json!(0);
    for request in [ask.clone(), streamed(ask)] {
        let first = post(&house, "/v1/chat/completions", &request).await;
        assert_eq!((first.status, header(&first, "x-sanctum-cache")), (200, "miss"));
        let asked = world.cloud.requests().len();
        let again = post(&house, "/v1/chat/completions", &request).await;
        assert_eq!((again.status, header(&again, "x-sanctum-cache")), (200, "hit"));
        assert_eq!(text(&again), text(&first));
        assert_eq!(
            again.headers.get("content-type").map(|v| v.as_bytes().starts_with(b"text/event")),
            first.headers.get("content-type").map(|v| v.as_bytes().starts_with(b"text/event"))
        );
        assert_eq!(header(&again, "x-sanctum-served"), "cloud/standard");
        assert_eq!(world.cloud.requests().len(), asked, "nobody was asked");
    }
    let lines = lines(&house, 4).await;
    assert!(lines[1]["marks"].to_string().contains("cache-hit"), "{}", lines[1]);
    assert_eq!(lines[1]["cost_usd"].as_f64(), Some(0.0));
    let warm = post(&house, "/v1/chat/completions", &chat("standard", "Bonjour")).await;
    assert_eq!(header(&warm, "x-sanctum-cache"), "", "an answer that may differ is not kept");
    house.stop().await;
}

#[tokio::test]
async fn who_asks_too_often_is_told_when_to_come_back() {
    let world = World::new();
    let house = world.house("[proxy.limits]\nrequests = 2").await;
    let ask = chat("standard", "Bonjour");
    let first = post(&house, "/v1/chat/completions", &ask).await;
    assert_eq!((first.status, header(&first, "x-ratelimit-remaining-requests")), (200, "1"));
    post(&house, "/v1/chat/completions", &ask).await;
    let refused = post(&house, "/v1/messages", &messages("claude-x", "Bonjour")).await;
    assert_eq!(refused.status, 429);
    assert_eq!(json_of(&refused)["error"]["type"], "rate_limit_error");
    let wait: u64 = header(&refused, "retry-after").parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(world.cloud.requests().len(), 2, "the provider heard nothing of it");
    assert_eq!(lines(&house, 3).await[2]["finish"], "refused");
    house.stop().await;
}

#[tokio::test]
async fn long_prompts_to_anthropic_are_marked_unless_the_client_did() {
    let world = World::new();
    let house = world.house("[proxy.marks]\non = true").await;
    let mut ask = messages("claude-x", "and now?");
    ask["system"] = "You are brief. ".repeat(400).into();
    post(&house, "/v1/messages", &ask).await;
    let sent = world.cloud.last().json();
    assert_eq!(sent["system"][0]["cache_control"]["type"], "ephemeral", "{sent}");
    let before = serde_json::to_string(&json!({ "model": "claude-x", "max_tokens": 5, "messages": [{ "role": "user",
        "content": [{ "type": "text", "text": "x".repeat(6000), "cache_control": { "type": "ephemeral" } }] }] }))
    .unwrap();
    house.raw("proxy", "POST", "/v1/messages", &[], before.clone().into_bytes()).await;
    assert!(world.cloud.last().body == before.as_bytes(), "byte for byte");
    house.stop().await;
}

/// A memory service that knows two things and keeps what it is told.
fn memory() -> (String, Arc<Mutex<Vec<Value>>>, tokio::task::JoinSet<()>, sanctum_kernel::stop::Stopper) {
    let told: Arc<Mutex<Vec<Value>>> = Arc::default();
    let keep = Arc::clone(&told);
    let recall = on_post(async || {
        Json(json!({ "results": [
            { "id": "a", "class": "general", "text": "Bert calls the dog Leek." },
            { "id": "b", "class": "health", "text": "Bert takes metformin." } ] }))
    });
    let ingest = on_post(async move |Json(body): Json<Value>| {
        keep.lock().unwrap().push(body);
        Json(json!({}))
    });
    let app = Router::new().route("/recall", recall).route("/ingest", ingest);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stopper, stop) = sanctum_kernel::stop::channel();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { sanctum_http::serve(listener, app, stop).await.unwrap() });
    (url, told, tasks, stopper)
}

#[tokio::test]
async fn memories_go_with_a_request_and_what_was_said_is_told() {
    let (url, told, _tasks, _stopper) = memory();
    let world = World::new();
    let house = world.house(&format!("[proxy.recall]\nurl = \"{url}\"\nrecall = true\ningest = true")).await;
    world.cloud.script(vec![Reply::text("Leek, of course."); 2]);
    post(&house, "/v1/chat/completions", &chat("standard", "what is the dog called?")).await;
    let sent = world.cloud.last().json().to_string();
    assert!(sent.contains("the dog Leek") && !sent.contains("metformin"), "{sent}");
    post(&house, "/v1/chat/completions", &streamed(chat("standard", "what is the dog called?"))).await;
    post(&house, "/v1/chat/completions", &chat("small", "my blood pressure is up, what did I take?")).await;
    let sent = world.local.last().json().to_string();
    assert!(sent.contains("metformin"), "in the house everything may be remembered: {sent}");
    let told = eventually("three exchanges told", PATIENCE, async || {
        let told = told.lock().unwrap().clone();
        (told.len() >= 3).then_some(told)
    })
    .await;
    assert_eq!(
        (&told[0]["user"], &told[0]["assistant"]),
        (&json!("what is the dog called?"), &json!("Leek, of course."))
    );
    assert_eq!(told[1]["assistant"], "Leek, of course.", "a stream is told as what it said");
    assert_eq!(told[2]["class"], "health");
    house.stop().await;
}

#[tokio::test]
async fn a_memory_that_is_down_is_not_in_the_way() {
    let world = World::new();
    let house =
        world.house("[proxy.recall]\nurl = \"http://127.0.0.1:1\"\nrecall = true\ningest = true").await;
    let ask = chat("standard", "hi");
    let answer =
        tokio::time::timeout(Duration::from_secs(10), post(&house, "/v1/chat/completions", &ask)).await;
    assert_eq!(answer.unwrap().status, 200);
    house.stop().await;
}
