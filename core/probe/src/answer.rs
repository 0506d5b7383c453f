//! What comes of a question.

use std::io;
use std::time::Duration;

use rustix::io::Errno;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Finding {
    Pass,
    /// It is alive but wrong: slow, nearly full, about to expire.
    Drift,
    Fail,
    /// The question could not be put: never the same as passing.
    Unknown,
}

/// An answer to one question.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub finding: Finding,
    /// What was seen, for people: `answered 503`, `connection refused`, `full in 2 GiB`.
    pub detail: String,
    pub took: Duration,
    /// What was measured, for the detectors of anomalies; its unit is the check's own: percent used of a disk, bytes of a
    /// process or of available memory, seconds of a file's age, days left of a certificate, the number a JSON pointer
    /// leads to. Of what is asked over the network, `took` is the measure.
    pub value: Option<f64>,
}

impl Answer {
    fn new(finding: Finding, detail: impl Into<String>) -> Self {
        Self { finding, detail: detail.into(), took: Duration::ZERO, value: None }
    }

    pub fn pass(detail: impl Into<String>) -> Self {
        Self::new(Finding::Pass, detail)
    }

    pub fn drift(detail: impl Into<String>) -> Self {
        Self::new(Finding::Drift, detail)
    }

    pub fn fail(detail: impl Into<String>) -> Self {
        Self::new(Finding::Fail, detail)
    }

    pub fn unknown(detail: impl Into<String>) -> Self {
        Self::new(Finding::Unknown, detail)
    }

    /// The same with what was measured.
    #[must_use]
    pub fn measured(mut self, value: f64) -> Self {
        self.value = Some(value);
        self
    }

    /// What an error of the system means: that it is not there, or that we could not look.
    pub(crate) fn of(doing: &str, error: &io::Error) -> Self {
        let detail = format!("{doing}: {}", plain(error));
        if ours(error) { Self::unknown(detail) } else { Self::fail(detail) }
    }
}

/// Whether it is we who lack something: descriptors, ports, memory, permission.
fn ours(error: &io::Error) -> bool {
    let lack = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOBUFS,
        Errno::NOMEM,
        Errno::ADDRNOTAVAIL,
        Errno::AGAIN,
        Errno::ACCESS,
        Errno::PERM,
    ];
    Errno::from_io_error(error).is_some_and(|errno| lack.contains(&errno))
}

/// Without the number, which says nothing to people.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Bytes as people read them: `812 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    let (unit, scale) = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        .into_iter()
        .find(|(_, scale)| bytes >= *scale)
        .unwrap_or(("B", 1));
    let tenths = u128::from(bytes) * 10 / u128::from(scale);
    if scale == 1 || tenths >= 1000 {
        format!("{} {unit}", tenths / 10)
    } else {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    }
}

/// A length of time as people say it: `3 d`, `4 h`, `12 min`, `30 s`.
pub(crate) fn span(length: Duration) -> String {
    let secs = length.as_secs();
    match secs {
        0..120 => format!("{secs} s"),
        120..7_200 => format!("{} min", secs / 60),
        7_200..172_800 => format!("{} h", secs / 3600),
        _ => format!("{} d", secs / 86_400),
    }
}

/// The beginning of what somebody else said, on one line and without what a terminal would obey.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..bytes.len().min(800)).unwrap_or(bytes)).into_owned();
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    if line.chars().count() > 120 { line.chars().take(119).chain(['…']).collect() } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_lack_is_not_what_it_lacks() {
        let of = |errno: Errno| Answer::of("could not connect", &io::Error::from(errno));
        assert_eq!(of(Errno::CONNREFUSED).finding, Finding::Fail);
        assert_eq!(of(Errno::CONNREFUSED).detail, "could not connect: connection refused");
        assert_eq!(of(Errno::MFILE).finding, Finding::Unknown);
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(size(812 << 20), "812 MiB");
        assert_eq!(size(3 << 29), "1.5 GiB");
        assert_eq!(size(7), "7 B");
        assert_eq!(span(Duration::from_secs(400_000)), "4 d");
        assert_eq!(excerpt(b"a\x1b[31m\n b"), "a [31m b");
    }
}
