//! Who hears of it: the table, quiet hours, digests, limits, groups, silences, inhibition.

use jiff::SignedDuration;
use sanctum_testkit::House;
use serde_json::{Value, json};

use crate::house::{NIGHT, NOON, PATIENCE, all, house, life, notice, say, until, with};
use crate::peers::hook::Hook;

pub(crate) fn phone(hook: &Hook) -> String {
    format!("[notify.channel.webhook.phone]\nurl = \"{}\"\n[notify.roles]\nphone = [\"phone\"]\n", hook.url())
}

/// Waits for a notification of the hub itself whose title contains `words`.
pub(crate) async fn own(house: &House, words: &str) -> Value {
    sanctum_testkit::eventually(words, PATIENCE, async || {
        let (_, page) = house.get("notify", "/history?source=notify&limit=500").await;
        let all = page["notifications"].as_array().unwrap().clone();
        all.into_iter().find(|life| life["notice"]["title"].as_str().unwrap().contains(words))
    })
    .await
}

#[tokio::test]
async fn the_table_is_as_the_page_says() {
    let hook = Hook::open().await;
    let house = house(NOON, &phone(&hook)).await;
    let cases = [
        ("info", "12:00", vec![("dashboard", "silent")]),
        ("warn", "12:00", vec![("phone", "silent"), ("dashboard", "silent")]),
        ("error", "12:00", vec![("phone", "sound"), ("dashboard", "sound")]),
        ("critical", "12:00", vec![("phone", "critical"), ("dashboard", "critical")]),
        ("info", "03:10", vec![]),
        ("warn", "03:10", vec![]),
        ("error", "03:10", vec![("phone", "silent"), ("dashboard", "sound")]),
        ("critical", "03:10", vec![("phone", "critical"), ("dashboard", "critical")]),
        ("info", "08:00", vec![("dashboard", "silent")]),
        ("info", "22:00", vec![]),
        ("info", "21:59", vec![("dashboard", "silent")]),
    ];
    for (severity, at, told) in cases {
        let (status, answer) =
            house.get("notify", &format!("/explain?severity={severity}&source=vm&at={at}")).await;
        assert_eq!(status, 200, "{answer}");
        let seen: Vec<(&str, &str)> = answer["told"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["channel"].as_str().unwrap(), one["manner"].as_str().unwrap()))
            .collect();
        assert_eq!(seen, told, "{severity} at {at}");
        assert_eq!(answer["quiet_hours"], !("08:00".."22:00").contains(&at), "{at}");
    }
    let (_, warn) = house.get("notify", "/explain?severity=warn&at=03:10").await;
    assert_eq!(warn["held_until"], "2026-11-18T07:00:00Z", "08:00 in Paris");
    house.stop().await;
}

#[tokio::test]
async fn a_house_with_only_a_webhook_still_reaches_somebody() {
    let hook = Hook::open().await;
    let config = format!("[notify.channel.webhook.pager]\nurl = \"{}\"\n", hook.url());
    let house = house(NIGHT, &config).await;
    let (_, answer) = house.get("notify", "/explain?severity=error&source=screen").await;
    let told: Vec<&str> =
        answer["told"].as_array().unwrap().iter().map(|one| one["channel"].as_str().unwrap()).collect();
    assert_eq!(told, ["pager", "dashboard"], "{answer}");
    house.stop().await;
}

#[tokio::test]
async fn warnings_of_the_night_come_as_one_in_the_morning() {
    let hook = Hook::open().await;
    let house = house(NIGHT, &phone(&hook)).await;
    for title in ["The printer is out of paper", "The freezer door is open", "A battery is low"] {
        let held = say(&house, notice("warn", title)).await;
        assert_eq!((&held["status"], &held["quiet_hours"]), (&json!("suppressed"), &json!(true)));
    }
    assert_eq!(hook.seen().len(), 0, "nobody is woken");
    house.clock().set("2026-11-18T07:00:01Z".parse().unwrap());
    let got = hook.wait(1).await[0].json();
    assert_eq!(got["title"], "Overnight: 3 warnings");
    let text = got["message"].as_str().unwrap();
    assert!(text.contains("freezer") && text.contains("printer") && text.contains("battery"), "{text}");
    house.clock().step(SignedDuration::from_hours(1));
    say(&house, notice("error", "and on")).await;
    hook.wait(2).await;
    assert_eq!(hook.seen().len(), 2, "the digest came once");
    house.stop().await;
}

#[tokio::test]
async fn a_digest_survives_a_restart() {
    let hook = Hook::open().await;
    let running = house(NIGHT, &phone(&hook)).await;
    say(&running, notice("warn", "Overnight thing")).await;
    let clock = running.clock().clone();
    let stopped = running.stop().await;
    clock.set("2026-11-18T09:30:00Z".parse().unwrap());
    let house = stopped.start().await;
    assert_eq!(hook.wait(1).await[0].json()["title"], "Overnight: 1 warning");
    house.stop().await;
}

#[tokio::test]
async fn a_silence_has_an_author_a_reason_and_an_end() {
    let house = house(NOON, "").await;
    let silence = json!({ "matchers": { "source": "test", "host": "nas*" }, "author": "ann", "reason": "moving disks", "until": "2026-11-18T12:00:00Z" });
    let (status, kept) = house.send("notify", "PUT", "/silences", &silence).await;
    assert_eq!((status, kept["id"].is_i64()), (200, true), "{kept}");
    let of = |title: &str, host: &str| with(notice("critical", title), json!({ "labels": { "host": host } }));
    let muted = say(&house, of("a", "nas-1")).await;
    assert_eq!(muted["status"], "suppressed", "only a silence mutes what is critical");
    let told = life(&house, &muted["id"]).await;
    assert!(told["reasons"][0].as_str().unwrap().contains("moving disks (ann"), "{told}");
    assert_eq!(say(&house, of("b", "mac")).await["status"], "accepted");
    house.clock().step(SignedDuration::from_hours(2));
    assert_eq!(say(&house, of("c", "nas-1")).await["status"], "accepted", "it has ended");
    let again = json!({ "matchers": { "source": "test" }, "author": "ann", "reason": "r", "until": "2026-11-19T12:00:00Z" });
    let (_, kept) = house.send("notify", "PUT", "/silences", &again).await;
    let (status, _) =
        house.send("notify", "DELETE", &format!("/silences/{}", kept["id"]), &Value::Null).await;
    assert_eq!(status, 204);
    assert_eq!(say(&house, of("d", "nas-1")).await["status"], "accepted");
    for (field, wrong) in
        [("matchers", json!({})), ("author", json!(" ")), ("until", json!("2020-01-01T00:00:00Z"))]
    {
        let (status, problem) =
            house.send("notify", "PUT", "/silences", &with(silence.clone(), json!({ field: wrong }))).await;
        assert_eq!((status, &problem["field"]), (422, &json!(field)), "{problem}");
    }
    house.stop().await;
}

pub(crate) const INHIBIT: &str = "[[notify.inhibit]]\nwhen = { kind = \"host-down\" }\nmutes = { kind = \"service-down\" }\nequal = [\"host\"]\n";

pub(crate) fn host(host: &str) -> Value {
    with(
        notice("error", &format!("{host} is down")),
        json!({ "dedup_key": format!("host/{host}"), "labels": { "kind": "host-down", "host": host } }),
    )
}

pub(crate) fn service(name: &str, host: &str) -> Value {
    let more =
        json!({ "dedup_key": format!("service/{name}"), "labels": { "kind": "service-down", "host": host } });
    with(notice("error", &format!("{name} on {host} is down")), more)
}

#[tokio::test]
async fn a_host_that_is_down_inhibits_its_services() {
    let house = house(NOON, INHIBIT).await;
    say(&house, host("vm")).await;
    assert_eq!(say(&house, service("web", "vm")).await["status"], "suppressed");
    assert_eq!(say(&house, service("dns", "nas")).await["status"], "accepted", "another host");
    let critical = with(service("siren", "vm"), json!({ "severity": "critical" }));
    assert_eq!(say(&house, critical).await["status"], "accepted", "what is critical is never inhibited");
    say(&house, with(host("vm"), json!({ "resolved": true }))).await;
    assert_eq!(say(&house, service("mail", "vm")).await["status"], "accepted", "the host is back");
    house.stop().await;
}

#[tokio::test]
async fn a_group_speaks_once_and_then_in_one_message() {
    let hook = Hook::open().await;
    let config = format!("[notify.grouping]\nby = [\"source\"]\ninterval = \"5m\"\n{}", phone(&hook));
    let house = house(NOON, &config).await;
    let first = say(&house, notice("error", "one")).await;
    assert_eq!(first["status"], "accepted");
    for title in ["two", "three", "four"] {
        assert_eq!(say(&house, notice("error", title)).await["status"], "suppressed");
    }
    hook.wait(1).await;
    house.clock().step(SignedDuration::from_mins(5));
    let got = hook.wait(2).await[1].json();
    assert_eq!(got["title"], "3 more: test");
    house.stop().await;
}

#[tokio::test]
async fn channels_asked_for_by_name_override_the_table_but_not_the_dedup() {
    let hook = Hook::open().await;
    let config = format!("[notify.channel.webhook.siren]\nurl = \"{}\"\n", hook.url());
    let house = house(NIGHT, &config).await;
    let forced = with(notice("info", "Listen"), json!({ "force_channels": ["siren"] }));
    let told = say(&house, forced.clone()).await;
    assert_eq!(told["channels"], json!(["siren"]), "also in quiet hours");
    hook.wait(1).await;
    let again = say(&house, forced).await;
    assert_eq!((&again["deduplicated"], &again["channels"]), (&json!(true), &json!([])));
    house.stop().await;
}

#[tokio::test]
async fn the_week_is_summed_up_on_sunday_evening() {
    let house = house("2026-11-22T16:50:00Z", "").await;
    let said = say(&house, notice("error", "Something")).await;
    until(&house, &said["id"], "shown", |life| all(life, "dashboard", "delivered")).await;
    house.clock().set("2026-11-22T17:00:01Z".parse().unwrap());
    let week = own(&house, "The week: 1 notification").await;
    assert!(week["notice"]["message"].as_str().unwrap().contains("test: 1 (0 critical, 1 error"), "{week}");
    house.stop().await;
}

#[tokio::test]
async fn a_reload_changes_the_table_and_keeps_what_was_said() {
    let mut house = house(NOON, "").await;
    let before = say(&house, notice("info", "before")).await;
    house.reconfigure("[house]\ntimezone = \"Europe/Paris\"\n[notify.table.info]\nday = []\n").await;
    sanctum_testkit::eventually("the new table", PATIENCE, async || {
        let (status, told) = house.get("notify", "/explain?severity=info&at=12:00").await;
        (status == 200 && told["told"] == json!([])).then_some(())
    })
    .await;
    life(&house, &before["id"]).await;
    house.stop().await;
}
