//! Clients of OpenAI's Responses that name what was said before, in front of providers that keep nothing.

use sanctum_testkit::House;
use serde_json::{Value, json};

use super::house::{World, json_of, post, streamed};

/// Seats that speak something else than Responses: two dialects beside plain chat.
fn more(world: &World) -> String {
    let (cloud, local) = (world.cloud.url(), world.local.url());
    format!(
        "[proxy.provider.google]\nkind = \"gemini\"\nbase-url = \"{cloud}/v1beta\"\nauth = \"none\"\n\
         [proxy.model.flash]\nprovider = \"google\"\nprice = {{ input = 1.0, output = 1.0 }}\n\
         [proxy.provider.plain]\nkind = \"openai\"\nspeaks = [\"chat\"]\nbase-url = \"{cloud}/v1\"\nauth = \"none\"\n\
         [proxy.model.old]\nprovider = \"plain\"\nprice = {{ input = 1.0, output = 1.0 }}\n\
         [proxy.provider.attic]\nkind = \"openai\"\nspeaks = [\"chat\"]\nbase-url = \"{local}/v1\"\nauth = \"none\"\n\
         locality = \"local\"\n[proxy.model.tiny]\nprovider = \"attic\"\ntier = \"strong\"\n"
    )
}

/// The whole answer, also of a stream.
async fn respond(house: &House, body: &Value) -> Value {
    let answer = post(house, "/v1/responses", body).await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 200, "{text}");
    if body["stream"] != true {
        return json_of(&answer);
    }
    let last = text.lines().filter_map(|line| line.strip_prefix("data: ")).next_back().unwrap();
    serde_json::from_str::<Value>(last).unwrap()["response"].clone()
}

#[tokio::test]
async fn what_was_said_is_named_and_not_repeated_whoever_answers() {
    let world = World::new();
    let house = world.house(&more(&world)).await;
    for model in ["old", "claude-x", "flash"] {
        for stream in [false, true] {
            let ask = |mut body: Value| {
                body["model"] = model.into();
                if stream { streamed(body) } else { body }
            };
            let first = respond(&house, &ask(json!({ "input": "the dog is called Leek" }))).await;
            assert!(first["created_at"].as_i64().unwrap() > 0, "{first}");
            let item = first["output"].as_array().unwrap().iter().find(|item| item["type"] == "message");
            let item = item.unwrap()["id"].clone();
            let on =
                respond(&house, &ask(json!({ "previous_response_id": first["id"], "input": "and?" }))).await;
            let sent = world.cloud.last().json().to_string();
            assert!(
                sent.contains("called Leek") && sent.contains("I read") && sent.contains("and?"),
                "{model}: {sent}"
            );
            assert!(!sent.contains("previous_response_id"), "{sent}");
            respond(&house, &ask(json!({ "previous_response_id": on["id"], "input": "what else?" }))).await;
            let sent = world.cloud.last().json().to_string();
            assert!(
                sent.contains("called Leek") && sent.contains("and?") && sent.contains("what else?"),
                "{sent}"
            );
            let named = json!({ "input": [
                { "role": "user", "content": "a thing" }, { "type": "item_reference", "id": item },
                { "role": "user", "content": "another" } ] });
            respond(&house, &ask(named)).await;
            let sent = world.cloud.last().json().to_string();
            assert!(
                sent.contains("a thing") && sent.contains("I read") && sent.contains("another"),
                "{model}: {sent}"
            );
        }
    }
    house.stop().await;
}

#[tokio::test]
async fn a_call_is_named_when_its_result_comes() {
    let world = World::new();
    let house = world.house(&more(&world)).await;
    let tools = json!([{ "type": "function", "name": "weather", "parameters": { "type": "object",
        "properties": { "city": { "type": "string" } } } }]);
    for model in ["claude-tool", "plain/gpt-tool"] {
        let user = json!({ "role": "user", "content": "the weather?" });
        let ask =
            json!({ "model": model, "tools": tools, "reasoning": { "effort": "low" }, "input": [user] });
        let first = respond(&house, &ask).await;
        let output = first["output"].as_array().unwrap();
        let call = output.iter().find(|item| item["type"] == "function_call").expect("a call");
        let mut input = vec![user];
        input.extend(output.iter().map(|item| json!({ "type": "item_reference", "id": item["id"] })));
        input.push(
            json!({ "type": "function_call_output", "call_id": call["call_id"], "output": "21 degrees" }),
        );
        let mut next = ask.clone();
        next["input"] = input.into();
        let second = respond(&house, &next).await;
        assert!(second["output"].to_string().contains("21 degrees"), "{model}: {second}");
    }
    house.stop().await;
}

#[tokio::test]
async fn what_nobody_kept_is_refused_and_what_must_not_be_kept_is_not() {
    let world = World::new();
    let house = world.house(&more(&world)).await;
    let unkept = respond(&house, &json!({ "model": "old", "store": false, "input": "x" })).await;
    for id in [json!("resp_never"), unkept["id"].clone()] {
        let asked = world.cloud.requests().len();
        let ask = json!({ "model": "old", "previous_response_id": id, "input": "and?" });
        let answer = post(&house, "/v1/responses", &ask).await;
        let error = json_of(&answer);
        assert_eq!(
            (answer.status, &error["error"]["param"]),
            (400, &json!("previous_response_id")),
            "{error}"
        );
        assert_eq!(world.cloud.requests().len(), asked, "without it the model would answer something else");
    }
    house.stop().await;
}

#[tokio::test]
async fn a_private_conversation_stays_private_when_it_is_only_named() {
    let world = World::new();
    let house = world.house(&more(&world)).await;
    let first = json!({ "model": "tiny", "input": "my blood pressure is up and I take metformin" });
    let first = respond(&house, &first).await;
    let on = json!({ "model": "old", "previous_response_id": first["id"], "input": "and then?" });
    respond(&house, &on).await;
    assert!(world.local.last().json().to_string().contains("metformin"));
    assert_eq!(world.cloud.requests().len(), 0, "it names what must not leave the house");
    house.stop().await;
}
