//! Every client's format in front of every provider's.

use serde_json::{Value, json};

use super::house::{World, chat, header, json_of, lines, messages, post, streamed};

fn responses(model: &str, text: &str) -> Value {
    json!({ "model": model, "input": text })
}

#[tokio::test]
async fn each_dialect_is_served_by_each_kind_of_provider() {
    let world = World::new();
    let gemini = format!(
        "[proxy.provider.google]\nkind = \"gemini\"\nbase-url = \"{}/v1beta\"\nauth = \"none\"\n[proxy.model.flash]\nprovider = \"google\"\nprice = {{ input = 1.0, output = 1.0 }}\n",
        world.cloud.url()
    );
    let house = world.house(&gemini).await;
    let mut count = 0;
    for model in ["standard", "claude-x", "flash", "small"] {
        for (path, body) in [
            ("/v1/chat/completions", chat(model, "Bonjour")),
            ("/v1/messages", messages(model, "Bonjour")),
            ("/v1/responses", responses(model, "Bonjour")),
        ] {
            let answer = post(&house, path, &body).await;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!(answer.status, 200, "{model} {path}: {text}");
            assert!(header(&answer, "content-type").starts_with("application/json"));
            let json = json_of(&answer);
            let shape = match path {
                "/v1/messages" => {
                    json["type"] == "message" && json["usage"]["input_tokens"].as_u64().is_some_and(|n| n > 0)
                }
                "/v1/responses" => {
                    json["object"] == "response"
                        && json["usage"]["input_tokens"].as_u64().is_some_and(|n| n > 0)
                }
                _ => {
                    json["object"] == "chat.completion"
                        && json["usage"]["prompt_tokens"].as_u64().is_some_and(|n| n > 0)
                }
            };
            assert!(shape, "{model} {path}: {text}");
            let answer = post(&house, path, &streamed(body)).await;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let end = match path {
                "/v1/messages" => "message_stop",
                "/v1/responses" => "response.completed",
                _ => "[DONE]",
            };
            assert!(answer.status == 200 && text.contains(end), "{model} {path}: {text}");
            count += 2;
        }
    }
    for line in lines(&house, count).await {
        assert_eq!((&line["finish"], &line["source"]), (&json!("stop"), &json!("reported")), "{line}");
    }
    house.stop().await;
}

#[tokio::test]
async fn a_failure_crosses_into_the_clients_dialect_and_losses_are_told() {
    let world = World::new();
    let house = world.house("").await;
    let answer = post(&house, "/v1/messages", &messages("fault-429-seconds", "x")).await;
    let error = json_of(&answer);
    assert_eq!((answer.status, &error["error"]["type"]), (429, &json!("rate_limit_error")), "{error}");
    assert_eq!(header(&answer, "retry-after"), "1");
    let mut body = chat("claude-x", "x");
    body["seed"] = 7.into();
    let answer = post(&house, "/v1/chat/completions", &body).await;
    assert_eq!(answer.status, 200);
    assert!(header(&answer, "x-sanctum-losses").contains("seed"), "{:?}", answer.headers);
    let counted =
        post(&house, "/v1/messages/count_tokens", &messages("small", "How many tokens are these?")).await;
    assert!(json_of(&counted)["input_tokens"].as_u64().unwrap() > 3);
    house.stop().await;
}
