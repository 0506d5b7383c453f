//! Open breakers, kept in a file so that neither a restart nor a reboot closes them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sanctum_api::supervise::Locked;
use sanctum_kernel::Paths;
use sanctum_kernel::files::{self, FileError};

/// Which services are locked, and why.
#[derive(Debug)]
pub(crate) struct Locks {
    path: PathBuf,
    open: BTreeMap<String, Locked>,
}

impl Locks {
    /// Reads the file. One that makes no sense is put aside, because a house that does not start helps nobody.
    pub(crate) fn load(paths: &Paths) -> Result<Self, FileError> {
        let path = paths.state().join("supervise-locked.json");
        let text = match files::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "{}".to_owned(),
            Err(error) => return Err(error),
        };
        let open = serde_json::from_str(&text).unwrap_or_else(|error| {
            let aside = path.with_extension("json.unreadable");
            tracing::error!(%error, aside = %aside.display(), "the list of locked services is unreadable and was put aside");
            std::fs::rename(&path, aside).ok();
            BTreeMap::new()
        });
        Ok(Self { path, open })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Locked> {
        self.open.get(name)
    }

    pub(crate) fn lock(&mut self, name: &str, locked: Locked) -> Result<(), FileError> {
        self.open.insert(name.to_owned(), locked);
        self.save()
    }

    pub(crate) fn unlock(&mut self, name: &str) -> Result<(), FileError> {
        if self.open.remove(name).is_some() { self.save() } else { Ok(()) }
    }

    fn save(&self) -> Result<(), FileError> {
        let text = serde_json::to_vec_pretty(&self.open).unwrap_or_default();
        files::replace(&self.path, &text, 0o600)
    }
}
