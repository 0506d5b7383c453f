//! A process runs: the one whose number a file holds, or any of a name.

use std::path::Path;

use sanctum_kernel::inventory::check::Process;

use crate::answer::size;
use crate::{Answer, Eyes};

/// The kernel keeps no more of a name than this (proc(5), `comm`).
#[cfg(target_os = "linux")]
const LONGEST_NAME: usize = 15;

/// One that runs.
#[derive(Debug, Clone)]
struct Running {
    pid: u32,
    name: String,
    /// Resident memory in bytes; `None` where it is not shown.
    memory: Option<u64>,
}

pub(super) async fn look(eyes: &Eyes, process: &Process) -> Result<Answer, Answer> {
    let asked = process.clone();
    let what = format!("process {:?} {:?}", process.name, process.pid_file);
    let running = eyes.stuck.run(what, move || find(&asked)).await??;
    let memory = running.iter().filter_map(|one| one.memory).reduce(|sum, one| sum + one);
    let who = match running.as_slice() {
        [one] => format!("runs as {}", one.pid),
        several => format!("{} of them run", several.len()),
    };
    let Some(memory) = memory else {
        return Ok(match process.max_memory {
            None => Answer::pass(who),
            Some(_) => Answer::unknown(format!("{who}, but how much memory it has is not shown to us")),
        });
    };
    let detail = format!("{who} with {}", size(memory));
    #[expect(clippy::cast_precision_loss, reason = "nobody misses a byte in a petabyte")]
    let value = memory as f64;
    Ok(match process.max_memory.filter(|most| memory > most.0) {
        Some(most) => Answer::drift(format!("{detail}, more than {most}")),
        None => Answer::pass(detail),
    }
    .measured(value))
}

fn find(process: &Process) -> Result<Vec<Running>, Answer> {
    if let Some(path) = &process.pid_file {
        let pid = number(path)?;
        let Some(one) = one(pid) else {
            return Err(Answer::fail(format!("process {pid}, as `{}` says, does not run", path.display())));
        };
        return match process.name.as_deref().filter(|name| !named(&one.name, name)) {
            Some(name) => Err(Answer::fail(format!("process {pid} is `{}` instead of `{name}`", one.name))),
            None => Ok(vec![one]),
        };
    }
    let name = process.name.as_deref().unwrap_or_default();
    let found: Vec<Running> = all()?.into_iter().filter(|one| named(&one.name, name)).collect();
    if found.is_empty() { Err(Answer::fail(format!("no process is named `{name}`"))) } else { Ok(found) }
}

fn number(path: &Path) -> Result<u32, Answer> {
    let place = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Answer::of(&format!("`{place}` could not be read"), &error))?;
    let pid = text.split_ascii_whitespace().next().and_then(|pid| pid.parse().ok()).filter(|pid| *pid > 0);
    pid.ok_or_else(|| Answer::fail(format!("`{place}` holds no number of a process")))
}

#[cfg(target_os = "linux")]
fn named(is: &str, asked: &str) -> bool {
    let end =
        asked.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= LONGEST_NAME).last();
    is == asked || asked.len() > LONGEST_NAME && asked.get(..end.unwrap_or(0)) == Some(is)
}

#[cfg(not(target_os = "linux"))]
fn named(is: &str, asked: &str) -> bool {
    is == asked || is.rsplit('/').next() == Some(asked)
}

#[cfg(target_os = "linux")]
fn one(pid: u32) -> Option<Running> {
    let raw = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw)?;
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        // It may be hidden from us (`hidepid`, proc(5)) and still be there.
        let there = rustix::process::test_kill_process(raw);
        let hidden = Running { pid, name: String::new(), memory: None };
        return matches!(there, Ok(()) | Err(rustix::io::Errno::PERM)).then_some(hidden);
    };
    // The name in parentheses may hold anything, also parentheses and spaces.
    let (head, rest) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    let mut fields = rest.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    // The resident pages are the 24th field of the line, the 21st after the state.
    let pages: u64 = fields.nth(20)?.parse().ok()?;
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    Some(Running { pid, name, memory: Some(pages * page) })
}

#[cfg(target_os = "linux")]
fn all() -> Result<Vec<Running>, Answer> {
    if !Path::new("/proc/1/stat").exists() {
        return Err(Answer::unknown(
            "the processes of others are hidden from us (`hidepid`); name a `pid-file`",
        ));
    }
    let entries = std::fs::read_dir("/proc");
    let entries =
        entries.map_err(|error| Answer::unknown(format!("the processes are not shown: {error}")))?;
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(one).collect())
}

#[cfg(not(target_os = "linux"))]
fn one(pid: u32) -> Option<Running> {
    all().ok()?.into_iter().find(|one| one.pid == pid)
}

#[cfg(not(target_os = "linux"))]
fn all() -> Result<Vec<Running>, Answer> {
    let output = std::process::Command::new("/bin/ps").args(["-axo", "pid=,rss=,stat=,comm="]).output();
    let output = output.map_err(|error| Answer::unknown(format!("the processes are not shown: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (pid, kib, state) =
            (fields.next()?.parse().ok()?, fields.next()?.parse::<u64>().ok()?, fields.next()?);
        let name = fields.collect::<Vec<_>>().join(" ");
        (!state.starts_with('Z')).then_some(Running { pid, name, memory: Some(kib * 1024) })
    };
    Ok(text.lines().filter_map(line).collect())
}
