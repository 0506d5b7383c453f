//! The supervisor dies, or hangs: the house goes on, another supervisor keeps what runs, and a person is told.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::Program;

const PATIENCE: Duration = Duration::from_mins(1);

fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "waited for: {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Takes what is posted, whole, and answers 200.
fn receiver() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/alarm", listener.local_addr().unwrap());
    let (said, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = Vec::new();
            let mut bite = [0; 4096];
            let whole = loop {
                let taken = stream.read(&mut bite).unwrap();
                bytes.extend_from_slice(bite.get(..taken).unwrap());
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let length =
                    text.to_ascii_lowercase().split_once("content-length: ").and_then(|(_, rest)| {
                        rest.split_once("\r\n").and_then(|(number, _)| number.parse::<usize>().ok())
                    });
                let body = text.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
                if taken == 0 || length.is_some_and(|length| body >= length) {
                    break text;
                }
            };
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            if said.send(whole).is_err() {
                return;
            }
        }
    });
    (url, heard)
}

/// The processes of the services, the supervisor's own aside.
fn pids(program: &Program) -> BTreeMap<String, u64> {
    let ran = program.run(&["status", "--json"]);
    let status = serde_json::from_str::<serde_json::Value>(&ran.out).unwrap_or_default();
    let services =
        status.get("services").and_then(|services| services.as_array()).cloned().unwrap_or_default();
    let ready =
        services.iter().filter(|service| service["phase"] == "ready" && service["name"] != "supervise");
    ready
        .filter_map(|service| Some((service["name"].as_str()?.to_owned(), service["pid"].as_u64()?)))
        .collect()
}

fn supervisor(program: &Program) -> Option<Pid> {
    let text = std::fs::read_to_string(program.home().join("run/supervise.beat")).ok()?;
    let beat: serde_json::Value = serde_json::from_str(&text).ok()?;
    Pid::from_raw(i32::try_from(beat.get("pid")?.as_i64()?).ok()?)
}

fn house(url: &str) -> Program {
    let program = Program::with_house();
    let before = std::fs::read_to_string(program.home().join("sanctum.toml")).unwrap();
    program.write(&format!("{before}\n[deadman]\npatience = \"4s\"\nurl = \"{url}\"\n"));
    program
}

#[test]
fn c5_f11_a_supervisor_that_is_killed_or_hangs_comes_back_and_every_service_is_kept() {
    let (url, heard) = receiver();
    let program = house(&url);
    program.ok(&["up", "--detach"]);
    let before = pids(&program);
    assert!(before.contains_key("notify") && before.contains_key("deadman"), "{before:?}");
    for (signal, said) in [(Signal::KILL, "was gone"), (Signal::STOP, "hung")] {
        let old = supervisor(&program).unwrap();
        kill_process(old, signal).unwrap();
        let told = heard.recv_timeout(PATIENCE).unwrap();
        assert!(told.contains(said) && told.contains("is back"), "{told}");
        assert_ne!(supervisor(&program).unwrap(), old);
        let after = wait("the services under the new supervisor", || {
            let after = pids(&program);
            (after.len() == before.len()).then_some(after)
        });
        assert_eq!(after, before, "none restarted, none lost, none doubled");
    }
    // The services know each other still, and what they print still reaches their logs.
    let sent = program.json(&["notify", "--severity", "warn", "after", "the storm"]);
    assert!(sent["id"].as_i64().is_some(), "{sent}");
    // A kept service that dies is started again, like any other.
    let notify = Pid::from_raw(i32::try_from(before["notify"]).unwrap()).unwrap();
    kill_process(notify, Signal::KILL).unwrap();
    wait("another notify", || pids(&program).get("notify").filter(|pid| **pid != before["notify"]).copied());
    program.ok(&["down"]);
    assert!(wait("the end", || Some(pids(&program))).is_empty());
}

#[test]
fn without_a_supervisor_up_keeps_what_runs_and_down_ends_it() {
    let program = Program::with_house();
    let before = std::fs::read_to_string(program.home().join("sanctum.toml")).unwrap();
    program.write(&format!("{before}\n[supervise]\ndisabled = [\"deadman\"]\n"));
    program.ok(&["up", "--detach"]);
    let services = pids(&program);
    kill_process(supervisor(&program).unwrap(), Signal::KILL).unwrap();
    wait("the supervisor's end", || (program.run(&["status"]).code != 0).then_some(()));
    program.ok(&["up", "--detach"]);
    wait("the same services under the new supervisor", || (pids(&program) == services).then_some(()));
    kill_process(supervisor(&program).unwrap(), Signal::KILL).unwrap();
    wait("the supervisor's end", || (program.run(&["status"]).code != 0).then_some(()));
    program.ok(&["down"]);
    for pid in services.values() {
        assert!(
            !std::path::Path::new(&format!("/proc/{pid}/cmdline")).exists()
                || std::fs::read(format!("/proc/{pid}/cmdline")).unwrap().is_empty()
        );
    }
}
