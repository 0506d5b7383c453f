//! Which file a program runs from, and whether it is still the one that is there.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Plan;

/// The file of a plan's program, searched for as execvp(3) does.
pub(crate) fn program(plan: &Plan, allowed: &[String]) -> Option<PathBuf> {
    if plan.command.components().count() > 1 {
        return Some(plan.command.clone());
    }
    let own = plan.env.get("PATH").map(OsString::from);
    let path = own
        .or_else(|| allowed.iter().any(|name| name == "PATH").then(|| std::env::var_os("PATH")).flatten())?;
    std::env::split_paths(&path).map(|dir| dir.join(&plan.command)).find(|file| file.is_file())
}

/// What tells a file from the one that takes its place: where it is on the disk, how long it is, and when it was written.
pub(crate) fn stamp(file: &Path) -> Option<String> {
    let metadata = std::fs::metadata(file).ok()?;
    let (dev, ino, size) = (metadata.dev(), metadata.ino(), metadata.size());
    Some(format!("{dev}:{ino}:{size}:{}.{}", metadata.mtime(), metadata.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_has_another_stamp_and_programs_are_found_on_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("tool");
        sanctum_kernel::files::replace(&file, b"one", 0o700).unwrap();
        let first = stamp(&file).unwrap();
        assert_eq!(stamp(&file).as_deref(), Some(first.as_str()));
        sanctum_kernel::files::replace(&file, b"two", 0o700).unwrap();
        assert_ne!(stamp(&file).unwrap(), first);
        let mut plan = Plan::new("tool", "tool");
        assert_eq!(program(&plan, &[]), None);
        plan.env.insert("PATH".to_owned(), format!("/nowhere:{}", dir.path().display()));
        assert_eq!(program(&plan, &[]), Some(file.clone()));
        assert_eq!(program(&Plan::new("tool", &file), &[]), Some(file));
    }
}
