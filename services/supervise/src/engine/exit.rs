//! How a process ended, in words.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use sanctum_kernel::exit;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
    /// There never was a process.
    NotStarted(String),
    /// There never was a process, and there will be none before somebody changes something.
    Refused(String),
    /// It was ended because it did not become ready.
    Overdue,
    /// A job that took too long.
    TooLong,
    /// It was born to an earlier supervisor, so that nobody here is told how it ended.
    Unseen,
}

impl Exit {
    /// Sysexits' EX_CONFIG: a person must change something first.
    pub(crate) fn is_config(&self) -> bool {
        *self == Self::Code(i32::from(exit::CONFIG)) || matches!(self, Self::Refused(_))
    }

    /// A job that ends so has done its work.
    pub(crate) fn is_well(&self) -> bool {
        *self == Self::Code(0)
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::NotStarted(format!("an unknown status: {status}")),
        }
    }
}

/// Signals that are numbered alike on Linux and macOS (signal(7), signal(3)).
const SIGNALS: &[(i32, &str)] = &[
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (4, "ILL"),
    (5, "TRAP"),
    (6, "ABRT"),
    (8, "FPE"),
    (9, "KILL"),
    (11, "SEGV"),
    (13, "PIPE"),
    (14, "ALRM"),
    (15, "TERM"),
];

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => {
                write!(f, "exit code {code}")?;
                let meaning = exit::ALL.iter().find(|(known, _)| i32::from(*known) == *code && *code != 0);
                meaning.map_or(Ok(()), |(_, meaning)| write!(f, " ({meaning})"))
            }
            Self::Signal(number) => match SIGNALS.iter().find(|(known, _)| known == number) {
                Some((_, name)) => write!(f, "signal {number} ({name})"),
                None => write!(f, "signal {number}"),
            },
            Self::NotStarted(reason) | Self::Refused(reason) => write!(f, "no start ({reason})"),
            Self::TooLong => f.write_str("no end in time"),
            Self::Overdue => f.write_str("no readiness in time"),
            Self::Unseen => f.write_str("an end that nobody saw: an earlier supervisor had started it"),
        }
    }
}
