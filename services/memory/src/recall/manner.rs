//! How a passage speaks: who, whether it asks, and of which times.

/// Words that place something in time.
const TIMES: &[&str] = &[
    "ago",
    "april",
    "august",
    "autumn",
    "day",
    "days",
    "december",
    "earlier",
    "evening",
    "fall",
    "february",
    "friday",
    "january",
    "july",
    "june",
    "last",
    "march",
    "may",
    "monday",
    "month",
    "months",
    "morning",
    "next",
    "night",
    "november",
    "october",
    "recently",
    "saturday",
    "september",
    "since",
    "soon",
    "spring",
    "summer",
    "sunday",
    "thursday",
    "today",
    "tomorrow",
    "tonight",
    "tuesday",
    "wednesday",
    "week",
    "weekend",
    "weeks",
    "winter",
    "year",
    "years",
    "yesterday",
];
/// Before the colon of `Name: what was said`.
const LONGEST_NAME: usize = 40;

/// Of one passage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Manner {
    /// A number of the first word of who speaks; zero if nobody is named.
    speaker: u32,
    /// It ends with a question.
    pub(crate) asks: bool,
    /// Words of time, two at most.
    pub(crate) times: u8,
}

/// What a question wants.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    names: Vec<u32>,
    /// It asks when.
    pub(crate) time: bool,
}

impl Manner {
    pub(crate) fn of(text: &str) -> Self {
        let said = text.trim_end();
        // What is in brackets at the end, such as a picture's description, is not said.
        let said = match said.strip_suffix(']').and_then(|inner| inner.rsplit_once('[')) {
            Some((before, _)) => before.trim_end(),
            None => said,
        };
        let lower = text.to_lowercase();
        let times = words(&lower).filter(|word| TIMES.binary_search(word).is_ok()).take(2).count();
        Self {
            speaker: speaker(text).unwrap_or(0),
            asks: said.ends_with('?'),
            times: u8::try_from(times).unwrap_or(2),
        }
    }
}

impl Wanted {
    pub(crate) fn by(question: &str) -> Self {
        let lower = question.to_lowercase();
        let names = words(&lower).map(number).collect();
        let time = ["when", "how long"].iter().any(|begin| lower.trim_start().starts_with(begin));
        Self { names, time }
    }

    /// Whether the question names who speaks.
    pub(crate) fn names(&self, manner: Manner) -> bool {
        manner.speaker != 0 && self.names.contains(&manner.speaker)
    }
}

fn speaker(text: &str) -> Option<u32> {
    let (name, rest) = text.split_once(':')?;
    let is_name = name.len() <= LONGEST_NAME
        && rest.starts_with(' ')
        && name.split_whitespace().count() <= 3
        && name.split_whitespace().all(|word| word.starts_with(char::is_uppercase));
    let lower = name.to_lowercase();
    words(&lower).next().filter(|_| is_name).map(number)
}

fn words(lower: &str) -> impl Iterator<Item = &str> {
    lower.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// FNV-1a; never zero.
fn number(word: &str) -> u32 {
    word.bytes().fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_speaks_and_how() {
        assert!(TIMES.is_sorted());
        let said = Manner::of("Anna Berg: We moved last week, on Monday morning. [shares a van]");
        assert_eq!((said.asks, said.times), (false, 2));
        assert!(Wanted::by("When did Anna move?").names(said));
        assert!(Wanted::by("When did Anna move?").time);
        assert!(!Wanted::by("Who moved?").names(said));
        assert!(Manner::of("Ben: Is it far? [shares a map]").asks);
        assert!(!Wanted::by("note that").names(Manner::of("note: that is no name")));
    }
}
