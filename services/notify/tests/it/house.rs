//! A house with nothing but notify in it, and short ways to ask.

use std::time::Duration;

use sanctum_kernel::{Catalogue, Clock, Entry};
use sanctum_notify::Notify;
use sanctum_testkit::House;
use serde_json::{Value, json};

pub(crate) static CATALOGUE: Catalogue = const { Catalogue::new(const { &[Entry::of::<Notify>()] }) };

/// Long enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Noon in Paris on an ordinary Wednesday.
pub(crate) const NOON: &str = "2026-11-18T11:00:00Z";
/// 03:10 in Paris, in quiet hours.
pub(crate) const NIGHT: &str = "2026-11-18T02:10:00Z";

pub(crate) fn at(text: &str) -> Clock {
    Clock::starting_at(text.parse().unwrap())
}

/// A house in Paris at `time` with this configuration.
pub(crate) async fn house(time: &str, config: &str) -> House {
    // The disk of the machine that runs the tests is not what they are about.
    let config = format!("{config}\n[notify.trouble]\ndisk = 100\n[house]\ntimezone = \"Europe/Paris\"\n");
    House::new(&CATALOGUE).config(&config).clock(at(time)).start().await
}

/// A notice as JSON.
pub(crate) fn notice(severity: &str, title: &str) -> Value {
    json!({ "source": "test", "severity": severity, "title": title, "message": "what happened" })
}

/// Adds fields to a notice.
pub(crate) fn with(mut notice: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        notice[name] = value.clone();
    }
    notice
}

/// Says it, and expects 202.
pub(crate) async fn say(house: &House, notice: Value) -> Value {
    let (status, answer) = house.send("notify", "POST", "/notify", &notice).await;
    assert_eq!(status, 202, "{answer}");
    answer
}

/// The life of a notification.
pub(crate) async fn life(house: &House, id: &Value) -> Value {
    let (status, life) = house.get("notify", &format!("/notifications/{id}")).await;
    assert_eq!(status, 200, "{life}");
    life
}

/// Waits until the life of `id` is as wanted, and returns it.
pub(crate) async fn until(house: &House, id: &Value, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let last = std::cell::RefCell::new(Value::Null);
    let look = sanctum_testkit::eventually(what, PATIENCE * 2, async || {
        let life = life(house, id).await;
        last.replace(life.clone());
        wanted(&life).then_some(life)
    });
    let seen = tokio::time::timeout(PATIENCE, look).await.ok();
    seen.unwrap_or_else(|| panic!("waited for: {what}, but it is {}", last.take()))
}

/// Whether every delivery on `channel` has this state, and there is one.
pub(crate) fn all(life: &Value, channel: &str, state: &str) -> bool {
    let deliveries = life["deliveries"].as_array().unwrap();
    let mut of = deliveries.iter().filter(|delivery| delivery["channel"] == channel).peekable();
    of.peek().is_some() && of.all(|delivery| delivery["state"] == state)
}
