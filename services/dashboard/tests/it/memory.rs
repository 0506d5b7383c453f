//! The page of the memory: search, a note, the drawing live, and what the passes did.

use sanctum_testkit::browser::{Browser, Screen};
use serde_json::{Value, json};

use crate::house::{Night, SOON, text};
use crate::night;

fn state(notes: u32) -> Value {
    json!({ "vault": "/vault", "notes": notes, "passages": notes, "vectors": notes, "links": 2, "queued": 1, "model": "minilm", "degraded": null, "troubles": [] })
}

fn graph(notes: u32) -> Value {
    let nodes: Vec<Value> = (0..notes)
        .map(|n| json!({ "id": format!("n-{n}"), "title": format!("Note {n}"), "type": "semantic", "importance": 0.5 }))
        .collect();
    json!({ "nodes": nodes, "edges": [[0, 1]], "left_out": 0 })
}

fn report() -> Value {
    let step = |what: &str, id: &str, why: &str| json!({ "what": what, "id": id, "path": format!("knowledge/{id}.md"), "to": "archive/", "why": why });
    json!([{
        "run": "r-7", "began": night::now(), "ended": night::now(), "dry_run": false, "scanned": 120,
        "steps": [step("merge", "n-1", "says what n-0 says"), step("merge", "n-2", "the same"), step("expire", "n-3", "90 days unused")],
        "troubles": [],
    }])
}

fn head() -> Value {
    json!({
        "id": "n-0", "path": "knowledge/dentist.md", "title": "The dentist", "type": "semantic", "class": "health", "origin": "owner",
        "created": night::now(), "updated": night::now(), "importance": 0.7, "accesses": 3, "version": "v1", "tags": ["people"],
    })
}

fn found() -> Value {
    json!({
        "results": [{
            "id": "n-0", "path": "knowledge/dentist.md", "title": "The dentist", "text": "Dr. Wu <b>moved</b> to Hill Road.", "passage": 0,
            "class": "health", "origin": "owner", "type": "semantic", "score": 1.2,
            "why": { "words": 0.9, "meaning": 0.3, "neighbours": 0.0, "session": 0.0, "links": 0.0, "time": 0.0, "importance": 1.0, "recency": 1.0 },
            "updated": night::now(),
        }],
        "withheld": 0, "took_us": 900, "degraded": "there are no weights: words only",
    })
}

async fn house() -> Night {
    let night = Night::only(&["notify", "firewall", "screen", "supervise", "memory", "dashboard"]).await;
    night.answer("memory", "GET /state", &state(2)).await;
    night.answer("memory", "GET /graph", &graph(2)).await;
    night.answer("memory", "GET /reports", &report()).await;
    night.answer("memory", "POST /search", &found()).await;
    let mut note = head();
    note["text"] = "Dr. Wu, 555 0199. See [[Hill Road]].".into();
    night.answer("memory", "GET /read/n-0", &note).await;
    let links = json!({ "out": [{ "name": "Hill Road" }], "back": [{ "name": "Teeth", "id": "n-1", "title": "Teeth" }] });
    night.answer("memory", "GET /links/n-0", &links).await;
    night
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_memory_reads_without_javascript() {
    let night = house().await;
    let page = text(&night.page("/memory?q=dentist").await);
    for said in [
        "Found for “dentist”",
        "Less than everything was searched: there are no weights: words only",
        "The dentist health",
        "Dr. Wu &lt;b&gt;moved&lt;/b&gt; to Hill Road.",
        "for its words and its meaning",
        "The house remembers 2 notes: all of it is found by words and by meaning",
        "2 merge and 1 expire done",
        "120 notes looked at",
        "taken back by sanctum memory undo r-7",
        "90 days unused",
    ] {
        assert!(page.contains(said), "`{said}` is not in: {page}");
    }
    assert_eq!(night.asked("memory", "POST /search").await[0]["query"], "dentist");
    let page = text(&night.page("/memory/n-0").await);
    for said in [
        "The dentist",
        "health: it never leaves the house",
        "555 0199",
        "Hill Road (no such note yet)",
        "Teeth",
    ] {
        assert!(page.contains(said), "`{said}` is not in: {page}");
    }
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_memory_the_page_claims_nothing() {
    let night = Night::calm().await;
    let page = text(&night.page("/memory").await);
    assert!(
        page.contains("Nobody knows what the house remembers") && page.contains("could not be asked"),
        "{page}"
    );
    assert!(!page.contains("What is linked"), "{page}");
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_is_written_is_drawn_while_one_looks() {
    let night = house().await;
    let browser = Browser::open().await;
    browser.screen(Screen::DESKTOP).await;
    browser.visit(&night.link()).await;
    browser.until("document.querySelector('#to-memory') !== null", SOON).await;
    browser.eval("document.querySelector('#to-memory').click()").await;
    let live =
        "location.pathname === '/memory' && document.querySelector('#pulse')?.dataset.state === 'live'";
    browser.until(live, SOON).await;
    let dots = |n: u32| format!("document.querySelectorAll('.graph-dot').length === {n}");
    browser.until(&dots(2), SOON).await;
    assert_eq!(browser.eval("document.querySelectorAll('.graph-line').length").await, 1);
    // Whoever is on a dot stays there when the picture comes anew.
    browser.eval("document.querySelector('#dot-n-0').focus()").await;
    night.answer("memory", "GET /state", &state(3)).await;
    night.answer("memory", "GET /graph", &graph(3)).await;
    let noted = json!({ "id": "n-2", "path": "inbox/windu/a.md", "title": "Note 2", "what": "created", "by": "windu" });
    night.event("memory", "note", &noted).await;
    browser.until(&dots(3), SOON).await;
    assert_eq!(browser.eval("document.activeElement.id").await, "dot-n-0");
    let label = browser.eval("document.activeElement.getAttribute('aria-label')").await;
    assert_eq!(label, "Note 0: semantic, 1 link");
    browser.screen(Screen::PHONE.dark()).await;
    let fits = "document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(browser.eval(fits).await, true, "nothing sticks out on a phone");
    browser.screen(Screen::DESKTOP).await;
    browser.eval("document.querySelector('#dot-n-0').focus()").await;
    browser.press("\u{e007}").await;
    browser.until("location.pathname === '/memory/n-0'", SOON).await;
    browser.until("document.querySelector('#note-text')?.textContent.includes('555 0199')", SOON).await;
    night.house.stop().await;
}
