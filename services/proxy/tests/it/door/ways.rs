//! Ways through the door that few take: the client's own credentials, speech, turns, trimming, a reader in no hurry.

use std::time::Duration;

use sanctum_testkit::eventually;
use sanctum_testkit::provider::Reply;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use super::house::{PATIENCE, World, chat, header, json_of, lines, messages, post, streamed, with};
use super::raw::Raw;

#[tokio::test]
async fn a_clients_own_credentials_go_to_their_provider_and_the_house_pays_nothing() {
    let world = World::new();
    let config = "[proxy.own-credentials.max]\nmodels = \"claude-*\"\nprovider = \"claude\"\nagent = \"visitor\"\n\
                  [proxy.agent.visitor]\ncap = \"0.00\"\n[proxy.agent.ava]\ncap = \"0.00\"\n";
    let house = world.house(config).await;
    let own = [("authorization", "Bearer sk-ant-oat01-mine"), ("anthropic-beta", "oauth-2025-04-20")];
    let answer = with(&house, "/v1/messages", &own, &messages("claude-x", "hi")).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let sent = world.cloud.last();
    assert_eq!(sent.header("authorization"), Some("Bearer sk-ant-oat01-mine"));
    assert_eq!(sent.header("anthropic-beta"), Some("oauth-2025-04-20"));
    let (status, made) = house.send("proxy", "POST", "/keys", &json!({ "agent": "ava" })).await;
    assert!(status == 200 || status == 201, "{made}");
    let key = made["secret"].as_str().unwrap().to_owned();
    let both = [("x-sanctum-key", key.as_str()), ("x-api-key", "sk-ant-mine")];
    let answer = with(&house, "/v1/messages", &both, &messages("claude-y", "hi")).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let sent = world.cloud.last();
    assert_eq!((sent.header("x-api-key"), sent.header("x-sanctum-key")), (Some("sk-ant-mine"), None));
    let lines = lines(&house, 2).await;
    for (line, agent) in lines.iter().zip(["visitor", "ava"]) {
        assert_eq!((&line["agent"], line["cost_usd"].as_f64()), (&json!(agent), Some(0.0)), "{line}");
    }
    let asked = world.cloud.requests().len();
    let answer = with(&house, "/v1/chat/completions", &own, &chat("strong", "hi")).await;
    assert_eq!(
        header(&answer, "x-sanctum-served"),
        "local/small",
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    assert_eq!(world.cloud.requests().len(), asked, "a model of no route is not asked on the house's money");
    assert_eq!(world.local.last().header("authorization"), None, "and nobody else sees the credentials");
    let health = "[proxy.own-credentials.max]\nmodels = \"claude-*\"\nprovider = \"claude\"\nagent = \"nurse\"\n\
                  [proxy.agent.nurse]\nclass = \"health\"\n";
    house.stop().await;
    let house = world.house(health).await;
    let answer = with(&house, "/v1/messages", &own, &messages("claude-x", "hi")).await;
    assert_eq!(
        world.cloud.requests().len(),
        asked,
        "what is private does not leave on anybody's credentials"
    );
    assert!(
        answer.status >= 400 || header(&answer, "x-sanctum-served") == "local/small",
        "{}",
        answer.status
    );
    house.stop().await;
}

#[tokio::test]
async fn one_turn_after_the_other_where_a_provider_takes_one_at_once() {
    let world = World::new();
    let config = format!(
        "[proxy.provider.shy]\nkind = \"openai\"\nbase-url = \"{}/v1\"\nauth = \"none\"\nat-once = 1\n\
         [proxy.model.shy]\nprovider = \"shy\"\nprice = {{ input = 1.0, output = 1.0 }}\n",
        world.other.url()
    );
    let house = world.house(&config).await;
    world.other.always("shy", Reply::text("one two three four").paced(Duration::from_millis(40)));
    let mut first = Raw::post(&house, "/v1/chat/completions", &streamed(chat("shy", "a"))).await;
    first.until("one").await;
    let mut second = Raw::post(&house, "/v1/chat/completions", &streamed(chat("shy", "b"))).await;
    first.until("[DONE]").await;
    second.until("[DONE]").await;
    let seen = world.other.requests();
    assert_eq!(seen.len(), 2);
    assert!(seen[0].answered() && !seen[0].cancelled());
    // One that vanishes while it waits for its turn takes no turn.
    let mut third = Raw::post(&house, "/v1/chat/completions", &streamed(chat("shy", "c"))).await;
    third.until("one").await;
    drop(Raw::post(&house, "/v1/chat/completions", &streamed(chat("shy", "d"))).await);
    third.until("[DONE]").await;
    let mut last = Raw::post(&house, "/v1/chat/completions", &streamed(chat("shy", "e"))).await;
    last.until("[DONE]").await;
    let bodies: Vec<String> =
        world.other.requests().iter().map(|seen| seen.json()["messages"][0]["content"].to_string()).collect();
    assert_eq!(bodies, ["\"a\"", "\"b\"", "\"c\"", "\"e\""]);
    house.stop().await;
}

#[tokio::test]
async fn the_oldest_is_left_out_where_nobody_has_room_for_all() {
    let world = World::new();
    let config = "trim = true\n[proxy.model.narrow]\nprovider = \"cloud\"\ncontext = 2000\nmax-output = 100\n\
                  price = { input = 1.0, output = 1.0 }\n";
    let house = world.house(config).await;
    let long = |n: usize| format!("message {n}: {}", "word ".repeat(300));
    let mut said = vec![json!({ "role": "system", "content": "Be brief." })];
    for n in 0..10 {
        let role = if n % 2 == 0 { "user" } else { "assistant" };
        said.push(json!({ "role": role, "content": long(n) }));
    }
    said.push(json!({ "role": "user", "content": "And now?" }));
    let ask = json!({ "model": "narrow", "max_tokens": 50, "messages": said });
    let answer = post(&house, "/v1/chat/completions", &ask).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let sent = world.cloud.last().json();
    let kept: Vec<&Value> = sent["messages"].as_array().unwrap().iter().collect();
    assert_eq!(kept.first().unwrap()["content"], "Be brief.", "who it is stays");
    assert_eq!(kept.last().unwrap()["content"], "And now?", "what is asked stays");
    assert!(kept.len() < 12 && kept.len() > 2, "{} messages", kept.len());
    assert!(!sent.to_string().contains("message 0:") && sent.to_string().contains("message 9:"));
    let told = header(&answer, "x-sanctum-losses");
    assert!(told.contains("messages: ") && told.contains("oldest"), "{:?}", answer.headers);
    house.stop().await;
    let strict = world.house(&config.replace("trim = true", "trim = false")).await;
    let answer = post(&strict, "/v1/chat/completions", &ask).await;
    assert_eq!(answer.status, 400, "{}", json_of(&answer));
    strict.stop().await;
}

#[tokio::test]
async fn a_reader_of_one_byte_at_a_time_gets_every_byte_and_holds_up_nobody() {
    let world = World::new();
    let house = world.house("").await;
    let words = "slow ".repeat(200);
    world.cloud.script([Reply::text(&words)]);
    let mut slow = Raw::post(&house, "/v1/chat/completions", &streamed(chat("standard", "a"))).await;
    let mut seen = Vec::new();
    let mut byte = [0];
    for _ in 0..40 {
        slow.socket.read_exact(&mut byte).await.unwrap();
        seen.push(byte[0]);
        // Others are served between any two of its bytes.
        if seen.len() % 10 == 0 {
            assert_eq!(post(&house, "/v1/chat/completions", &chat("standard", "b")).await.status, 200);
        }
    }
    while !seen.ends_with(b"[DONE]\n\n") && !seen.ends_with(b"0\r\n\r\n") {
        let read = tokio::time::timeout(PATIENCE, slow.socket.read_exact(&mut byte)).await;
        assert!(read.is_ok_and(|read| read.is_ok()), "{}", String::from_utf8_lossy(&seen));
        seen.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&seen).into_owned();
    let said: String = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|chunk| Some(chunk["choices"][0]["delta"]["content"].as_str()?.to_owned()))
        .collect();
    assert_eq!(said.trim(), words.trim());
    house.stop().await;
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_cut_off_and_charged_for_what_it_got() {
    let world = World::new();
    let house = world.house("patience = \"500ms\"").await;
    // More than all buffers between provider and client hold together.
    world.cloud.script([Reply::text(&"much more than fits ".repeat(2_000_000))]);
    let stuck = Raw::post(&house, "/v1/chat/completions", &streamed(chat("standard", "a"))).await;
    eventually("the provider's connection ends", PATIENCE, async || {
        (world.cloud.cancelled().len() == 1).then_some(())
    })
    .await;
    let line = lines(&house, 1).await.remove(0);
    assert_eq!(line["finish"], "cancelled", "{line}");
    assert!(line["cost_usd"].as_f64().unwrap() > 0.0, "{line}");
    drop(stuck);
    house.stop().await;
}

#[tokio::test]
async fn speech_comes_back_as_it_is_and_is_in_the_log() {
    let world = World::new();
    let audio: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let served = super::speech::Speaker::start(audio.clone()).await;
    let config = format!(
        "[proxy.provider.voice]\nkind = \"openai\"\nbase-url = \"http://{}/v1\"\nauth = \"none\"\nlocality = \"local\"\n\
         [proxy.model.tts]\nprovider = \"voice\"\ncan = [\"speech\"]\n",
        served.addr
    );
    let house = world.house(&config).await;
    let ask =
        json!({ "model": "tts", "input": "Good night, Ava", "voice": "alloy", "response_format": "mp3" });
    let answer = post(&house, "/v1/audio/speech", &ask).await;
    assert_eq!((answer.status, header(&answer, "content-type")), (200, "audio/mpeg"));
    assert_eq!(answer.body, audio);
    assert_eq!(served.asked.lock().unwrap()[0], ask, "the request went through untouched");
    let line = lines(&house, 1).await.remove(0);
    assert_eq!((&line["api"], &line["model"]), (&json!("speech"), &json!("tts")), "{line}");
    house.stop().await;
}
