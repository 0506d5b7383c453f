//! What the machine has left: meminfo, pressure stall information and the limits of the control group on Linux, vm_stat(1)
//! elsewhere.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::admission::Room;

/// Reads what there is.
pub trait Memory: std::fmt::Debug + Send + Sync {
    /// # Errors
    /// The system does not say.
    fn look(&self) -> io::Result<Room>;
}

/// The machine's own word.
#[derive(Debug)]
pub(crate) struct System {
    root: PathBuf,
}

impl System {
    pub(crate) fn new() -> Self {
        Self { root: PathBuf::from("/") }
    }
}

impl Memory for System {
    #[cfg(target_os = "linux")]
    fn look(&self) -> io::Result<Room> {
        linux(&self.root)
    }

    #[cfg(not(target_os = "linux"))]
    fn look(&self) -> io::Result<Room> {
        let _ = &self.root;
        let output = std::process::Command::new("/usr/bin/vm_stat").output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let available = vm_stat(&text).ok_or_else(|| io::Error::other("vm_stat says nothing of memory"))?;
        Ok(Room { available, pressure: None })
    }
}

/// From the files of a Linux whose root is there. A control group that has less left than the machine is what counts.
#[cfg(any(test, target_os = "linux"))]
fn linux(root: &Path) -> io::Result<Room> {
    let meminfo = fs::read_to_string(root.join("proc/meminfo"))?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kb = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    let machine =
        kb.ok_or_else(|| io::Error::other("/proc/meminfo has no MemAvailable"))?.saturating_mul(1024);
    let available = groups(root).into_iter().fold(machine, u64::min);
    let pressure = fs::read_to_string(root.join("proc/pressure/memory")).ok().and_then(|text| some(&text));
    Ok(Room { available, pressure })
}

#[cfg(any(test, target_os = "linux"))]
/// `some avg10=1.23 …`: the share of time in which at least one task waited (Documentation/accounting/psi.rst).
fn some(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    line.split(' ').find_map(|word| word.strip_prefix("avg10="))?.parse().ok()
}

#[cfg(any(test, target_os = "linux"))]
/// What is left in this process's control group and in every one above it.
fn groups(root: &Path) -> Vec<u64> {
    let Ok(text) = fs::read_to_string(root.join("proc/self/cgroup")) else { return Vec::new() };
    let mut left = Vec::new();
    for line in text.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        // The second version has one tree; in the first one memory has its own.
        let (base, max, current) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max", "memory.current"),
            _ if controllers.split(',').any(|one| one == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
            }
            _ => continue,
        };
        let base = root.join(base);
        let mut dir = base.join(path.trim_start_matches('/'));
        loop {
            left.extend(group(&dir, max, current));
            if dir == base || !dir.pop() {
                break;
            }
        }
    }
    left
}

#[cfg(any(test, target_os = "linux"))]
/// Limit less use, where pages of files that nobody works with count as free, as they do for the machine.
fn group(dir: &Path, max: &str, current: &str) -> Option<u64> {
    let number = |name: &str| fs::read_to_string(dir.join(name)).ok()?.trim().parse::<u64>().ok();
    let stat = fs::read_to_string(dir.join("memory.stat")).unwrap_or_default();
    let of = |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    let idle = of("total_inactive_file ").or_else(|| of("inactive_file ")).unwrap_or(0);
    let used = number(current)?.saturating_sub(idle);
    Some(number(max)?.saturating_sub(used))
}

/// Free, speculative, purgeable and inactive pages: what macOS gives without compressing anybody.
#[cfg(any(test, not(target_os = "linux")))]
fn vm_stat(text: &str) -> Option<u64> {
    let page: u64 = text.split_once("page size of ")?.1.split(' ').next()?.parse().ok()?;
    let pages = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches('.').parse::<u64>().ok()
    };
    let all = ["Pages free:", "Pages inactive:", "Pages speculative:", "Pages purgeable:"].map(pages);
    Some(all.into_iter().flatten().sum::<u64>().saturating_mul(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        sanctum_kernel::files::replace(&path, text.as_bytes(), 0o600).unwrap();
    }

    #[test]
    fn the_tightest_of_machine_and_control_groups_counts() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        put(root, "proc/meminfo", "MemTotal:  100 kB\nMemAvailable:     1000 kB\n");
        assert_eq!(linux(root).unwrap(), Room { available: 1_024_000, pressure: None });
        put(
            root,
            "proc/pressure/memory",
            "some avg10=12.50 avg60=1.00 avg300=0.00 total=1\nfull avg10=3.00\n",
        );
        put(root, "proc/self/cgroup", "0::/house/supervise.service\n");
        put(root, "sys/fs/cgroup/house/supervise.service/memory.max", "max\n");
        put(root, "sys/fs/cgroup/house/supervise.service/memory.current", "5\n");
        put(root, "sys/fs/cgroup/house/memory.max", "500000\n");
        put(root, "sys/fs/cgroup/house/memory.current", "300000\n");
        put(root, "sys/fs/cgroup/house/memory.stat", "anon 1\ninactive_file 100000\n");
        assert_eq!(linux(root).unwrap(), Room { available: 300_000, pressure: Some(12.5) });
        put(root, "proc/self/cgroup", "4:cpu:/\n3:memory:/old\n");
        put(root, "sys/fs/cgroup/memory/old/memory.limit_in_bytes", "7000\n");
        put(root, "sys/fs/cgroup/memory/old/memory.usage_in_bytes", "6000\n");
        assert_eq!(linux(root).unwrap().available, 1000);
    }

    #[test]
    fn what_macos_says_is_counted_in_its_pages() {
        let text = "Mach Virtual Memory Statistics: (page size of 16384 bytes)\nPages free:                 10.\nPages active:   9.\nPages inactive:   5.\nPages speculative:  1.\n";
        assert_eq!(vm_stat(text), Some(16 * 16384));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_says_how_much_it_has() {
        assert!(System::new().look().unwrap().available > 0);
    }
}
