//! A program ends well, as monitoring plug-ins do: 0 well, 1 drift, 2 and above failed, 3 unknown.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use sanctum_kernel::inventory::check::Command;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::Answer;
use crate::answer::excerpt;

/// No more of what it prints is kept; it may print on.
const LARGEST: usize = 64 * 1024;

/// What was printed before the end is there by then.
const LEFT: Duration = Duration::from_millis(200);

/// Ends a whole process group when it goes out of scope: the question is over, also when it was cut off.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // That nobody is left in it is what usually happens.
            kill_process_group(pid, Signal::KILL).ok();
        }
    }
}

pub(super) async fn look(command: &Command) -> Result<Answer, Answer> {
    let (program, arguments) =
        command.command.split_first().ok_or_else(|| Answer::unknown("no program is named"))?;
    let mut child = tokio::process::Command::new(program);
    child.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let spawned = child.process_group(0).kill_on_drop(true).spawn();
    let mut child =
        spawned.map_err(|error| Answer::unknown(format!("`{program}` could not be started: {error}")))?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    let group = Group(pid);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ended = {
        let printing = async { tokio::join!(drain(stdout, &mut out), drain(stderr, &mut err)) };
        tokio::pin!(printing);
        tokio::select! {
            biased;
            _ = &mut printing => child.wait().await,
            ended = child.wait() => {
                // Whoever it left behind would keep the pipes open; one who left its group as well does.
                drop(group);
                tokio::time::timeout(LEFT, printing).await.ok();
                ended
            }
        }
    };
    let status = ended.map_err(|error| Answer::unknown(format!("how it ended cannot be told: {error}")))?;
    judge(command, status, &out, &err)
}

async fn drain(from: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        let room = LARGEST - into.len();
        into.extend_from_slice(piece.get(..count.min(room)).unwrap_or_default());
    }
}

fn judge(command: &Command, status: ExitStatus, out: &[u8], err: &[u8]) -> Result<Answer, Answer> {
    let said = excerpt(if out.trim_ascii().is_empty() { err } else { out });
    let with = |what: String| if said.is_empty() { what } else { format!("{what}: {said}") };
    let Some(code) = status.code() else {
        use std::os::unix::process::ExitStatusExt;
        return Err(Answer::fail(with(format!("was ended by signal {}", status.signal().unwrap_or(0)))));
    };
    if let Some(expect) = command.expect.as_ref().filter(|_| code == 0)
        && !String::from_utf8_lossy(out).contains(expect.as_str())
    {
        return Err(Answer::fail(format!("ended well, but printed `{said}` instead of `{expect}`")));
    }
    Ok(match code {
        0 => Answer::pass(if said.is_empty() { "ended well".to_owned() } else { said }),
        1 => Answer::drift(with("ended with 1".to_owned())),
        3 => Answer::unknown(with("ended with 3".to_owned())),
        _ => Answer::fail(with(format!("ended with {code}"))),
    })
}
