//! The first promises: it starts, passes bytes through as they are, and writes one line for each request.

use serde_json::json;

use super::house::{World, chat, header, json_of, lines, messages, post, streamed, with};

#[tokio::test]
async fn a_chat_passes_with_its_bytes_untouched_and_has_one_line() {
    let world = World::new();
    let house = world.house("").await;
    let odd = json!({ "messages": [{ "content": "Bonjour", "role": "user" }], "model": "standard", "top_k": 7, "chat_template_kwargs": { "b": 1, "a": [ 2 ] } });
    let body = serde_json::to_string_pretty(&odd).unwrap();
    let answer = house
        .raw("proxy", "POST", "/v1/chat/completions?x=1", &[("x-custom", "yes")], body.clone().into_bytes())
        .await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let seen = world.cloud.last();
    assert_eq!(std::str::from_utf8(&seen.body).unwrap(), body);
    assert_eq!(seen.header("x-custom"), Some("yes"));
    assert_eq!(seen.header("authorization"), None, "the house's token stays in the house");
    assert_eq!(header(&answer, "x-sanctum-served"), "cloud/standard");
    assert_eq!(header(&answer, "x-sanctum-rule"), "exact");
    assert_eq!(header(&answer, "x-sanctum-attempts"), "1");
    let lines = lines(&house, 1).await;
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (&lines[0]["agent"], &lines[0]["provider"], &lines[0]["finish"]),
        (&json!("cli"), &json!("cloud"), &json!("stop"))
    );
    assert_eq!(lines[0]["trace"], header(&answer, "x-sanctum-trace"));
    assert_eq!(lines[0]["source"], "reported");
    assert!(lines[0]["cost_usd"].as_f64().unwrap() > 0.0);
    house.stop().await;
}

#[tokio::test]
async fn streams_pass_in_both_dialects_and_are_metered() {
    let world = World::new();
    let house = world.house("").await;
    let answer = post(&house, "/v1/chat/completions", &streamed(chat("standard", "Bonjour"))).await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert_eq!(answer.status, 200, "{text}");
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    assert!(!text.contains("\"choices\":[]"), "nobody asked for the tokens: {text}");
    assert!(world.cloud.last().json()["stream_options"]["include_usage"].as_bool().unwrap());
    let mut asks = streamed(chat("standard", "Bonjour"));
    asks["stream_options"] = json!({ "include_usage": true });
    let answer = post(&house, "/v1/chat/completions", &asks).await;
    assert!(String::from_utf8_lossy(&answer.body).contains("\"choices\":[]"));
    let headers = [("anthropic-beta", "a-1,b-2"), ("anthropic-version", "2026-10-21")];
    let answer =
        with(&house, "/v1/messages?beta=true", &headers, &streamed(messages("claude-x", "Bonjour"))).await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.contains("event: message_stop") && !text.contains("[DONE]"), "{text}");
    let seen = world.cloud.last();
    assert_eq!(
        (seen.header("anthropic-beta"), seen.header("anthropic-version")),
        (Some("a-1,b-2"), Some("2026-10-21"))
    );
    let lines = lines(&house, 3).await;
    for line in &lines {
        assert_eq!(
            (&line["finish"], &line["source"], &line["stream"]),
            (&json!("stop"), &json!("reported"), &json!(true)),
            "{line}"
        );
        assert!(line["tokens"]["in"].as_u64().unwrap() > 0 && line["tokens"]["out"].as_u64().unwrap() > 0);
    }
    house.stop().await;
}

#[tokio::test]
async fn the_models_are_listed_in_both_shapes() {
    let world = World::new();
    let house = world.house("").await;
    let (status, openai) = house.get("proxy", "/v1/models").await;
    assert_eq!((status, &openai["object"]), (200, &json!("list")));
    let ids: Vec<_> =
        openai["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"auto") && ids.contains(&"fast") && ids.contains(&"strong"), "{ids:?}");
    let answer =
        house.raw("proxy", "GET", "/v1/models", &[("anthropic-version", "2023-06-01")], Vec::new()).await;
    let anthropic = json_of(&answer);
    assert_eq!((&anthropic["has_more"], &anthropic["data"][0]["type"]), (&json!(false), &json!("model")));
    let (_, own) = house.get("proxy", "/models").await;
    assert!(own.as_array().unwrap().iter().any(|model| model["id"] == "strong" && model["tier"] == "strong"));
    house.stop().await;
}

#[tokio::test]
async fn the_example_is_a_configuration_and_says_what_it_lacks() {
    let example = include_str!("../../../example.toml");
    let house = sanctum_testkit::House::new(&super::house::CATALOGUE).config(example).start().await;
    let (_, stats) = house.get("proxy", "/stats").await;
    let caps: Vec<_> = stats["agents"].as_array().unwrap().iter().map(|row| row["cap_usd"].clone()).collect();
    assert_eq!(caps, [json!(2.0), json!(0.5), json!(1.5), json!(2.0)], "{stats}");
    let ask = json!({ "prompt": "Hello", "agent": "mundi" });
    let (_, told) = house.send("proxy", "POST", "/explain", &ask).await;
    assert_eq!(told["winner"], "lm-studio/qwen3-30b-a3b", "{told}");
    house.stop().await;
}
