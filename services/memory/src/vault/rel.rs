//! A place in the vault: a path that cannot leave it.

use std::fmt;
use std::path::{Component, Path};

/// The longest name of a file or folder that every file system takes, in bytes.
const NAME: usize = 200;
/// Folders below folders.
const DEPTH: usize = 32;

/// A path relative to the vault, with `/`: no part of it is empty, begins with a dot, or leads upwards.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Rel(String);

/// What a place must be like.
pub(crate) const ALLOWED: &str = "a path inside of the vault, such as `knowledge/garden`: parts of at most 200 bytes without control characters that do not begin with a dot";

impl Rel {
    /// `None` for what is not inside of the vault or is hidden in it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        for part in text.split('/') {
            let bad = part.is_empty()
                || part.starts_with('.')
                || part.len() > NAME
                || part.chars().any(|c| c.is_control() || c == '\\');
            if bad {
                return None;
            }
            parts.push(part);
        }
        (parts.len() <= DEPTH).then(|| Self(parts.join("/")))
    }

    /// Of a path below `root`; the error is how the path is shown.
    pub(crate) fn below(root: &Path, path: &Path) -> Result<Self, String> {
        let shown = || path.strip_prefix(root).unwrap_or(path).display().to_string();
        let rest = path.strip_prefix(root).map_err(|_| shown())?;
        let mut parts = Vec::new();
        for part in rest.components() {
            match part {
                Component::Normal(name) => parts.push(name.to_str().ok_or_else(shown)?),
                _ => return Err(shown()),
            }
        }
        Self::parse(&parts.join("/")).ok_or_else(shown)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The file's name without `.md`.
    pub(crate) fn stem(&self) -> &str {
        let name = self.0.rsplit_once('/').map_or(self.0.as_str(), |(_, name)| name);
        name.strip_suffix(".md").unwrap_or(name)
    }

    /// The folder; empty for the vault itself.
    pub(crate) fn folder(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The first folder: `inbox`, `knowledge`.
    pub(crate) fn top(&self) -> &str {
        self.0.split_once('/').map_or("", |(top, _)| top)
    }

    /// The agent whose inbox it is in.
    pub(crate) fn inbox(&self) -> Option<&str> {
        let rest = self.0.strip_prefix("inbox/")?;
        rest.split_once('/').map(|(agent, _)| agent)
    }

    pub(crate) fn is_note(&self) -> bool {
        self.0.strip_suffix(".md").is_some()
    }

    pub(crate) fn join(&self, name: &str) -> Option<Self> {
        Self::parse(&format!("{}/{name}", self.0))
    }
}

impl fmt::Display for Rel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file name of a title: lower-case letters and digits of any script, `-` between them, at most about 60 bytes.
pub(crate) fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.chars().flat_map(char::to_lowercase) {
        if slug.len() >= 60 {
            break;
        }
        if c.is_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') && c != '\'' && c != '’' {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "note".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_name_leaves_the_vault() {
        for bad in [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            ".git/config",
            "a/.obsidian/x",
            "a\\..\\b",
            "a/\0",
            "./a",
        ] {
            assert!(Rel::parse(bad).is_none(), "{bad}");
        }
        assert!(Rel::parse("knowledge/jardin d’été/Ça va.md").is_some());
        assert!(Rel::parse(&"x".repeat(201)).is_none());
    }

    #[test]
    fn a_title_becomes_a_name_that_people_can_read() {
        assert_eq!(slug("The dentist's phone: +33 1"), "the-dentists-phone-33-1");
        assert_eq!(slug("../../etc/passwd"), "etc-passwd");
        assert_eq!(slug("  …  "), "note");
        assert_eq!(slug("Été à Nîmes"), "été-à-nîmes");
    }

    proptest! {
        #[test]
        fn whatever_the_title_the_name_stays_in_its_folder(title in ".{0,300}") {
            let rel = Rel::parse(&format!("inbox/a/{}.md", slug(&title)));
            prop_assert!(rel.is_some_and(|rel| rel.folder() == "inbox/a"));
        }

        #[test]
        fn what_is_accepted_stays_below_the_root(text in "[a-z./\\\\]{0,20}") {
            if let Some(rel) = Rel::parse(&text) {
                let path = Path::new("/v").join(rel.as_str());
                prop_assert!(path.components().all(|part| matches!(part, Component::Normal(_) | Component::RootDir)));
            }
        }
    }
}
