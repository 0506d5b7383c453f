//! A set of 10,000 blocked addresses: what one block with its read-back costs, in process.
//!
//! It makes a network namespace of its own, loads the rules as they ship, fills them, and measures; nothing else on
//! this machine is touched. Needs root, `ip` and `nft`.
#![expect(clippy::print_stdout, reason = "a benchmark speaks on standard output")]

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> Result<ExitCode, sanctum_kernel::Failure> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    println!("nftables exists on Linux only");
    ExitCode::FAILURE
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::process::{Command, ExitCode, Stdio};
    use std::time::{Duration, Instant};

    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
    use sanctum_firewall::backend::nftables::{Kernel, bare};
    use sanctum_kernel::{Failure, Mac};
    use serde_json::json;

    /// Addresses blocked beforehand.
    const FULL: u32 = 10_000;
    /// Blocks measured.
    const ROUNDS: u32 = 5_000;
    /// The bar for block and read-back, at the median.
    const BAR: Duration = Duration::from_micros(100);

    /// The namespace, removed at the end.
    struct Space(String);

    impl Drop for Space {
        fn drop(&mut self) {
            if Command::new("ip").args(["netns", "del", &self.0]).status().is_err() {}
        }
    }

    pub(crate) fn main() -> Result<ExitCode, Failure> {
        if !rustix::process::geteuid().is_root() {
            return Err("network namespaces need root".into());
        }
        let space = Space(format!("sfwbench{}", std::process::id()));
        let made = Command::new("ip").args(["netns", "add", &space.0]).status()?;
        if !made.success() {
            return Err("`ip netns add` failed".into());
        }
        let file = File::open(format!("/run/netns/{}", space.0))?;
        let measured = std::thread::spawn(move || measure(&file)).join();
        drop(space);
        measured.map_err(|_| "the measurement panicked")?
    }

    fn measure(space: &File) -> Result<ExitCode, Failure> {
        move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))?;
        load(&bare("br-lan"))?;
        let mut kernel = Kernel::open()?;
        (0..FULL).try_for_each(|n| kernel.block(address(n)))?;
        let (mut blocks, mut looks, mut both) = (Vec::new(), Vec::new(), Vec::new());
        for n in FULL..FULL + ROUNDS {
            let mac = address(n);
            let began = Instant::now();
            kernel.block(mac)?;
            let blocked = began.elapsed();
            let found = kernel.read(mac)?;
            let all = began.elapsed();
            if found.iter().any(Option::is_none) {
                return Err(format!("{mac} was blocked and is not there").into());
            }
            kernel.unblock(mac)?;
            if kernel.read(mac)?.iter().any(Option::is_some) {
                return Err(format!("{mac} was let through and is still there").into());
            }
            blocks.push(blocked);
            looks.push(all.saturating_sub(blocked));
            both.push(all);
        }
        let rows =
            [("block, both tables", blocks), ("read-back, both tables", looks), ("block + read-back", both)];
        let mut numbers = serde_json::Map::new();
        let mut good = true;
        for (name, mut times) in rows {
            times.sort();
            let at =
                |percent: usize| times.get((times.len() - 1) * percent / 100).copied().unwrap_or_default();
            let micros = |time: Duration| (time.as_secs_f64() * 1e7).round() / 10.0;
            println!(
                "{name:<24} median {:>6.1} µs   p99 {:>6.1} µs   max {:>8.1} µs",
                micros(at(50)),
                micros(at(99)),
                micros(at(100))
            );
            numbers.insert(
                name.to_owned(),
                json!({ "median_us": micros(at(50)), "p99_us": micros(at(99)), "max_us": micros(at(100)) }),
            );
            good = at(50) <= BAR;
        }
        let verdict = if good { "kept" } else { "MISSED" };
        println!(
            "bar: block + read-back among {FULL} blocked addresses ≤ {} µs at the median: {verdict}",
            BAR.as_micros()
        );
        println!("{}", json!({ "blocked": FULL, "rounds": ROUNDS, "times": numbers, "bar_kept": good }));
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn load(rules: &str) -> Result<(), Failure> {
        let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn()?;
        nft.stdin.take().ok_or("nft has no standard input")?.write_all(rules.as_bytes())?;
        if nft.wait()?.success() { Ok(()) } else { Err("nft refused the rules".into()) }
    }

    fn address(n: u32) -> Mac {
        let mut mac = [0x02, 0x5f, 0, 0, 0, 0];
        for (byte, part) in mac.iter_mut().skip(2).zip(n.to_be_bytes()) {
            *byte = part;
        }
        Mac(mac)
    }
}
