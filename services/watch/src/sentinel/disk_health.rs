//! Whether disks have room and inodes, may be written, and what they say of themselves.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::StatVfsMountFlags;
use sanctum_kernel::Period;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Eyes, Seen};

/// Room, inodes, read-only file systems, and what the disks say of themselves.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Not looked at.
    pub off: bool,
    /// How often it looks.
    pub every: Period,
    /// Any path on each file system, besides the house's own.
    pub paths: Vec<PathBuf>,
    /// Fuller than this, in percent of room or of inodes, is amber.
    pub amber: u8,
    /// Fuller than this, in percent, is red.
    pub red: u8,
    /// Disks whose own word is asked for, such as `/dev/sda`; needs the program and root.
    pub devices: Vec<PathBuf>,
    /// The program that asks them (smartmontools).
    pub smartctl: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            off: false,
            every: Period::mins(5),
            paths: Vec::new(),
            amber: 90,
            red: 97,
            devices: Vec::new(),
            smartctl: "smartctl".to_owned(),
        }
    }
}

/// Nothing is remembered.
#[derive(Debug, Default)]
pub(super) struct Memory;

impl Config {
    pub(super) async fn look(&self, eyes: &Eyes, _: &mut Memory) -> Seen {
        let paths: Vec<PathBuf> = std::iter::once(eyes.paths.home().to_owned()).chain(self.paths.iter().cloned()).collect();
        let (config, home) = (self.clone(), eyes.paths.home().to_owned());
        let fullest = eyes.aside(move || Seen::worst(paths.iter().map(|path| config.room(path)).collect(), described(&home))).await;
        let good = fullest.detail.clone();
        let mut all = vec![fullest];
        for device in &self.devices {
            all.push(self.smart(device).await);
        }
        Seen::worst(all, good)
    }

    fn room(&self, path: &Path) -> Seen {
        let shown = path.display();
        let fs = match rustix::fs::statvfs(path) {
            Ok(fs) => fs,
            Err(rustix::io::Errno::NOENT) => return Seen::red(format!("{shown} is not there")).hint("look whether its disk is mounted"),
            Err(error) => return Seen::unknown(format!("{shown} could not be asked: {error}")),
        };
        if fs.f_flag.contains(StatVfsMountFlags::RDONLY) {
            let hint = "look into the kernel's log (`dmesg`): file systems are made read-only when their disk fails";
            return Seen::red(format!("the file system of {shown} is read-only")).hint(hint);
        }
        let (room, inodes) = (used(fs.f_blocks, fs.f_bfree, fs.f_bavail), used(fs.f_files, fs.f_ffree, fs.f_favail));
        let (what, used) = if inodes > room { ("of its inodes", inodes) } else { ("full", room) };
        let said = format!("{shown} is {used} % {what}");
        let hint = "free some: what cannot be kept is refused";
        match used {
            used if used > u64::from(self.red) => Seen::red(said).hint(hint),
            used if used > u64::from(self.amber) => Seen::amber(said).hint(hint),
            _ => Seen::green(said),
        }
    }

    /// `smartctl -H -j`: its exit status has bit 3 set when the disk says that it fails (smartctl(8)).
    async fn smart(&self, device: &Path) -> Seen {
        let shown = device.display();
        let mut command = tokio::process::Command::new(&self.smartctl);
        let output = command.args(["-H", "-j"]).arg(device).stdin(Stdio::null()).kill_on_drop(true).output().await;
        let output = match output {
            Ok(output) => output,
            Err(error) => return Seen::unknown(format!("{shown} could not be asked: `{}`: {error}", self.smartctl)).hint("install smartmontools, or take the disk out of `devices`"),
        };
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        match said.pointer("/smart_status/passed").and_then(serde_json::Value::as_bool) {
            Some(true) => Seen::green(format!("{shown} is well")),
            Some(false) => Seen::red(format!("{shown} says that it is about to fail")).hint("copy what is on it, and replace it"),
            None => Seen::unknown(format!("{shown} did not say how it is (smartctl ended with {})", output.status.code().unwrap_or(-1))).hint("asking a disk needs root"),
        }
    }
}

/// In percent, as df(1) counts: of what people without root may use.
fn used(all: u64, free: u64, available: u64) -> u64 {
    let taken = all.saturating_sub(free);
    match taken.saturating_add(available) {
        0 => 0,
        usable => taken.saturating_mul(100).div_ceil(usable),
    }
}

fn described(home: &Path) -> String {
    match rustix::fs::statvfs(home) {
        Ok(fs) => format!("{} GiB free for the house", fs.f_bavail.saturating_mul(fs.f_frsize) >> 30),
        Err(_) => "there is room".to_owned(),
    }
}
