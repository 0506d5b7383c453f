//! Children that die, hang, fork and hide.

use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use sanctum_api::supervise::Phase;
use sanctum_supervise::{Plan, holder, survivors};

use crate::house::{client, gone, grandchild, listener, log, new, phase, runs, sinner, start, when};

fn kill(pid: u32) {
    assert!(std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

#[tokio::test]
async fn c2_a_killed_child_is_running_again_at_once() {
    let house = start(vec![listener("app", &[], &[])]).await;
    let first = phase(&house, "app", Phase::Ready).await.pid.unwrap();
    kill(first);
    let again = when(&house, "app", "another process", |state| {
        state.phase == Phase::Ready && state.pid != Some(first)
    })
    .await;
    assert_eq!((again.restarts, again.last_exit.as_deref()), (1, Some("signal 9 (KILL)")));
    assert!(!runs(first));
    house.stop().await;
}

#[tokio::test]
async fn c6_who_ignores_sigterm_is_killed_after_its_grace() {
    let grace = Duration::from_millis(300);
    let house = start(vec![Plan { grace, ..listener("app", &["--ignore-term"], &[]) }]).await;
    phase(&house, "app", Phase::Ready).await;
    let asked = Instant::now();
    client(&house).act("app", "stop").await.unwrap();
    let stopped = phase(&house, "app", Phase::Stopped).await;
    let took = asked.elapsed();
    assert_eq!(stopped.last_exit.as_deref(), Some("signal 9 (KILL)"));
    assert!(took >= grace && took < grace + Duration::from_secs(3), "{took:?}");
    house.stop().await;
}

#[tokio::test]
async fn c5_grandchildren_end_with_their_service_also_those_that_left_its_group() {
    for sin in ["--fork-grandchild", "--escape"] {
        let house = start(vec![Plan { grace: Duration::from_millis(200), ..sinner("app", &[sin]) }]).await;
        let orphan = grandchild(house.paths(), "app").await;
        assert!(runs(orphan));
        let first = phase(&house, "app", Phase::Ready).await.pid.unwrap();
        kill(first);
        gone(orphan).await;
        let again =
            when(&house, "app", "another process", |state| state.pid.is_some_and(|pid| pid != first)).await;
        let paths = house.paths().clone();
        sanctum_testkit::eventually("a second grandchild", crate::house::SOON, async || {
            (log(&paths, "app").matches("grandchild ").count() == 2).then_some(())
        })
        .await;
        let text = log(&paths, "app");
        let orphan = text
            .rsplit_once("grandchild ")
            .and_then(|(_, rest)| rest.lines().next()?.trim().parse().ok())
            .unwrap();
        client(&house).act("app", "stop").await.unwrap();
        phase(&house, "app", Phase::Stopped).await;
        assert!(!runs(orphan) && !runs(again.pid.unwrap()), "{sin}");
        house.stop().await;
    }
}

#[tokio::test]
async fn closed_output_is_no_end() {
    let house = start(vec![listener("app", &["--close-output"], &[])]).await;
    let app = phase(&house, "app", Phase::Ready).await;
    client(&house).act("app", "stop").await.unwrap();
    phase(&house, "app", Phase::Stopped).await;
    assert!(!runs(app.pid.unwrap()));
    house.stop().await;
}

#[tokio::test]
async fn who_never_becomes_ready_is_started_again() {
    let config = crate::house::QUICK.replace("start-timeout = \"20s\"", "start-timeout = \"200ms\"");
    let house = new(vec![listener("app", &["--never-ready"], &[])]).config(&config).start().await;
    let app = when(&house, "app", "a second try", |state| state.restarts > 0).await;
    assert_eq!(app.last_exit.as_deref(), Some("no readiness in time"));
    house.stop().await;
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let house = start(vec![Plan::new("app", "/nowhere/at-all")]).await;
    let app = phase(&house, "app", Phase::Locked).await;
    let locked = app.locked.unwrap();
    assert!(locked.reason.contains("`/nowhere/at-all`"), "{}", locked.reason);
    house.stop().await;
}

#[tokio::test]
async fn a_house_that_a_killed_supervisor_left_behind_is_ended_never_doubled() {
    let stopped = new(vec![sinner("app", &[])]);
    let paths = stopped.paths();
    paths.prepare().unwrap();
    let mut left =
        std::process::Command::new(env!("CARGO_BIN_EXE_misbehave")).process_group(0).spawn().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", left.id())).unwrap();
    let ticks = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().to_owned();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let identity = |pid: u32, born: &str| format!("{{\"name\":\"app\",\"pid\":{pid},\"born\":\"{born}\"}}");
    let born = format!("{}+{ticks}", boot.trim());
    std::fs::File::create(paths.run().join("app.pid")).unwrap();
    sanctum_kernel::files::replace(
        &paths.run().join("app.pid"),
        identity(left.id(), &born).as_bytes(),
        0o600,
    )
    .unwrap();
    // A number that was given to somebody else since: this very process.
    sanctum_kernel::files::replace(
        &paths.run().join("else.pid"),
        identity(std::process::id(), "another birth").as_bytes(),
        0o600,
    )
    .unwrap();
    assert_eq!(survivors(&paths).len(), 1);
    let waited = std::thread::spawn(move || left.wait().unwrap());
    let house = stopped.start().await;
    let app = phase(&house, "app", Phase::Ready).await;
    assert!(runs(app.pid.unwrap()));
    let status = waited.join().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
    let now = survivors(&paths);
    assert_eq!(now.iter().map(|process| process.pid).collect::<Vec<_>>(), [app.pid.unwrap()]);
    house.stop().await;
}

#[tokio::test]
async fn a_house_says_who_keeps_it() {
    let house = start(vec![sinner("app", &[])]).await;
    phase(&house, "app", Phase::Ready).await;
    let holder = holder(house.paths()).unwrap();
    assert_eq!(holder.pid, std::process::id());
    let paths = house.paths().clone();
    let stopped = house.stop().await;
    assert_eq!(sanctum_supervise::holder(&paths), None);
    drop(stopped);
}

#[tokio::test]
async fn children_see_only_what_they_need() {
    let script =
        "echo home=$SANCTUM_HOME unit=$SANCTUM_UNIT cargo=$CARGO_MANIFEST_DIR own=$OWN; pwd; exec sleep 1000";
    let env = [("OWN".to_owned(), "mine".to_owned())].into();
    let house =
        start(vec![Plan { args: vec!["-c".into(), script.into()], env, ..Plan::new("app", "/bin/sh") }])
            .await;
    let home = house.home().display().to_string();
    let paths = house.paths().clone();
    let expected = format!("home={home} unit=app cargo= own=mine");
    sanctum_testkit::eventually("its words", crate::house::SOON, async || {
        log(&paths, "app").contains(&expected).then_some(())
    })
    .await;
    house.stop().await;
}
