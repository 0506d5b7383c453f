//! Chaos: a short run with the real program; the same seed is the same plan.

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
