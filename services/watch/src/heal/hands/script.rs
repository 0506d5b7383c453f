//! Scripts of the owner's: what may be run at all.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::super::recipe::is_plain_name;

/// Where `name` in `scripts` is, if it may be run; else why not.
///
/// Only a plain name; the folder and the file belong to this user (or root), nobody else may write or read them, and neither is
/// a link.
pub(crate) fn allowed(scripts: &Path, name: &str) -> Result<PathBuf, String> {
    is_plain_name(name)?;
    let me = rustix::process::geteuid().as_raw();
    let shown = scripts.display();
    let folder = fs::symlink_metadata(scripts).map_err(|error| format!("`{shown}`: {error}"))?;
    if !folder.is_dir() {
        return Err(format!("`{shown}` is a link or no folder"));
    }
    if folder.uid() != me && folder.uid() != 0 {
        return Err(format!("`{shown}` belongs to somebody else"));
    }
    if folder.mode() & 0o022 != 0 {
        return Err(format!("others may write into `{shown}`: `chmod 700` it"));
    }
    let path = scripts.join(name);
    let file = fs::symlink_metadata(&path).map_err(|error| format!("`{name}`: {error}"))?;
    if !file.is_file() {
        return Err(format!("`{name}` is a link or no file"));
    }
    if file.uid() != me && file.uid() != 0 {
        return Err(format!("`{name}` belongs to somebody else"));
    }
    if file.mode() & 0o077 != 0 {
        return Err(format!("others may use or change `{name}`: `chmod 700` it"));
    }
    if file.mode() & 0o100 == 0 {
        return Err(format!("`{name}` is not executable: `chmod 700` it"));
    }
    if file.nlink() > 1 {
        return Err(format!("`{name}` has another name elsewhere"));
    }
    // Whatever the names say, it must lie where it seems to lie.
    let real = path.canonicalize().map_err(|error| format!("`{name}`: {error}"))?;
    let within = scripts.canonicalize().map_err(|error| format!("`{shown}`: {error}"))?;
    if real.parent() != Some(within.as_path()) {
        return Err(format!("`{name}` leads out of `{shown}`"));
    }
    Ok(real)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn put(path: &Path, mode: u32) {
        sanctum_kernel::files::replace(path, b"#!/bin/sh\n", mode).unwrap();
    }

    #[test]
    fn only_a_private_script_in_its_place_may_be_run() {
        let home = tempfile::tempdir().unwrap();
        let scripts = home.path().join("scripts");
        sanctum_kernel::files::private_dir(&scripts).unwrap();
        put(&scripts.join("good"), 0o700);
        assert_eq!(allowed(&scripts, "good").unwrap(), scripts.canonicalize().unwrap().join("good"));
        put(&home.path().join("outside"), 0o700);
        symlink(home.path().join("outside"), scripts.join("link")).unwrap();
        symlink(scripts.join("good"), scripts.join("near-link")).unwrap();
        std::fs::hard_link(home.path().join("outside"), scripts.join("hard-link")).unwrap();
        put(&scripts.join("read-by-all"), 0o755);
        put(&scripts.join("written-by-group"), 0o720);
        put(&scripts.join("plain"), 0o600);
        std::fs::create_dir(scripts.join("folder")).unwrap();
        for (name, why) in [
            ("../outside", "no path"),
            ("/bin/sh", "no path"),
            ("link", "a link"),
            ("near-link", "a link"),
            ("hard-link", "another name elsewhere"),
            ("read-by-all", "chmod 700"),
            ("written-by-group", "chmod 700"),
            ("plain", "not executable"),
            ("folder", "no file"),
            ("absent", "No such file"),
        ] {
            let refused = allowed(&scripts, name).unwrap_err();
            assert!(refused.contains(why), "{name}: {refused}");
        }
        std::fs::set_permissions(&scripts, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(allowed(&scripts, "good").unwrap_err().contains("others may write into"));
        std::fs::set_permissions(&scripts, std::fs::Permissions::from_mode(0o700)).unwrap();
        symlink(&scripts, home.path().join("elsewhere")).unwrap();
        assert!(allowed(&home.path().join("elsewhere"), "good").unwrap_err().contains("is a link"));
    }
}
