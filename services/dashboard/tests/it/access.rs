//! The door: who comes in, how, and what another site's page cannot do.

use std::time::Duration;

use serde_json::Value;

use crate::house::{Night, notification, text};

#[tokio::test(flavor = "multi_thread")]
async fn the_link_lets_a_browser_in_and_nothing_else_does() {
    let night = Night::calm().await;
    let page = night.stranger("GET", "/", &[("accept", "text/html")]).await;
    assert_eq!(page.status, 401);
    assert!(text(&String::from_utf8_lossy(&page.body)).contains("sanctum status --url"));

    let wrong = night.stranger("GET", "/enter?key=0000", &[("accept", "text/html")]).await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.headers.get("set-cookie").is_none());
    // A key of another door is not a key of this one.
    let other = night.house.token("cli", "notify");
    assert_eq!(night.stranger("GET", &format!("/enter?key={other}"), &[]).await.status, 401);

    let key = night.house.token("browser", "dashboard");
    let entered = night.stranger("GET", &format!("/enter?key={key}"), &[]).await;
    let cookie = entered.headers["set-cookie"].to_str().unwrap().to_owned();
    assert_eq!(entered.status, 303);
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Path=/"),
        "{cookie}"
    );
    assert!(!cookie.contains(&key), "the cookie is not the key");

    let cookie = night.cookie().await;
    for path in ["/", "/api/overview", "/story/4bf92f3577b34da6a3ce929d0e0e4736"] {
        assert_eq!(night.stranger("GET", path, &[("cookie", &cookie)]).await.status, 200, "{path}");
        let refused = night.stranger("GET", path, &[("cookie", "sanctum_dashboard=ffff")]).await;
        assert_eq!(refused.status, 401, "{path}");
    }
    assert_eq!(night.stranger("GET", "/events", &[]).await.status, 401);
    // The dashboard's own story is for services and scripts with a token.
    assert_eq!(
        night.stranger("GET", "/trace/4bf92f3577b34da6a3ce929d0e0e4736", &[("cookie", &cookie)]).await.status,
        401
    );
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_survives_a_restart_and_then_expires() {
    let night = Night::calm().await;
    let cookie = night.cookie().await;
    let house = night.house.stop().await.start().await;
    let night = Night { house };
    assert_eq!(night.stranger("GET", "/api/overview", &[("cookie", &cookie)]).await.status, 200);
    night.house.clock().step(jiff::SignedDuration::from_hours(24 * 31));
    assert_eq!(night.stranger("GET", "/api/overview", &[("cookie", &cookie)]).await.status, 401);
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_our_own_page_acts_with_the_cookie() {
    let night = Night::tried().await;
    night.answer("notify", "POST /notifications/7/ack", &notification(7)).await;
    let cookie = night.cookie().await;
    let host = night.house.addr("dashboard").to_string();
    let (own, foreign) = (format!("http://{host}"), "http://evil.example".to_owned());
    let cases: [(&[(&str, &str)], u16); 6] = [
        (&[("cookie", &cookie)], 403),
        (&[("cookie", &cookie), ("origin", &foreign)], 403),
        (&[("cookie", &cookie), ("sec-fetch-site", "cross-site"), ("origin", &own)], 403),
        (&[("cookie", &cookie), ("sec-fetch-site", "same-site")], 403),
        (&[("origin", &own)], 401),
        (&[("cookie", &cookie), ("sec-fetch-site", "same-origin")], 204),
    ];
    for (headers, status) in cases {
        assert_eq!(night.stranger("POST", "/banners/7/ack", headers).await.status, status, "{headers:?}");
    }
    let asked = night.asked("notify", "POST /notifications/7/ack").await;
    assert_eq!(asked, [serde_json::json!({ "who": "browser" })], "only the last one came through");
    // A script with the command line's token, and a form without JavaScript.
    assert_eq!(night.house.send("dashboard", "POST", "/banners/7/ack", &Value::Null).await.0, 204);
    let form = [("cookie", cookie.as_str()), ("origin", own.as_str()), ("accept", "text/html")];
    let led_back = night.stranger("POST", "/banners/7/ack", &form).await;
    assert_eq!((led_back.status, led_back.headers["location"].to_str().unwrap()), (303, "/#banners"));
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_forbids_what_is_not_its_own() {
    let night = Night::calm().await;
    let cookie = night.cookie().await;
    for path in ["/", "/story/4bf92f3577b34da6a3ce929d0e0e4736", "/assets/app.js", "/nowhere"] {
        let answer = night.stranger("GET", path, &[("cookie", &cookie), ("accept", "text/html")]).await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
    let page = night.page("/").await;
    assert!(!page.contains("style=") && !page.contains("<style") && !page.contains(" onclick"));
    assert!(!page.contains("//cdn") && !page.contains("src=\"http"));
    let script = page.matches("<script").count();
    assert_eq!((script, page.matches("<script type=\"module\" src=\"/assets/app.js?v=").count()), (1, 1));
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_the_service_stops() {
    let night = Night::calm().await;
    let dashboard = night.house.transport("dashboard");
    let mut events = dashboard.events("/events".into(), None).await.unwrap();
    let ended = async { while futures_util::StreamExt::next(&mut events).await.is_some() {} };
    let both = async { tokio::join!(ended, night.house.stop()) };
    tokio::time::timeout(Duration::from_secs(10), both).await.expect("the stream ends and the house with it");
}
