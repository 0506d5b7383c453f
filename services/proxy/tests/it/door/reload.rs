//! A changed file holds from the next request on, and cuts nobody.

use std::time::Duration;

use sanctum_testkit::provider::Reply;

use super::house::{World, chat, header, post, streamed};
use super::raw::Raw;

#[tokio::test]
async fn a_stream_goes_on_through_a_new_configuration_and_through_a_new_house() {
    let world = World::new();
    world.cloud.always("strong", Reply::text(&"word ".repeat(60)).paced(Duration::from_millis(50)));
    let mut house = world.house("").await;
    let mut first = Raw::post(&house, "/v1/chat/completions", &streamed(chat("strong", "x"))).await;
    first.until("word").await;
    let changed = world.config("").replace("fast = \"standard\"", "fast = \"second\"");
    house.reconfigure(&changed).await;
    sanctum_testkit::eventually("the new alias", super::house::PATIENCE, async || {
        let answer = post(&house, "/v1/chat/completions", &chat("fast", "x")).await;
        (header(&answer, "x-sanctum-served") == "other/second").then_some(())
    })
    .await;
    // A changed house builds a new instance; the old one finishes what it has begun beside it.
    house.reconfigure(&changed.replace("Europe/Paris", "America/Toronto")).await;
    let mut second = Raw::post(&house, "/v1/chat/completions", &chat("fast", "x")).await;
    second.until("HTTP/1.1 200").await;
    assert!(!first.text().contains("[DONE]"), "it is still going on");
    first.until("[DONE]").await;
    house.stop().await;
}

#[tokio::test]
async fn a_bad_file_is_refused_and_the_old_one_goes_on() {
    let world = World::new();
    let mut house = world.house("").await;
    house.reconfigure(&world.config("nonsense = 3\n")).await;
    assert_eq!(post(&house, "/v1/chat/completions", &chat("fast", "x")).await.status, 200);
    let (_, health) = house.get("proxy", "/health").await;
    let detail = health["parts"]["configuration"]["detail"].as_str().unwrap();
    assert!(detail.contains("nonsense") && detail.contains("line"), "{detail}");
    house
        .reconfigure(
            &world.config("").replace(
                "provider = \"cloud\"\ntier = \"strong\"",
                "provider = \"nobody\"\ntier = \"strong\"",
            ),
        )
        .await;
    assert_eq!(post(&house, "/v1/chat/completions", &chat("strong", "x")).await.status, 200);
    house.stop().await;
}

#[tokio::test]
async fn a_provider_without_its_key_is_closed_and_says_so() {
    let world = World::new();
    let config = world.config("").replace(
        "[proxy.provider.other]\nkind = \"openai\"",
        "[proxy.provider.other]\nkey = \"file:missing\"\nkind = \"openai\"",
    );
    let config = config
        .replace("auth = \"none\"\n[proxy.provider.local]", "auth = \"bearer\"\n[proxy.provider.local]");
    let house = sanctum_testkit::House::new(&super::house::CATALOGUE).config(&config).start().await;
    let answer = post(&house, "/v1/chat/completions", &chat("second", "x")).await;
    assert_eq!(answer.status, 503, "{}", String::from_utf8_lossy(&answer.body));
    assert!(world.other.connections().is_empty());
    let (_, health) = house.get("proxy", "/health").await;
    assert_eq!(health["parts"]["other"]["status"], "degraded", "{health}");
    house.stop().await;
}
