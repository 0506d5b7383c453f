//! In the order of needs, up and down.

use std::time::Instant;

use sanctum_api::supervise::Phase;
use serde_json::Value;

use crate::house::{client, listener, log, phase, runs, sinner, start, when};

#[tokio::test]
async fn c1_a_service_starts_when_what_it_needs_is_ready_not_when_it_exists() {
    let house = start(vec![
        listener("app", &[], &["base", "side"]),
        listener("base", &["--ready-after", "400"], &[]),
        listener("side", &[], &[]),
    ])
    .await;
    let side = phase(&house, "side", Phase::Ready).await;
    let base = when(&house, "base", "base to be starting", |state| {
        state.phase == Phase::Starting && state.pid.is_some()
    })
    .await;
    assert!(!base.ready && side.ready, "what needs nothing does not wait");
    let app = client(&house).service("app").await.unwrap();
    assert_eq!((app.phase, app.pid, app.detail.as_deref()), (Phase::Waiting, None, Some("waits for base")));
    let app = phase(&house, "app", Phase::Ready).await;
    assert!(app.since >= phase(&house, "base", Phase::Ready).await.since);
    assert!(client(&house).service("base").await.unwrap().ready_ms.unwrap() >= 400);
    house.stop().await;
}

#[tokio::test]
async fn down_ends_dependants_first_and_leaves_nothing() {
    let house = start(vec![
        listener("base", &[], &[]),
        listener("app", &[], &["base"]),
        listener("other", &[], &["base"]),
    ])
    .await;
    let mut pids = Vec::new();
    for name in ["base", "app", "other"] {
        pids.push(phase(&house, name, Phase::Ready).await.pid.unwrap());
    }
    let (status, _) = house.send("supervise", "POST", "/down", &Value::Null).await;
    assert_eq!(status, 202);
    for pid in pids {
        crate::house::gone(pid).await;
    }
    let stopped = house.stop().await;
    let paths = stopped.paths();
    let ended = |name| {
        let log = log(&paths, name);
        log.lines()
            .find(|line| line.contains("--- ended: signal 15 (TERM)"))
            .unwrap_or_else(|| panic!("{log}"))
            .split(' ')
            .next()
            .unwrap()
            .to_owned()
    };
    assert!(ended("app") <= ended("base") && ended("other") <= ended("base"));
    let left: Vec<_> = std::fs::read_dir(paths.run())
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| name.to_string_lossy().ends_with(".pid"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_house_of_many_is_up_as_fast_as_its_longest_way() {
    // Five layers of four, each ready after 50 ms: the way is 250 ms, one after the other would be a second.
    let mut plans = Vec::new();
    for layer in 0..5 {
        for at in 0..4 {
            let needs: Vec<String> = if layer == 0 {
                Vec::new()
            } else {
                (0..4).map(|need| format!("s{}{need}", layer - 1)).collect()
            };
            let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
            plans.push(listener(&format!("s{layer}{at}"), &["--ready-after", "50"], &needs));
        }
    }
    let begun = Instant::now();
    let house = start(plans).await;
    for at in 0..4 {
        phase(&house, &format!("s4{at}"), Phase::Ready).await;
    }
    assert!(begun.elapsed().as_millis() >= 250, "faster than possible means that somebody did not wait");
    house.stop().await;
}

#[tokio::test]
async fn one_service_can_be_stopped_started_and_restarted() {
    let house = start(vec![listener("base", &[], &[]), sinner("app", &[])]).await;
    let client = client(&house);
    let first = phase(&house, "base", Phase::Ready).await.pid.unwrap();
    client.act("base", "stop").await.unwrap();
    let stopped = phase(&house, "base", Phase::Stopped).await;
    assert_eq!((stopped.pid, stopped.live, stopped.restarts), (None, false, 0), "to stop is not to fail");
    assert!(stopped.is_fine() && !runs(first));
    client.act("base", "start").await.unwrap();
    let second = phase(&house, "base", Phase::Ready).await.pid.unwrap();
    client.act("base", "restart").await.unwrap();
    let third = when(&house, "base", "another process", |state| {
        state.phase == Phase::Ready && state.pid != Some(second)
    })
    .await;
    assert_eq!(third.restarts, 0);
    assert!(!runs(second));
    house.stop().await;
}

#[tokio::test]
async fn refusals_name_the_thing_and_the_way_out() {
    let house = start(vec![sinner("app", &[])]).await;
    let (status, problem) = house.get("supervise", "/services/apq").await;
    assert_eq!(
        (status, &problem["title"], &problem["hint"]),
        (404, &"there is no service `apq`".into(), &"services are: app, supervise".into())
    );
    let (status, problem) = house.send("supervise", "POST", "/services/app/unlock", &Value::Null).await;
    assert_eq!((status, &problem["title"]), (409, &"`app` is not locked".into()));
    house.stop().await;
}

#[tokio::test]
async fn a_circle_is_refused_with_its_way() {
    let plans = vec![listener("a", &[], &["b"]), listener("b", &[], &["a"])];
    let (_, why) = crate::house::new(plans).try_start().await.map(drop).unwrap_err();
    assert!(why.contains("services need each other in a circle: a → b → a"), "{why}");
}
