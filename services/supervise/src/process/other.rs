//! macOS and others: ps(1) for birth times; orphans go to init, which reaps them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

pub(crate) fn born(pid: u32) -> Option<String> {
    let output = Command::new("/bin/ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

pub(crate) const fn adopt_orphans() {}

pub(crate) const fn die_with_parent(_: &mut Command) {}

pub(crate) const fn orphans(_: &BTreeSet<u32>) -> Vec<u32> {
    Vec::new()
}

pub(crate) const fn escaped(_: &str, _: &Path) -> Vec<u32> {
    Vec::new()
}
