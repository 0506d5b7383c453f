//! What can go wrong with what is remembered; over HTTP a problem, over MCP the error of a tool.

use std::path::PathBuf;

use sanctum_api::Problem;
use sanctum_http::Refusal;
use sanctum_kernel::Chain;
use sanctum_store::StoreError;

/// Why something was not done. Whatever it is, nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Error {
    #[error("there is no note `{0}`")]
    Unknown(String),
    #[error("`{id}` was changed since: it is at version {now}")]
    Changed { id: String, now: String },
    #[error("`{field}` has a value that is not allowed")]
    Field { field: &'static str, value: String, allowed: String },
    #[error("{bytes} bytes are more than a note may have")]
    TooLarge { bytes: u64, most: u64 },
    #[error("the front matter of `{path}` cannot be changed: {reason}")]
    Broken { path: String, reason: String },
    #[error("the disk of the vault is full: nothing was kept")]
    Full(PathBuf),
    #[error("the vault cannot be written: nothing was kept")]
    ReadOnly(PathBuf),
    #[error("the vault fails: {reason}")]
    Disk { path: PathBuf, reason: String },
    #[error("there is no history: {0}")]
    NoHistory(String),
    #[error("{0}")]
    NothingToUndo(String),
    #[error("the index fails")]
    Index(#[source] StoreError),
    #[error("{0}")]
    Later(&'static str),
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Index(error)
    }
}

impl Error {
    /// A value of a field that is not allowed, in words of at most 100 characters.
    pub(crate) fn field(field: &'static str, value: &str, allowed: impl Into<String>) -> Self {
        Self::Field { field, value: value.chars().take(100).collect(), allowed: allowed.into() }
    }

    /// By what the operating system says of a file or folder of the vault.
    pub(crate) fn of(path: &std::path::Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full(path.to_owned()),
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => Self::ReadOnly(path.to_owned()),
            _ => Self::Disk { path: path.to_owned(), reason: error.to_string() },
        }
    }

    /// As RFC 9457 has it.
    pub(crate) fn problem(&self) -> Problem {
        let words = self.to_string();
        match self {
            Self::Unknown(id) => Problem::not_found("note", id.chars().take(100).collect::<String>())
                .hint("`GET /list` and `POST /search` say which there are"),
            Self::Changed { now, .. } => {
                let mut problem = Problem::conflict("the note was changed since it was read").detail(words);
                problem.field = Some("version".to_owned());
                problem.allowed = Some(now.clone());
                problem.hint("read it again, and write with the version it has now")
            }
            Self::Field { field, value, allowed } => Problem::field(*field, value.clone(), allowed.clone()),
            Self::TooLarge { most, .. } => Problem::new(413, "too-large", "the note is too long")
                .detail(words)
                .hint(format!("a note has {most} bytes at most: make several of it")),
            Self::Broken { .. } => Problem::new(409, "broken", "the front matter of the note is broken")
                .detail(words)
                .hint("mend the lines between `---` by hand"),
            Self::Full(path) => Problem::new(507, "disk-full", words)
                .detail(path.display().to_string())
                .hint("free some space on that disk; what was refused must be sent again"),
            Self::ReadOnly(path) => Problem::new(503, "read-only", words)
                .detail(path.display().to_string())
                .hint("give the user who runs the house the right to write there, or remount the file system read-write"),
            Self::Disk { path, reason } => Problem::new(503, "vault", "the vault fails: nothing was kept")
                .detail(format!("{}: {reason}", path.display())),
            Self::NoHistory(_) => Problem::new(503, "no-history", words)
                .hint("install git; what changes from then on can be undone"),
            Self::NothingToUndo(_) => Problem::conflict("there is nothing to undo").detail(words),
            Self::Index(error) => {
                tracing::error!(error = %Chain(error), "the index of what is remembered fails");
                let problem = Problem::new(error.status(), "index", "the index fails");
                match error.hint() {
                    Some(_) => problem.hint("the notes are whole: `sanctum memory rebuild` makes the index again"),
                    None => problem,
                }
            }
            Self::Later(_) => Problem::new(503, "later", words).hint("ask again in a moment"),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error.problem())
    }
}
