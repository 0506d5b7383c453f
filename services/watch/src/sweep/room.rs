//! How many questions may be in flight at once: what the kernel allows, less what the house needs.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More descriptors than this are never needed here.
const ENOUGH: u64 = 8192;
/// The sockets, databases and files of the service itself.
const OWN: u64 = 192;
/// A question takes up to this many: a command has three pipes.
const EACH: u64 = 4;
/// More at once make nothing faster.
const MOST: u64 = 1024;
const LEAST: u64 = 16;

/// Raises the soft limit of descriptors as far as is useful and allowed, and says how many questions fit below it.
pub fn room() -> usize {
    let now = getrlimit(Resource::Nofile);
    let wanted = now.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    let mut soft = now.current.unwrap_or(ENOUGH);
    if soft < wanted {
        let raised = Rlimit { current: Some(wanted), maximum: now.maximum };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            soft = wanted;
        }
    }
    let fit = (soft.saturating_sub(OWN) / EACH).clamp(LEAST, MOST);
    usize::try_from(fit).unwrap_or(16)
}
