//! What the processes of the house take, and what they keep: read from `/proc` and from the house's directory, once a round.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use sanctum_api::supervise::ServiceState;
use sanctum_kernel::{Paths, files};

use super::{Anomaly, Detector, Measure, Series};

/// Feeds a detector with what the services' processes take.
#[derive(Debug, Default)]
pub struct Readings {
    /// The last process of each, and how many there were before.
    known: BTreeMap<String, (u32, u32)>,
}

impl Readings {
    /// One round over what the supervisor says; what is new because of it. Elsewhere than on Linux processes are not read.
    pub fn round(
        &mut self,
        detector: &mut Detector,
        services: &[ServiceState],
        paths: &Paths,
        now: Timestamp,
    ) -> Vec<Anomaly> {
        let machine = memory_of_machine();
        let disk = kept(paths);
        let mut news = Vec::new();
        for state in services {
            if let Some(pid) = state.pid {
                let (last, restarts) = self.known.entry(state.name.clone()).or_insert((pid, 0));
                if *last != pid {
                    (*last, *restarts) = (pid, *restarts + 1);
                    news.extend(detector.restarted(&state.name));
                }
            }
            let restarts = self.known.get(&state.name).map(|(_, restarts)| f64::from(*restarts));
            news.extend(of_process(detector, state, machine, restarts, now));
            if let Some((free, bytes)) = &disk {
                let bytes = bytes.get(&state.name).copied().unwrap_or_default();
                let limit = Some(bytes + free);
                let series = Series { service: state.name.clone(), measure: Measure::Disk, limit };
                news.extend(detector.feed(&series, now, bytes));
            }
        }
        news
    }
}

fn of_process(
    detector: &mut Detector,
    state: &ServiceState,
    machine: Option<f64>,
    restarts: Option<f64>,
    now: Timestamp,
) -> Vec<Anomaly> {
    let mut news = Vec::new();
    {
        let mut feed = |measure, limit, value: Option<f64>| {
            let series = Series { service: state.name.clone(), measure, limit };
            news.extend(value.and_then(|value| detector.feed(&series, now, value)));
        };
        feed(Measure::Restarts, None, restarts);
        let Some(pid) = state.pid else { return news };
        let process = Path::new("/proc").join(pid.to_string());
        feed(Measure::Memory, machine, resident(&process));
        feed(Measure::Files, most_files(&process), open_files(&process));
    }
    news
}

/// What is free on the house's disk, and what each service keeps there, bytes.
#[expect(clippy::cast_precision_loss, reason = "bytes of a disk")]
fn kept(paths: &Paths) -> Option<(f64, BTreeMap<String, f64>)> {
    let fs = rustix::fs::statvfs(paths.home()).ok()?;
    let mut kept: BTreeMap<String, f64> = BTreeMap::new();
    let entries = [paths.state(), paths.logs()].into_iter().filter_map(|dir| std::fs::read_dir(dir).ok());
    for entry in entries.flatten().flatten() {
        let name = entry.file_name();
        // `proxy.db-wal`, `proxy.log.3.gz`: whose it is stands before the first dot.
        let whose = name.to_str().and_then(|name| name.split('.').next());
        if let Some((whose, meta)) = whose.zip(entry.metadata().ok().filter(std::fs::Metadata::is_file)) {
            *kept.entry(whose.to_owned()).or_default() += meta.len() as f64;
        }
    }
    Some((fs.f_bavail.saturating_mul(fs.f_frsize) as f64, kept))
}

/// `VmRSS` of proc_pid_status(5), bytes.
fn resident(process: &Path) -> Option<f64> {
    kib(&files::read(&process.join("status")).ok()?, "VmRSS:")
}

/// `MemTotal` of proc_meminfo(5), bytes.
fn memory_of_machine() -> Option<f64> {
    kib(&files::read(Path::new("/proc/meminfo")).ok()?, "MemTotal:")
}

fn kib(text: &str, key: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib * 1024.0)
}

fn open_files(process: &Path) -> Option<f64> {
    let count = std::fs::read_dir(process.join("fd")).ok()?.flatten().count();
    u32::try_from(count).ok().map(f64::from)
}

/// The soft limit `Max open files` of proc_pid_limits(5).
fn most_files(process: &Path) -> Option<f64> {
    let limits = files::read(&process.join("limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_keeps_is_its_state_and_its_logs() {
        let home = tempfile::tempdir().unwrap();
        let paths = Paths::new(home.path());
        paths.prepare().unwrap();
        for (file, size) in [("proxy.db", 1000), ("proxy.db-wal", 500), ("proxy-2.db", 7)] {
            files::replace(&paths.state().join(file), &vec![0; size], 0o600).unwrap();
        }
        files::replace(&paths.logs().join("proxy.log.1"), &[0; 20], 0o600).unwrap();
        let (free, kept) = kept(&paths).unwrap();
        assert!(free > 0.0);
        assert_eq!([kept["proxy"], kept["proxy-2"]].map(|bytes| bytes.to_string()), ["1520", "7"]);
    }

    #[test]
    fn this_process_can_be_read() {
        let own = Path::new("/proc/self");
        let (before, limit) = (open_files(own).unwrap(), most_files(own).unwrap());
        assert!(resident(own).unwrap() > 1e6 && memory_of_machine().unwrap() > resident(own).unwrap());
        let opened: Vec<_> = (0..20).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        assert!(open_files(own).unwrap() >= before + 15.0 && before < limit);
        drop(opened);
    }
}
