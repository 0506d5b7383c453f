//! The page of the body: what it says, that it says it live, and that a keyboard and a screen reader get along with it.

use sanctum_testkit::browser::{Browser, Screen};
use serde_json::{Value, json};

use crate::house::{Night, SOON, text};
use crate::night;

fn node(name: &str, requires: &[&str], state: &str, roots: &[&str]) -> Value {
    json!({
        "name": name, "house_name": name.to_uppercase(), "summary": "", "ours": name != "tunnel", "plane": "host", "kind": "continuous",
        "tier": "important", "requires": requires, "wants": [], "state": state, "since": night::now(),
        "detail": if state == "healthy" { "does its work" } else { "connection refused" },
        "checks": [{ "name": "web", "kind": "http", "state": state, "detail": "answered", "at": night::now(), "bad": 0 }],
        "roots": roots, "flapping": false,
    })
}

fn incident(stage: &str) -> Value {
    json!({
        "id": 12, "root": "tunnel", "fingerprint": "f", "title": "tunnel has failed: connection refused", "stage": stage, "state": "failed",
        "symptoms": ["screen", "dashboard"], "began": night::now(), "detected": night::now(),
        "tried": [{ "at": night::now(), "action": "restart tunnel", "rehearsal": false, "helped": false, "detail": "process 812 is process 977 now" }],
        "advice": "look at the modem", "memory": "3rd time this month; restart fixed it in 41 s last time",
        "timeline": [
            { "at": night::now(), "what": "seen", "detail": "connection refused" },
            { "at": night::now(), "what": "tried", "detail": "restart tunnel" }
        ]
    })
}

fn body(broken: bool) -> Value {
    let (bad, roots): (_, &[&str]) = if broken { ("failed", &["tunnel"]) } else { ("healthy", &[]) };
    let incidents = if broken { vec![incident("escalated")] } else { Vec::new() };
    json!({
        "posture": if broken { "alert" } else { "poised" },
        "attention": { "word": "recording", "until": night::now(), "by": "cli" },
        "nodes": [
            node("tunnel", &[], bad, roots), node("notify", &[], "healthy", &[]), node("firewall", &["notify"], "healthy", &[]),
            node("screen", &["firewall", "tunnel"], bad, roots), node("dashboard", &["notify", "screen"], bad, roots),
            node("proxy", &[], "drift", &[]), node("backup", &["proxy"], "unknown", &[]),
        ],
        "incidents": incidents,
        "sentinels": [
            { "sentinel": "clock-skew", "light": "green", "detail": "3 ms slow", "at": night::now(), "since": night::now() },
            { "sentinel": "secret-drift", "light": "red", "detail": "hook-key is open to others", "hint": "chmod 600 hook-key", "at": night::now(), "since": night::now() }
        ],
        "drift": ["ghost: `proxy` is said to be ready and nothing listens on its port 4040"],
    })
}

async fn house(broken: bool) -> Night {
    let night = Night::only(&["notify", "firewall", "screen", "supervise", "watch", "dashboard"]).await;
    night.answer("watch", "GET /body", &body(broken)).await;
    night.answer("watch", "GET /incidents/12", &incident("escalated")).await;
    night
        .answer(
            "watch",
            "GET /incidents/12/post-mortem",
            &json!({ "incident": 12, "text": "# Incident 12\n\n## What happened\n" }),
        )
        .await;
    night
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_and_an_incident_read_without_javascript() {
    let night = house(true).await;
    let page = text(&night.page("/body").await);
    for said in [
        "The house is alert: 3 failed, 1 alive but wrong and 1 unknown; 2 of 7 do their work",
        "It heeds recording until 02:47",
        "tunnel has failed: connection refused needs a person",
        "takes with it screen and dashboard",
        "restart tunnel did not help process 812 is process 977 now",
        "→ look at the modem",
        "root cause",
        "secret drift red hook-key is open to others",
        "→ chmod 600 hook-key",
        "ghost: `proxy` is said to be ready",
    ] {
        assert!(page.contains(said), "`{said}` is not in: {page}");
    }
    let page = text(&night.page("/incidents/12").await);
    for said in [
        "tunnel has failed: connection refused needs a person",
        "+0 ms seen 02:47:13",
        "## What happened",
        "3rd time this month",
    ] {
        assert!(page.contains(said), "`{said}` is not in: {page}");
    }
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_watch_the_page_claims_nothing() {
    let night = Night::calm().await;
    let page = text(&night.page("/body").await);
    assert!(page.contains("Nobody knows how the house is") && page.contains("could not be asked"), "{page}");
    assert!(!page.contains("What stands on what"), "{page}");
    night.house.stop().await;
}

/// How a node of the picture is.
fn of(name: &str, attribute: &str) -> String {
    format!("document.querySelector('#node-{name}')?.dataset.{attribute}")
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::too_many_lines, reason = "one story, told in order")]
async fn a_trouble_shows_its_root_live_and_goes_again() {
    let night = house(false).await;
    let browser = Browser::open().await;
    browser.screen(Screen::DESKTOP).await;
    browser.visit(&night.link()).await;
    browser.until("document.querySelector('#to-body') !== null", SOON).await;
    browser.eval("document.querySelector('#to-body').click()").await;
    browser
        .until(
            "location.pathname === '/body' && document.querySelector('#pulse')?.dataset.state === 'live'",
            SOON,
        )
        .await;
    browser.until(&format!("{} === 'healthy'", of("tunnel", "state")), SOON).await;
    // Whoever is on a box stays there when the picture comes anew.
    browser.eval("document.querySelector('#node-screen').focus()").await;
    night.answer("watch", "GET /body", &body(true)).await;
    browser.until(&format!("{} === 'root'", of("tunnel", "role")), SOON).await;
    assert_eq!(browser.eval(&of("screen", "role")).await, "symptom");
    assert_eq!(browser.eval(&of("notify", "role")).await, Value::Null);
    assert_eq!(browser.eval("document.activeElement.id").await, "node-screen");
    let label = browser.eval("document.activeElement.getAttribute('aria-label')").await;
    assert_eq!(label, "screen: failed since 02:47, because of tunnel");
    browser.press("\u{e007}").await;
    browser.until("location.hash === '#part-screen'", SOON).await;
    // What stands below in the picture is what it stands on, and the bad way is drawn.
    let lower = "document.querySelector('#node-tunnel rect').getBoundingClientRect().y > document.querySelector('#node-screen rect').getBoundingClientRect().y";
    assert_eq!(browser.eval(lower).await, true);
    assert_eq!(browser.eval("document.querySelectorAll('.body-line[data-trouble]').length").await, 2);
    browser.screen(Screen::PHONE.dark()).await;
    assert_eq!(
        browser.eval("document.documentElement.scrollWidth <= innerWidth").await,
        true,
        "nothing sticks out on a phone"
    );
    browser.screen(Screen::DESKTOP).await;
    browser.click("#incident-12-more").await;
    browser
        .until(
            "location.pathname === '/incidents/12' && document.querySelectorAll('.moment').length === 2",
            SOON,
        )
        .await;
    browser.eval("history.back()").await;
    browser
        .until(
            "location.pathname === '/body' && document.querySelector('#pulse')?.dataset.state === 'live'",
            SOON,
        )
        .await;
    night.answer("watch", "GET /body", &body(false)).await;
    browser
        .until(
            &format!("{} === 'healthy' && !document.querySelector('.incident')", of("tunnel", "state")),
            SOON,
        )
        .await;
    // A watch that falls silent is said at once, and nothing old is left standing.
    night
        .line(
            "watch",
            "GET /body",
            503,
            &json!({ "type": "urn:sanctum:unwell", "title": "unwell", "status": 503 }),
            0,
        )
        .await;
    browser.until("document.querySelector('#sentence, h1').innerText.startsWith('Nobody knows') && !document.querySelector('.body-node')", SOON).await;
    let console = browser.console().await;
    assert!(console.is_empty(), "{console:?}");
    browser.close().await;
    night.house.stop().await;
}
