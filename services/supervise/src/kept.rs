//! Small files of state. One that makes no sense is put aside, because a house that does not start helps nobody.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sanctum_kernel::files::{self, FileError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is in `file`, or nothing. What could not be understood is put aside and named in `aside`.
///
/// # Errors
/// The file is there and cannot be read: its disk or its permissions are to be mended first.
pub(crate) fn load<T: DeserializeOwned + Default>(
    file: &Path,
    aside: &mut Vec<String>,
) -> Result<T, FileError> {
    let text = match files::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(T::default()),
        // Not even text.
        Err(error) if error.kind() == ErrorKind::InvalidData => String::from("?"),
        Err(error) => return Err(error),
    };
    Ok(serde_json::from_str(&text).unwrap_or_else(|error| {
        let place = PathBuf::from(format!("{}.unreadable", file.display()));
        tracing::error!(%error, aside = %place.display(), "a file of the supervisor's state makes no sense and was put aside");
        std::fs::rename(file, &place).ok();
        aside.push(place.display().to_string());
        T::default()
    }))
}

/// Writes it whole and durably.
pub(crate) fn save<T: Serialize>(file: &Path, value: &T) -> Result<(), FileError> {
    files::replace(file, &serde_json::to_vec_pretty(value).unwrap_or_default(), 0o600)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_makes_no_sense_is_put_aside_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("state.json");
        let mut aside = Vec::new();
        let mut look = || load::<BTreeMap<String, u32>>(&file, &mut aside).unwrap();
        assert!(look().is_empty());
        save(&file, &BTreeMap::from([("a", 1)])).unwrap();
        assert_eq!(look().len(), 1);
        for broken in [&b"{\"a\": 1"[..], b"", b"\xff\xfe\0", b"{\"a\": \"one\"}"] {
            files::replace(&file, broken, 0o600).unwrap();
            assert!(look().is_empty() && !file.exists());
        }
        assert_eq!(aside.len(), 4);
        assert!(aside[0].ends_with("state.json.unreadable"));
    }
}
