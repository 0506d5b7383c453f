//! Weekly, and silent: whether the switch could reach anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{PATIENCE, SMALL, everything, switch, wait, with};

#[test]
fn d3_a_drill_is_silent_and_one_that_fails_is_told_by_another_way() {
    let good = Arc::new(AtomicBool::new(true));
    let (url, heard) = everything(Arc::clone(&good));
    let program = with(&format!("{}{SMALL}", switch(&url)));
    program.ok(&["up", "--detach"]);
    // The first comes with the first start: what does not work is known before it is needed.
    let drill = heard.recv_timeout(PATIENCE).unwrap();
    assert!(drill.contains("priority: min") && drill.contains("Nothing is wrong"), "{drill}");
    let state = program.json(&["deadman"]);
    assert!(state["drill"]["at"].is_string() && state["drill"]["trouble"].is_null(), "{state}");
    assert_eq!(program.run(&["deadman", "drill"]).code, 0);
    assert!(heard.recv_timeout(PATIENCE).unwrap().contains("priority: min"));
    good.store(false, Ordering::Relaxed);
    let ran = program.run(&["deadman", "drill"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    assert!(ran.out.contains("the answer was 500"), "{}", ran.out);
    wait("the hub to hear of it", || {
        program.run(&["notify", "--history", "--json"]).out.contains("cannot reach you").then_some(())
    });
    // What no way took is offered until one does.
    good.store(true, Ordering::Relaxed);
    let owed = wait("what was owed", || {
        heard
            .try_iter()
            .find(|told| told.contains("priority: urgent") && told.contains("If the supervisor died now"))
    });
    assert!(owed.contains("Its drill failed"), "{owed}");
    assert_eq!(program.run(&["deadman", "drill"]).code, 0);
    program.ok(&["down"]);
}
