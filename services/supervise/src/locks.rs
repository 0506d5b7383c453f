//! Open breakers, kept in a file so that neither a restart nor a reboot closes them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sanctum_api::supervise::Locked;
use sanctum_kernel::Paths;
use sanctum_kernel::files::FileError;

use crate::kept;

/// Which services are locked, and why.
#[derive(Debug)]
pub(crate) struct Locks {
    path: PathBuf,
    open: BTreeMap<String, Locked>,
}

impl Locks {
    /// Reads the file. One that makes no sense is put aside and named.
    pub(crate) fn load(paths: &Paths, aside: &mut Vec<String>) -> Result<Self, FileError> {
        let path = paths.state().join("supervise-locked.json");
        let open = kept::load(&path, aside)?;
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
        kept::save(&self.path, &self.open)
    }
}
