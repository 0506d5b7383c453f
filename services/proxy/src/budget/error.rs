//! Why money is not given, and why a ledger does not open.

use std::fmt;
use std::io;
use std::path::PathBuf;

use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Failure, exit};

use crate::kinds::Nano;

/// Why a reservation was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Spent {
    #[error("agent `{agent}` has {} of its {} left today, and {} is needed", Dollars(*left), Dollars(*cap), Dollars(*needed))]
    Agent { agent: String, cap: Nano, left: Nano, needed: Nano },
    #[error("the house has {} of its {} left today, and {} is needed", Dollars(*left), Dollars(*cap), Dollars(*needed))]
    House { cap: Nano, left: Nano, needed: Nano },
    /// Nobody's money is gone, but a promise that cannot be kept is not given.
    #[error("the spend cannot be written down, so nothing is spent: {0}")]
    Unkept(String),
}

/// Why a ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("could not {what} `{}`", path.display())]
    File {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{}` is in use by another process", .0.display())]
    InUse(PathBuf),
    #[error("`{}` was written by a newer version", .0.display())]
    Newer(PathBuf),
}

impl LedgerError {
    pub(crate) fn on(what: &'static str, path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }

    /// As an error that carries its own hint, for what is printed when the service cannot start.
    pub fn hinted(self) -> Failure {
        let hint = match &self {
            Self::InUse(_) => "stop the other one first: two would each give out the same money",
            Self::Newer(_) => {
                "run the newer version again, or move the file aside: today's spend is then taken from the usage log"
            }
            Self::File { .. } => {
                "free some space on that disk, or give the user who runs the house the right to write there"
            }
        };
        Box::new(Hinted::new(exit::CANNOT_CREATE, "could not open the ledger of spend", hint).because(self))
    }
}

/// Nanos as people read them: exact, with at least two decimals.
#[derive(Debug, Clone, Copy)]
pub struct Dollars(pub Nano);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0.0 / 1_000_000_000, self.0.0 % 1_000_000_000);
        let digits = format!("{rest:09}");
        let shown = digits.trim_end_matches('0');
        write!(f, "${whole}.{shown:0<2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_reads_as_people_write_it() {
        let cases = [
            (0, "$0.00"),
            (1, "$0.000000001"),
            (500_000_000, "$0.50"),
            (2_000_000_000, "$2.00"),
            (1_234_500_000, "$1.2345"),
        ];
        for (nano, shown) in cases {
            assert_eq!(Dollars(Nano(nano)).to_string(), shown);
        }
    }
}
