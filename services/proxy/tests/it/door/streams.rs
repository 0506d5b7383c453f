//! Streams: bytes as they come, leaving is noticed, waiting is told.

use std::time::Duration;

use sanctum_testkit::eventually;
use sanctum_testkit::provider::Reply;

use super::house::{PATIENCE, World, chat, lines, messages, post, streamed};
use super::raw::Raw;

#[tokio::test]
async fn the_first_words_come_while_the_rest_is_being_made_and_leaving_stops_the_provider() {
    let world = World::new();
    world.cloud.always("strong", Reply::text(&"word ".repeat(200)).paced(Duration::from_millis(50)));
    let house = world.house("").await;
    let mut client = Raw::post(&house, "/v1/chat/completions", &streamed(chat("strong", "x"))).await;
    client.until("word").await;
    assert!(!client.text().contains("[DONE]"));
    let (_, stats) = house.get("proxy", "/stats").await;
    assert_eq!(stats["live"].as_array().unwrap().len(), 1, "{stats}");
    assert_eq!(stats["live"][0]["serving"], "cloud/strong");
    drop(client);
    eventually("the provider to be let go", PATIENCE, async || {
        (!world.cloud.cancelled().is_empty()).then_some(())
    })
    .await;
    let line = lines(&house, 1).await.remove(0);
    assert_eq!(
        (line["finish"].as_str(), line["source"].as_str()),
        (Some("cancelled"), Some("estimated")),
        "{line}"
    );
    assert!(line["tokens"]["out"].as_u64().unwrap() > 0, "{line}");
    eventually("nothing to be left", PATIENCE, async || {
        let (_, stats) = house.get("proxy", "/stats").await;
        stats["live"].as_array().unwrap().is_empty().then_some(())
    })
    .await;
    house.stop().await;
}

#[tokio::test]
async fn leaving_before_the_first_byte_stops_the_provider_too() {
    let world = World::new();
    let house = world.house("").await;
    let client = Raw::post(&house, "/v1/chat/completions", &chat("fault-never", "x")).await;
    eventually("the provider to be asked", PATIENCE, async || {
        (!world.cloud.requests().is_empty()).then_some(())
    })
    .await;
    drop(client);
    eventually("the provider to be let go", PATIENCE, async || (world.cloud.open() == 0).then_some(())).await;
    let line = lines(&house, 1).await.remove(0);
    assert_eq!(line["finish"], "cancelled", "{line}");
    house.stop().await;
}

#[tokio::test]
async fn who_waits_for_a_stream_is_told_so_in_its_dialect() {
    let world = World::new();
    let house = world.house("heartbeat = \"100ms\"\nfirst-byte = \"1s\"\nfallback = [\"second\"]\n").await;
    for (path, body, beat, end) in [
        ("/v1/chat/completions", streamed(chat("fault-never", "x")), ": waiting", "[DONE]"),
        ("/v1/messages", streamed(messages("claude/fault-never", "x")), "event: ping", "message_stop"),
    ] {
        let mut client = Raw::post(&house, path, &body).await;
        client.until(beat).await;
        client.until(end).await;
        assert!(client.text().matches(beat).count() >= 2, "{}", client.text());
    }
    house.stop().await;
    let house = world.house("heartbeat = \"100ms\"\nfirst-byte = \"500ms\"\n").await;
    let mut client = Raw::post(&house, "/v1/messages", &streamed(messages("claude/fault-never", "x"))).await;
    assert!(client.rest(PATIENCE).await);
    let text = client.text();
    assert!(text.contains("event: error") && !text.ends_with("0\r\n\r\n"), "{text}");
    house.stop().await;
}

#[tokio::test]
async fn connections_are_kept_and_a_closed_one_is_replaced() {
    let world = World::new();
    let house = world.house("").await;
    for _ in 0..20 {
        assert_eq!(post(&house, "/v1/chat/completions", &chat("standard", "x")).await.status, 200);
    }
    assert_eq!(world.cloud.connections().len(), 1, "one connection carries them all");
    for _ in 0..5 {
        assert_eq!(post(&house, "/v1/chat/completions", &chat("fault-closes-idle", "x")).await.status, 200);
    }
    let lines = lines(&house, 25).await;
    assert!(lines.iter().all(|line| line["attempts"].as_array().unwrap().len() == 1));
    house.stop().await;
}
