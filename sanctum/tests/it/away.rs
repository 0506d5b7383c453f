//! A running house whose file has moved under it, or is broken: the command line still finds it.

use std::os::unix::fs::PermissionsExt;

use crate::program::{Program, listen};

#[test]
fn a_house_is_found_and_ended_whatever_has_become_of_its_file() {
    let program = Program::with_house();
    program.ok(&["up", "--detach"]);
    program.write(&format!("{}\n[firewall]\nbackend = \"simulated\"\n", listen()));
    assert!(
        program.ok(&["devices"]).contains("Nobody was seen yet"),
        "the addresses in the file are others now"
    );
    program.write("[house\nthis is no file of ours");
    assert_eq!(program.run(&["config", "check"]).code, 78);
    let status = program.json(&["status"]);
    assert_eq!(status["up"], true, "{status:#}");
    assert!(status["services"].as_array().unwrap().len() >= 4, "{status:#}");
    assert!(program.ok(&["status", "--url"]).starts_with("http://127.0.0.1:"));
    let mode =
        |path: &str| std::fs::metadata(program.home().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("run/at"), mode("run/at/notify"), mode("run/at/supervise")), (0o700, 0o600, 0o600));
    program.ok(&["down"]);
    assert_eq!(program.json(&["status"])["up"], false);
    assert_ne!(program.run(&["devices"]).code, 0, "what it said of itself ended with it");
}
