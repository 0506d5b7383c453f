//! Where the house keeps its things.

use std::path::{Path, PathBuf};

use crate::files::{self, FileError};

/// `$SANCTUM_HOME` (default `~/.sanctum`) and the places in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    home: PathBuf,
}

impl Paths {
    pub fn new(home: impl Into<PathBuf>) -> Self {
        Self { home: home.into() }
    }

    pub fn home(&self) -> &Path {
        &self.home
    }

    pub fn config(&self) -> PathBuf {
        self.home.join("sanctum.toml")
    }

    /// Databases and other state of services; survives restarts.
    pub fn state(&self) -> PathBuf {
        self.home.join("state")
    }

    pub fn logs(&self) -> PathBuf {
        self.home.join("logs")
    }

    /// What lives only as long as the house runs: pid files and tokens.
    pub fn run(&self) -> PathBuf {
        self.home.join("run")
    }

    pub fn tokens(&self) -> PathBuf {
        self.run().join("tokens")
    }

    pub fn secrets(&self) -> PathBuf {
        self.home.join("secrets")
    }

    /// Notifications written while the hub was down.
    pub fn spool(&self) -> PathBuf {
        self.home.join("spool")
    }

    /// Makes every directory, each for its owner only.
    pub fn prepare(&self) -> Result<(), FileError> {
        let all = [
            self.home.clone(),
            self.state(),
            self.logs(),
            self.run(),
            self.tokens(),
            self.secrets(),
            self.spool(),
        ];
        all.iter().try_for_each(|dir| files::private_dir(dir))
    }
}
