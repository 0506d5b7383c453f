//! The night at 02:47, without root.

use crate::program::Program;

#[test]
fn the_story_is_told_whole_in_one_trace() {
    let report = Program::new().json(&["demo"]);
    assert_eq!(report["told"], true, "{report:#}");
    assert_eq!(report["verdict"], "proven");
    assert_eq!(report["passed"], 0);
    assert_eq!(report["lifted"], true);
    let id = &report["trace_id"];
    let moments = report["moments"].as_array().unwrap();
    assert!(moments.iter().all(|moment| &moment["trace_id"] == id));
    for part in ["joined", "verified", "violation", "delivered", "banner"] {
        assert!(moments.iter().any(|moment| moment["what"] == part), "{part}: {report:#}");
    }
}

#[test]
fn a_misbehaving_router_is_caught() {
    for fault in ["lies", "forgets", "leaks", "refuses", "unreachable"] {
        let report = Program::new().json(&["demo", "--fault", fault]);
        assert_eq!(report["told"], true, "{fault}: {report:#}");
        assert_ne!(report["verdict"], "proven", "{fault}");
    }
}

#[test]
fn an_unknown_fault_lists_the_known_ones() {
    let ran = Program::new().run(&["demo", "--fault", "sulks"]);
    assert_eq!(ran.code, 64);
    assert!(ran.err.contains("lies"), "{}", ran.err);
}
