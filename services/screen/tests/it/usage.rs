//! Minutes from the firewall's bytes: counted, pooled by person, and the day's limit blocks.

use jiff::SignedDuration;
use sanctum_api::firewall::{Kind, Scope, Standing};
use sanctum_kernel::Clock;
use sanctum_testkit::House;
use serde_json::{Value, json};

use crate::stubs::{CATALOGUE, wall};
use crate::world::{HOUSE, at, desired, device, happening, trace, until_desired, until_screen};

const LIMIT: &str = r#"
[device.switch]
mac = ["60:45:bd:00:00:04"]
owner = "ava"
tier = "gaming"

[screen.limits]
person = { ava = "2m" }
"#;

/// Lets time pass in which Ava's devices move bytes, and waits for a look at them: a stranger that came with them is seen.
async fn play(house: &House, round: u32, passed: SignedDuration) {
    let stranger = format!("stranger-{round}");
    {
        let wall = wall(house.home());
        let mut wall = wall.lock().unwrap();
        for id in ["xbox", "switch"] {
            wall.devices.get_mut(id).unwrap().bytes += 100_000_000;
        }
        wall.devices.insert(stranger.clone(), device(&stranger, Standing::Seen));
        house.clock().step(passed);
        wall.say(&happening(Kind::Joined, &stranger, house.clock().now(), trace()));
    }
    until_screen(house, "/screen/guests", "the look", |guests| {
        guests.as_array().unwrap().iter().any(|guest| guest["device"] == stranger.as_str())
    })
    .await;
}

async fn today(house: &House) -> Value {
    house.get("screen", "/screen/report").await.1[0].clone()
}

#[tokio::test]
async fn minutes_are_counted_from_bytes_and_the_limit_blocks_every_device_of_the_person() {
    let stopped = House::new(&CATALOGUE)
        .config(&format!("{HOUSE}{LIMIT}"))
        .clock(Clock::starting_at(at("2026-11-18T14:00:00")));
    for id in ["xbox", "switch", "tv", "phone"] {
        wall(stopped.home()).lock().unwrap().devices.insert(id.to_owned(), device(id, Standing::Known));
    }
    let house = stopped.start().await;
    until_screen(&house, "/health", "the events to be followed", |health| {
        health["parts"]["events"]["status"] == "well"
    })
    .await;
    play(&house, 0, SignedDuration::ZERO).await;
    // Nobody knows what was played in an hour without a look.
    play(&house, 1, SignedDuration::from_hours(1)).await;
    assert_eq!(today(&house).await, Value::Null);
    let mut round = 2;
    while today(&house).await["people"]["ava"].as_u64().unwrap_or(0) < 2 {
        assert!(desired(house.home()).blocks.is_empty(), "the limit is not reached");
        assert!(round < 10, "minutes are not counted: {}", today(&house).await);
        play(&house, round, SignedDuration::from_mins(1)).await;
        round += 1;
    }
    let report = today(&house).await;
    assert_eq!(
        report["people"]["ava"], report["devices"]["xbox"],
        "two consoles at once are one time: {report}"
    );
    let blocks = until_desired(house.home(), "the limit", |desired| desired.blocks.len() == 2).await.blocks;
    for id in ["xbox", "switch"] {
        assert_eq!(blocks[id].scope, Scope::All, "{blocks:?}");
        assert!(blocks[id].reason.contains("used up"), "{blocks:?}");
    }
    let (_, said) = house.get("screen", "/screen/explain?device=switch").await;
    assert_eq!((&said["blocked"], &said["rules"][0]["rule"]), (&json!("all"), &json!("limit")), "{said}");
    house.clock().set(at("2026-11-19T14:00:00"));
    until_desired(house.home(), "the next day", |desired| desired.blocks.is_empty()).await;
    house.stop().await;
}
