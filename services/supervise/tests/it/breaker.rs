//! When it is enough.

use sanctum_api::notify::{Severity, Spooled};
use sanctum_api::supervise::Phase;

use crate::house::{SOON, client, new, phase, runs_logged, sinner, start, told, when};

#[tokio::test]
async fn c3_the_fifth_failure_locks_tells_once_and_survives_a_restart() {
    let house = start(vec![
        sinner("app", &["--say", "hello", "--crash-after", "1", "--exit-code", "70"]),
        sinner("other", &[]),
    ])
    .await;
    let app = phase(&house, "app", Phase::Locked).await;
    let locked = app.locked.clone().unwrap();
    assert!(
        locked.reason.starts_with("it failed 5 times within 10m, the last time with exit code 70"),
        "{}",
        locked.reason
    );
    assert_eq!(locked.last_lines, ["hello", "these are my last words"]);
    assert_eq!((app.restarts, app.pid), (5, None));
    assert_eq!(runs_logged(house.paths(), "app", 5).await, 5, "the fifth was the last");
    let home = house.home().to_owned();
    sanctum_testkit::eventually("a notice", SOON, async || (told(&home).len() == 1).then_some(())).await;
    let notice = told(&home).remove(0);
    assert_eq!(
        (notice.severity, notice.dedup_key.as_deref()),
        (Severity::Critical, Some("supervise.locked.app"))
    );
    assert!(
        notice.message.contains("sanctum unlock app") && notice.message.contains("these are my last words"),
        "{}",
        notice.message
    );
    let (_, health) = house.get("supervise", "/health").await;
    assert_eq!(health["parts"]["services"]["detail"], "locked: app");
    assert_eq!(house.send("supervise", "POST", "/services/app/start", &serde_json::Value::Null).await.0, 409);

    let house = house.stop().await.start().await;
    phase(&house, "other", Phase::Ready).await;
    let still = phase(&house, "app", Phase::Locked).await;
    assert_eq!(still.locked, Some(locked));
    assert_eq!(runs_logged(house.paths(), "app", 5).await, 5);
    assert_eq!(told(&home).len(), 1, "people have been told");

    client(&house).act("app", "unlock").await.unwrap();
    let again = when(&house, "app", "its trial to fail", |state| {
        state.phase == Phase::Locked
            && state.locked.as_ref().is_some_and(|now| now.at > still.locked.as_ref().unwrap().at)
    })
    .await;
    assert_eq!(again.restarts, 1, "one trial is enough");
    assert!(again.locked.unwrap().reason.contains("failed again when it was tried once more"));
    house.stop().await;
}

#[tokio::test]
async fn a_wrong_configuration_is_not_tried_again_and_people_hear_when_it_is_mended() {
    let script = "test -e mended && exec sleep 1000; echo 'line 3: no such zone'; exit 78";
    let plan = sanctum_supervise::Plan {
        args: vec!["-c".into(), script.into()],
        ..sanctum_supervise::Plan::new("app", "/bin/sh")
    };
    let house = start(vec![plan]).await;
    let locked = phase(&house, "app", Phase::Locked).await.locked.unwrap();
    assert!(locked.reason.contains("exit code 78 (the configuration is wrong)"), "{}", locked.reason);
    assert_eq!(locked.last_lines, ["line 3: no such zone"]);
    assert_eq!(runs_logged(house.paths(), "app", 1).await, 1);
    std::fs::File::create(house.home().join("mended")).unwrap();
    client(&house).act("app", "unlock").await.unwrap();
    let app = phase(&house, "app", Phase::Ready).await;
    assert_eq!(app.locked, None);
    let home = house.home().to_owned();
    let notice = sanctum_testkit::eventually("the end of it", SOON, async || {
        told(&home).into_iter().find(|notice| notice.resolved)
    })
    .await;
    assert_eq!(notice.dedup_key.as_deref(), Some("supervise.locked.app"));
    let house = house.stop().await.start().await;
    phase(&house, "app", Phase::Ready).await;
    house.stop().await;
}

#[tokio::test]
async fn without_a_hub_the_notice_waits_in_the_spool() {
    let house = new(vec![sinner("app", &["--crash-after", "0", "--exit-code", "78"])])
        .only(&["supervise"])
        .start()
        .await;
    phase(&house, "app", Phase::Locked).await;
    let spool = house.paths().spool();
    let file = sanctum_testkit::eventually("a file in the spool", SOON, async || {
        std::fs::read_dir(&spool)
            .ok()?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|end| end == "json"))
    })
    .await;
    let Spooled { notice, trace_id, .. } = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let (_, story) = house.get("supervise", &format!("/trace/{}", trace_id.unwrap())).await;
    assert_eq!((&story[0]["what"], &story[0]["detail"]), (&"locked".into(), &"app: app is locked".into()));
    assert_eq!((notice.severity, notice.source.as_str()), (Severity::Critical, "supervise"));
    house.stop().await;
}
