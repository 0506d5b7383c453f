//! Bad input: an error in the shape of the API that was called, one line, nothing asked.

use sanctum_testkit::eventually;
use serde_json::{Value, json};

use super::house::{PATIENCE, World, chat, header, json_of, lines, with};
use super::raw::Raw;

#[tokio::test]
async fn what_is_no_request_is_refused_in_the_dialect() {
    let world = World::new();
    let house = world.house("").await;
    let bad: &[(&str, Vec<u8>, u16)] = &[
        ("/v1/chat/completions", b"{\"model\":".to_vec(), 400),
        ("/v1/chat/completions", b"[]".to_vec(), 400),
        ("/v1/chat/completions", b"{\"model\":\"strong\",\"messages\":[]}".to_vec(), 400),
        ("/v1/chat/completions", b"{\"model\":3,\"messages\":[{}]}".to_vec(), 400),
        (
            "/v1/chat/completions",
            b"{\"model\":\"strong\",\"stream\":\"yes\",\"messages\":[{}]}".to_vec(),
            400,
        ),
        (
            "/v1/chat/completions",
            b"{\"model\":\"strong\",\"model\":\"small\",\"messages\":[{}]}".to_vec(),
            400,
        ),
        (
            "/v1/chat/completions",
            b"{\"model\":\"strong\",\"messages\":[{\"content\":\"\xff\"}]}".to_vec(),
            400,
        ),
        (
            "/v1/chat/completions",
            b"{\"model\":\"nobody\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}".to_vec(),
            404,
        ),
        (
            "/v1/messages",
            b"{\"model\":\"nobody\",\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"
                .to_vec(),
            404,
        ),
        ("/v1/messages", b"{}".to_vec(), 400),
        ("/v1/responses", b"{\"model\":\"strong\"}".to_vec(), 400),
        ("/v1/embeddings", b"{\"model\":\"strong\"}".to_vec(), 400),
    ];
    for (path, body, status) in bad {
        let answer = house.raw("proxy", "POST", path, &[], body.clone()).await;
        let error = json_of(&answer);
        assert_eq!(answer.status, *status, "{path} {}: {error}", String::from_utf8_lossy(body));
        assert!(error["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
        if path.ends_with("messages") {
            assert_eq!(error["type"], "error");
            assert!(error["request_id"].is_string());
        } else {
            assert!(error["error"].get("code").is_some() && error["error"].get("param").is_some(), "{error}");
        }
        assert!(!header(&answer, "x-request-id").is_empty() && !header(&answer, "request-id").is_empty());
    }
    assert_eq!(lines(&house, bad.len()).await.len(), bad.len());
    assert!(world.cloud.requests().is_empty() && world.local.requests().is_empty());
    house.stop().await;
}

#[tokio::test]
async fn keys_are_asked_for_in_either_header_and_never_passed_on() {
    let world = World::new();
    let house = world.house("").await;
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let answer =
            house.raw("proxy", "POST", path, &[("authorization", "Bearer nobody")], b"{}".to_vec()).await;
        assert_eq!(answer.status, 401, "{path}");
    }
    let (status, made) =
        house.send("proxy", "POST", "/keys", &json!({ "agent": "windu", "models": ["strong"] })).await;
    assert_eq!(status, 200, "{made}");
    let secret = made["secret"].as_str().unwrap();
    let answer = with(
        &house,
        "/v1/chat/completions",
        &[("authorization", "x"), ("x-api-key", secret)],
        &chat("strong", "x"),
    )
    .await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let seen = world.cloud.last();
    assert!(seen.headers.iter().all(|(_, value)| !value.contains(secret)), "{:?}", seen.headers);
    let answer = with(
        &house,
        "/v1/chat/completions",
        &[("authorization", &format!("Bearer {secret}"))],
        &chat("second", "x"),
    )
    .await;
    assert_eq!((answer.status, json_of(&answer)["error"]["code"].as_str()), (403, Some("model_not_allowed")));
    house.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_a_413_in_the_dialect_and_a_large_one_passes() {
    let world = World::new();
    let house = world.house("body-limit = \"34MiB\"\n").await;
    let large = chat("standard", &"x".repeat(32 * 1024 * 1024));
    let answer = with(&house, "/v1/chat/completions", &[], &large).await;
    assert!(matches!(answer.status, 200 | 400), "{}", answer.status);
    let body = format!(
        "{{\"model\":\"standard\",\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}}]}}",
        "x".repeat(40 << 20)
    );
    let answer = house.raw("proxy", "POST", "/v1/messages", &[], body.into_bytes()).await;
    assert_eq!((answer.status, json_of(&answer)["error"]["type"].as_str()), (413, Some("request_too_large")));
    house.stop().await;
}

#[tokio::test]
async fn one_who_asks_first_is_told_to_go_on_and_heads_and_options_are_answered() {
    let world = World::new();
    let house = world.house("").await;
    let body = chat("standard", "Bonjour").to_string();
    let mut client =
        Raw::send(&house, "/v1/chat/completions", "expect: 100-continue\r\n", body.as_bytes()).await;
    client.until("HTTP/1.1 200").await;
    assert!(client.text().starts_with("HTTP/1.1 100"), "{}", client.text());
    for (method, path, status) in [
        ("HEAD", "/v1/models", 200),
        ("OPTIONS", "/v1/chat/completions", 204),
        ("GET", "/v1/messages", 405),
        ("HEAD", "/", 200),
        ("GET", "/v1/models/strong", 200),
        ("GET", "/v1/models/nobody", 404),
    ] {
        assert_eq!(house.raw("proxy", method, path, &[], Vec::new()).await.status, status, "{method} {path}");
    }
    house.stop().await;
}

#[tokio::test]
async fn the_metrics_have_their_standard_names_and_nothing_is_left_behind() {
    let world = World::new();
    let house = world.house("").await;
    for _ in 0..3 {
        with(&house, "/v1/chat/completions", &[], &chat("standard", "x")).await;
    }
    eventually("nothing under way", PATIENCE, async || {
        let answer = house.raw("proxy", "GET", "/metrics", &[], Vec::new()).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(text.ends_with("# EOF\n"));
        (text.contains("gen_ai_client_token_usage_bucket")
            && text.contains("gen_ai_client_operation_duration_seconds_bucket")
            && text.contains("sanctum_proxy_live 0"))
        .then_some(())
    })
    .await;
    lines(&house, 3).await;
    let (_, usage): (u16, Value) = house.get("proxy", "/usage?by=model&days=2").await;
    assert_eq!((&usage[0]["key"], &usage[0]["requests"]), (&json!("cloud/standard"), &json!(3)));
    house.stop().await;
}
