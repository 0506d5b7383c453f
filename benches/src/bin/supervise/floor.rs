//! The floor: starts the children and starts each again when it ends. Nothing else.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use rustix::process::{Pid, WaitOptions};

/// Never returns: somebody kills it.
pub(crate) fn keep(child: &str, ms: &str, names: &[&str]) {
    let start = |name: &str| {
        let mut command = Command::new(child);
        command.args([name, ms]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().ok().and_then(|child| i32::try_from(child.id()).ok())
    };
    let mut running: BTreeMap<i32, &str> =
        names.iter().filter_map(|name| Some((start(name)?, *name))).collect();
    while let Ok(Some((pid, _))) = rustix::process::waitpid(None::<Pid>, WaitOptions::empty()) {
        if let Some(name) = running.remove(&pid.as_raw_nonzero().get())
            && let Some(pid) = start(name)
        {
            running.insert(pid, name);
        }
    }
}
