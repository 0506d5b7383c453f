//! Services that are down, slow or wrong: the page comes at once, and says what it could not ask.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::house::{Night, text};

#[tokio::test(flavor = "multi_thread")]
async fn alone_with_notify_it_still_comes_at_once() {
    let night = Night::only(&["notify", "dashboard"]).await;
    let began = Instant::now();
    let page = text(&night.page("/").await);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(
        page.contains("Not all is known: firewall could not be asked, screen could not be asked, the health of Sanctum Proxy could not be asked, the health of Living Force could not be asked and the health of Holocron could not be asked."),
        "{page}"
    );
    assert!(page.contains("could not be asked firewall: nobody listens there: it is not running"), "{page}");
    assert!(!page.contains("All is well"), "{page}");
    // Nobody supervises: each service is asked for its three answers.
    assert!(page.contains("asked directly"), "{page}");
    let (_, overview) = night.house.get("dashboard", "/api/overview").await;
    let tiles = overview["services"]["tiles"].as_array().unwrap();
    let tile = |name: &str| tiles.iter().find(|tile| tile["name"] == name).unwrap();
    assert_eq!(
        (&tile("notify")["live"], &tile("notify")["ready"], &tile("notify")["well"]),
        (&json!(true), &json!(true), &json!("well"))
    );
    assert_eq!((&tile("dashboard")["live"], &tile("dashboard")["well"]), (&json!(true), &json!("well")));
    assert_eq!((&tile("firewall")["live"], &tile("firewall")["well"]), (&json!(false), &json!(null)));
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_hangs_costs_its_own_tile_only() {
    let night = Night::tried().await;
    for to in ["GET /screen/status", "GET /screen/schedule", "GET /screen/violations"] {
        night.line("screen", to, 200, &json!([]), 20_000).await;
    }
    night.answer("firewall", "GET /devices", &json!({ "what": "is this" })).await;
    let began = Instant::now();
    let page = text(&night.page("/").await);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(page.contains("no answer within 0.7 s"), "{page}");
    assert!(page.contains("it answered with something unexpected"), "{page}");
    assert!(page.contains("Ava's Xbox tried to go online at 02:47"), "{page}");
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_database_takes_no_page_away() {
    let stopped = Night::only(&["notify", "dashboard"]).await.house.stop().await;
    let db = stopped.paths().state().join("dashboard.db");
    for name in ["dashboard.db-wal", "dashboard.db-shm"] {
        sanctum_kernel::files::remove(&stopped.paths().state().join(name)).unwrap();
    }
    sanctum_kernel::files::replace(
        &db,
        b"this is not a database, and it is long enough to be looked at as one",
        0o600,
    )
    .unwrap();
    let night = Night { house: stopped.start().await };
    let cookie = night.cookie().await;
    assert_eq!(night.stranger("GET", "/", &[("cookie", &cookie)]).await.status, 200);
    let (status, health) = night.house.get("dashboard", "/health").await;
    assert_eq!((status, &health["status"]), (200, &json!("degraded")));
    assert!(health["parts"]["state"]["detail"].as_str().unwrap().contains("dashboard.db"), "{health}");
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_says_why() {
    let night = Night::calm().await;
    let problem =
        json!({ "type": "urn:sanctum:not-found", "title": "there is no notification `9`", "status": 404 });
    night.line("notify", "POST /notifications/9/ack", 404, &problem, 0).await;
    let (status, answer) = night.house.send("dashboard", "POST", "/banners/9/ack", &json!(null)).await;
    assert_eq!((status, &answer["title"]), (404, &json!("there is no notification `9`")));
    let (status, _) = night.house.send("dashboard", "POST", "/banners/nine/ack", &json!(null)).await;
    assert_eq!(status, 400);
    let (status, answer) = night.house.get("dashboard", "/api/story/not-a-trace").await;
    assert_eq!((status, &answer["field"]), (422, &json!("trace")));
    let page = night
        .house
        .raw("dashboard", "GET", "/story/not-a-trace", &[("accept", "text/html")], Vec::new())
        .await;
    assert_eq!(page.status, 404);
    assert!(text(&String::from_utf8_lossy(&page.body)).contains("`not-a-trace` is not a trace id"));
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_section_that_cannot_be_is_named() {
    let house = sanctum_testkit::House::new(&crate::stubs::CATALOGUE)
        .config("[dashboard]\nsession = \"1s\"\npatience = \"1ms\"\n");
    let (_, why) = house.try_start().await.expect_err("it does not start");
    assert!(why.contains("session") && why.contains("patience") && why.contains("such as `30d`"), "{why}");
}
