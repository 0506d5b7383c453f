//! What is remembered: kept through a restart, and nothing to fall over when it makes no sense.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use sanctum_api::supervise::Phase;
use sanctum_testkit::eventually;

use crate::house::{SOON, client, log, new, phase, runs, sinner, start, when};

#[tokio::test]
async fn c3_four_failures_before_a_restart_and_one_after_it_are_five() {
    let crash = "test -e calm && exec sleep 1000; exit 70";
    let plan = || sanctum_supervise::Plan {
        args: vec!["-c".into(), crash.into()],
        ..sanctum_supervise::Plan::new("app", "/bin/sh")
    };
    // The fourth failure is followed by a wait that is long enough to look.
    let slow = crate::house::QUICK
        .replace("max = \"2ms\"", "max = \"3s\"")
        .replace("first = \"1ms\"", "first = \"700ms\"");
    let house = new(vec![plan()]).config(&slow).start().await;
    when(&house, "app", "four failures", |state| state.restarts == 4).await;
    std::fs::File::create(house.home().join("calm")).unwrap();
    let kept = house.paths().state().join("supervise-failures.json");
    eventually("them to be written", SOON, async || {
        let text = std::fs::read_to_string(&kept).ok()?;
        let value: serde_json::Value = serde_json::from_str(&text).ok()?;
        (value["services"]["app"]["failures"].as_array()?.len() == 4).then_some(())
    })
    .await;
    let house = house.stop().await.start().await;
    let app = phase(&house, "app", Phase::Ready).await;
    assert_eq!(app.restarts, 4, "they still count");
    std::fs::remove_file(house.home().join("calm")).unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(app.pid.unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let locked = phase(&house, "app", Phase::Locked).await;
    assert!(locked.locked.unwrap().reason.contains("failed 5 times"));
    house.stop().await;
}

#[tokio::test]
async fn a_locked_one_is_tried_once_more_after_its_cool_down() {
    let config = format!("{}[supervise.breaker]\ncool-down = \"300ms\"\n", crate::house::QUICK);
    let script = "test -e mended && exec sleep 1000; exit 78";
    let plan = sanctum_supervise::Plan {
        args: vec!["-c".into(), script.into()],
        ..sanctum_supervise::Plan::new("app", "/bin/sh")
    };
    let house = new(vec![plan]).config(&config).start().await;
    phase(&house, "app", Phase::Locked).await;
    let paths = house.paths().clone();
    eventually("a second try", SOON, async || {
        (log(&paths, "app").matches("--- started").count() >= 2).then_some(())
    })
    .await;
    std::fs::File::create(house.home().join("mended")).unwrap();
    let app = phase(&house, "app", Phase::Ready).await;
    assert_eq!(app.locked, None);
    house.stop().await;
}

#[tokio::test]
async fn state_that_makes_no_sense_is_put_aside_and_said() {
    let stopped = new(vec![sinner("app", &[])]);
    let paths = stopped.paths();
    paths.prepare().unwrap();
    let state = ["supervise-locked.json", "supervise-failures.json", "supervise-jobs.json"];
    for name in state {
        sanctum_kernel::files::replace(&paths.state().join(name), b"{ \"app\": [1, 2", 0o600).unwrap();
    }
    sanctum_kernel::files::replace(&paths.run().join("app.pid"), b"\0\0\0", 0o600).unwrap();
    let house = stopped.start().await;
    phase(&house, "app", Phase::Ready).await;
    for name in state {
        assert!(paths.state().join(format!("{name}.unreadable")).exists(), "{name}");
    }
    let (_, health) = house.get("supervise", "/health").await;
    let memory = &health["parts"]["memory"];
    assert_eq!(memory["status"], "degraded");
    assert!(memory["detail"].as_str().unwrap().contains("supervise-locked.json.unreadable"), "{memory}");
    house.stop().await;
}

#[tokio::test]
async fn c5_a_process_whose_pid_file_is_lost_is_found_and_never_doubled() {
    let stopped = new(vec![sinner("app", &[])]);
    stopped.paths().prepare().unwrap();
    let mut left = Command::new(env!("CARGO_BIN_EXE_misbehave"))
        .env("SANCTUM_HOME", stopped.home())
        .env("SANCTUM_UNIT", "app")
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let pid = left.id();
    // Its environment can be read a moment after it runs.
    eventually("it to be found", SOON, async || {
        let found = sanctum_supervise::survivors(&stopped.paths());
        found.iter().any(|found| found.pid == pid && found.name == "app").then_some(())
    })
    .await;
    let waited = std::thread::spawn(move || left.wait().unwrap());
    let house = stopped.start().await;
    let app = phase(&house, "app", Phase::Ready).await;
    assert!(app.pid != Some(pid) && !runs(pid));
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&waited.join().unwrap()), Some(15));
    house.stop().await;
}

#[tokio::test]
async fn two_supervisors_cannot_keep_one_home() {
    let house = start(vec![sinner("app", &[])]).await;
    let app = phase(&house, "app", Phase::Ready).await;
    let holder = sanctum_supervise::holder(house.paths()).unwrap();
    let refusal = sanctum_supervise::refusal(house.paths(), &holder).to_string();
    assert!(refusal.contains("is up already: process"), "{refusal}");
    assert_eq!(client(&house).service("app").await.unwrap().pid, app.pid);
    house.stop().await;
}

#[tokio::test]
async fn a_full_disk_for_state_stops_nobody_and_is_said() {
    let stopped = new(vec![sinner("app", &[]), sinner("sick", &["--crash-after", "0", "--exit-code", "78"])]);
    let paths = stopped.paths();
    paths.prepare().unwrap();
    let disk = sanctum_testkit::disk::Mount::small(&paths.state());
    let filler = std::fs::File::create(paths.state().join("filler")).unwrap();
    let whole = vec![0_u8; 64 * 1024];
    while std::io::Write::write_all(&mut &filler, &whole).is_ok() {}
    let house = stopped.start().await;
    phase(&house, "app", Phase::Ready).await;
    phase(&house, "sick", Phase::Locked).await;
    let detail = eventually("the trouble to be said", SOON, async || {
        let (_, health) = house.get("supervise", "/health").await;
        health["parts"]["state"]["detail"].as_str().map(str::to_owned)
    })
    .await;
    assert!(detail.contains("could not be written"), "{detail}");
    drop(filler);
    std::fs::remove_file(paths.state().join("filler")).unwrap();
    client(&house).act("sick", "unlock").await.unwrap();
    eventually("the next write to go well", SOON, async || {
        let (_, health) = house.get("supervise", "/health").await;
        health["parts"]["state"].is_null().then_some(())
    })
    .await;
    let stopped = house.stop().await;
    drop(disk);
    drop(stopped);
}
