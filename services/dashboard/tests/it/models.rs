//! The page of the models: what it says, and that it says it live.

use sanctum_testkit::browser::{Browser, Screen};
use serde_json::{Value, json};

use crate::house::{Night, SOON, text};
use crate::night;

fn stats(settled: f64) -> Value {
    let spend = |agent: &str, settled: f64, cap: Option<f64>| json!({ "agent": agent, "settled_usd": settled, "reserved_usd": 0.02, "cap_usd": cap });
    json!({
        "day": "2026-11-21",
        "house": spend("", settled + 0.4, Some(5.0)),
        "agents": [spend("windu", settled, Some(2.0)), spend("yoda", 0.4, None)],
        "live": [{
            "trace": night::TRACE, "agent": "windu", "asked": "auto", "serving": "anthropic/opus",
            "since": night::now(), "streaming": true, "tokens_out": 42
        }],
        "providers": [
            { "name": "anthropic", "kind": "anthropic", "locality": "cloud", "breaker": "closed", "first_byte_ms": 412.0, "key": true },
            { "name": "openai", "kind": "openai", "locality": "cloud", "breaker": "open", "because": "5 failures in a row",
              "until": night::now(), "first_byte_ms": 0.0, "key": true },
            { "name": "gemini", "kind": "gemini", "locality": "cloud", "breaker": "closed", "first_byte_ms": 0.0, "key": false }
        ],
        "fallbacks": [{
            "at": night::now(), "trace": night::TRACE, "agent": "windu", "from": "openai/gpt", "to": "anthropic/opus",
            "because": "429, try again in 20 s"
        }],
        "requests": 1234
    })
}

async fn house_with_models() -> Night {
    let night = Night::only(&["notify", "firewall", "screen", "supervise", "proxy", "dashboard"]).await;
    night.answer("proxy", "GET /stats", &stats(1.0)).await;
    night
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_models_reads_without_javascript() {
    let night = house_with_models().await;
    let page = text(&night.page("/models").await);
    for said in [
        "windu $1.02 of $2.00",
        "yoda $0.42, no cap",
        "the house $1.42 of $5.00",
        "windu asks for auto streaming anthropic/opus · since 02:47 · 42 tokens so far",
        "openai openai · cloud closed for now 5 failures in a row, until 02:47",
        "gemini gemini · cloud its key is missing",
        "anthropic anthropic · cloud open first byte after 412 ms",
        "openai/gpt → anthropic/opus",
        "windu: 429, try again in 20 s",
    ] {
        assert!(page.contains(said), "`{said}` is not in: {page}");
    }
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_proxy_the_page_says_so_and_nothing_else() {
    let night = Night::calm().await;
    let page = text(&night.page("/models").await);
    assert!(page.contains("could not be asked") && !page.contains("Today's spend"), "{page}");
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spend_rises_on_the_page_by_itself_until_the_cap_is_reached() {
    let night = house_with_models().await;
    let browser = Browser::open().await;
    browser.screen(Screen::PHONE).await;
    browser.visit(&night.link()).await;
    browser.until("document.querySelector('.nav a[href=\"/models\"]') !== null", SOON).await;
    browser.eval("document.querySelector('.nav a[href=\"/models\"]').click()").await;
    let of_windu =
        |state: &str| format!("document.querySelector('[data-agent=windu]')?.dataset.state === '{state}'");
    browser.until("document.querySelector('#pulse')?.dataset.state === 'live'", SOON).await;
    browser.until(&of_windu("well"), SOON).await;
    night.answer("proxy", "GET /stats", &stats(1.99)).await;
    browser.until(&of_windu("alarm"), SOON).await;
    browser
        .until("document.querySelector('[data-agent=windu]').innerText.includes('local models answer')", SOON)
        .await;
    let wide = browser.eval("document.documentElement.scrollWidth <= innerWidth").await;
    assert_eq!(wide, true, "nothing sticks out on a phone");
    assert!(browser.console().await.is_empty());
    night.house.stop().await;
}
