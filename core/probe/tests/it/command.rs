//! Programs that end well, badly, late, or not at all.

use std::time::Duration;

use sanctum_kernel::process::born;
use sanctum_probe::Finding::{Drift, Fail, Pass, Unknown};

use super::{ask, expect, eyes};

fn sh(script: &str, more: &str) -> String {
    format!("timeout = \"600ms\"\ncommand = {{ command = [\"/bin/sh\", \"-c\", {script:?}]{more} }}")
}

#[tokio::test]
async fn the_code_is_the_finding() {
    expect(&sh("echo all is well", ""), Pass, "all is well").await;
    expect(&sh("echo hm; exit 1", ""), Drift, "ended with 1: hm").await;
    expect(&sh("echo oh >&2; exit 2", ""), Fail, "ended with 2: oh").await;
    expect(&sh("exit 3", ""), Unknown, "ended with 3").await;
    expect(&sh("exit 127", ""), Fail, "127").await;
    expect(&sh("kill -9 $$", ""), Fail, "signal 9").await;
    expect(&sh("echo ready", ", expect = \"ready\""), Pass, "").await;
    expect(&sh("echo no", ", expect = \"ready\""), Fail, "printed `no` instead of `ready`").await;
    expect("command = { command = [\"/no/such/program\"] }", Unknown, "could not be started").await;
}

#[tokio::test]
async fn no_shell_is_asked() {
    let plain = "command = { command = [\"/bin/echo\", \"$HOME; exit 2\"], expect = \"$HOME; exit 2\" }";
    expect(plain, Pass, "").await;
}

#[tokio::test]
async fn one_that_never_ends_is_killed_with_all_it_started() {
    let eyes = eyes();
    let note = eyes.home.path().join("pids");
    let script = format!("sleep 60 & echo $$ $! > {}; wait", note.display());
    let answer = eyes.ask(&sh(&script, "")).await;
    assert_eq!(answer.finding, Fail);
    assert!(answer.detail.contains("was killed"), "{}", answer.detail);
    let pids = std::fs::read_to_string(note).unwrap();
    for pid in pids.split_whitespace().map(|pid| pid.parse().unwrap()) {
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        while born(pid).is_some() {
            assert!(std::time::Instant::now() < deadline, "{pid} still runs");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn one_that_leaves_somebody_behind_is_not_waited_for() {
    let answer = ask(&sh("sleep 60 & echo done", "")).await;
    assert_eq!(answer.finding, Pass, "{}", answer.detail);
    assert!(answer.detail.contains("done"));
    // It left even its group, and holds the pipe.
    let answer = ask(&sh("setsid sleep 2 & echo done", "")).await;
    assert_eq!(answer.finding, Pass, "{}", answer.detail);
}

#[tokio::test]
async fn one_that_floods_is_bounded() {
    let answer = ask(&sh("yes | head -c 20000000; exit 1", "").replace("600ms", "20s")).await;
    assert_eq!(answer.finding, Drift, "{}", answer.detail);
    assert!(answer.detail.len() < 400);
}
