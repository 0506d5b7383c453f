//! macOS and others: ps(1) and lsof(8), as they come with the system.

use std::path::Path;
use std::process::Command;

use super::Process;

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// Every process that can be seen; the environment only of one's own.
pub(crate) fn all() -> Vec<Process> {
    let text = said("/bin/ps", &["-axww", "-o", "pid=,ppid=,pgid=,uid=,state=,comm="]);
    text.lines().filter_map(one).collect()
}

fn one(line: &str) -> Option<Process> {
    let mut words = line.split_ascii_whitespace();
    let mut number = || words.next()?.parse::<u32>().ok();
    let (pid, parent, group, uid) = (number()?, number()?, number()?, number()?);
    let state = words.next()?.chars().next()?;
    let name = words.collect::<Vec<_>>().join(" ");
    let born = sanctum_kernel::process::born(pid)?;
    let environment = said("/bin/ps", &["-Eww", "-o", "command=", "-p", &pid.to_string()]);
    let variable = |wanted: &str| {
        let found = environment.split_ascii_whitespace().find_map(|word| word.strip_prefix(wanted));
        found.map(str::to_owned)
    };
    let (unit, home) = (variable("SANCTUM_UNIT="), variable("SANCTUM_HOME="));
    Some(Process { pid, born, state, parent, group, uid, name, unit, home })
}

/// Processes that have `NAME=VALUE` in their environment.
pub(crate) fn marked(variable: &str) -> Vec<u32> {
    let text = said("/bin/ps", &["-axEww", "-o", "pid=,command="]);
    let has = |line: &str| {
        let (pid, rest) = line.trim_start().split_once(' ')?;
        rest.split_ascii_whitespace().any(|word| word == variable).then_some(())?;
        pid.parse().ok()
    };
    text.lines().filter_map(has).collect()
}

fn pids(text: &str) -> Vec<u32> {
    text.lines().filter_map(|line| line.strip_prefix('p')?.parse().ok()).collect()
}

/// Processes that listen on this TCP port.
pub(crate) fn listeners(port: u16) -> Vec<u32> {
    pids(&said("/usr/sbin/lsof", &["-nP", &format!("-iTCP:{port}"), "-sTCP:LISTEN", "-Fp"]))
}

/// Processes that have this file open.
pub(crate) fn has_open(path: &Path) -> Vec<u32> {
    pids(&said("/usr/sbin/lsof", &["-Fp", "--", &path.to_string_lossy()]))
}

/// Files it has open; the limit of another process cannot be read here.
pub(crate) const fn handles(_: u32) -> Option<(u64, u64)> {
    None
}

/// Whether the file of its program is younger than itself cannot be told reliably here.
pub(crate) const fn image_replaced(_: u32) -> Option<String> {
    None
}
