//! ntfy: the document it publishes, its error bodies, and what it must not be taken for.

use serde_json::json;

use crate::house::{NOON, all, house, notice, say, until, with};
use crate::peers::hook::{Hook, Mood};

fn config(hook: &Hook) -> String {
    format!(
        "[notify.delivery]\nfirst-wait = \"50ms\"\nbreaker-open = \"100ms\"\n[notify.channel.ntfy.phone]\nurl = \"http://{}\"\ntopic = \"ann\"\n",
        hook.addr
    )
}

fn published() -> Mood {
    Mood::Says(
        200,
        vec![],
        json!({ "id": "xE73Iyuabi", "time": 1, "expires": 2, "event": "message", "topic": "ann" })
            .to_string(),
    )
}

#[tokio::test]
async fn a_message_is_published_and_its_end_in_the_same_sequence() {
    let hook = Hook::open().await;
    hook.mood(published());
    let house = house(NOON, &config(&hook)).await;
    let more = json!({ "dedup_key": "k", "url": "https://example.org", "actions": [{ "label": "Open", "url": "https://example.org/a" }] });
    let said = say(&house, with(notice("critical", "Café open"), more)).await;
    assert_eq!(said["channels"], json!(["phone", "dashboard"]), "without roles, ntfy is the phone");
    let life = until(&house, &said["id"], "published", |life| all(life, "phone", "delivered")).await;
    assert_eq!(life["deliveries"][0]["attempts"][0]["far_id"], "xE73Iyuabi");
    let got = hook.got()[0].json();
    assert_eq!(
        (&got["topic"], &got["title"], &got["priority"]),
        (&json!("ann"), &json!("Café open"), &json!(5))
    );
    assert_eq!(
        (&got["click"], &got["actions"][0]["action"]),
        (&json!("https://example.org"), &json!("view"))
    );
    say(&house, with(notice("critical", "Café open"), json!({ "dedup_key": "k", "resolved": true }))).await;
    let end = hook.wait(2).await[1].json();
    assert_eq!((&end["sequence_id"], &end["priority"]), (&got["sequence_id"], &json!(2)));
    house.stop().await;
}

#[tokio::test]
async fn its_errors_are_understood() {
    let hook = Hook::open().await;
    let error = |code: u32, http: u16| {
        Mood::Says(http, vec![], json!({ "code": code, "http": http, "error": "no" }).to_string())
    };
    for (mood, state) in [
        (error(40301, 403), "dead"),
        (error(41301, 413), "dead"),
        (error(42901, 429), "delivered"),
        (error(50001, 500), "delivered"),
        (Mood::Says(200, vec![], "<html>".to_owned()), "delivered"),
    ] {
        hook.mood(published());
        hook.once(mood);
        let house = house(NOON, &config(&hook)).await;
        let said = say(&house, notice("error", "n")).await;
        let life = until(&house, &said["id"], state, |life| all(life, "phone", state)).await;
        let tried = life["deliveries"][0]["attempts"].as_array().unwrap().len();
        assert_eq!(tried, if state == "dead" { 1 } else { 2 }, "{life}");
        house.stop().await;
    }
}
