//! A child with sins: each flag is one, so that each rule of the supervisor is a test with one sin.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

/// What it does wrong.
#[derive(Default)]
struct Sins {
    /// SIGTERM is heard and ignored.
    ignore_term: bool,
    /// A child of its own that ignores SIGTERM, too.
    fork_grandchild: bool,
    /// The grandchild leaves the process group and loses its parent.
    escape: bool,
    /// Closes its output.
    close_output: bool,
    /// Ends after this many milliseconds.
    crash_after: Option<u64>,
    exit_code: u8,
    /// Prints this many lines, as fast as it can.
    flood: u64,
    /// Answers `/ready` on this address, after this many milliseconds; with `never-ready`, never.
    listen: Option<String>,
    ready_after: u64,
    never_ready: bool,
    /// Says that it is ready, after this many milliseconds (sd_notify(3)).
    notify: Option<u64>,
    /// Says this when it begins.
    say: Option<String>,
}

impl Sins {
    fn confess() -> Self {
        let mut sins = Self::default();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_default();
            match word.as_str() {
                "--ignore-term" => sins.ignore_term = true,
                "--fork-grandchild" => sins.fork_grandchild = true,
                "--escape" => sins.escape = true,
                "--close-output" => sins.close_output = true,
                "--crash-after" => sins.crash_after = value().parse().ok(),
                "--exit-code" => sins.exit_code = value().parse().unwrap_or(1),
                "--flood" => sins.flood = value().parse().unwrap_or(0),
                "--listen" => sins.listen = Some(value()),
                "--ready-after" => sins.ready_after = value().parse().unwrap_or(0),
                "--never-ready" => sins.never_ready = true,
                "--notify" => sins.notify = value().parse().ok(),
                "--say" => sins.say = Some(value()),
                _ => {}
            }
        }
        sins
    }
}

fn main() -> ExitCode {
    let sins = Sins::confess();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    runtime.block_on(live(sins))
}

async fn live(sins: Sins) -> ExitCode {
    let mut out = std::io::stdout();
    if let Some(text) = &sins.say {
        writeln!(out, "{text}").ok();
    }
    // A handler is enough: what is handled does not kill.
    let term = sins.ignore_term.then(|| signal(SignalKind::terminate()));
    if sins.fork_grandchild || sins.escape {
        grandchild(sins.escape);
    }
    if let Some(addr) = sins.listen.clone() {
        std::thread::spawn(move || answer(&addr, Duration::from_millis(sins.ready_after), sins.never_ready));
    }
    if let Some(after) = sins.notify {
        std::thread::spawn(move || {
            std::thread::park_timeout(Duration::from_millis(after));
            sanctum_kernel::announce("STATUS=warm\nREADY=1");
        });
    }
    for line in 0..sins.flood {
        writeln!(out, "line {line} of a flood that nobody asked for").ok();
    }
    if sins.close_output {
        close_output();
    }
    match sins.crash_after {
        Some(after) => tokio::time::sleep(Duration::from_millis(after)).await,
        None => std::future::pending().await,
    }
    drop(term);
    writeln!(std::io::stderr(), "these are my last words").ok();
    ExitCode::from(sins.exit_code)
}

/// It outlives this process unless someone ends it.
fn grandchild(escape: bool) {
    let Ok(me) = std::env::current_exe() else { return };
    let mut command = if escape {
        // The shell is the parent that goes at once.
        let mut command = Command::new("setsid");
        command.arg("sh").arg("-c").arg("\"$0\" --ignore-term & echo grandchild $!").arg(me);
        command
    } else {
        let mut command = Command::new(me);
        command.arg("--ignore-term");
        command
    };
    if let Ok(child) = command.spawn()
        && !escape
    {
        writeln!(std::io::stdout(), "grandchild {}", child.id()).ok();
    }
}

/// The same process goes on with its output where nothing comes back.
fn close_output() {
    let Ok(me) = std::env::current_exe() else { return };
    let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--close-output").collect();
    let error = Command::new(me).args(words).stdout(Stdio::null()).stderr(Stdio::null()).exec();
    writeln!(std::io::stderr(), "{error}").ok();
}

/// Answers every request with 200 or 503.
fn answer(addr: &str, after: Duration, never: bool) {
    let Ok(listener) = TcpListener::bind(addr) else { return };
    let begun = Instant::now();
    for stream in listener.incoming().flatten() {
        let mut stream = stream;
        let mut request = [0; 1024];
        if stream.read(&mut request).is_err() {
            continue;
        }
        let status = if !never && begun.elapsed() >= after { "200 OK" } else { "503 Not yet" };
        write!(stream, "HTTP/1.0 {status}\r\nContent-Length: 3\r\n\r\nyes").ok();
    }
}
