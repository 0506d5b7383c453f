//! Where one provider's words do not fit another's: times, reasoning, signatures, overloads, losses.

use sanctum_testkit::House;
use serde_json::{Value, json};

use super::house::{CATALOGUE, World, chat, header, json_of, messages, post, streamed};

#[tokio::test]
async fn an_answer_has_a_time_also_where_its_provider_tells_none() {
    let world = World::new();
    let house = world.house("").await;
    let whole = json_of(&post(&house, "/v1/chat/completions", &chat("claude-x", "hi")).await);
    assert!(whole["created"].as_i64().unwrap() > 1_600_000_000, "{whole}");
    let stream = post(&house, "/v1/chat/completions", &streamed(chat("claude-x", "hi"))).await;
    let text = String::from_utf8_lossy(&stream.body).into_owned();
    assert!(text.contains("\"created\":1") && !text.contains("\"created\":0"), "{text}");
    house.stop().await;
}

#[tokio::test]
async fn a_model_that_cannot_think_is_not_asked_to() {
    let world = World::new();
    let models = "[proxy.model.plain]\nprovider = \"cloud\"\ncan = [\"tools\"]\nprice = { input = 1.0, output = 1.0 }\n\
                  [proxy.model.deep]\nprovider = \"cloud\"\ncan = [\"thinking\"]\nprice = { input = 1.0, output = 1.0 }\n";
    let house = world.house(models).await;
    for (model, thinks) in [("plain", false), ("deep", true), ("standard", true)] {
        let mut ask = chat(model, "hi");
        ask["reasoning_effort"] = "high".into();
        let answer = post(&house, "/v1/chat/completions", &ask).await;
        assert_eq!(answer.status, 200);
        assert_eq!(world.cloud.last().json()["reasoning_effort"].is_string(), thinks, "{model}");
        assert_eq!(header(&answer, "x-sanctum-losses").contains("reasoning"), !thinks, "{model}");
    }
    let mut ask = messages("plain", "hi");
    ask["thinking"] = json!({ "type": "enabled", "budget_tokens": 1024 });
    ask["max_tokens"] = 2048.into();
    let answer = post(&house, "/v1/messages", &ask).await;
    assert!(header(&answer, "x-sanctum-losses").contains("cannot think"), "{:?}", answer.headers);
    house.stop().await;
}

fn with_block(model: &str, block: Value) -> Value {
    json!({ "model": model, "max_tokens": 2048, "thinking": { "type": "enabled", "budget_tokens": 1024 }, "messages": [
        { "role": "user", "content": "one" },
        { "role": "assistant", "content": [block, { "type": "text", "text": "two" }] },
        { "role": "user", "content": "three" } ] })
}

#[tokio::test]
async fn what_the_house_has_sealed_does_not_reach_whoever_has_not_issued_it() {
    let world = World::new();
    let issuer = format!(
        "[proxy.provider.both]\nkind = \"openai\"\nspeaks = [\"chat\", \"responses\"]\nbase-url = \"{}/v1\"\n\
         auth = \"none\"\n[proxy.model.both]\nprovider = \"both\"\nprice = {{ input = 1.0, output = 1.0 }}\n",
        world.cloud.url()
    );
    let house = world.house(&issuer).await;
    let block = json!({ "type": "redacted_thinking", "data": "sanctum.1.kept.4.rs_1gAAAA1" });
    let answer = post(&house, "/v1/messages", &with_block("claude-x", block)).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let sent = world.cloud.last().json().to_string();
    assert!(!sent.contains("sanctum.1.") && !sent.contains("redacted") && sent.contains("two"), "{sent}");
    let own = json!({ "type": "redacted_thinking", "data": "EmwKAhgB" });
    post(&house, "/v1/messages", &with_block("claude-x", own)).await;
    assert!(world.cloud.last().json().to_string().contains("EmwKAhgB"), "the issuer's own goes back");
    let ask = json!({ "model": "both", "store": false, "input": [
        { "role": "user", "content": "one" },
        { "type": "reasoning", "id": "rs_9", "summary": [], "encrypted_content": "sanctum.1.thinking.abc" },
        { "role": "assistant", "content": [{ "type": "output_text", "text": "two" }] },
        { "role": "user", "content": "three" } ] });
    let answer = post(&house, "/v1/responses", &ask).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let sent = world.cloud.last().json().to_string();
    assert!(!sent.contains("sanctum.1.") && sent.contains("three"), "{sent}");
    house.stop().await;
}

#[tokio::test]
async fn reasoning_of_another_model_does_not_end_a_conversation() {
    let world = World::new();
    let second = format!(
        "[proxy.provider.second-claude]\nkind = \"anthropic\"\nbase-url = \"{}/v1\"\nauth = \"none\"\n\
         [proxy.model.rescuer]\nprovider = \"second-claude\"\ntier = \"strong\"\nprice = {{ input = 1.0, output = 1.0 }}\n\
         [proxy.model.\"claude-falls-fault-503\"]\nprovider = \"claude\"\ntier = \"strong\"\n\
         price = {{ input = 1.0, output = 1.0 }}\nfallback = [\"rescuer\"]\n",
        world.other.url()
    );
    let house = world.house(&second).await;
    let mut first = messages("claude-think", "one");
    first["thinking"] = json!({ "type": "enabled", "budget_tokens": 1024 });
    first["max_tokens"] = 2048.into();
    let first = json_of(&post(&house, "/v1/messages", &first).await);
    let thinking = first["content"][0].clone();
    assert_eq!(thinking["type"], "thinking", "{first}");
    let same = post(&house, "/v1/messages", &with_block("claude-think", thinking.clone())).await;
    assert_eq!((same.status, header(&same, "x-sanctum-attempts")), (200, "1"), "its issuer knows it");
    for (model, attempts) in [("rescuer", "2"), ("claude-falls-fault-503", "3")] {
        let answer = post(&house, "/v1/messages", &with_block(model, thinking.clone())).await;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(
            (answer.status, header(&answer, "x-sanctum-attempts")),
            (200, attempts),
            "{model}: {text}"
        );
        assert_eq!(header(&answer, "x-sanctum-served"), "second-claude/rescuer");
        let sent = world.other.last().json();
        assert!(!sent.to_string().contains("signature") && sent.to_string().contains("two"), "{sent}");
    }
    let crossed = post(&house, "/v1/messages", &with_block("standard", thinking)).await;
    assert_eq!(
        (crossed.status, header(&crossed, "x-sanctum-attempts")),
        (200, "1"),
        "chat knows no signatures"
    );
    house.stop().await;
}

#[tokio::test]
async fn a_refused_signature_is_no_end_either_where_two_may_be_asked() {
    let world = World::new();
    let house = world.house("hedge = \"20s\"\nfallback = [\"second\"]").await;
    let foreign = json!({ "type": "thinking", "thinking": "hm", "signature": "somebody-else" });
    let answer = post(&house, "/v1/messages", &with_block("claude-x", foreign)).await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!((answer.status, header(&answer, "x-sanctum-served")), (200, "claude/claude-x"), "{text}");
    assert_eq!(world.cloud.requests().len(), 2);
    assert!(!world.cloud.last().json().to_string().contains("somebody-else"));
    house.stop().await;
}

#[tokio::test]
async fn an_overload_has_the_status_that_clients_of_each_dialect_know() {
    let world = World::new();
    let house = world.house("").await;
    let answer = post(&house, "/v1/messages", &messages("fault-503", "x")).await;
    assert_eq!((answer.status, &json_of(&answer)["error"]["type"]), (529, &json!("overloaded_error")));
    let answer = post(&house, "/v1/chat/completions", &chat("claude-fault-529", "x")).await;
    assert_eq!(answer.status, 503, "{}", String::from_utf8_lossy(&answer.body));
    house.stop().await;
}

#[tokio::test]
async fn many_losses_are_told_in_a_header_of_bounded_size() {
    let world = World::new();
    let house = world.house("").await;
    let mut ask = chat("claude-x", "x");
    for n in 0..200 {
        ask[format!("strange_field_number_{n}")] = n.into();
    }
    let answer = post(&house, "/v1/chat/completions", &ask).await;
    let told = header(&answer, "x-sanctum-losses");
    assert!(answer.status == 200 && told.len() <= 1024, "{}", told.len());
    assert!(told.starts_with("strange_field_number_0: ") && told.ends_with(" more"), "{told}");
    let shown = told.matches("strange_field").count();
    assert!(told.contains(&format!("and {} more", 200 - shown)), "{shown}: {told}");
    house.stop().await;
}

#[tokio::test]
async fn a_house_without_models_says_what_to_do() {
    let house = House::new(&CATALOGUE).config("[proxy]\n").start().await;
    for model in ["auto", "gpt-5"] {
        let answer = post(&house, "/v1/chat/completions", &chat(model, "x")).await;
        let message = json_of(&answer)["error"]["message"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, 404, "{message}");
        assert!(message.contains("[proxy] use = [") && message.contains("`sanctum models`"), "{message}");
    }
    house.stop().await;
}
