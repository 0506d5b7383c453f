//! Who may read the secrets, and whether they are the same as yesterday.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sanctum_kernel::{Paths, Period, files};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Eyes, Seen, lasting};

/// Who may read the secrets, and whether they are the same as yesterday.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Not looked at.
    pub off: bool,
    /// How often it looks.
    pub every: Period,
    /// How long a secret that has changed is amber.
    pub remind: Period,
}

impl Default for Config {
    fn default() -> Self {
        Self { off: false, every: Period::mins(1), remind: Period::hours(24) }
    }
}

/// What each secret was: kept in a file, because what changes while nobody looks is what matters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// By path: the hash, and since when it is so.
    known: BTreeMap<String, (String, Option<Timestamp>)>,
    #[serde(skip)]
    read: bool,
}

impl Config {
    pub(super) async fn look(&self, eyes: &Eyes, memory: &mut Memory) -> Seen {
        let (config, paths, now) = (self.clone(), eyes.paths.clone(), eyes.clock.now());
        let mut known = std::mem::take(memory);
        let looked = tokio::task::spawn_blocking(move || (config.all(&paths, now, &mut known), known)).await;
        let Ok((seen, known)) = looked else { return Seen::unknown("the look itself failed") };
        *memory = known;
        seen
    }

    fn all(&self, paths: &Paths, now: Timestamp, memory: &mut Memory) -> Seen {
        let kept = paths.state().join("watch-secrets.json");
        if !std::mem::replace(&mut memory.read, true) {
            memory.known = files::read(&kept).ok().and_then(|text| serde_json::from_str::<Memory>(&text).ok()).unwrap_or_default().known;
        }
        let before = memory.clone();
        let mut seen = Vec::new();
        let (secrets, tokens) = (within(&paths.secrets()), within(&paths.tokens()));
        for dir in [paths.home().to_owned(), paths.secrets(), paths.tokens()] {
            seen.extend(open(&dir));
        }
        for file in secrets.iter().chain(&tokens) {
            seen.extend(open(file));
        }
        seen.extend(self.changed(&secrets, now, memory));
        if *memory != before {
            let text = serde_json::to_string(memory).unwrap_or_default();
            if let Err(error) = files::replace(&kept, text.as_bytes(), 0o600) {
                seen.push(Seen::unknown(format!("what the secrets are cannot be kept: {error}")));
            }
        }
        Seen::worst(seen, format!("{} secrets and {} tokens, for their owner only", secrets.len(), tokens.len()))
    }

    /// A token is new at every start of the house; a secret changes when somebody changes it.
    fn changed(&self, secrets: &[PathBuf], now: Timestamp, memory: &mut Memory) -> Vec<Seen> {
        let mut seen = Vec::new();
        let first = memory.known.is_empty();
        for file in secrets {
            let name = file.display().to_string();
            let Ok(bytes) = std::fs::read(file) else {
                seen.push(Seen::unknown(format!("{name} cannot be read")));
                continue;
            };
            let hash = hash(&bytes);
            let entry = memory.known.entry(name.clone()).or_insert_with(|| (hash.clone(), (!first).then_some(now)));
            if entry.0 != hash {
                *entry = (hash, Some(now));
            }
            if let Some(since) = entry.1 {
                let age = std::time::Duration::try_from(now.duration_since(since)).unwrap_or_default();
                if age < self.remind.0 {
                    let hint = "if nobody of the house did that, change it where it came from";
                    seen.push(Seen::amber(format!("{name} has changed {} ago", lasting(age))).hint(hint));
                } else {
                    entry.1 = None;
                }
            }
        }
        let gone: Vec<String> = memory.known.keys().filter(|name| !secrets.iter().any(|file| file.as_os_str() == name.as_str())).cloned().collect();
        for name in gone {
            seen.push(Seen::amber(format!("{name} is gone")).hint("put it back, or take what names it out of sanctum.toml"));
            // Said for as long as it would be for a change: then it is how things are.
            let since = memory.known.entry(name.clone()).or_default().1.get_or_insert(now).to_owned();
            if std::time::Duration::try_from(now.duration_since(since)).unwrap_or_default() >= self.remind.0 {
                memory.known.remove(&name);
            }
        }
        seen
    }
}

fn within(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    all.sort();
    all
}

/// Whether others than its owner, who must be the house's, may do anything with it.
fn open(path: &Path) -> Option<Seen> {
    let meta = std::fs::metadata(path).ok()?;
    let (mode, shown) = (meta.mode() & 0o777, path.display());
    if mode & 0o077 != 0 {
        let hint = format!("chmod {} {shown}", if meta.is_dir() { "700" } else { "600" });
        let said = format!("{shown} is open to others (mode {mode:03o})");
        // A home that others may list holds no secret itself.
        return Some(if meta.is_dir() { Seen::amber(said).hint(hint) } else { Seen::red(said).hint(hint) });
    }
    let me = rustix::process::geteuid().as_raw();
    (meta.uid() != me).then(|| Seen::red(format!("{shown} belongs to somebody else (user {})", meta.uid())).hint(format!("chown {me} {shown}")))
}

fn hash(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    sanctum_kernel::trace::hex(digest.as_ref())
}
