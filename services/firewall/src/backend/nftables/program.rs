//! A program that is run to its end, or stopped when it takes too long: the engine waits for no hung `nft`.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// More than any table of a house takes as text; what is beyond is read and dropped, so that the writer never waits.
const MOST: u64 = 64 * 1024 * 1024;
/// How long the kernel may take to end a killed program, and its pipes to close.
const BURIAL: Duration = Duration::from_secs(1);

/// Runs `program` with this input, and returns what it wrote. Its complaint is the error; after `patience` it and
/// everything it started are killed, and the error's kind is `TimedOut`.
pub(super) fn run(program: &str, args: &[&str], input: &str, patience: Duration) -> io::Result<String> {
    // A group of its own, so that what it started ends with it.
    let mut child = Command::new(program)
        .args(args)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let begun = Instant::now();
    if let Some(mut pipe) = child.stdin.take() {
        let input = input.as_bytes().to_vec();
        // One that does not read its input would keep the writer waiting for ever; it ends with the program. One that
        // ended early says why on its way out.
        std::thread::spawn(move || if pipe.write_all(&input).is_err() {});
    }
    let (out, complaint) = (reader(child.stdout.take()), reader(child.stderr.take()));
    if !ended(&child, patience)? {
        stop(&mut child);
        return Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("`{program}` had not ended after {} s and was stopped", begun.elapsed().as_secs_f32().round()),
        ));
    }
    let status = child.wait()?;
    // What it left running may hold the pipes open: what was written until now is all that counts.
    let taken = |text: &Receiver<Vec<u8>>| text.recv_timeout(BURIAL).unwrap_or_default();
    if status.success() {
        return Ok(String::from_utf8_lossy(&taken(&out)).into_owned());
    }
    let complaint = taken(&complaint);
    let complaint = String::from_utf8_lossy(&complaint);
    Err(io::Error::other(complaint.lines().next().unwrap_or("nft failed and did not say why").to_owned()))
}

/// Reads a pipe to its end, beside everything else.
fn reader(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (to, from) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut pipe) = pipe {
            let read = pipe.by_ref().take(MOST).read_to_end(&mut text);
            if read.and_then(|_| io::copy(&mut pipe, &mut io::sink())).is_err() {}
        }
        // Nobody waits for the words of a program that was stopped.
        if to.send(text).is_err() {}
    });
    from
}

/// Whether it has ended within this time.
fn ended(child: &Child, within: Duration) -> io::Result<bool> {
    let pid = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let deadline = Instant::now() + within;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let time = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&pid, PollFlags::IN)], Some(&time)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Kills it with everything it started. One that hangs inside the kernel is buried by a thread that waits for it.
fn stop(child: &mut Child) {
    // It may have ended just now: then there is nobody left to kill.
    kill_process_group(Pid::from_child(child), Signal::KILL).ok();
    if ended(child, BURIAL).is_ok_and(|ended| ended) {
        child.wait().ok();
        return;
    }
    let pid = Pid::from_child(child);
    std::thread::spawn(move || if rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).is_err() {});
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use super::run;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn what_it_says_is_the_answer_and_what_it_complains_of_is_the_error() {
        let text = "x".repeat(300_000);
        assert_eq!(run("cat", &[], &text, LONG).unwrap(), text);
        let error = run("sh", &["-c", "echo 'no such table' >&2; exit 1"], &text, LONG).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Other, "no such table"));
        assert_eq!(run("/nowhere/nft", &[], "", LONG).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn one_that_hangs_is_stopped_with_everything_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        // It reads nothing, and its child keeps the pipes open.
        let script = format!("sleep 600 & echo $! > {}; wait", pid.display());
        let error = run("sh", &["-c", &script], &"x".repeat(300_000), Duration::from_millis(300)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains("`sh` had not ended"), "{error}");
        let child = std::fs::read_to_string(&pid).unwrap();
        let status = format!("/proc/{}/status", child.trim());
        let gone = || !std::fs::read_to_string(&status).is_ok_and(|text| !text.contains("State:\tZ"));
        let deadline = std::time::Instant::now() + LONG;
        while !gone() {
            assert!(std::time::Instant::now() < deadline, "what it started still runs");
            std::thread::yield_now();
        }
    }
}
