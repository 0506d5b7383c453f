//! Secrets that others can read, and secrets that are not what they were.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ring::hmac;
use sanctum_kernel::trace::{hex, random};

use super::Looked;
use crate::heal::case::{Case, Found};
use crate::heal::ledger::Ledger;
use crate::heal::step::Step;

const KEY: &str = "secrets key";
const KNOWN: &str = "secrets known";
/// Whoever is not the owner.
const OTHERS: u32 = 0o077;

/// What must be closed: the home, the folders with secrets, and every file in these.
fn closed(home: &Path) -> Vec<(PathBuf, fs::Metadata)> {
    let folders = [home.join("secrets"), home.join("run").join("tokens")];
    let inside = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let paths =
        [home.to_owned()].into_iter().chain(folders.iter().cloned()).chain(inside.map(|entry| entry.path()));
    let of = |path: PathBuf| fs::symlink_metadata(&path).ok().map(|metadata| (path, metadata));
    paths.filter_map(of).filter(|(_, metadata)| metadata.is_file() || metadata.is_dir()).collect()
}

pub(super) async fn look(case: &Case<'_>) -> Looked {
    let me = rustix::process::geteuid().as_raw();
    let mut steps = Vec::new();
    for (path, metadata) in closed(case.home()) {
        let was = metadata.mode() & 0o7777;
        if was & OTHERS == 0 {
            continue;
        }
        if metadata.uid() != me && me != 0 {
            return Err(Found::advice(format!(
                "`{}` can be read by others and belongs to somebody else: give it back to the house's user",
                path.display()
            )));
        }
        let mode = if metadata.is_dir() { 0o700 } else { 0o600 };
        steps.push(Step::Protect { path, mode, was });
    }
    if !steps.is_empty() {
        return Ok(Found::Plan(steps));
    }
    let changed = changed(case.ledger, case.home()).await.map_err(Found::Nothing)?;
    if changed.is_empty() {
        return Err(Found::nothing("nobody else can read a secret, and none has changed"));
    }
    Err(Found::Advice(format!(
        "the contents of {} are not what they were: if nobody of the house changed that, change the secret where it is used",
        changed.join(", ")
    )))
}

/// The contents of each secret, by a code that says nothing without the key.
fn codes(key: &[u8], home: &Path) -> BTreeMap<String, String> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let entries = fs::read_dir(home.join("secrets")).into_iter().flatten().flatten();
    let code = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let file = entry.metadata().ok().filter(fs::Metadata::is_file);
        file.and_then(|_| fs::read(entry.path()).ok())
            .map(|bytes| (name, hex(hmac::sign(&key, &bytes).as_ref())))
    };
    entries.filter_map(code).collect()
}

async fn key(ledger: &Ledger) -> Result<String, String> {
    if let Some(key) = ledger.recall(KEY).await.map_err(|error| error.to_string())? {
        return Ok(key);
    }
    let key = hex(&random::<32>());
    ledger.remember(KEY, &key).await.map_err(|error| error.to_string())?;
    Ok(key)
}

async fn known(ledger: &Ledger) -> Result<BTreeMap<String, String>, String> {
    let text = ledger.recall(KNOWN).await.map_err(|error| error.to_string())?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// Names of secrets whose contents differ from what was taken note of.
pub(crate) async fn changed(ledger: &Ledger, home: &Path) -> Result<Vec<String>, String> {
    let (key, known) = (key(ledger).await?, known(ledger).await?);
    let now = codes(key.as_bytes(), home);
    let differs = |(name, code): &(&String, &String)| now.get(*name).is_some_and(|now| now != *code);
    Ok(known.iter().filter(differs).map(|(name, _)| format!("`{name}`")).collect())
}

/// Takes note of secrets that are new; with `all`, of every one as it is now, because a person says so.
pub(crate) async fn remember(ledger: &Ledger, home: &Path, all: bool) -> Result<(), String> {
    let (key, mut known) = (key(ledger).await?, known(ledger).await?);
    let before = known.clone();
    let now = codes(key.as_bytes(), home);
    known.retain(|name, _| now.contains_key(name));
    for (name, code) in now {
        if all {
            known.insert(name, code);
        } else {
            known.entry(name).or_insert(code);
        }
    }
    if known == before {
        return Ok(());
    }
    let text = serde_json::to_string(&known).map_err(|error| error.to_string())?;
    ledger.remember(KNOWN, &text).await.map_err(|error| error.to_string())
}
