//! Services that the file declares.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use sanctum_api::supervise::Phase;
use serde_json::Value;

use crate::house::{
    SOON, client, declared, file, gone, listener, log, new, of, phase, runs, sinner, stamps, when, written,
};

fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

#[tokio::test]
async fn c4_what_requires_another_ends_with_it_and_comes_back_with_it() {
    let services = [
        declared("broker", &["--notify", "50"], "run.notify = true"),
        declared("bridge", &["--notify", "10"], "run.notify = true\nrequires = [\"broker\"]"),
        declared("lights", &["--notify", "10"], "run.notify = true\nrequires = [\"bridge\"]"),
        declared("radio", &[], "after = [\"broker\"]"),
        declared("lamp", &[], "wants = [\"broker\"]"),
    ];
    let house = of(&services).await;
    let names = ["broker", "bridge", "lights", "radio", "lamp"];
    let mut first = Vec::new();
    for name in names {
        first.push(phase(&house, name, Phase::Ready).await.pid.unwrap());
    }
    let bridge = client(&house).service("bridge").await.unwrap();
    assert_eq!((bridge.ours, bridge.requires.as_slice()), (false, ["broker".to_owned()].as_slice()));
    assert_eq!(bridge.detail.as_deref(), Some("warm"), "what it says of itself is shown");
    kill(first[0], Signal::KILL);
    for (at, name) in names.iter().enumerate().take(3) {
        when(&house, name, "another process", |state| {
            state.phase == Phase::Ready && state.pid.is_some_and(|pid| pid != first[at])
        })
        .await;
    }
    for (at, name) in names.iter().enumerate().skip(3) {
        assert_eq!(client(&house).service(name).await.unwrap().pid, Some(first[at]), "{name} is left alone");
    }
    let paths = house.paths().clone();
    for name in ["bridge", "lights"] {
        written(&paths, name, "--- started", 2).await;
    }
    let ended = |name: &str| stamps(&paths, name, "--- ended: signal 15 (TERM)").remove(0);
    let began = |name: &str| stamps(&paths, name, "--- started").remove(1);
    assert!(ended("lights") <= ended("bridge"), "the farthest first");
    assert!(
        ended("bridge") <= began("bridge")
            && began("broker") <= began("bridge")
            && began("bridge") <= began("lights")
    );
    assert_eq!(client(&house).service("bridge").await.unwrap().restarts, 0, "to be ended is not to fail");

    // A person stops it: those that require it go first, and all come back when it does.
    client(&house).act("broker", "stop").await.unwrap();
    phase(&house, "broker", Phase::Stopped).await;
    for name in ["bridge", "lights"] {
        let waiting = phase(&house, name, Phase::Waiting).await;
        assert!(waiting.detail.unwrap().starts_with("waits for "));
    }
    client(&house).act("broker", "start").await.unwrap();
    for name in ["bridge", "lights"] {
        phase(&house, name, Phase::Ready).await;
    }
    house.stop().await;
}

#[tokio::test]
async fn a_foreign_service_may_lean_on_ours_and_the_house_ends_in_order() {
    let services =
        [declared("app", &[], "requires = [\"notify\"]"), declared("other", &[], "after = [\"app\"]")];
    let house =
        new(vec![listener("notify", &["--ready-after", "200"], &[])]).config(&file(&services)).start().await;
    phase(&house, "other", Phase::Ready).await;
    let stopped = house.stop().await;
    let ended = |name: &str| stamps(&stopped.paths(), name, "--- ended: signal 15 (TERM)").remove(0);
    assert!(ended("other") <= ended("app") && ended("app") <= ended("notify"));
}

#[tokio::test]
async fn a_changed_file_touches_only_what_it_changes() {
    let keep = declared("keep", &[], "");
    let services = [
        keep.clone(),
        declared("change", &["--say", "one"], ""),
        declared("on-it", &[], "requires = [\"change\"]"),
        declared("go", &[], ""),
        declared("go-too", &[], "requires = [\"go\"]"),
    ];
    let mut house = new(vec![sinner("ours", &[])]).config(&file(&services)).start().await;
    let mut before = std::collections::BTreeMap::new();
    for name in ["ours", "keep", "change", "on-it", "go", "go-too"] {
        before.insert(name, phase(&house, name, Phase::Ready).await.pid.unwrap());
    }
    let services = [
        keep.replace(
            "[service.keep]\n",
            "[service.keep]\nsummary = \"the same process\"\nrun.grace = \"3s\"\n",
        ),
        declared("change", &["--say", "two"], ""),
        declared("on-it", &[], "requires = [\"change\"]"),
        declared("new", &[], "requires = [\"change\"]"),
    ];
    house.reconfigure(&file(&services)).await;
    for name in ["change", "on-it"] {
        when(&house, name, "another process", |state| {
            state.phase == Phase::Ready && state.pid.is_some_and(|pid| pid != before[name])
        })
        .await;
    }
    phase(&house, "new", Phase::Ready).await;
    gone(before["go"]).await;
    gone(before["go-too"]).await;
    for name in ["ours", "keep"] {
        let now = phase(&house, name, Phase::Ready).await;
        assert_eq!((now.pid, now.restarts), (Some(before[name]), 0), "{name} did not notice");
    }
    let paths = house.paths().clone();
    written(&paths, "change", " two\n", 1).await;
    let ended = |name: &str| stamps(&paths, name, "--- ended").remove(0);
    assert!(ended("go-too") <= ended("go") && ended("on-it") <= ended("change"), "dependants first");
    let names: Vec<String> =
        client(&house).services().await.unwrap().into_iter().map(|state| state.name).collect();
    assert_eq!(names, ["ours", "change", "keep", "on-it", "new", "supervise"]);
    assert_eq!(client(&house).service("keep").await.unwrap().summary, "the same process");

    // What was taken out comes back, and a broken file changes nothing.
    house
        .reconfigure(&file(&[
            declared("go", &["--say", "again"], ""),
            "[service.go-too]\nrequires = [\"nobody\"]\n".to_owned(),
        ]))
        .await;
    assert_eq!(phase(&house, "keep", Phase::Ready).await.pid, Some(before["keep"]));
    house.reconfigure(&file(&[services[0].clone(), declared("go", &["--say", "again"], "")])).await;
    let again = phase(&house, "go", Phase::Ready).await;
    assert!(again.pid != Some(before["go"]) && runs(before["keep"]));
    house.stop().await;
}

/// Puts a program of its own into the house, as an upgrade does: a new file in the old one's place.
fn install(home: &Path, name: &str) -> String {
    let (new, place) = (home.join("tool.new"), home.join(name));
    std::fs::copy(env!("CARGO_BIN_EXE_misbehave"), &new).unwrap();
    std::fs::rename(new, &place).unwrap();
    place.display().to_string()
}

#[tokio::test]
async fn a_newer_file_is_noticed_and_a_reload_goes_in_order() {
    let stopped = new(Vec::new());
    let tool = install(stopped.home(), "tool");
    let service = |name: &str, more: &str| {
        format!(
            "[service.{name}]\nrun = {{ command = [{tool:?}, \"--notify\", \"100\"], notify = true }}\n{more}\n"
        )
    };
    let services = [
        service("a", ""),
        service("b", "requires = [\"a\"]"),
        service("c", "after = [\"a\"]"),
        declared("d", &[], ""),
    ];
    let house = stopped.config(&file(&services)).start().await;
    let mut before = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let state = phase(&house, name, Phase::Ready).await;
        assert!(!state.stale);
        before.push(state.pid.unwrap());
    }
    assert!(client(&house).reload().await.unwrap().is_empty(), "nothing is older than its file");
    install(house.home(), "tool");
    for name in ["a", "b", "c"] {
        let stale = when(&house, name, "the newer file to be seen", |state| state.stale).await;
        assert!(stale.detail.unwrap().contains("sanctum reload"));
    }
    assert!(!client(&house).service("d").await.unwrap().stale);
    assert_eq!(client(&house).reload().await.unwrap(), ["a", "b", "c"]);
    for (name, before) in ["a", "b", "c"].iter().zip(&before) {
        when(&house, name, "the newer program", |state| {
            state.phase == Phase::Ready && !state.stale && state.pid.is_some_and(|pid| pid != *before)
        })
        .await;
    }
    assert_eq!(client(&house).service("d").await.unwrap().pid, Some(before[3]));
    let paths = house.paths().clone();
    for name in ["a", "b", "c"] {
        written(&paths, name, "--- started", 2).await;
    }
    let (ended, began) = (
        |name: &str| stamps(&paths, name, "--- ended").remove(0),
        |name: &str| stamps(&paths, name, "--- started").remove(1),
    );
    assert!(ended("b") <= ended("a") && began("a") <= began("b"));
    assert!(began("a") <= ended("c"), "who only began after it serves on until it is back");
    let (status, problem) = house.send("supervise", "POST", "/services/nobody/reload", &Value::Null).await;
    assert_eq!(status, 404, "{problem}");
    house.stop().await;
}

#[tokio::test]
async fn c5_a_port_that_somebody_else_holds_is_named() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let house = of(&[declared("app", &[], &format!("port = {port}"))]).await;
    let refused = when(&house, "app", "it not to be started", |state| {
        state.phase == Phase::Locked
            || state.detail.as_ref().is_some_and(|detail| detail.contains("is held by"))
    })
    .await;
    let me = std::process::id();
    let said = format!("port {port} is held by ");
    let detail = refused.detail.unwrap();
    assert!(detail.contains(&said) && detail.contains(&format!("(pid {me})")), "{detail}");
    assert!(!log(house.paths(), "app").contains("--- started"), "it is not even tried");
    drop(holder);
    let locked = when(&house, "app", "the end of its tries", |state| {
        matches!(state.phase, Phase::Locked | Phase::Ready)
    })
    .await;
    if locked.phase == Phase::Locked {
        client(&house).act("app", "unlock").await.unwrap();
        phase(&house, "app", Phase::Ready).await;
    }
    house.stop().await;
}

#[tokio::test]
async fn readiness_is_asked_as_it_is_declared() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = port.to_string();
    let services = [
        declared(
            "web",
            &["--listen", &address, "--ready-after", "150"],
            &format!("run.ready = {{ http = {{ url = \"http://{address}/\" }} }}"),
        ),
        declared("mark", &[], "run.ready = { file = { path = \"@/mark\" } }"),
    ];
    let stopped = new(Vec::new());
    let config = file(&services).replace("@/", &format!("{}/", stopped.home().display()));
    let house = stopped.config(&config).start().await;
    let web = phase(&house, "web", Phase::Ready).await;
    assert!(web.ready_ms.unwrap() >= 150);
    assert_eq!(client(&house).service("mark").await.unwrap().phase, Phase::Starting);
    std::fs::File::create(house.home().join("mark")).unwrap();
    sanctum_testkit::eventually("the mark to be seen", SOON, async || {
        (client(&house).service("mark").await.ok()?.phase == Phase::Ready).then_some(())
    })
    .await;
    house.stop().await;
}
