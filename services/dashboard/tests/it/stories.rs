//! The story of a trace id, and the dashboard's own part in it.

use std::time::Duration;

use futures_util::StreamExt;
use sanctum_testkit::eventually;
use serde_json::{Value, json};

use crate::house::{Night, SOON, text};
use crate::night;

fn path() -> String {
    format!("/api/story/{}", night::TRACE)
}

#[tokio::test(flavor = "multi_thread")]
async fn five_links_and_their_times() {
    let night = Night::tried().await;
    let (_, story) = night.house.get("dashboard", &path()).await;
    assert_eq!(story["said"], "4 of 5 links hold, within 48 ms; missing: banner");
    assert_eq!(story["links"][4]["detail"], "no browser has shown it yet");
    // The page shows the banner, and that is the fifth.
    night.page("/").await;
    let (_, story) = night.house.get("dashboard", &path()).await;
    assert!(story["said"].as_str().unwrap().starts_with("all five links hold, "), "{story}");
    let after: Vec<i64> =
        story["links"].as_array().unwrap().iter().map(|tie| tie["after_ms"].as_i64().unwrap()).collect();
    assert_eq!(after[..4], [0, 3, 11, 48]);
    let page = text(&night.page(&format!("/story/{}", night::TRACE)).await);
    assert!(
        page.contains(
            "Blocked and verified +3 ms 02:47:02.003 read back from the router: 1 packet dropped, 0 passed"
        ),
        "{page}"
    );
    assert!(
        page.contains("02:47, Ava's Xbox came onto the Wi-Fi (first DHCP packet): all five links hold"),
        "{page}"
    );

    // The first showing counts, also after a restart.
    let (_, own) = night.house.get("dashboard", &format!("/trace/{}", night::TRACE)).await;
    night.house.clock().step(jiff::SignedDuration::from_hours(1));
    night.page("/").await;
    let house = night.house.stop().await.start().await;
    assert_eq!(house.get("dashboard", &format!("/trace/{}", night::TRACE)).await.1, own);
    assert_eq!(own[0]["what"], "banner");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_silent_is_not_said_to_know_nothing() {
    let night = Night::tried().await;
    night.line("screen", &format!("GET /trace/{}", night::TRACE), 500, &json!({}), 0).await;
    night.answer("firewall", &format!("GET /trace/{}", night::TRACE), &json!([])).await;
    let (_, story) = night.house.get("dashboard", &path()).await;
    assert_eq!(story["links"][0]["detail"], "nobody was seen joining in this story");
    assert!(
        story["links"][2]["detail"].as_str().unwrap().starts_with("not known: screen could not be asked"),
        "{story}"
    );
    let page = text(&night.page(&format!("/story/{}", night::TRACE)).await);
    assert!(page.contains("could not be asked screen"), "{page}");
    let (_, nobody) = night.house.get("dashboard", "/api/story/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb").await;
    assert_eq!(nobody["said"], "nobody in this house knows this story");
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_brings_every_part_and_then_what_changes() {
    let night = Night::calm().await;
    let dashboard = night.house.transport("dashboard");
    let mut events = dashboard.events("/events".into(), None).await.unwrap();
    let mut parts: Vec<String> = Vec::new();
    while parts.len() < 5 {
        let event = tokio::time::timeout(SOON, events.next()).await.unwrap().unwrap().unwrap();
        if event.kind == "part" {
            let data: Value = serde_json::from_str(&event.data).unwrap();
            parts.push(data["part"].as_str().unwrap().to_owned());
        }
    }
    parts.sort();
    assert_eq!(parts, ["banners", "devices", "sentence", "services", "tonight"]);

    night.answer("notify", "GET /banners", &[night::banner()]).await;
    let said = tokio::time::Instant::now();
    night.event("notify", "banner", &json!({ "banner": night::banner() })).await;
    let event = tokio::time::timeout(SOON, events.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(event.kind, "banner");
    assert!(said.elapsed() < Duration::from_secs(1), "{:?}", said.elapsed());
    let banner: Value = serde_json::from_str(&event.data).unwrap();
    assert_eq!(banner["trace_id"], night::TRACE);
    // Whoever was away comes back with the last id and hears what was said meanwhile.
    let last = event.id.clone();
    drop(events);
    night.event("firewall", "attempt", &night::joined()).await;
    let mut again = dashboard.events("/events".into(), last).await.unwrap();
    loop {
        let event = tokio::time::timeout(SOON, again.next()).await.unwrap().unwrap().unwrap();
        if event.kind == "happening" {
            assert!(event.data.contains("ava-xbox"));
            break;
        }
    }
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_comes_back_is_heard_again() {
    let night = Night::only(&["notify", "dashboard"]).await;
    let (_, overview) = night.house.get("dashboard", "/api/overview").await;
    assert_eq!(overview["streams"]["firewall"], false);
    let house = night.house.stop().await.only(&["notify", "firewall", "dashboard"]).start().await;
    eventually("the dashboard to hear firewall", SOON, async || {
        let (_, overview) = house.get("dashboard", "/api/overview").await;
        (overview["streams"]["firewall"] == true).then_some(())
    })
    .await;
    house.stop().await;
}
