//! I1: what is private stays in the house, by every way in and whatever fails.

use sanctum_testkit::House;
use sanctum_testkit::provider::Reply;
use serde_json::{Value, json};

use super::house::{World, chat, json_of, lines, messages, post, streamed, with};

const HEALTH: &[(&str, &str)] = &[("x-sanctum-class", "health")];

async fn nobody_outside(world: &World, house: House) {
    assert_eq!(world.cloud.connections().len(), 0, "a connection to the cloud");
    assert_eq!(world.other.connections().len(), 0, "a connection to the other cloud");
    house.stop().await;
}

#[tokio::test]
async fn a_private_request_is_answered_in_the_house_whatever_it_asks_for() {
    let world = World::new();
    let house = world.house("fallback = [\"second\", \"strong\"]\n").await;
    for model in ["strong", "fast", "auto", "claude-x", "cloud/gpt", "second", "small"] {
        let answer = with(&house, "/v1/chat/completions", HEALTH, &chat(model, "What now?")).await;
        assert_eq!(answer.status, 200, "{model}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.headers["x-sanctum-served"], "local/small", "{model}");
    }
    for line in lines(&house, 7).await {
        assert_eq!(
            (&line["egress"], &line["privacy"], &line["locality"]),
            (&json!(false), &json!("health"), &json!("local"))
        );
    }
    nobody_outside(&world, house).await;
}

#[tokio::test]
async fn no_seat_in_the_house_is_a_503_and_never_the_cloud() {
    let world = World::new();
    world.local.always("small", Reply::fault("500"));
    let house = world.house("").await;
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let body = if path.ends_with("messages") { messages("claude-x", "x") } else { chat("strong", "x") };
        let answer = with(&house, path, HEALTH, &body).await;
        assert!(answer.status >= 500, "{path}: {}", answer.status);
    }
    // The breaker of the seat opens; then there is nobody at all.
    for _ in 0..6 {
        with(&house, "/v1/chat/completions", HEALTH, &chat("strong", "x")).await;
    }
    let answer = with(&house, "/v1/chat/completions", HEALTH, &streamed(chat("strong", "x"))).await;
    assert_eq!(answer.status, 503);
    nobody_outside(&world, house).await;
    let empty = World::new();
    let house = empty.house("").await;
    let answer =
        with(&house, "/v1/embeddings", HEALTH, &json!({ "model": "cloud/embed", "input": "x" })).await;
    assert!(answer.status >= 400, "{}", String::from_utf8_lossy(&answer.body));
    let answer =
        with(&house, "/v1/messages/count_tokens", HEALTH, &messages("claude-x", "how many tokens")).await;
    assert_eq!(answer.status, 200);
    assert!(json_of(&answer)["input_tokens"].as_u64().unwrap() > 0);
    nobody_outside(&empty, house).await;
}

#[tokio::test]
async fn a_conversation_that_was_ever_private_stays_so_also_by_the_result_of_a_tool() {
    let world = World::new();
    let house = world.house("").await;
    let diagnosis =
        "My blood test came back: HbA1c 7.9, the doctor diagnosed type 2 diabetes and prescribed metformin.";
    let earlier = json!({ "model": "strong", "messages": [
        { "role": "user", "content": diagnosis },
        { "role": "assistant", "content": "I see." },
        { "role": "user", "content": "Thanks. What is the capital of France?" },
    ] });
    let tool = json!({ "model": "claude-x", "max_tokens": 50, "messages": [
        { "role": "user", "content": "look it up" },
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "t1", "name": "read", "input": { "path": "a" } }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "t1", "content": [{ "type": "text", "text": diagnosis }] }] },
    ] });
    let answer = post(&house, "/v1/chat/completions", &earlier).await;
    assert_eq!((answer.status, &answer.headers["x-sanctum-served"]), (200, &"local/small".parse().unwrap()));
    let answer = post(&house, "/v1/messages", &tool).await;
    assert_eq!((answer.status, &answer.headers["x-sanctum-served"]), (200, &"local/small".parse().unwrap()));
    nobody_outside(&world, house).await;
}

#[tokio::test]
async fn an_unknown_class_is_refused_and_an_agent_of_health_is_private() {
    let world = World::new();
    let house = world.house("[proxy.agent.mundi]\nclass = \"health\"\n").await;
    let refused =
        with(&house, "/v1/chat/completions", &[("x-sanctum-class", "heath")], &chat("strong", "x")).await;
    assert_eq!((refused.status, &json_of(&refused)["error"]["code"]), (400, &json!("class")));
    let answer =
        with(&house, "/v1/chat/completions", &[("x-sanctum-agent", "mundi")], &chat("strong", "Hello")).await;
    assert_eq!((answer.status, &answer.headers["x-sanctum-served"]), (200, &"local/small".parse().unwrap()));
    let lines: Vec<Value> = lines(&house, 2).await;
    assert_eq!((&lines[1]["agent"], &lines[1]["privacy_because"]), (&json!("mundi"), &json!("agent")));
    nobody_outside(&world, house).await;
}

#[tokio::test]
async fn a_local_provider_that_is_not_in_this_house_is_refused_with_its_place() {
    let config = "[proxy.provider.far]\nkind = \"openai\"\nbase-url = \"https://203.0.113.9/v1\"\nlocality = \"local\"\nauth = \"none\"\n";
    let refused = House::new(&super::house::CATALOGUE).config(config).try_start().await.unwrap_err().1;
    assert!(refused.contains("not an address of this house"), "{refused}");
    let bridge = "[proxy]\nuse = [\"bridge\"]\n[proxy.provider.bridge]\nlocality = \"local\"\n";
    let refused = House::new(&super::house::CATALOGUE).config(bridge).try_start().await.unwrap_err().1;
    assert!(refused.contains("a bridge passes on"), "{refused}");
}
