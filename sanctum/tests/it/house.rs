//! The house as processes: up, asked, broken, down.

use std::os::unix::fs::symlink;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::program::Program;

const PATIENCE: Duration = Duration::from_secs(30);

fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited for: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Ends a process this test started, by its pid.
fn terminate(child: &mut Child) -> i32 {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    wait("the process to end", || child.try_wait().unwrap()).code().unwrap_or(-1)
}

#[test]
fn a_link_by_its_name_runs_a_service_and_sigterm_ends_it_well() {
    let program = Program::with_house();
    let link = program.home().join("sanctum-notify");
    symlink(env!("CARGO_BIN_EXE_sanctum"), &link).unwrap();
    let mut child = program.called(&link, &[]).stderr(std::process::Stdio::null()).spawn().unwrap();
    wait("notify to answer", || {
        let channels = program.run(&["notify", "--channel-list", "--json"]);
        (channels.code == 0).then_some(())
    });
    assert_eq!(terminate(&mut child), 0);
}

#[test]
fn a_port_in_use_ends_with_its_own_exit_code_and_the_way_out() {
    let program = Program::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    program.write(&format!("[listen]\nnotify = \"{}\"\n", taken.local_addr().unwrap()));
    let ran = program.run(&["run", "notify"]);
    assert_eq!(ran.code, 69, "{}", ran.err);
    assert!(ran.err.contains("[listen]") && ran.err.contains("notify"), "{}", ran.err);
}

#[test]
fn up_tells_when_all_is_ready_and_down_proves_that_all_are_gone() {
    let program = Program::with_house();
    let status = program.run(&["status"]);
    assert_ne!(status.code, 0, "a house that is down is not well");
    program.ok(&["up", "--detach"]);
    let services = program.json(&["status"]);
    let text = services.to_string();
    for name in ["notify", "firewall", "screen", "dashboard"] {
        assert!(text.contains(&format!("\"name\":\"{name}\"")), "{text}");
    }
    assert!(program.ok(&["status", "--url"]).starts_with("http://127.0.0.1:"));
    assert!(program.run(&["up", "--detach"]).code != 0, "one house has one supervisor");
    assert!(program.ok(&["doctor"]).contains("good"));
    let doctor = program.json(&["doctor"]);
    assert!(doctor.as_array().unwrap().iter().all(|look| look["finding"] != "bad"), "{doctor:#}");
    let sent = program.json(&["notify", "--severity", "warn", "the kettle", "it boils"]);
    assert!(sent["id"].as_i64().is_some(), "{sent}");
    program.ok(&["down"]);
    assert_ne!(program.run(&["status"]).code, 0);
    assert_eq!(program.run(&["status", "--url"]).code, 69);
}

#[test]
fn what_is_said_while_the_hub_is_down_is_told_when_it_returns() {
    let program = Program::with_house();
    let ran = program.run(&["notify", "--severity", "error", "the cellar", "there is water"]);
    assert!(ran.out.contains("spool") || ran.err.contains("spool"), "{ran:?}");
    program.ok(&["up", "--detach"]);
    wait("the spooled notification", || {
        let history = program.run(&["notify", "--history", "--json"]);
        history.out.contains("there is water").then_some(())
    });
    program.ok(&["down"]);
}
