//! Services that the file declares, kept by the program as a person has it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::Program;

const SOON: Duration = Duration::from_secs(30);

/// Waits until `look` finds something.
fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < SOON, "waited for {what}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// Adds to the file of a house.
fn declare(program: &Program, text: &str) {
    let file = program.home().join("sanctum.toml");
    let before = std::fs::read_to_string(file).unwrap();
    program.write(&format!("{before}\n{text}"));
}

fn service(program: &Program, name: &str) -> Option<Value> {
    let status = program.json(&["status"]);
    status["services"].as_array()?.iter().find(|state| state["name"] == name).cloned()
}

const SERVICES: &str = r#"
[service.broker]
name = "Mosquito"
summary = "passes messages on"
port = 61883
run = { command = ["/bin/sh", "-c", "echo broker begins; exec sleep 1000"] }

[service.lights]
requires = ["broker"]
run = { command = ["/bin/sh", "-c", "echo lights begin; exec sleep 1000"] }

[service.prepare]
kind = "one-shot"
run = { command = ["/bin/echo", "prepared"] }

[service.backup]
kind = "scheduled"
after = ["prepare"]
run = { command = ["/bin/echo", "saved"], schedule = { cron = "30 3 * * *" } }
"#;

#[test]
fn foreign_services_are_kept_side_by_side_with_ours() {
    let program = Program::with_house();
    declare(&program, SERVICES);
    let up = program.ok(&["up", "--detach"]);
    assert!(up.contains("The house is up:") && up.contains("lights") && up.contains("prepare"), "{up}");
    let table = program.ok(&["status"]);
    assert!(table.contains("Mosquito") && table.contains("scheduled") && table.contains("done"), "{table}");
    assert!(table.contains("backup runs "), "its next time is shown: {table}");

    let plan = program.json(&["plan"]);
    let layers = plan["layers"].as_array().unwrap();
    let layer = |name: &str| {
        layers.iter().position(|layer| layer.as_array().unwrap().iter().any(|step| step["name"] == name))
    };
    assert!(layer("broker") < layer("lights") && layer("broker").is_some(), "{plan}");
    assert_eq!(plan["scheduled"], serde_json::json!(["backup"]));
    assert!(!plan["critical"].as_array().unwrap().is_empty());
    let ports = program.ok(&["ports"]);
    assert!(ports.contains(":61883") && ports.contains("passes messages on"), "{ports}");
    let logs = program.ok(&["logs", "broker", "lights"]);
    assert!(logs.contains("broker begins") && logs.contains("lights begin"), "{logs}");

    // By what people call it; what requires it goes and comes with it.
    let first = service(&program, "lights").unwrap()["pid"].clone();
    program.ok(&["restart", "mosquito"]);
    wait("the lights to follow", || {
        let lights = service(&program, "lights")?;
        (lights["phase"] == "ready" && lights["pid"] != first).then_some(())
    });
    program.ok(&["start", "backup"]);
    wait("a run of the backup", || {
        service(&program, "backup")?["last_run"]["well"].as_bool().filter(|well| *well)
    });
    program.ok(&["stop", "lights"]);
    wait("the lights to be out", || (service(&program, "lights")?["phase"] == "stopped").then_some(()));
    let ran = program.run(&["restart", "nobody"]);
    assert!(ran.code == 64 && ran.err.contains("broker"), "{}", ran.err);

    // The file changes: what is not declared otherwise does not notice.
    let broker = service(&program, "broker").unwrap()["pid"].clone();
    declare(&program, "[service.radio]\nwants = [\"broker\"]\nrun.command = [\"/bin/sleep\", \"1000\"]\n");
    program.ok(&["reload"]);
    wait("the radio", || (service(&program, "radio")?["phase"] == "ready").then_some(()));
    assert_eq!(service(&program, "broker").unwrap()["pid"], broker);
    let units = program.ok(&["units", "systemd"]);
    assert!(
        units.contains("OnCalendar=*-*-* 03:30:00 Europe/Paris")
            && units.contains("BindsTo=sanctum-broker.service"),
        "{units}"
    );

    let second = program.run(&["up"]);
    assert_eq!(second.code, 75, "one home has one supervisor: {}", second.err);
    assert_eq!(service(&program, "broker").unwrap()["pid"], broker);
    program.ok(&["down"]);
    let pid = broker.as_u64().unwrap();
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

/// Puts a copy of the program where an upgrade puts the newer one.
fn install(home: &Path) -> std::path::PathBuf {
    let (new, place) = (home.join("sanctum.new"), home.join("sanctum"));
    std::fs::copy(env!("CARGO_BIN_EXE_sanctum"), &new).unwrap();
    std::fs::rename(new, &place).unwrap();
    place
}

#[test]
fn after_an_upgrade_everything_is_reloaded_in_order_and_the_supervisor_succeeds_itself() {
    let program = Program::with_house();
    declare(&program, SERVICES);
    let sanctum = install(program.home());
    let words = |words: &[&str]| {
        let output = program.called(&sanctum, words).output().unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), said)
    };
    let (code, said) = words(&["up", "--detach"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = words(&["reload"]);
    assert!(code == Some(0) && said.contains("Nothing runs from an older file"), "{said}");
    let before: Vec<Value> = program.json(&["status"])["services"].as_array().unwrap().clone();
    install(program.home());
    let (code, said) = words(&["reload"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("has made way for its newer self"), "{said}");
    // The newer supervisor takes a moment to find that what it has kept is ready.
    let after: Vec<Value> = wait("the house as it was", || {
        let now = program.json(&["status"])["services"].as_array().cloned()?;
        let settled =
            |old: &Value| now.iter().any(|new| new["name"] == old["name"] && new["phase"] == old["phase"]);
        before.iter().all(settled).then_some(now)
    });
    for old in &before {
        let new = after.iter().find(|new| new["name"] == old["name"]).unwrap();
        assert_eq!((&new["stale"], &new["phase"]), (&Value::Bool(false), &old["phase"]), "{new}");
        let same = new["pid"] == old["pid"];
        let ours = old["ours"] == true && old["name"] != "supervise";
        assert!(
            old["pid"].is_null() || same != ours,
            "ours are new, foreign ones and the supervisor's process are not: {old} {new}"
        );
    }
    // A job that was done is not done again.
    let logs = program.ok(&["logs", "prepare", "-n", "100"]);
    assert_eq!(logs.matches("--- started").count(), 1, "{logs}");

    // A file that is no program is not given the house.
    let broken = program.home().join("sanctum.new");
    std::fs::copy("/bin/false", &broken).unwrap();
    std::fs::rename(broken, &sanctum).unwrap();
    let ran = program.run(&["reload", "supervise"]);
    assert!(ran.code != 0 && ran.err.contains("cannot take over"), "{}", ran.err);
    assert!(service(&program, "broker").is_some());
    program.ok(&["down"]);
}

#[test]
fn the_log_of_a_foreign_service_is_followed_through_its_restart_and_its_rotation() {
    use std::io::{BufRead, BufReader};
    let program = Program::with_house();
    let script = "echo ticker begins; n=0; while :; do n=$((n+1)); echo tick $n of a clock that is heard by many people in this house; sleep 0.02; done";
    declare(
        &program,
        &format!(
            "[supervise.log]\nsize = \"16KiB\"\nkeep = 2\n[service.ticker]\nname = \"Clockwork\"\nrun.command = [\"/bin/sh\", \"-c\", {script:?}]\n"
        ),
    );
    program.ok(&["up", "--detach"]);
    // By what people call it, as it is typed.
    let mut follow = program
        .command(&["logs", "clockwork", "-f", "-n", "1"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (lines, heard) = std::sync::mpsc::channel();
    let out = BufReader::new(follow.stdout.take().unwrap());
    let reader =
        std::thread::spawn(move || out.lines().map_while(Result::ok).all(|line| lines.send(line).is_ok()));
    let number = |line: &str| line.split_once(" tick ")?.1.split(' ').next()?.parse::<u32>().ok();
    let next = || heard.recv_timeout(SOON).expect("another line within its time");
    // More than one file holds: it was put aside while it was followed, and nothing is missing.
    let mut last = None;
    while last.is_none_or(|last| last < 300) {
        let Some(now) = number(&next()) else { continue };
        assert!(last.is_none_or(|last| now == last + 1), "{now} follows {last:?}");
        last = Some(now);
    }
    program.ok(&["restart", "ticker"]);
    let mut seen = Vec::new();
    while !seen.iter().any(|line: &String| line.ends_with("ticker begins")) {
        seen.push(next());
    }
    let at = |what: &str| seen.iter().position(|line| line.contains(what));
    assert!(at("ended: ").is_some() && at("ended: ") < at("started: process "), "{seen:#?}");
    follow.kill().unwrap();
    follow.wait().unwrap();
    drop(heard);
    reader.join().unwrap();
    program.ok(&["down"]);
}
