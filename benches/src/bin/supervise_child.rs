//! The child that `supervise` measures with: says by datagram when it runs and when it is ready. Small on purpose, because every
//! supervisor pays for its start.
//!
//! `supervise_child NAME MS [FD]`: ready after MS, which is written to the descriptor FD (s6) or said to `NOTIFY_SOCKET`.
//! `supervise_child --flood NAME SECONDS MB`: prints so much a second and says how long one write had to wait at most.
//! `supervise_child --steady NAME LINES`: prints so many numbered lines a second, for ever.
#![expect(clippy::print_stdout, reason = "a child of a benchmark speaks on standard output")]

use std::fs::File;
use std::io::Write;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

/// One line of the flood.
const LINE: usize = 100;
/// Lines in one write: no more than a pipe takes at once by default.
const LINES: u64 = 600;

/// CLOCK_MONOTONIC in nanoseconds: the same in every process.
fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec.
    #[expect(unsafe_code, reason = "the standard library's clock has no number")]
    unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time);
    }
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

fn say(what: &str, name: &str, more: &str) {
    let Some(path) = std::env::var_os("BENCH_SOCK") else { return };
    let Ok(socket) = UnixDatagram::unbound() else { return };
    socket.send_to(format!("{what} {name} {} {} {more}", std::process::id(), now()).as_bytes(), path).ok();
}

fn main() {
    let begun = std::env::args().collect::<Vec<_>>();
    let words: Vec<&str> = begun.iter().skip(1).map(String::as_str).collect();
    match words.as_slice() {
        ["--flood", name, seconds, rate] => {
            flood(name, seconds.parse().unwrap_or(5), rate.parse().unwrap_or(200));
        }
        ["--steady", name, lines] => steady(name, lines.parse().unwrap_or(100)),
        [name, ms, rest @ ..] => {
            serve(name, ms.parse().unwrap_or(0), rest.first().and_then(|fd| fd.parse().ok()));
        }
        _ => {}
    }
    loop {
        std::thread::park();
    }
}

fn serve(name: &str, ms: u64, fd: Option<i32>) {
    say("S", name, "");
    std::thread::park_timeout(Duration::from_millis(ms));
    say("R", name, "");
    if let Some(fd) = fd.filter(|fd| *fd >= 0) {
        // SAFETY: whoever gave the number left the descriptor open for this; it stays open.
        #[expect(unsafe_code, reason = "the descriptor was inherited")]
        let mut ready = ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
        ready.write_all(b"\n").ok();
    }
    ready();
}

/// sd_notify(3).
fn ready() {
    if let (Some(path), Ok(socket)) = (std::env::var_os("NOTIFY_SOCKET"), UnixDatagram::unbound()) {
        socket.send_to(b"READY=1", path).ok();
    }
}

fn flood(name: &str, seconds: u64, rate: u64) {
    say("S", name, "");
    ready();
    let began = Instant::now();
    let length = Duration::from_secs(seconds);
    let (mut sent, mut number, mut worst, mut blocked) = (0_u64, 0_u64, Duration::ZERO, Duration::ZERO);
    let mut out = std::io::stdout().lock();
    while began.elapsed() < length {
        let mut block = Vec::with_capacity(LINE * 600);
        for _ in 0..LINES {
            let start = block.len();
            write!(block, "flood {number:012} ").ok();
            block.resize(start + LINE - 1, b'x');
            block.push(b'\n');
            number += 1;
        }
        let asked = Instant::now();
        if out.write_all(&block).is_err() {
            break;
        }
        let waited = asked.elapsed();
        worst = worst.max(waited);
        blocked += waited;
        sent += u64::try_from(block.len()).unwrap_or(0);
        // Not faster than it should be.
        let due = Duration::from_secs_f64(
            f64::from(u32::try_from(sent / 1000).unwrap_or(u32::MAX))
                / (f64::from(u32::try_from(rate).unwrap_or(u32::MAX)) * 1000.0),
        );
        if let Some(early) = due.checked_sub(began.elapsed()) {
            std::thread::park_timeout(early);
        }
    }
    let took = began.elapsed();
    say(
        "F",
        name,
        &format!("{} {} {sent} {} {number}", worst.as_micros(), blocked.as_micros(), took.as_micros()),
    );
}

fn steady(name: &str, lines: u64) {
    say("S", name, "");
    ready();
    let pause = Duration::from_secs(1) / u32::try_from(lines.max(1)).unwrap_or(1);
    for number in 0_u64.. {
        println!("steady {number}");
        std::thread::park_timeout(pause);
    }
}
