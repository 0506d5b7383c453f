//! A secret, by reference only.

use std::fmt;
use std::str::FromStr;

use secrecy::SecretString;

use crate::chain::Hinted;
use crate::files::{self, FileError};
use crate::{Paths, exit};

/// Where a secret is, never the secret: `file:NAME` is the file NAME in `$SANCTUM_HOME/secrets`, `env:NAME` the
/// variable NAME of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRef(Place);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    File(String),
    Env(String),
}

#[derive(Debug, thiserror::Error)]
#[error(
    "this is not a reference to a secret: write `file:NAME` and put the secret into the file NAME in `secrets/`, or `env:NAME`"
)]
pub struct NotARef;

#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("could not read the secret `{name}`")]
    Read {
        name: SecretRef,
        #[source]
        source: Hinted,
    },
    #[error("the secret `{0}` is empty")]
    Empty(SecretRef),
    #[error("the variable of `{0}` is not set")]
    Unset(SecretRef),
}

impl SecretRef {
    fn unread(&self, source: FileError) -> SecretError {
        let hint = "write the secret into that file, readable by nobody else (`chmod 600`)";
        let source = Hinted::new(exit::CONFIG, source.to_string(), hint).because(source);
        SecretError::Read { name: self.clone(), source }
    }

    /// The secret itself, without the white space around it.
    pub fn resolve(&self, paths: &Paths) -> Result<SecretString, SecretError> {
        let secret = match &self.0 {
            Place::File(name) => {
                files::read(&paths.secrets().join(name)).map_err(|source| self.unread(source))?
            }
            Place::Env(name) => std::env::var(name).map_err(|_| SecretError::Unset(self.clone()))?,
        };
        let secret = secret.trim();
        if secret.is_empty() { Err(SecretError::Empty(self.clone())) } else { Ok(secret.to_owned().into()) }
    }
}

impl FromStr for SecretRef {
    type Err = NotARef;

    // The refused text is not repeated: it may be the secret itself.
    fn from_str(text: &str) -> Result<Self, NotARef> {
        if let Some(name) = text.strip_prefix("env:") {
            let plain = !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            return if plain { Ok(Self(Place::Env(name.to_owned()))) } else { Err(NotARef) };
        }
        let name = text.strip_prefix("file:").ok_or(NotARef)?;
        let plain = !name.is_empty()
            && !name.starts_with('.')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if plain { Ok(Self(Place::File(name.to_owned()))) } else { Err(NotARef) }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::File(name) => write!(f, "file:{name}"),
            Place::Env(name) => write!(f, "env:{name}"),
        }
    }
}

super::text!(
    SecretRef,
    "SecretRef",
    "where a secret is, never the secret: `file:NAME` or `env:NAME`",
    "file:ntfy-token"
);
