//! Processes that crash, hang, are old, pile up, are left over.

use std::process::Command;

use sanctum_api::supervise::Phase;
use sanctum_testkit::eventually;
use sanctum_watch::engine::{Acted, Action};

use super::ward::{LISTENER, SOON, Stray, evidence, home, item, open, perl, refused, sh, signal};

#[tokio::test]
async fn a_crash_loop_over_a_lock_that_a_dead_process_left_is_ended() {
    let house = home();
    let lock = house.home().join("app.lock");
    let script = format!(
        "if test -e {0}; then echo \"lock file '{0}' exists: another instance is already running\"; exit 1; fi; \
         echo $$ > {0}; exec sleep 1000",
        lock.display()
    );
    let ward = open(house, vec![sh("app", &script)], vec![item("app", &[])], "").await;
    let first = ward.phase("app", Phase::Ready).await;
    eventually("the lock", SOON, async || {
        std::fs::read_to_string(&lock).ok().filter(|text| text.ends_with('\n'))
    })
    .await;
    assert!(refused(ward.act(Some("app"), "crash-loop", vec![]).await).contains("does not end by itself"));
    signal(first.pid.unwrap(), "KILL");
    ward.phase("app", Phase::Locked).await;
    let (rehearsed, done) = ward.act_twice(Some("app"), "crash-loop", vec![]).await;
    assert!(rehearsed.contains("would put `") && rehearsed.contains("first sighting"), "{rehearsed}");
    assert!(done.contains("is put aside") && done.contains("is ready"), "{done}");
    let now = ward.phase("app", Phase::Ready).await;
    assert_ne!(now.pid, first.pid);
    let line = ward.newest("acted").await;
    assert!(line.undo.unwrap().contains("put `"));
    eventually("a new lock", SOON, async || lock.exists().then_some(())).await;
    let why = ward.healer.undo(line.id, "ava").await.unwrap_err();
    assert!(sanctum_kernel::Chain(&why).to_string().contains("it is left alone"), "{why}");
    ward.supervise().act("app", "stop").await.unwrap();
    ward.phase("app", Phase::Stopped).await;
    std::fs::remove_file(&lock).unwrap();
    ward.healer.undo(line.id, "ava").await.unwrap();
    assert_eq!(std::fs::read_to_string(&lock).unwrap().trim(), first.pid.unwrap().to_string());
    ward.house.stop().await;
}

#[tokio::test]
async fn a_lock_of_a_living_process_is_left_alone() {
    let house = home();
    let lock = house.home().join("app.pid");
    let holder = Stray::start(Command::new("sleep").arg("1000"));
    sanctum_kernel::files::replace(&lock, holder.pid().to_string().as_bytes(), 0o600).unwrap();
    let script = format!("echo \"pid file {} exists\"; exit 1", lock.display());
    let ward = open(house, vec![sh("app", &script)], vec![item("app", &[])], "").await;
    ward.phase("app", Phase::Locked).await;
    let why = refused(ward.act(Some("app"), "crash-loop", vec![]).await);
    assert!(why.contains("which lives"), "{why}");
    assert!(lock.exists());
    ward.house.stop().await;
}

#[tokio::test]
async fn a_locked_service_is_tried_again_when_its_cause_is_gone_and_not_before_its_pause() {
    let house = home();
    let broken = house.home().join("broken");
    sanctum_kernel::files::replace(&broken, b"", 0o600).unwrap();
    let script = format!("test -e {} && exit 1; exec sleep 1000", broken.display());
    let ward = open(house, vec![sh("app", &script)], vec![item("app", &[])], "").await;
    ward.phase("app", Phase::Locked).await;
    assert!(matches!(ward.act(Some("app"), "locked", vec![]).await, Acted::Rehearsed(_)));
    let failed = ward.act(Some("app"), "locked", vec![]).await;
    assert!(matches!(&failed, Acted::Failed(why) if why.contains("is locked")), "{failed:?}");
    std::fs::remove_file(&broken).unwrap();
    let why = refused(ward.act(Some("app"), "locked", vec![]).await);
    assert!(why.starts_with("cool-down: it was used"), "{why}");
    let done = ward.healer.run_recipe("locked", Some("app".to_owned()), "ava").await;
    assert!(
        matches!(&done, Acted::Refused(why) if why.starts_with("cool-down")),
        "a person waits as well: {done:?}"
    );
    ward.house.stop().await;
}

#[tokio::test]
async fn a_locked_service_runs_again_once_its_cause_is_gone() {
    let house = home();
    let broken = house.home().join("broken");
    sanctum_kernel::files::replace(&broken, b"", 0o600).unwrap();
    let script = format!("test -e {} && exit 1; exec sleep 1000", broken.display());
    let ward = open(house, vec![sh("app", &script)], vec![item("app", &[])], "").await;
    ward.phase("app", Phase::Locked).await;
    std::fs::remove_file(&broken).unwrap();
    let restart = ward.healer.act(ward.order(Some("app"), "restart", vec![])).await;
    assert!(refused(restart).contains("sanctum unlock app"));
    ward.act_twice(Some("app"), "locked", vec![]).await;
    ward.phase("app", Phase::Ready).await;
    ward.house.stop().await;
}

#[tokio::test]
async fn a_stopped_process_is_killed_and_started_again() {
    let ward = open(home(), vec![sh("app", "exec sleep 1000")], vec![item("app", &[])], "").await;
    let first = ward.phase("app", Phase::Ready).await.pid.unwrap();
    let why = refused(ward.act(Some("app"), "wedged-process", evidence("http", "answered 503")).await);
    assert!(why.contains("is not stopped"), "{why}");
    signal(first, "STOP");
    let state = || std::fs::read_to_string(format!("/proc/{first}/stat")).unwrap_or_default();
    eventually("it to stand still", SOON, async || state().contains(") T").then_some(())).await;
    let done = ward.act(Some("app"), "wedged-process", evidence("tcp", "connection refused")).await;
    assert!(matches!(done, Acted::Done(_)), "{done:?}");
    assert_ne!(ward.phase("app", Phase::Ready).await.pid, Some(first));
    assert_eq!(sanctum_kernel::process::born(first), None);
    ward.house.stop().await;
}

#[tokio::test]
async fn a_process_that_takes_connections_and_never_answers_is_started_again() {
    let port = sanctum_testkit::port();
    let plan = perl("app", LISTENER, &[&port.to_string()]);
    let ward = open(home(), vec![plan], vec![item("app", &[])], "").await;
    let first = ward.phase("app", Phase::Ready).await.pid;
    let done = ward.act(Some("app"), "wedged-process", evidence("http", "no answer within 10 s")).await;
    assert!(matches!(done, Acted::Done(_)), "{done:?}");
    assert_ne!(ward.phase("app", Phase::Ready).await.pid, first);
    ward.house.stop().await;
}

#[tokio::test]
async fn a_program_that_was_replaced_is_started_anew() {
    let house = home();
    let program = house.home().join("app");
    std::fs::copy("/bin/sleep", &program).unwrap();
    let mut plan = sanctum_supervise::Plan::new("app", &program);
    plan.args = vec!["1000".into()];
    let ward = open(house, vec![plan], vec![item("app", &[])], "").await;
    let first = ward.phase("app", Phase::Ready).await.pid;
    let why = refused(ward.act(Some("app"), "stale-binary", vec![]).await);
    assert!(why.contains("runs the program that is there"), "{why}");
    let bytes = std::fs::read(&program).unwrap();
    sanctum_kernel::files::replace(&program, &bytes, 0o700).unwrap();
    let (rehearsed, done) = ward.act_twice(Some("app"), "stale-binary", vec![]).await;
    assert!(rehearsed.contains("see that `app` runs the program that is there"), "{rehearsed}");
    assert!(done.contains("`app` runs the program that is there"), "{done}");
    assert_ne!(ward.phase("app", Phase::Ready).await.pid, first);
    ward.house.stop().await;
}

#[tokio::test]
async fn zombies_and_open_files_that_pile_up_lead_to_a_restart() {
    let forks = "for (1..40) { my $p = fork; exit 0 if defined $p && $p == 0 } sleep 1000";
    let opens = "use POSIX; my @f; while (open my $f, '<', '/dev/null') { push @f, $f } sleep 1000";
    let opener = sh(
        "opener",
        &format!(
            "ulimit -n 30; exec perl -e '{}'",
            opens.replace("'/dev/null'", "\"/dev/null\"").replace("'<'", "\"<\"")
        ),
    );
    let plans = vec![perl("forker", forks, &[]), opener, sh("good", "exec sleep 1000")];
    let items = vec![item("forker", &[]), item("opener", &[]), item("good", &[])];
    let ward = open(home(), plans, items, "").await;
    for (name, recipe) in [("forker", "zombie-flood"), ("opener", "handles-exhausted")] {
        let first = ward.phase(name, Phase::Ready).await.pid;
        ward.phase("good", Phase::Ready).await;
        assert!(refused(ward.act(Some("good"), recipe, vec![]).await).starts_with("nothing to mend"));
        eventually("it to pile up", SOON, async || {
            matches!(ward.act(Some(name), recipe, vec![]).await, Acted::Rehearsed(_)).then_some(())
        })
        .await;
        let done = ward.act(Some(name), recipe, vec![]).await;
        assert!(matches!(done, Acted::Done(_)), "{name}: {done:?}");
        assert_ne!(ward.phase(name, Phase::Ready).await.pid, first);
    }
    ward.house.stop().await;
}

#[tokio::test]
async fn what_a_removed_service_left_running_is_ended_and_nobody_else() {
    let ward = open(home(), vec![sh("app", "sleep 999 & exec sleep 1000")], vec![item("app", &[])], "").await;
    let app = ward.phase("app", Phase::Ready).await.pid.unwrap();
    let start = |unit: &str, home: &str| {
        Stray::start(Command::new("sleep").arg("1000").env("SANCTUM_UNIT", unit).env("SANCTUM_HOME", home))
    };
    let home = ward.home().display().to_string();
    assert!(refused(ward.act(None, "orphan-unit", vec![]).await).starts_with("nothing to mend"));
    let (gone, elsewhere) = (start("removed", &home), start("removed", "/another/home"));
    let declared = start("app", &home);
    let mut deaf = Command::new("sh");
    deaf.args(["-c", "trap '' TERM; echo; while :; do sleep 1; done"]);
    let deaf = Stray::start(deaf.env("SANCTUM_UNIT", "removed-too").env("SANCTUM_HOME", &home));
    let (rehearsed, _) = ward.act_twice(None, "orphan-unit", vec![]).await;
    assert!(
        rehearsed.contains(&gone.pid().to_string()) && rehearsed.contains(&deaf.pid().to_string()),
        "{rehearsed}"
    );
    assert!(!gone.lives() && !deaf.lives());
    assert!(elsewhere.lives() && declared.lives());
    assert_eq!(ward.phase("app", Phase::Ready).await.pid, Some(app));
    assert!(sanctum_kernel::process::born(app).is_some());
    ward.house.stop().await;
}

#[tokio::test]
async fn a_stray_of_the_house_is_taken_off_a_port_and_a_stranger_is_not() {
    let port = sanctum_testkit::port();
    let home = home();
    let shown = home.home().display().to_string();
    let mut listener = Command::new("perl");
    listener.args(["-e", LISTENER, &port.to_string()]);
    let stranger = Stray::start(&mut listener);
    eventually("the stranger", SOON, async || std::net::TcpStream::connect(("127.0.0.1", port)).ok()).await;
    let mut app = item("app", &[]);
    app.port = Some(port);
    let ward = open(home, vec![perl("app", LISTENER, &[&port.to_string()])], vec![app], "").await;
    ward.phase("app", Phase::Locked).await;
    let why = refused(ward.act(Some("app"), "stuck-port", vec![]).await);
    assert!(
        why.starts_with("a person's to mend") && why.contains(&format!("process {}", stranger.pid())),
        "{why}"
    );
    assert!(stranger.lives());
    drop(stranger);
    let stray = Stray::start(listener.env("SANCTUM_UNIT", "app").env("SANCTUM_HOME", &shown));
    eventually("the stray", SOON, async || std::net::TcpStream::connect(("127.0.0.1", port)).ok()).await;
    let (rehearsed, done) = ward.act_twice(Some("app"), "stuck-port", vec![]).await;
    assert!(rehearsed.contains(&stray.pid().to_string()), "{rehearsed}");
    assert!(done.contains(&format!("port {port} is free")), "{done}");
    assert!(!stray.lives());
    let app = ward.phase("app", Phase::Ready).await;
    let why = refused(ward.healer.run_recipe("stuck-port", Some("app".to_owned()), "ava").await);
    assert!(why.starts_with("cool-down"), "{why}");
    eventually("the service on its port", SOON, async || {
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()
    })
    .await;
    assert_eq!(ward.phase("app", Phase::Ready).await.pid, app.pid);
    ward.house.stop().await;
}

#[tokio::test]
async fn requirement_and_subtree_are_restarted_in_order_and_nothing_on_a_base_that_is_down() {
    let plan = |name: &str| sh(name, "exec sleep 1000");
    let items =
        vec![item("base", &[]), item("middle", &["base"]), item("app", &["middle"]), item("other", &[])];
    let plans = vec![plan("base"), plan("middle"), plan("app"), plan("other")];
    let ward = open(home(), plans, items, "").await;
    let mut first = Vec::new();
    for name in ["base", "middle", "app", "other"] {
        first.push(ward.phase(name, Phase::Ready).await.pid);
    }
    let mut order = ward.order(Some("app"), "x", vec![]);
    order.action = Action::RestartRequirement;
    assert!(matches!(ward.healer.act(order.clone()).await, Acted::Done(_)));
    let middle = ward.phase("middle", Phase::Ready).await;
    assert_ne!(middle.pid, first[1]);
    assert_eq!(ward.phase("app", Phase::Ready).await.pid, first[2]);
    order.action = Action::RestartSubtree;
    let done = ward.healer.act(order).await;
    let Acted::Done(words) = done else { panic!("{done:?}") };
    let at = |name: &str| words.find(&format!("`{name}` runs")).unwrap();
    assert!(at("base") < at("middle") && at("middle") < at("app"), "{words}");
    assert_eq!(ward.phase("other", Phase::Ready).await.pid, first[3], "an innocent");
    ward.supervise().act("base", "stop").await.unwrap();
    ward.phase("base", Phase::Stopped).await;
    let mut order = ward.order(Some("middle"), "x", vec![]);
    order.action = Action::Restart;
    assert!(refused(ward.healer.act(order).await).contains("requires base, which is not ready"));
    ward.house.stop().await;
}
