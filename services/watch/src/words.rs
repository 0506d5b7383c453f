//! Lengths of time, counts and lists, as people say them.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// `41 s`, `12 min`, `3 h 20 min`, `2 d 4 h`.
pub(crate) fn span(length: Duration) -> String {
    let secs = length.as_secs();
    let two = |big: u64, word: &str, small: u64, unit: &str| {
        if small == 0 { format!("{big} {word}") } else { format!("{big} {word} {small} {unit}") }
    };
    match secs {
        0 if !length.is_zero() => format!("{} ms", length.as_millis()),
        0..=119 => format!("{secs} s"),
        120..=7_199 => format!("{} min", secs / 60),
        7_200..=172_799 => two(secs / 3_600, "h", secs % 3_600 / 60, "min"),
        _ => two(secs / 86_400, "d", secs % 86_400 / 3_600, "h"),
    }
}

/// From one moment to another, nothing if they are the other way round.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

/// `at` moved back by a length of time.
pub(crate) fn before(at: Timestamp, length: Duration) -> Timestamp {
    let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
    at.checked_sub(length).unwrap_or(Timestamp::MIN)
}

/// `at` moved on by a length of time.
pub(crate) fn after(at: Timestamp, length: Duration) -> Timestamp {
    let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
    at.checked_add(length).unwrap_or(Timestamp::MAX)
}

/// `1st`, `2nd`, `3rd`, `11th`.
pub(crate) fn ordinal(number: usize) -> String {
    let end = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{end}")
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// With a capital letter at its beginning.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_counts_and_lists_read_as_people_say_them() {
        let spans = [
            (0, "0 s"),
            (41, "41 s"),
            (119, "119 s"),
            (720, "12 min"),
            (12_000, "3 h 20 min"),
            (187_200, "2 d 4 h"),
        ];
        for (secs, says) in spans {
            assert_eq!(span(Duration::from_secs(secs)), says);
        }
        assert_eq!(span(Duration::from_millis(7)), "7 ms");
        let ordinals: Vec<_> = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(ordinal).to_vec();
        assert_eq!(ordinals, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]);
        let names = |names: &[&str]| list(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!((names(&["a"]), names(&["a", "b", "c"])), ("a".to_owned(), "a, b and c".to_owned()));
    }
}
