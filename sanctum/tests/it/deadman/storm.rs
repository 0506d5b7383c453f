//! A supervisor that is killed again and again, at any moment of its life.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;

use super::{Up, pids, signal, supervisor, wait, with};

/// Services that print all the time.
const SERVICES: usize = 8;
const KILLS: usize = 100;

fn house() -> Up {
    let everybody = ["notify", "firewall", "screen", "proxy", "dashboard", "watch", "deadman", "memory"];
    let mut file = format!("\n[supervise]\ndisabled = {everybody:?}\n");
    for at in 0..SERVICES {
        let script = "while :; do echo a line; sleep 0.05; done";
        write!(file, "\n[service.s{at}.run]\ncommand = [\"/bin/sh\", \"-c\", \"{script}\"]\n").unwrap();
    }
    with(&file)
}

/// Every process that leads a group for a service of this house, by the service.
fn leaders(home: &std::path::Path) -> BTreeMap<String, Vec<u64>> {
    let mut all: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let wanted = format!("SANCTUM_HOME={}", home.display());
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|pid| pid.parse::<u64>().ok()) else { continue };
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let variables: Vec<_> = environment.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let group = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(2)?.parse::<u64>().ok());
        let unit = variables.iter().find_map(|variable| variable.strip_prefix("SANCTUM_UNIT="));
        if let (Some(unit), true, true) =
            (unit, group == Some(pid), variables.iter().any(|one| *one == wanted))
        {
            all.entry(unit.to_owned()).or_default().push(pid);
        }
    }
    all
}

#[test]
fn c5_a_supervisor_killed_a_hundred_times_under_load_restarts_nobody_and_doubles_nobody() {
    let program = house();
    program.ok(&["up", "--detach"]);
    let before = pids(&program);
    assert_eq!(before.len(), SERVICES);
    let first = supervisor(&program).unwrap();
    signal(u64::try_from(first.as_raw_nonzero().get()).unwrap(), Signal::KILL);
    wait("the first one's end", || {
        (!std::path::Path::new(&format!("/proc/{}/exe", first.as_raw_nonzero())).exists()).then_some(())
    });
    let mut chance = 0x2187_u64;
    for _ in 1..KILLS {
        let mut command = program.command(&["up", "--detached"]);
        let mut next = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        // At any moment: before it has looked, while it takes over, and when it keeps the house.
        std::thread::park_timeout(Duration::from_millis(chance % 400));
        next.kill().unwrap();
        next.wait().unwrap();
    }
    program.ok(&["up", "--detach"]);
    let after = wait("all of them under the last one", || {
        Some(pids(&program)).filter(|after| after.len() == SERVICES)
    });
    assert_eq!(after, before, "nobody was restarted");
    let leaders = leaders(program.home());
    let doubled: Vec<_> = leaders.iter().filter(|(_, pids)| pids.len() != 1).collect();
    assert!(doubled.is_empty() && leaders.len() == SERVICES, "{leaders:?}");
    // What they printed meanwhile did not stop them, and goes into their logs again.
    let size = || std::fs::metadata(program.home().join("logs/s0.log")).map_or(0, |log| log.len());
    let now = size();
    wait("more lines", || (size() > now).then_some(()));
    program.ok(&["down"]);
    assert!(self::leaders(program.home()).is_empty());
}
