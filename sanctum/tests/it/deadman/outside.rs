//! The watch outside of the house: called only while every heart in it beats.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::process::Signal;

use super::{SMALL, everything, pids, signal, supervisor, wait, with};

#[test]
fn d2_a_part_that_froze_is_not_masked_by_a_cheerful_hub() {
    let (url, heard) = everything(Arc::new(AtomicBool::new(true)));
    let program = with(&format!("\n[notify.dead-man]\nurl = \"{url}\"\nevery = \"10s\"\n{SMALL}"));
    program.ok(&["up", "--detach"]);
    let cheerful = |what| wait(what, || heard.try_iter().find(|call| call.starts_with("GET /alarm ")));
    cheerful("a call of a house that is well");
    let keeper = u64::try_from(supervisor(&program).unwrap().as_raw_nonzero().get()).unwrap();
    let parts = [("supervise", keeper), ("deadman", pids(&program)["deadman"])];
    for (_, pid) in parts {
        signal(pid, Signal::STOP);
    }
    for (name, _) in parts {
        let trouble = wait(name, || {
            heard.try_iter().find(|call| call.contains(&format!("{name}: it has not finished a round")))
        });
        assert!(trouble.starts_with("POST /alarm/fail "), "{trouble}");
    }
    for (_, pid) in parts {
        signal(pid, Signal::CONT);
    }
    cheerful("a call when all beat again");
    // One that froze itself is heard of by its silence: nobody calls in its place.
    let hub = pids(&program)["notify"];
    signal(hub, Signal::STOP);
    heard.try_iter().for_each(drop);
    let looks = super::sequence(&program, "supervise");
    wait("the others to go on", || (super::sequence(&program, "supervise") > looks + 8).then_some(()));
    assert_eq!(heard.try_recv().ok(), None);
    signal(hub, Signal::CONT);
    cheerful("a call of the hub that goes on");
    program.ok(&["down"]);
}
