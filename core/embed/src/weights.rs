//! The files of the weights, and the proof that they are the ones that were measured.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};

use crate::EmbedError;

/// Lines of `sha256sum`: the same file proves a download in `tools/models` and every start of the house.
const MANIFEST: &str = include_str!("../models.sha256");

/// Where `tools/models` puts the weights: `$XDG_DATA_HOME/sanctum/models`, which is `~/.local/share/sanctum/models`.
pub fn default_dir() -> Option<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME").filter(|at| !at.is_empty()).map(PathBuf::from);
    let data =
        data.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/share")))?;
    Some(data.join("sanctum/models"))
}

/// Reads `name`, a path of the manifest, below `dir`; what is not byte for byte the file that is meant is refused.
pub fn proven(dir: &Path, name: &str) -> Result<Vec<u8>, EmbedError> {
    let path = dir.join(name);
    let shown = path.display().to_string();
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(EmbedError::Missing(dir.display().to_string()));
        }
        Err(source) => return Err(EmbedError::Read { path: shown, source }),
    };
    let found = digest(&SHA256, &bytes).as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").ok();
        hex
    });
    let known = MANIFEST.lines().any(|line| line.split_once("  ") == Some((found.as_str(), name)));
    if known { Ok(bytes) } else { Err(EmbedError::Changed { path: shown }) }
}
