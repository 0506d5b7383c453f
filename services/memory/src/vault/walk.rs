//! Every note there is, as the folders have them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::file::{Stat, UNFINISHED};
use super::rel::Rel;

/// What was found below the vault's folder.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) notes: Vec<(Rel, Stat)>,
    /// What is there and is not read, and why: by its path as it is shown.
    pub(crate) troubles: BTreeMap<String, String>,
}

/// Walks through `folder` (empty: everything). Links are not followed, so that none leads out and no loop is endless.
///
/// # Errors
/// The vault's own folder cannot be listed: nothing may be concluded from that.
pub(crate) fn walk(root: &Path, folder: Option<&Rel>) -> io::Result<Found> {
    let mut found = Found::default();
    let start = folder.map_or_else(|| root.to_owned(), |folder| root.join(folder.as_str()));
    // What is not listed is not looked at; what cannot be listed at the top is nothing to conclude from.
    drop(fs::read_dir(root)?);
    let mut folders = vec![start];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                found.trouble(root, &folder, &format!("it cannot be listed: {error}"));
                continue;
            }
        };
        for entry in entries {
            match entry {
                Ok(entry) => look(root, &entry, &mut found, &mut folders),
                Err(error) => found.trouble(root, &folder, &format!("it cannot be listed: {error}")),
            }
        }
    }
    Ok(found)
}

fn look(root: &Path, entry: &fs::DirEntry, found: &mut Found, folders: &mut Vec<std::path::PathBuf>) {
    let (path, name) = (entry.path(), entry.file_name());
    if name.as_encoded_bytes().starts_with(b".") {
        return;
    }
    let Ok(kind) = entry.file_type() else { return };
    let note = name.as_encoded_bytes().ends_with(b".md");
    if kind.is_symlink() {
        // A picture that is linked is nobody's business.
        if note || fs::metadata(&path).is_ok_and(|meta| meta.is_dir()) || fs::metadata(&path).is_err() {
            found.trouble(root, &path, "it is a link, and links are not followed");
        }
        return;
    }
    if kind.is_dir() {
        match Rel::below(root, &path) {
            Ok(_) => folders.push(path),
            Err(_) => {
                found.trouble(root, &path, "its name cannot be read: it is too long, too deep or not UTF-8");
            }
        }
        return;
    }
    if !note {
        return;
    }
    if !kind.is_file() {
        found.trouble(root, &path, "it is not a plain file");
        return;
    }
    match (Rel::below(root, &path), entry.metadata()) {
        (Ok(rel), Ok(meta)) => found.notes.push((rel, Stat::of(&meta))),
        (Err(_), _) => found.trouble(root, &path, "its name cannot be read: it is too long or not UTF-8"),
        // Gone between listing and looking.
        (_, Err(_)) => {}
    }
}

impl Found {
    fn trouble(&mut self, root: &Path, path: &Path, why: &str) {
        let shown = path.strip_prefix(root).unwrap_or(path).display().to_string();
        self.troubles.insert(shown, why.to_owned());
    }
}

/// Removes what writers that died have left behind; nobody else may be writing.
pub(crate) fn tidy(root: &Path) -> usize {
    let mut removed = 0;
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && !name.as_encoded_bytes().starts_with(b".") {
                folders.push(entry.path());
            } else if kind.is_file() && name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
                removed += usize::from(fs::remove_file(entry.path()).is_ok());
            }
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::super::file::create;
    use super::*;

    #[test]
    fn a_walk_ends_and_says_what_it_left_out() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        create(root, &Rel::parse("a/b.md").unwrap(), b"x").unwrap();
        std::os::unix::fs::symlink("..", root.join("a/loop")).unwrap();
        std::os::unix::fs::symlink("self.md", root.join("self.md")).unwrap();
        fs::create_dir(root.join(".obsidian")).unwrap();
        fs::File::create(root.join(".obsidian/x.md")).unwrap();
        fs::File::create(root.join("picture.png")).unwrap();
        fs::File::create(root.join(OsStr::from_bytes(b"caf\xe9.md"))).unwrap();
        fs::File::create(root.join(".sanctum-x.tmp")).unwrap();
        let found = walk(root, None).unwrap();
        let notes: Vec<_> = found.notes.iter().map(|(rel, _)| rel.as_str()).collect();
        assert_eq!(notes, ["a/b.md"]);
        let troubles: Vec<_> = found.troubles.keys().map(String::as_str).collect();
        assert_eq!(troubles, ["a/loop", "caf\u{fffd}.md", "self.md"]);
        assert_eq!(tidy(root), 1);
        assert!(walk(&root.join("gone"), None).is_err());
    }
}
