//! The provider answers as the APIs do, and every row of its faults does what the row says.

use std::time::Duration;

use sanctum_http::{Answer, Outbound, Outgoing};
use sanctum_testkit::provider::{Act, FAULTS, HELLO, Nature, Provider};
use serde_json::{Value, json};

/// The four languages: path and body.
fn asking(model: &str, stream: bool) -> Vec<(String, Value)> {
    let messages = json!([{ "role": "user", "content": "hello" }]);
    let verb = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
    vec![
        (
            "/v1/chat/completions".to_owned(),
            json!({ "model": model, "messages": messages, "stream": stream, "stream_options": { "include_usage": true } }),
        ),
        ("/v1/responses".to_owned(), json!({ "model": model, "input": "hello", "stream": stream })),
        (
            "/v1/messages".to_owned(),
            json!({ "model": model, "messages": messages, "max_tokens": 64, "stream": stream }),
        ),
        (
            format!("/v1beta/models/{model}:{verb}"),
            json!({ "contents": [{ "role": "user", "parts": [{ "text": "hello" }] }] }),
        ),
    ]
}

async fn send(provider: &Provider, path: &str, body: &Value) -> Result<Answer, String> {
    send_within(provider, path, body, Duration::from_secs(10)).await
}

async fn send_within(
    provider: &Provider,
    path: &str,
    body: &Value,
    timeout: Duration,
) -> Result<Answer, String> {
    let outgoing = Outgoing {
        method: "POST",
        url: format!("{}{path}", provider.url()),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.to_string().into_bytes(),
        timeout,
    };
    Outbound::default().send(outgoing).await.map_err(|error| error.to_string())
}

/// Every text in it, in order, whatever the dialect calls it.
fn words(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body).replace('\r', "");
    let frames = text.split("\n\n").filter_map(|frame| frame.split_once("data: ").map(|(_, data)| data));
    let frames: Vec<Value> = frames.filter_map(|data| serde_json::from_str(data).ok()).collect();
    let bodies = if frames.is_empty() { serde_json::from_str(&text).into_iter().collect() } else { frames };
    let pointers = [
        "/choices/0/delta/content",
        "/choices/0/message/content",
        "/delta/text",
        "/content/0/text",
        "/delta",
        "/output/0/content/0/text",
        "/candidates/0/content/parts/0/text",
    ];
    let texts = bodies.iter().filter_map(|body| pointers.iter().find_map(|at| body.pointer(at)?.as_str()));
    texts.collect()
}

#[tokio::test]
async fn every_row_does_what_it_says() {
    let provider = Provider::start();
    for stream in [false, true] {
        for fault in FAULTS.iter().filter(|fault| fault.act != Act::Huge) {
            for (path, body) in asking(&format!("fault-{}", fault.name), stream) {
                let silent = matches!(fault.act, Act::Never | Act::StallAfterHead | Act::StallMid);
                if silent && path != "/v1/messages" {
                    // One API is enough of waiting.
                    continue;
                }
                let at = format!("{} {path} stream {stream}", fault.name);
                let patience = if silent { Duration::from_millis(200) } else { Duration::from_secs(10) };
                let answer = send_within(&provider, &path, &body, patience).await;
                match (fault.nature, answer) {
                    (Nature::Whole, Ok(answer)) => {
                        assert_eq!(answer.status, 200, "{at}");
                        let words = words(&answer.body);
                        assert!(words.contains(&format!("{HELLO} I read 5 characters.")), "{at}: {words}");
                    }
                    (Nature::Refused(status), Ok(answer)) => assert_eq!(answer.status, status, "{at}"),
                    (Nature::Whole | Nature::Refused(_), Err(error)) => panic!("{at}: {error}"),
                    (Nature::Broken | Nature::Cut, Ok(answer)) => {
                        let words = words(&answer.body);
                        assert!(!words.contains("characters."), "{at}: {words}");
                    }
                    (Nature::Broken | Nature::Cut, Err(_)) => {}
                }
            }
        }
    }
}

#[tokio::test]
async fn what_came_is_kept_to_the_byte() {
    let provider = Provider::start();
    let (path, body) = asking("m", false).swap_remove(2);
    send(&provider, &path, &body).await.unwrap();
    let seen = provider.last();
    assert_eq!(seen.body, body.to_string().into_bytes());
    assert_eq!((seen.path.as_str(), seen.header("Content-Type")), ("/v1/messages", Some("application/json")));
    assert_eq!(provider.connections()[0].requests, 1);
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed() {
    let provider = Provider::start();
    let (path, body) = asking("fault-never", true).swap_remove(0);
    let left = tokio::time::timeout(Duration::from_millis(100), send(&provider, &path, &body)).await;
    assert!(left.is_err());
    let cancelled = async || (provider.cancelled().len() == 1).then_some(());
    sanctum_testkit::eventually("the provider to notice", Duration::from_secs(5), cancelled).await;
}

#[tokio::test]
async fn a_replayed_thought_needs_its_own_signature() {
    let (one, other) = (Provider::start(), Provider::start());
    let (path, mut body) = asking("m-think", false).swap_remove(2);
    let answer = send(&one, &path, &body).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer["content"][0]["type"], "thinking");
    let turns = body["messages"].as_array_mut().unwrap();
    turns.push(json!({ "role": "assistant", "content": answer["content"] }));
    turns.push(json!({ "role": "user", "content": "and?" }));
    assert_eq!(send(&one, &path, &body).await.unwrap().status, 200);
    assert_eq!(send(&other, &path, &body).await.unwrap().status, 400);
}
