//! The supervisor dies, or hangs: the house goes on, another supervisor keeps what runs, and a person is told.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::Program;

mod drill;
mod outside;
mod peer;
mod storm;

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

/// A house that is ended whatever becomes of the test.
struct Up(Program);

impl std::ops::Deref for Up {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.0
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.0.run(&["down"]);
    }
}

/// Takes what is posted, whole, and answers 200. Drills are for those who ask for them.
fn receiver() -> (String, mpsc::Receiver<String>) {
    let (url, heard) = everything(Arc::new(AtomicBool::new(true)));
    let (said, alarms) = mpsc::channel();
    std::thread::spawn(move || {
        for told in heard.iter().filter(|told| !told.contains("priority: min")) {
            if said.send(told).is_err() {
                return;
            }
        }
    });
    (url, alarms)
}

/// Takes whatever comes, and answers 200 or, if it is not `good`, 500.
fn everything(good: Arc<AtomicBool>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/alarm", listener.local_addr().unwrap());
    let (said, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let mut bytes = Vec::new();
            let mut bite = [0; 4096];
            let whole = loop {
                let taken = stream.read(&mut bite).unwrap_or(0);
                bytes.extend_from_slice(bite.get(..taken).unwrap());
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let length =
                    text.to_ascii_lowercase().split_once("content-length: ").and_then(|(_, rest)| {
                        rest.split_once("\r\n").and_then(|(number, _)| number.parse::<usize>().ok())
                    });
                let body = text.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
                let bare = text.starts_with("GET ") && text.contains("\r\n\r\n");
                if taken == 0 || bare || length.is_some_and(|length| body >= length) {
                    break text;
                }
            };
            let status = if good.load(Ordering::Relaxed) { "200 OK" } else { "500 No" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            // Who was killed while it asked hears no answer.
            stream.write_all(answer.as_bytes()).ok();
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

/// What is wanted of the switch in these tests.
fn switch(url: &str) -> String {
    format!("\n[deadman]\npatience = \"4s\"\nremind-every = \"3s\"\nurl = \"{url}\"\n")
}

/// A house with more in its file, not yet up.
fn with(more: &str) -> Up {
    let program = Program::with_house();
    let before = std::fs::read_to_string(program.home().join("sanctum.toml")).unwrap();
    program.write(&format!("{before}{more}"));
    Up(program)
}

/// Little more than the switch.
const SMALL: &str =
    "\n[supervise]\ndisabled = [\"firewall\", \"screen\", \"proxy\", \"dashboard\", \"watch\", \"memory\"]\n";

fn signal(pid: u64, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// The stance of the switch, once it answers.
fn stance(program: &Program) -> String {
    program.json(&["deadman"])["stance"].as_str().unwrap_or_default().to_owned()
}

/// The count of a heart.
fn sequence(program: &Program, name: &str) -> u64 {
    let text = std::fs::read(program.home().join(format!("run/{name}.beat"))).unwrap_or_default();
    serde_json::from_slice::<serde_json::Value>(&text)
        .ok()
        .and_then(|beat| beat["sequence"].as_u64())
        .unwrap_or(0)
}

/// Waits until the switch has looked so often, and hears that nobody was told anything meanwhile.
fn nothing_for(program: &Program, looks: u64, heard: &mpsc::Receiver<String>) {
    let from = sequence(program, "deadman");
    wait("the switch to look", || (sequence(program, "deadman") >= from + looks).then_some(()));
    assert_eq!(heard.try_recv().ok(), None);
}

#[test]
fn d1_c5_a_supervisor_that_is_killed_or_stopped_comes_back_and_every_service_is_kept() {
    let (url, heard) = receiver();
    let program = with(&switch(&url));
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
    signal_and_wait_for_another(&program, "notify", before["notify"]);
    program.ok(&["down"]);
    assert!(wait("the end", || Some(pids(&program))).is_empty());
    // Ended in good order: nobody is to be told.
    assert_eq!(heard.try_recv().ok(), None);
}

fn signal_and_wait_for_another(program: &Program, name: &str, pid: u64) {
    signal(pid, Signal::KILL);
    wait("another process", || pids(program).get(name).filter(|other| **other != pid).copied());
}

#[test]
fn d1_a_wedged_supervisor_is_brought_back_although_its_other_threads_live() {
    let (url, heard) = receiver();
    let program = with(&format!("{}{SMALL}", switch(&url)));
    // Its one loop writes to a pipe that nobody reads: once that is full, it hangs, and nothing else of it does.
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let mut command = program.command(&["up"]);
    let mut wedged = command.stdout(std::process::Stdio::null()).stderr(writer).spawn().unwrap();
    wait("the house", || (pids(&program).len() == 2).then_some(()));
    let before = pids(&program);
    let path = format!("/proc/{}/fd/2", wedged.id());
    let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
    let filler = rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).unwrap();
    while rustix::io::write(&filler, &[b'.'; 512]).is_ok() {}
    while rustix::io::write(&filler, b".").is_ok() {}
    // That a service ended is worth a line, and the line hangs.
    signal(before["notify"], Signal::KILL);
    wait("the loop to hang", || {
        let stuck = sequence(&program, "supervise");
        std::thread::park_timeout(Duration::from_secs(3));
        (sequence(&program, "supervise") == stuck).then_some(())
    });
    let threads = std::fs::read_dir(format!("/proc/{}/task", wedged.id())).unwrap().flatten();
    let state =
        |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
    let lives = threads.map(state).filter(|stat| !stat.contains(") T") && !stat.is_empty()).count();
    assert!(lives > 1, "the process lives, only its loop does not");
    let told = heard.recv_timeout(PATIENCE).unwrap();
    assert!(told.contains("hung") && told.contains("is back"), "{told}");
    wedged.wait().unwrap();
    drop(reader);
    let after = wait("both services", || Some(pids(&program)).filter(|after| after.len() == 2));
    assert_eq!(after["deadman"], before["deadman"]);
    program.ok(&["down"]);
}

#[test]
fn d1_safe_mode_after_three_failures_says_so_stays_and_is_left_by_up_or_unlock() {
    let (url, heard) = receiver();
    let program = with(&format!("{}{SMALL}", switch(&url)));
    let good = std::fs::read_to_string(program.home().join("sanctum.toml")).unwrap();
    program.ok(&["up", "--detach"]);
    let before = pids(&program);
    for way_out in [&["unlock", "supervise"][..], &["up", "--detach"][..]] {
        // With a file like this no supervisor starts; what runs goes on.
        program.write(&format!("{good}\n[nonsense]\n"));
        signal(u64::try_from(supervisor(&program).unwrap().as_raw_nonzero().get()).unwrap(), Signal::KILL);
        for next in [
            "It is tried again",
            "It is tried again",
            "Safe mode: it is not tried again",
            "still no supervisor",
        ] {
            let told = heard.recv_timeout(PATIENCE).unwrap();
            assert!(told.contains(next), "{next}: {told}");
        }
        assert_eq!(stance(&program), "safe-mode");
        assert_eq!(program.run(&["deadman"]).code, 1);
        program.write(&good);
        program.run(way_out);
        let told = wait("news of its return", || heard.try_iter().find(|told| told.contains("is back")));
        assert!(told.contains("supervisor is back"), "{told}");
        wait("the switch to be armed", || (stance(&program) == "armed").then_some(()));
        wait("the services", || (pids(&program) == before).then_some(()));
        // The second failure comes when the first is forgotten.
        wait("proof", || (program.json(&["deadman"])["failures"] == 0).then_some(()));
    }
    program.ok(&["down"]);
}

#[test]
fn d1_disarmed_it_does_nothing_and_armed_is_kept_over_its_own_death() {
    let (url, heard) = receiver();
    let program = with(&format!("{}{SMALL}", switch(&url)));
    program.ok(&["up", "--detach"]);
    let before = pids(&program);
    assert_eq!(program.json(&["deadman", "disarm", "--for", "1h"])["stance"], "disarmed");
    let old = supervisor(&program).unwrap();
    kill_process(old, Signal::KILL).unwrap();
    nothing_for(&program, 20, &heard);
    // Both are gone; the next switch finds what the last one knew, disarmed and all.
    signal(before["deadman"], Signal::KILL);
    let mut next = program.command(&["run", "deadman"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    wait("the next switch", || (program.run(&["deadman"]).code != 69).then_some(()));
    assert_eq!(stance(&program), "disarmed");
    nothing_for(&program, 20, &heard);
    program.run(&["deadman", "arm"]);
    let told = heard.recv_timeout(PATIENCE).unwrap();
    assert!(told.contains("was gone") && told.contains("is back"), "{told}");
    next.kill().unwrap();
    next.wait().unwrap();
    program.ok(&["down"]);
}

#[test]
fn d1_on_a_full_disk_it_still_brings_the_supervisor_back_and_tells() {
    let (url, heard) = receiver();
    let place = tempfile::tempdir().unwrap();
    let _disk = sanctum_testkit::disk::Disk::mount(place.path());
    let program = Up(Program::at(place.path(), &format!("{}{SMALL}", switch(&url))));
    program.ok(&["up", "--detach"]);
    let before = pids(&program);
    let mut filler = std::fs::File::create(place.path().join("filler")).unwrap();
    while filler.write_all(&[0; 4096]).is_ok() {}
    while filler.write_all(&[0; 1]).is_ok() {}
    kill_process(supervisor(&program).unwrap(), Signal::KILL).unwrap();
    let told = heard.recv_timeout(PATIENCE).unwrap();
    assert!(told.contains("was gone") && told.contains("is back"), "{told}");
    wait("the services", || (pids(&program) == before).then_some(()));
    std::fs::remove_file(place.path().join("filler")).unwrap();
    program.ok(&["down"]);
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
