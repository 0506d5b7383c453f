//! Chaos: a short run with the real program; the same seed is the same plan.

use std::process::Stdio;
use std::time::Duration;

use sanctum_testkit::eventually;
use serde_json::Value;

use crate::program::Program;

#[test]
fn a_seed_says_what_is_done() {
    let program = Program::new();
    let plan = ["chaos", "plan", "--seed", "7", "--rounds", "5"];
    assert_eq!(program.ok(&plan), program.ok(&plan));
    let other = program.ok(&["chaos", "plan", "--seed", "8", "--rounds", "5"]);
    assert_ne!(program.ok(&plan), other);
    assert!(program.run(&["chaos", "run", "--rounds", "0"]).err.contains("1..=1000"));
}

#[test]
fn a_hurt_house_notices_names_and_mends_and_touches_nobody_else() {
    let ran = Program::new().run(&[
        "chaos",
        "run",
        "--seed",
        "7",
        "--short",
        "--rounds",
        "3",
        "--services",
        "5",
        "--json",
    ]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let score: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(score["outcomes"].as_array().unwrap().len(), 4, "{score}");
    for none in ["wrong_roots", "innocents", "false_alarms"] {
        assert!(score[none].as_array().unwrap().is_empty(), "{score}");
    }
    assert!(score["outcomes"][0]["detected"].is_number(), "{score}");
}

#[tokio::test]
async fn one_that_is_asked_to_end_takes_its_house_with_it() {
    let place = tempfile::tempdir().unwrap();
    let program = Program::new();
    let mut command = program.command(&["chaos", "run", "--seed", "7", "--short", "--services", "3"]);
    let run =
        command.env("TMPDIR", place.path()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let of_house = || {
        let home = place.path().to_string_lossy().into_owned();
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let words = entries.map(|entry| std::fs::read(entry.path().join("environ")).unwrap_or_default());
        words.filter(|words| String::from_utf8_lossy(words).contains(&format!("SANCTUM_HOME={home}"))).count()
    };
    let patience = Duration::from_mins(1);
    eventually("the house to run", patience, async || (of_house() >= 4).then_some(())).await;
    let pid = run.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let run = std::cell::RefCell::new(run);
    let status = eventually("its end", patience, async || run.borrow_mut().try_wait().unwrap()).await;
    assert_eq!(status.code(), Some(1));
    assert_eq!(of_house(), 0);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "nor is its directory");
}
