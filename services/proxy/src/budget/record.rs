//! The journal's lines: one act each, readable by people, each with a sum over itself so that a torn one is known.

use std::fmt::Write as _;

use jiff::civil::Date;
use sanctum_kernel::trace::TraceId;

use super::Level;

/// What the first line says; another number is another format.
pub(crate) const HEADER: &str = "sanctum-budget 1";

/// One act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record {
    Header,
    /// `n`: the first number that has not been given out.
    Next(u64),
    /// `t`: what was settled in a quarter of an hour, from a compaction.
    Total {
        slot: i64,
        settled: u128,
        agent: String,
    },
    /// `o`: money is reserved.
    Open {
        id: u64,
        slot: i64,
        amount: u64,
        trace: TraceId,
        agent: String,
    },
    /// `u`: settled and within the totals, but its line is not in the usage log yet; from a compaction.
    Unlogged {
        id: u64,
        slot: i64,
        real: u64,
        trace: TraceId,
        agent: String,
    },
    /// `x`: the reservation is now this large.
    Change {
        id: u64,
        amount: u64,
    },
    /// `s`: what it really cost; a second one corrects the first.
    Settle {
        id: u64,
        real: u64,
    },
    /// `l`: their lines are in the usage log.
    Logged(Vec<u64>),
    /// `w`: this warning has been given.
    Warned {
        date: Date,
        level: Level,
        agent: String,
    },
}

/// FNV-1a, 32 bits: enough to tell a torn line from a whole one.
fn sum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

impl Record {
    /// Appends the line.
    pub(crate) fn write(&self, into: &mut String) {
        let from = into.len();
        // Writing to a string cannot fail.
        let done = match self {
            Self::Header => into.write_str(HEADER),
            Self::Next(next) => write!(into, "n {next}"),
            Self::Total { slot, settled, agent } => {
                write!(into, "t {slot} {settled} ").map(|()| escape(agent, into))
            }
            Self::Open { id, slot, amount, trace, agent } => open(into, *id, *slot, *amount, *trace, agent),
            Self::Unlogged { id, slot, real, trace, agent } => {
                write!(into, "u {id} {slot} {real} {trace} ").map(|()| escape(agent, into))
            }
            Self::Change { id, amount } => write!(into, "x {id} {amount}"),
            Self::Settle { id, real } => write!(into, "s {id} {real}"),
            Self::Logged(ids) => {
                into.write_str("l").and_then(|()| ids.iter().try_for_each(|id| write!(into, " {id}")))
            }
            Self::Warned { date, level, agent } => {
                write!(into, "w {date} {} ", level.percent()).map(|()| escape(agent, into))
            }
        };
        debug_assert!(done.is_ok(), "strings take everything");
        seal(into, from);
    }

    /// Reads a line without its line feed; `None` when it is torn or not one of these.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let body = whole(line)?;
        if body.starts_with("sanctum-budget ") {
            return (body == HEADER).then_some(Self::Header);
        }
        let mut words = body.split(' ');
        let record = match words.next()? {
            "n" => Self::Next(number(words.next())?),
            "t" => Self::Total {
                slot: number(words.next())?,
                settled: number(words.next())?,
                agent: unescape(words.next()?)?,
            },
            "o" => Self::Open {
                id: number(words.next())?,
                slot: number(words.next())?,
                amount: number(words.next())?,
                trace: number(words.next())?,
                agent: unescape(words.next()?)?,
            },
            "u" => Self::Unlogged {
                id: number(words.next())?,
                slot: number(words.next())?,
                real: number(words.next())?,
                trace: number(words.next())?,
                agent: unescape(words.next()?)?,
            },
            "x" => Self::Change { id: number(words.next())?, amount: number(words.next())? },
            "s" => Self::Settle { id: number(words.next())?, real: number(words.next())? },
            "l" => return words.map(|word| word.parse().ok()).collect::<Option<_>>().map(Self::Logged),
            "w" => Self::Warned {
                date: number(words.next())?,
                level: Level::of_percent(number(words.next())?)?,
                agent: unescape(words.next()?)?,
            },
            _ => return None,
        };
        words.next().is_none().then_some(record)
    }

    /// The first line is whole, and says that another version wrote the file.
    pub(crate) fn is_of_another_version(line: &str) -> bool {
        whole(line).is_some_and(|body| body.starts_with("sanctum-budget ") && body != HEADER)
    }
}

/// What a line says, if its sum is right.
fn whole(line: &str) -> Option<&str> {
    let (body, said) = line.rsplit_once(" *")?;
    (said.len() == 8 && u32::from_str_radix(said, 16).ok()? == sum(body.as_bytes())).then_some(body)
}

fn number<T: std::str::FromStr>(word: Option<&str>) -> Option<T> {
    word?.parse().ok()
}

fn open(into: &mut String, id: u64, slot: i64, amount: u64, trace: TraceId, agent: &str) -> std::fmt::Result {
    write!(into, "o {id} {slot} {amount} {trace} ").map(|()| escape(agent, into))
}

/// Ends the line that began at `from`.
fn seal(into: &mut String, from: usize) {
    let sum = sum(into.as_bytes().get(from..).unwrap_or_default());
    let done = writeln!(into, " *{sum:08x}");
    debug_assert!(done.is_ok(), "strings take everything");
}

/// A name as one word: what could end a word or a line is written as `%` and two digits, and an empty name as `%`.
fn escape(name: &str, into: &mut String) {
    if name.is_empty() {
        into.push('%');
    }
    for c in name.chars() {
        match c {
            '\0'..=' ' | '%' | '\x7f' => {
                let done = write!(into, "%{:02x}", u32::from(c));
                debug_assert!(done.is_ok(), "strings take everything");
            }
            _ => into.push(c),
        }
    }
}

fn unescape(word: &str) -> Option<String> {
    if word == "%" {
        return Some(String::new());
    }
    let mut pieces = word.split('%');
    let mut name = pieces.next()?.to_owned();
    for piece in pieces {
        name.push(char::from(u8::from_str_radix(piece.get(..2)?, 16).ok()?));
        name.push_str(piece.get(2..)?);
    }
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn trace() -> TraceId {
        "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap()
    }

    fn records() -> impl Strategy<Value = Record> {
        let agent = "[ -~\n\t%é]{0,12}";
        prop_oneof![
            Just(Record::Header),
            any::<u64>().prop_map(Record::Next),
            (any::<i64>(), any::<u128>(), agent).prop_map(|(slot, settled, agent)| Record::Total {
                slot,
                settled,
                agent
            }),
            (any::<u64>(), any::<i64>(), any::<u64>(), agent).prop_map(|(id, slot, amount, agent)| {
                Record::Open { id, slot, amount, trace: trace(), agent }
            }),
            (any::<u64>(), any::<i64>(), any::<u64>(), agent).prop_map(|(id, slot, real, agent)| {
                Record::Unlogged { id, slot, real, trace: trace(), agent }
            }),
            (any::<u64>(), any::<u64>()).prop_map(|(id, amount)| Record::Change { id, amount }),
            (any::<u64>(), any::<u64>()).prop_map(|(id, real)| Record::Settle { id, real }),
            proptest::collection::vec(any::<u64>(), 0..5).prop_map(Record::Logged),
            (0_i16..9999, agent).prop_map(|(year, agent)| Record::Warned {
                date: Date::new(year, 2, 3).unwrap(),
                level: Level::Near,
                agent
            }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(record in records()) {
            let mut line = String::new();
            record.write(&mut line);
            let body = line.strip_suffix('\n').unwrap();
            prop_assert!(!body.contains('\n'));
            prop_assert_eq!(Record::read(body), Some(record));
        }

        #[test]
        fn a_torn_or_scratched_line_is_not_read(record in records(), cut in any::<proptest::sample::Index>(), bit in 0_u8..7) {
            let mut line = String::new();
            record.write(&mut line);
            let body = line.trim_end_matches('\n');
            let at = cut.index(body.len());
            prop_assert_eq!(Record::read(body.get(..at).unwrap_or_default()), None);
            let mut scratched = body.as_bytes().to_vec();
            scratched[at] ^= 1 << bit;
            // Hexadecimal digits of the sum may be written large: the same number.
            if let Ok(text) = std::str::from_utf8(&scratched) && !text.eq_ignore_ascii_case(body) {
                prop_assert_eq!(Record::read(text), None);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            Record::read(&text);
        }
    }
}
