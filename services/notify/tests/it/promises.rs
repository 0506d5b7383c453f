//! The promises that need no crash: F3, F9, F10, F11, F12, and what a delivery goes through.

use std::time::Duration;

use jiff::SignedDuration;
use sanctum_kernel::files;
use serde_json::{Value, json};

use crate::house::{CATALOGUE, NOON, PATIENCE, all, at, house, life, notice, say, until, with};
use crate::peers::hook::{Hook, Mood};
use crate::routing::{own, phone};

const FAST: &str =
    "[notify.delivery]\nfirst-wait = \"50ms\"\nbreaker-open = \"100ms\"\ndeadline = \"500ms\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f3_what_is_held_back_is_counted_exactly() {
    const POSTS: usize = 10_000;
    let hook = Hook::open().await;
    let house = std::sync::Arc::new(house(NOON, &phone(&hook)).await);
    let mut posts = tokio::task::JoinSet::new();
    for client in 0..20 {
        let house = std::sync::Arc::clone(&house);
        posts.spawn(async move {
            let (mut sent, mut held) = (0, 0);
            for number in 0..POSTS / 20 {
                let notice = with(
                    notice("error", &format!("{client} {number}")),
                    json!({ "source": format!("s{}", client % 3) }),
                );
                let answer = say(&house, notice).await;
                sent += usize::from(answer["status"] == "accepted");
                held += usize::from(answer["rate_limited"] == true);
            }
            (sent, held)
        });
    }
    let all = posts.join_all().await;
    let (sent, held) = all.iter().fold((0, 0), |(sent, held), one| (sent + one.0, held + one.1));
    assert_eq!((sent, held), (10, POSTS - 10), "ten an hour, and nothing is dropped");
    let critical = say(&house, notice("critical", "fire")).await;
    assert_eq!(critical["status"], "accepted", "critical always passes");
    house.clock().step(SignedDuration::from_hours(1));
    let summary = own(&house, "more this hour").await;
    assert_eq!(summary["notice"]["title"], format!("+{held} more this hour"));
    let message = summary["notice"]["message"].as_str().unwrap();
    let counts = message
        .lines()
        .next()
        .unwrap()
        .split(", ")
        .map(|part| part.split_once(' ').unwrap().1.parse::<usize>().unwrap());
    assert_eq!(counts.sum::<usize>(), held, "by source they add up: {message}");
    assert_eq!(say(&house, notice("error", "next hour")).await["status"], "accepted");
    hook.wait(sent + 3).await;
}

#[tokio::test]
async fn f9_a_hung_channel_delays_no_other() {
    let (good, hung) = (Hook::open().await, Hook::open().await);
    hung.mood(Mood::Hangs);
    let config = format!(
        "[notify]\nper-hour = 0\n[notify.roles]\nphone = [\"good\", \"hung\"]\n[notify.channel.webhook.good]\nurl = \"{}\"\n[notify.channel.webhook.hung]\nurl = \"{}\"\n",
        good.url(),
        hung.url()
    );
    let house = house(NOON, &config).await;
    let began = std::time::Instant::now();
    for number in 0..60 {
        say(&house, notice("error", &format!("n{number}"))).await;
    }
    good.wait(60).await;
    assert!(began.elapsed() < Duration::from_secs(8), "all of them before the deadline of the hung one");
    house.stop().await;
}

#[tokio::test]
async fn f9_a_hung_channel_is_cut_at_its_deadline_and_probed() {
    let hook = Hook::open().await;
    hook.mood(Mood::Hangs);
    let house = house(NOON, &format!("{FAST}breaker-after = 2\n{}", phone(&hook))).await;
    let said = say(&house, notice("error", "n")).await;
    let channel =
        |all: &Value| all.as_array().unwrap().iter().find(|one| one["name"] == "phone").unwrap().clone();
    sanctum_testkit::eventually("the breaker to open", PATIENCE, async || {
        let (_, all) = house.get("notify", "/channels").await;
        (channel(&all)["breaker"] != "closed").then_some(())
    })
    .await;
    hook.mood(Mood::Well);
    let life = until(&house, &said["id"], "delivered", |life| all(life, "phone", "delivered")).await;
    assert!(
        life["deliveries"][0]["attempts"][0]["outcome"].as_str().unwrap().contains("no answer within"),
        "{life}"
    );
    sanctum_testkit::eventually("the breaker to close", PATIENCE, async || {
        let (_, all) = house.get("notify", "/channels").await;
        (channel(&all)["breaker"] == "closed").then_some(())
    })
    .await;
    house.stop().await;
}

#[tokio::test]
async fn f10_without_the_internet_the_house_speaks_and_the_rest_comes_late() {
    let hook = Hook::open().await;
    let addr = hook.addr.to_string();
    let config = format!("{FAST}{}", phone(&hook));
    drop(hook);
    let house = house(NOON, &config).await;
    let mut ids = Vec::new();
    for number in 0..3 {
        let said = say(&house, notice("error", &format!("n{number}"))).await;
        until(&house, &said["id"], "shown here", |life| all(life, "dashboard", "delivered")).await;
        ids.push(said["id"].as_i64().unwrap());
    }
    house.clock().step(SignedDuration::from_mins(14));
    // What was begun before the step must have ended before the receiver is there.
    let tried = async || {
        let mut tried = 0;
        for id in &ids {
            tried += life(&house, &json!(id)).await["deliveries"][0]["attempts"].as_array().unwrap().len();
        }
        tried
    };
    let before = tried().await;
    sanctum_testkit::eventually("two more attempts", PATIENCE, async || {
        (tried().await >= before + 2).then_some(())
    })
    .await;
    let hook = Hook::open_at(&addr).await;
    let got = sanctum_testkit::eventually("all of them", PATIENCE, async || {
        let got: Vec<Value> = hook
            .got()
            .iter()
            .map(super::peers::hook::Got::json)
            .filter(|got| got["source"] == "test")
            .collect();
        (got.len() == 3).then_some(got)
    })
    .await;
    for got in &got {
        assert_eq!(got["late"], "late 14 min", "{got}");
        assert!(
            got["accepted"].as_str().unwrap().starts_with("2026-11-18T11:00"),
            "with its own time: {got}"
        );
    }
    house.stop().await;
}

#[tokio::test]
async fn f11_the_hub_tells_of_its_own_trouble_over_another_channel() {
    let (bad, good) = (Hook::open().await, Hook::open().await);
    bad.mood(Mood::Status(500));
    let config = format!(
        "{FAST}[notify.roles]\nphone = [\"bad\", \"good\"]\n[notify.channel.webhook.bad]\nurl = \"{}\"\n[notify.channel.webhook.good]\nurl = \"{}\"\n",
        bad.url(),
        good.url()
    );
    let house = house(NOON, &config).await;
    say(&house, notice("error", "n")).await;
    let trouble = own(&house, "Channel bad is failing").await;
    let to: Vec<&str> = trouble["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["channel"].as_str().unwrap())
        .collect();
    assert_eq!(to, ["good", "dashboard"]);
    let (_, health) = house.get("notify", "/health").await;
    assert_eq!(
        (&health["status"], &health["parts"]["channels"]["status"]),
        (&json!("degraded"), &json!("degraded")),
        "{health}"
    );
    bad.mood(Mood::Well);
    own(&house, "Channel bad works again").await;
    sanctum_testkit::eventually("well again", PATIENCE, async || {
        (house.get("notify", "/health").await.1["parts"]["channels"]["status"] == "well").then_some(())
    })
    .await;
    house.stop().await;
}

/// What the watch outside heard, by path, oldest first.
fn heard(watch: &Hook) -> Vec<(String, String)> {
    watch
        .seen()
        .iter()
        .map(|got| (got.path.clone(), String::from_utf8_lossy(&got.body).into_owned()))
        .collect()
}

async fn next_call(watch: &Hook, before: usize) -> (String, String) {
    sanctum_testkit::eventually("a call of the watch", PATIENCE, async || heard(watch).get(before).cloned())
        .await
}

#[tokio::test]
async fn f11_a_watch_outside_hears_of_trouble_and_notices_silence() {
    let (watch, bad) = (Hook::open().await, Hook::open().await);
    let config = format!(
        "{FAST}[notify.trouble]\ndisk = 100\n[notify.dead-man]\nsecret = \"file:watch\"\nevery = \"1m\"\n[notify.roles]\nphone = [\"bad\"]\n[notify.channel.webhook.bad]\nurl = \"{}\"\n",
        bad.url()
    );
    let stopped = sanctum_testkit::House::new(&CATALOGUE).config(&config).clock(at(NOON));
    files::private_dir(&stopped.paths().secrets()).unwrap();
    let url = format!("http://{}/ping/token-9c", watch.addr);
    files::replace(&stopped.paths().secrets().join("watch"), url.as_bytes(), 0o600).unwrap();
    let house = stopped.start().await;
    assert_eq!(next_call(&watch, 0).await, ("/ping/token-9c".to_owned(), String::new()), "well");
    house.clock().step(SignedDuration::from_secs(61));
    assert_eq!(next_call(&watch, 1).await.0, "/ping/token-9c", "once a minute");

    bad.mood(Mood::Status(500));
    say(&house, notice("error", "n")).await;
    own(&house, "Channel bad is failing").await;
    house.clock().step(SignedDuration::from_secs(6));
    let (path, why) = next_call(&watch, 2).await;
    assert_eq!(path, "/ping/token-9c/fail");
    assert!(why.contains("channels: `bad` fails: status 500"), "{why}");
    bad.mood(Mood::Well);
    own(&house, "Channel bad works again").await;
    sanctum_testkit::eventually("the watch to hear of the end", PATIENCE, async || {
        house.clock().step(SignedDuration::from_secs(6));
        heard(&watch).iter().skip(3).any(|(path, _)| path == "/ping/token-9c").then_some(())
    })
    .await;

    watch.mood(Mood::Status(503));
    let part = async |house: &sanctum_testkit::House, status: &str| {
        sanctum_testkit::eventually("what the board says of the watch", PATIENCE, async || {
            house.clock().step(SignedDuration::from_secs(61));
            let (_, health) = house.get("notify", "/health").await;
            let part = health["parts"]["dead-man"].clone();
            (part["status"] == status).then_some(part.to_string())
        })
        .await
    };
    let said = part(&house, "degraded").await;
    assert!(said.contains("it answered 503") && !said.contains("token-9c"), "{said}");
    watch.mood(Mood::Well);
    part(&house, "well").await;

    let clock = house.clock().clone();
    let stopped = house.stop().await;
    let before = heard(&watch).len();
    clock.step(SignedDuration::from_mins(10));
    let house = stopped.start().await;
    let (path, _) = next_call(&watch, before).await;
    assert_eq!(
        path, "/ping/token-9c",
        "a hub that is down says nothing, and the first word is of one that is back"
    );
    house.stop().await;
}

#[tokio::test]
async fn f11_a_disk_that_is_nearly_full_is_told_of_while_there_is_room_for_it() {
    let hook = Hook::open().await;
    let config = format!("[notify.trouble]\ndisk = 70\n{}", phone(&hook));
    let stopped = sanctum_testkit::House::new(&CATALOGUE).config(&config).clock(at(NOON));
    let small = sanctum_testkit::disk::Mount::small(&stopped.paths().state());
    let filler = small.path().join("filler");
    files::replace(&filler, &vec![0; 1_500_000], 0o600).unwrap();
    let house = stopped.start().await;
    let told = own(&house, "The disk is nearly full").await;
    until(&house, &told["id"], "told", |life| all(life, "phone", "delivered")).await;
    let (_, health) = house.get("notify", "/health").await;
    assert_eq!(health["parts"]["disk"]["status"], "degraded", "{health}");
    drop(house.stop().await);
    drop(small);
}

#[tokio::test]
async fn f11_the_watch_is_told_that_nothing_can_be_kept() {
    let watch = Hook::open().await;
    let config = format!(
        "[notify.trouble]\ndisk = 100\n[notify.dead-man]\nurl = \"http://{}/ping?a=b\"\n",
        watch.addr
    );
    let stopped = sanctum_testkit::House::new(&CATALOGUE).config(&config).clock(at(NOON));
    let disk = sanctum_testkit::disk::Disk::mount(&stopped.paths().state());
    let house = stopped.start().await;
    assert_eq!(next_call(&watch, 0).await.0, "/ping");
    disk.read_only("notify.db", true);
    house.clock().step(SignedDuration::from_secs(61));
    let (path, why) = next_call(&watch, 1).await;
    assert!(path == "/ping/fail" && why.contains("read-only") && why.contains("notify.db"), "{path} {why}");
    disk.read_only("notify.db", false);
    drop(house.stop().await);
}

#[tokio::test]
async fn what_reaches_nobody_is_said_and_shown_until_cleared() {
    let (bad, good) = (Hook::open().await, Hook::open().await);
    bad.mood(Mood::Status(400));
    let config = format!(
        "[notify.channel.webhook.bad]\nurl = \"{}\"\n[notify.channel.webhook.good]\nurl = \"{}\"\n",
        bad.url(),
        good.url()
    );
    let house = house(NOON, &config).await;
    let said = say(&house, with(notice("error", "Hear me"), json!({ "force_channels": ["bad"] }))).await;
    until(&house, &said["id"], "given up", |life| all(life, "bad", "dead")).await;
    let raised = own(&house, "Not delivered: Hear me").await;
    assert!(raised["notice"]["message"].as_str().unwrap().contains("status 400"), "{raised}");
    let banners = sanctum_testkit::eventually("the banner", PATIENCE, async || {
        let (_, banners) = house.get("notify", "/banners").await;
        banners.as_array().unwrap().iter().find(|one| one["id"] == said["id"]).cloned()
    })
    .await;
    assert_eq!(banners["undelivered"], true);
    let (_, dead) = house.get("notify", "/dead").await;
    assert_eq!((&dead[0]["notification"], &dead[0]["channel"]), (&said["id"], &json!("bad")));
    bad.mood(Mood::Well);
    let (status, _) =
        house.send("notify", "POST", &format!("/deliveries/{}/retry", dead[0]["id"]), &Value::Null).await;
    assert_eq!(status, 200);
    until(&house, &said["id"], "sent again", |life| all(life, "bad", "delivered")).await;
    house.stop().await;
}

#[tokio::test]
async fn what_is_sent_again_in_vain_is_said_again() {
    let bad = Hook::open().await;
    bad.mood(Mood::Status(400));
    let config = format!("[notify.channel.webhook.bad]\nurl = \"{}\"\n", bad.url());
    let house = house(NOON, &config).await;
    let said = say(&house, with(notice("error", "Hear me"), json!({ "force_channels": ["bad"] }))).await;
    let raised = async |count: usize| {
        sanctum_testkit::eventually("it to be said", PATIENCE, async || {
            let (_, page) = house.get("notify", "/history?source=notify&limit=500").await;
            let all = page["notifications"].as_array().unwrap().clone();
            let about = all.iter().filter(|one| one["notice"]["title"] == "Not delivered: Hear me").count();
            (about >= count).then_some(about)
        })
        .await
    };
    assert_eq!(raised(1).await, 1);
    let (_, dead) = house.get("notify", "/dead").await;
    let again = format!("/deliveries/{}/retry", dead[0]["id"]);
    assert_eq!(house.send("notify", "POST", &again, &Value::Null).await.0, 200);
    assert_eq!(raised(2).await, 2, "the second time it is no less undelivered");
    let stopped = house.stop().await;
    let house = stopped.start().await;
    let twice = until(&house, &said["id"], "two attempts", |life| {
        life["deliveries"][0]["attempts"].as_array().is_some_and(|attempts| attempts.len() == 2)
    });
    twice.await;
    let (_, page) = house.get("notify", "/history?source=notify&limit=500").await;
    let about = page["notifications"].as_array().unwrap();
    let about = about.iter().filter(|one| one["notice"]["title"] == "Not delivered: Hear me").count();
    assert_eq!(about, 2, "and a restart says nothing again");
    house.stop().await;
}

#[tokio::test]
async fn what_is_sent_again_is_tried_with_all_patience() {
    let hook = Hook::open().await;
    hook.mood(Mood::Status(500));
    let config = format!("{FAST}give-up = \"1h\"\nlongest-wait = \"100ms\"\n{}", phone(&hook));
    let house = house(NOON, &config).await;
    let said = say(&house, notice("error", "n")).await;
    let tries = |life: &Value| life["deliveries"][0]["attempts"].as_array().map_or(0, Vec::len);
    until(&house, &said["id"], "a first try", |life| tries(life) >= 1).await;
    house.clock().step(SignedDuration::from_hours(2));
    let dead = until(&house, &said["id"], "given up", |life| life["deliveries"][0]["state"] == "dead").await;
    let path = format!("/deliveries/{}/retry", dead["deliveries"][0]["id"]);
    assert_eq!(house.send("notify", "POST", &path, &Value::Null).await.0, 200);
    let later = until(&house, &said["id"], "more tries", |life| tries(life) >= tries(&dead) + 3).await;
    assert_ne!(later["deliveries"][0]["state"], "dead", "{later}");
    hook.mood(Mood::Well);
    until(&house, &said["id"], "delivered", |life| all(life, "phone", "delivered")).await;
    house.stop().await;
}

#[tokio::test]
async fn the_worst_is_told_first_when_a_channel_works_again() {
    let hook = Hook::open().await;
    hook.mood(Mood::Status(503));
    let config = format!("{FAST}breaker-after = 1\n{}[notify]\nper-hour = 0\n", phone(&hook));
    let house = house(NOON, &config).await;
    for (severity, count) in [("warn", 60), ("error", 60), ("critical", 5)] {
        for number in 0..count {
            say(&house, notice(severity, &format!("{severity} {number}"))).await;
        }
    }
    hook.mood(Mood::Well);
    let told = sanctum_testkit::eventually("all of them", PATIENCE, async || {
        let got = hook.got();
        let mut told = Vec::new();
        for got in got.iter().map(super::peers::hook::Got::json).filter(|got| got["source"] == "test") {
            told.push(got["severity"].as_str().unwrap().to_owned());
        }
        (told.len() == 125).then_some(told)
    })
    .await;
    let last = |severity: &str| told.iter().rposition(|one| one == severity).unwrap();
    // Sixteen are on their way at once, and those overtake each other; a few failed before the breaker opened.
    assert!(last("critical") < 40, "{told:?}");
    assert!(last("error") < 60 + 5 + 32, "{told:?}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_rush_keeping_comes_first_and_what_is_critical_is_told_meanwhile() {
    const CLIENTS: usize = 20;
    const EACH: usize = 75;
    let hook = Hook::open().await;
    let config = format!("{}[notify]\nper-hour = 0\n", phone(&hook));
    let house = std::sync::Arc::new(house(NOON, &config).await);
    let mut posts = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let house = std::sync::Arc::clone(&house);
        posts.spawn(async move {
            for number in 0..EACH {
                let critical = client == 0 && number == EACH / 4;
                let severity = if critical { "critical" } else { "warn" };
                say(&house, notice(severity, &format!("{client} {number}"))).await;
            }
        });
    }
    posts.join_all().await;
    let got = hook.wait(CLIENTS * EACH).await;
    let mut titles: Vec<(String, String)> = Vec::new();
    for got in got.iter().map(super::peers::hook::Got::json) {
        let text = |field: &str| got[field].as_str().unwrap().to_owned();
        titles.push((text("severity"), text("title")));
    }
    let place = titles.iter().position(|(severity, _)| severity == "critical").unwrap();
    assert!(place < CLIENTS * EACH / 2, "not behind all that waits: {place}");
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), CLIENTS * EACH, "every one of them, once");
    std::sync::Arc::into_inner(house).unwrap().stop().await;
}

#[tokio::test]
async fn a_delivery_honours_retry_after_and_a_body_that_says_it_failed() {
    let hook = Hook::open().await;
    hook.once(Mood::Says(200, vec![], "{\"ok\":false,\"error\":\"no such room\"}".to_owned()));
    hook.once(Mood::Says(429, vec![("retry-after", "40".to_owned())], String::new()));
    let house = house(NOON, &format!("{FAST}{}", phone(&hook))).await;
    let said = say(&house, notice("error", "n")).await;
    let second = |life: &Value| {
        life["deliveries"][0]["attempts"]
            .as_array()
            .is_some_and(|attempts| attempts.len() == 2 && attempts[1]["outcome"] == "status 429")
    };
    let life = until(&house, &said["id"], "the second attempt", second).await;
    assert!(
        life["deliveries"][0]["attempts"][0]["outcome"].as_str().unwrap().contains("says that it failed")
    );
    house.clock().step(SignedDuration::from_secs(30));
    let other = say(&house, notice("error", "other")).await;
    assert_eq!(hook.seen().len(), 2, "left alone as long as it asked");
    house.clock().step(SignedDuration::from_secs(15));
    until(&house, &said["id"], "delivered", |life| all(life, "phone", "delivered")).await;
    until(&house, &other["id"], "delivered", |life| all(life, "phone", "delivered")).await;
    let keys: Vec<String> = hook.seen().iter().take(3).map(|got| got.header("idempotency-key")).collect();
    assert!(keys[0] == keys[1] && keys[1] == keys[2], "every attempt has the same key: {keys:?}");
    house.stop().await;
}

#[tokio::test]
async fn f12_secrets_are_seen_nowhere_but_where_they_belong() {
    const CANARY: &str = "canary-5f2a91";
    let hook = Hook::open().await;
    hook.mood(Mood::Status(500));
    let config = format!(
        "[house]\ntimezone = \"Europe/Paris\"\n{FAST}[notify.roles]\nphone = [\"hook\", \"topic\", \"mail\"]\n\
         [notify.channel.webhook.hook]\nurl = \"{}\"\nsecret = \"file:canary\"\n\
         [notify.channel.ntfy.topic]\nurl = \"http://{}\"\ntopic = \"t\"\ntoken = \"file:canary\"\n\
         [notify.channel.email.mail]\nhost = \"127.0.0.1\"\nport = 9\nuser = \"u\"\npassword = \"file:canary\"\nfrom = \"a@example.org\"\nto = [\"b@example.org\"]\n",
        hook.url(),
        hook.addr
    );
    let stopped = sanctum_testkit::House::new(&CATALOGUE).config(&config).clock(at(NOON));
    files::private_dir(&stopped.paths().secrets()).unwrap();
    files::replace(&stopped.paths().secrets().join("canary"), CANARY.as_bytes(), 0o600).unwrap();
    let log = stopped.paths().logs().join("canary.log");
    files::private_dir(&stopped.paths().logs()).unwrap();
    let _guard = logging(&log);
    let house = stopped.start().await;
    let said = say(&house, notice("error", "n")).await;
    let tried = |life: &Value| {
        life["deliveries"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["attempts"].as_array().is_some_and(|all| !all.is_empty()))
    };
    until(&house, &said["id"], "tried on all", tried).await;
    let mut seen = String::new();
    for path in
        ["/health", "/metrics", "/openapi.json", "/channels", "/history", "/dead", "/banners", "/explain"]
    {
        seen += &String::from_utf8_lossy(&house.raw("notify", "GET", path, &[], Vec::new()).await.body);
    }
    seen += &life(&house, &said["id"]).await.to_string();
    for name in ["hook", "topic", "mail"] {
        seen += &house
            .send("notify", "POST", &format!("/channels/{name}/test"), &Value::Null)
            .await
            .1
            .to_string();
    }
    let got = hook.seen();
    assert!(got.iter().any(|got| got.header("authorization").contains(CANARY)), "ntfy got its token");
    assert!(
        got.iter().any(|got| got.header("x-sanctum-signature").starts_with("sha256=")),
        "the webhook is signed"
    );
    let stopped = house.stop().await;
    let log = files::read(&log).unwrap();
    assert!(log.contains("notify") || log.contains("channel"), "the log was looked at");
    let database = std::fs::read(stopped.paths().state().join("notify.db")).unwrap();
    seen += &log;
    seen += &String::from_utf8_lossy(&database);
    assert!(!seen.contains(CANARY), "a secret leaked");
}

/// Everything this thread logs, into a file.
fn logging(path: &std::path::Path) -> tracing::subscriber::DefaultGuard {
    use tracing_subscriber::prelude::*;
    let file = files::append(path).unwrap();
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::sync::Arc::new(file));
    tracing::subscriber::set_default(tracing_subscriber::registry().with(layer))
}
