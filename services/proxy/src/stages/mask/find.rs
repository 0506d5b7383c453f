//! Personal data in a text: where it stands and what it is. Checksums decide where there are any.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// What is masked; its word stands in the placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Email,
    Phone,
    Iban,
    Card,
    /// The French NIR, or a number of the US social security.
    Ssn,
    Ip,
    Name,
    Address,
}

impl Kind {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Email => "EMAIL",
            Self::Phone => "PHONE",
            Self::Iban => "IBAN",
            Self::Card => "CARD",
            Self::Ssn => "SSN",
            Self::Ip => "IP",
            Self::Name => "NAME",
            Self::Address => "ADDRESS",
        }
    }
}

/// Everything found, in order, without overlap. `names` in small letters.
pub fn find(text: &str, names: &[String]) -> Vec<(Range<usize>, Kind)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(first) = rest.chars().next() else { break };
        let starts = !text.get(..at).is_some_and(|before| before.ends_with(is_name_char));
        let hit = if starts { here(rest, first, names, text, at) } else { None };
        match hit {
            Some((length, kind)) if length > 0 => {
                found.push((at..at + length, kind));
                at += length;
            }
            _ => at += first.len_utf8(),
        }
    }
    found
}

/// How long what begins here is, if it is of the kind.
type Look = fn(&str) -> Option<usize>;

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What begins here, and how long it is. Longer kinds come before those that may be a part of them.
fn here(rest: &str, first: char, names: &[String], text: &str, at: usize) -> Option<(usize, Kind)> {
    if first.is_ascii_alphanumeric() || matches!(first, '+' | '(' | ':') || first.is_alphabetic() {
        let kinds: [(Look, Kind); 5] = [
            (email, Kind::Email),
            (iban, Kind::Iban),
            (ip, Kind::Ip),
            (address, Kind::Address),
            (ssn, Kind::Ssn),
        ];
        let found = kinds.into_iter().find_map(|(look, kind)| Some((look(rest)?, kind)));
        let inside_number = || {
            let before = text.get(..at).unwrap_or_default();
            before.ends_with(['.', ',', '-', '/', ':'])
                && before.trim_end_matches(['.', ',', '-', '/', ':']).ends_with(|c: char| c.is_ascii_digit())
        };
        return found
            .or_else(|| Some((card(rest)?, Kind::Card)))
            .or_else(|| if inside_number() { None } else { Some((phone(rest)?, Kind::Phone)) })
            .or_else(|| Some((name(rest, names)?, Kind::Name)));
    }
    None
}

fn email(rest: &str) -> Option<usize> {
    let is_local = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
    let local: usize = rest.chars().take_while(|c| is_local(*c)).map(char::len_utf8).sum();
    let domain = rest.get(local..)?.strip_prefix('@')?;
    let length: usize =
        domain.chars().take_while(|c| c.is_alphanumeric() || ".-".contains(*c)).map(char::len_utf8).sum();
    let domain = domain.get(..length)?.trim_end_matches(['.', '-']);
    let (host, top) = domain.rsplit_once('.')?;
    let fits =
        local > 0 && !host.is_empty() && top.chars().count() >= 2 && top.chars().all(char::is_alphabetic);
    fits.then_some(local + 1 + domain.len())
}

/// Two letters, two digits, 11 to 30 more, single spaces between; the remainder modulo 97 is 1 (ISO 13616).
fn iban(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let head = bytes.get(..4)?;
    if !(head.iter().take(2).all(u8::is_ascii_alphabetic) && head.iter().skip(2).all(u8::is_ascii_digit)) {
        return None;
    }
    let (mut letters, mut ends) = (Vec::new(), Vec::new());
    for (i, byte) in bytes.iter().enumerate().take(45) {
        match byte {
            byte if byte.is_ascii_alphanumeric() => {
                letters.push(byte.to_ascii_uppercase());
                ends.push(i + 1);
            }
            b' ' if bytes.get(i + 1).is_some_and(u8::is_ascii_alphanumeric) => {}
            _ => break,
        }
    }
    // A word may follow after a space: the longest that fits is the one. It ends where a word ends.
    (15..=letters.len().min(34)).rev().find_map(|count| {
        let end = *ends.get(count - 1)?;
        let ends_word = !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
        (ends_word && remainder(letters.get(..count)?) == 1).then_some(end)
    })
}

fn remainder(letters: &[u8]) -> u32 {
    let rotated = letters.iter().skip(4).chain(letters.iter().take(4));
    rotated.fold(0, |sum, letter| match letter {
        b'0'..=b'9' => (sum * 10 + u32::from(letter - b'0')) % 97,
        _ => (sum * 100 + u32::from(letter.saturating_sub(b'A')) + 10) % 97,
    })
}

/// Digits with at most one separator between two of them, and how long each prefix is.
fn digits(rest: &str, separators: &str, most: usize) -> (Vec<u8>, Vec<usize>) {
    let (mut digits, mut ends, mut gap) = (Vec::new(), Vec::new(), 0);
    for (i, c) in rest.char_indices() {
        match c {
            '0'..='9' if digits.len() < most => {
                digits.push(u8::try_from(c).unwrap_or(b'0') - b'0');
                ends.push(i + 1);
                gap = 0;
            }
            c if separators.contains(c) && gap == 0 && !digits.is_empty() => gap += 1,
            _ => break,
        }
    }
    (digits, ends)
}

fn ends_number(rest: &str, end: usize) -> bool {
    !rest.get(end..).is_some_and(|after| after.starts_with(is_name_char))
}

/// 13 to 19 digits whose Luhn sum is right (ISO/IEC 7812-1), of a network that issues cards.
fn card(rest: &str) -> Option<usize> {
    let (digits, ends) = digits(rest, " -\u{a0}", 19);
    if !matches!(digits.first(), Some(2..=6)) {
        return None;
    }
    (13..=digits.len()).rev().find_map(|count| {
        let number = digits.get(..count)?;
        let sum: u32 = number.iter().rev().enumerate().map(|(i, digit)| luhn(i, *digit)).sum();
        let end = *ends.get(count - 1)?;
        let same = number.iter().all(|digit| Some(digit) == number.first());
        (sum.is_multiple_of(10) && !same && ends_number(rest, end)).then_some(end)
    })
}

fn luhn(place: usize, digit: u8) -> u32 {
    let digit = u32::from(digit);
    if place.is_multiple_of(2) {
        digit
    } else if digit > 4 {
        digit * 2 - 9
    } else {
        digit * 2
    }
}

/// A French NIR with its key (13 digits and 97 minus their remainder; Corsica's 2A and 2B count as 19 and 18), or a US number
/// in its usual form of three, two and four digits.
fn ssn(rest: &str) -> Option<usize> {
    let first = *rest.as_bytes().first()?;
    if !first.is_ascii_digit() {
        return None;
    }
    if let (digits, ends) = digits(rest, "-", 9)
        && digits.len() == 9
        && ends.get(2..6) == Some(&[3, 5, 6, 8])
    {
        let number = |range: Range<usize>| {
            digits
                .get(range)
                .unwrap_or_default()
                .iter()
                .fold(0, |sum: u32, digit| sum * 10 + u32::from(*digit))
        };
        let (area, group, serial) = (number(0..3), number(3..5), number(5..9));
        let end = *ends.get(8)?;
        let issued = area != 0 && area != 666 && area < 900 && group != 0 && serial != 0;
        return (issued && ends_number(rest, end)).then_some(end);
    }
    if !matches!(first, b'1'..=b'4' | b'7' | b'8') {
        return None;
    }
    let (mut value, mut count, mut shift, mut end, mut key) = (0_u64, 0, 0, 0, 0_u64);
    for (i, c) in rest.char_indices() {
        match c {
            '0'..='9' if count < 15 => {
                let digit = u64::from(u32::from(c) - u32::from('0'));
                if count < 13 {
                    value = value * 10 + digit;
                } else {
                    key = key * 10 + digit;
                }
                count += 1;
                end = i + 1;
            }
            'A' | 'a' | 'B' | 'b' if count == 6 && value % 10 == 2 => {
                shift = if matches!(c, 'A' | 'a') { 1_000_000 } else { 2_000_000 };
                value *= 10;
                count += 1;
            }
            ' ' | '\u{a0}' | '.' if count > 0 => {}
            _ => break,
        }
    }
    let fits = count == 15 && ends_number(rest, end) && 97 - value.saturating_sub(shift) % 97 == key;
    fits.then_some(end)
}

/// A number of its country in the usual forms: `+32 470 12 34 56`, `06 12 34 56 78`, `(555) 123-4567`.
fn phone(rest: &str) -> Option<usize> {
    let international = rest.starts_with('+') || rest.starts_with("00");
    let area = rest.starts_with('(');
    let body = rest.trim_start_matches(['+', '(']);
    let skipped = rest.len() - body.len();
    let (mut count, mut end, mut groups, mut gap, mut after_gap) = (0, 0, 1, 0, 0);
    for (i, c) in body.char_indices() {
        match c {
            '0'..='9' => {
                if gap > 0 {
                    groups += 1;
                    after_gap = 0;
                }
                (count, end, gap, after_gap) = (count + 1, i + 1, 0, after_gap + 1);
            }
            ' ' | '.' | '-' | '/' | '(' | ')' | '\u{a0}' if count > 0 && gap < 2 => gap += 1,
            _ => break,
        }
    }
    let fits = if international {
        (8..=17).contains(&count)
    } else if area {
        count == 10 && groups > 1
    } else if body.starts_with('0') {
        (9..=11).contains(&count) && !body.starts_with("00")
    } else {
        // Three, three and four: a bare run of ten digits is as likely anything else.
        count == 10 && groups == 3 && after_gap == 4 && ends_in_groups(body, end)
    };
    (fits && ends_number(body, end)).then_some(skipped + end)
}

fn ends_in_groups(body: &str, end: usize) -> bool {
    let groups: Vec<usize> =
        body.get(..end).unwrap_or_default().split(['-', '.', ' ']).map(str::len).collect();
    groups == [3, 3, 4]
}

/// An address of a network that says where somebody is; loopback and the unspecified ones say nothing.
fn ip(rest: &str) -> Option<usize> {
    let length =
        rest.bytes().take_while(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':')).count();
    let text = rest.get(..length)?.trim_end_matches(['.', ':']);
    if !ends_number(rest, text.len()) {
        return None;
    }
    if let Ok(four) = text.parse::<Ipv4Addr>() {
        return (!four.is_loopback() && !four.is_unspecified() && !four.is_broadcast()).then_some(text.len());
    }
    // The port of `203.0.113.7:443` stays.
    if let Some((four, _)) = text.split_once(':')
        && let Ok(address) = four.parse::<Ipv4Addr>()
    {
        return (!address.is_loopback() && !address.is_unspecified()).then_some(four.len());
    }
    let six = text.parse::<Ipv6Addr>().ok()?;
    (text.matches(':').count() > 2 && !six.is_loopback() && !six.is_unspecified()).then_some(text.len())
}

const STREETS: &[&str] = &[
    "rue",
    "avenue",
    "av.",
    "boulevard",
    "bd",
    "place",
    "chemin",
    "allée",
    "allee",
    "impasse",
    "quai",
    "route",
    "square",
    "cours",
    "chaussée",
    "chaussee",
    "drève",
    "clos",
    "sentier",
    "faubourg",
    "voie",
];
const ROADS: &[&str] = &[
    "street",
    "st",
    "st.",
    "avenue",
    "ave",
    "ave.",
    "road",
    "rd",
    "rd.",
    "lane",
    "ln",
    "drive",
    "dr",
    "boulevard",
    "blvd",
    "court",
    "ct",
    "square",
    "terrace",
    "way",
    "close",
    "crescent",
];
const SMALL: &[&str] =
    &["de", "du", "des", "la", "le", "les", "à", "aux", "et", "saint", "sainte", "st", "ste"];

/// `12 bis, rue des Lilas, 75011 Paris`, `221B Baker Street`, `rue Haute 12`.
fn address(rest: &str) -> Option<usize> {
    let start = rest.split(' ').next()?;
    if !start.starts_with(|c: char| c.is_ascii_digit()) && !STREETS.contains(&&*start.to_lowercase()) {
        return None;
    }
    let words = words(rest);
    let first = words.first()?;
    let lower = |word: &(usize, &str)| word.1.to_lowercase();
    let numbered = first.1.len() <= 5 && first.1.starts_with(|c: char| c.is_ascii_digit());
    let mut at = usize::from(numbered);
    if numbered && words.get(1).is_some_and(|word| matches!(&*lower(word), "bis" | "ter" | "a" | "b" | "c")) {
        at += 1;
    }
    let street = words.get(at)?;
    let mut end;
    if STREETS.contains(&&*lower(street)) {
        let mut proper = 0;
        at += 1;
        end = street.0 + street.1.len();
        while let Some(word) = words.get(at).filter(|_| at < 9) {
            let capital =
                word.1.trim_start_matches("l'").trim_start_matches("d'").starts_with(char::is_uppercase);
            if !capital
                && !SMALL.contains(&&*lower(word))
                && !word.1.starts_with("l'")
                && !word.1.starts_with("d'")
            {
                break;
            }
            proper += usize::from(capital);
            if capital {
                end = word.0 + word.1.len();
            }
            at += 1;
            if rest.get(end..).is_some_and(|after| after.starts_with([',', '.', ';', '\n'])) {
                break;
            }
        }
        let trailing =
            words.get(at).filter(|word| word.1.len() <= 4 && word.1.bytes().all(|b| b.is_ascii_digit()));
        if let Some(number) = trailing.filter(|_| !numbered) {
            end = number.0 + number.1.len();
        }
        if proper == 0 || (!numbered && trailing.is_none()) {
            return None;
        }
    } else {
        if !numbered {
            return None;
        }
        let capitals =
            words.iter().skip(at).take(4).take_while(|word| word.1.starts_with(char::is_uppercase));
        let road = capitals.clone().position(|word| ROADS.contains(&&*word.1.to_lowercase()))?;
        if road == 0 {
            return None;
        }
        let road = words.get(at + road)?;
        end = road.0 + road.1.len();
    }
    Some(town(rest, end).unwrap_or(end))
}

/// `, 75011 Paris` behind a street.
fn town(rest: &str, end: usize) -> Option<usize> {
    let after = rest.get(end..)?;
    let trimmed = after.trim_start_matches([',', ' ', '\n']);
    let code: usize = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let name = trimmed.get(code..)?.strip_prefix(' ')?;
    let length: usize = name.chars().take_while(|c| c.is_alphabetic() || *c == '-').map(char::len_utf8).sum();
    let fits =
        (4..=5).contains(&code) && name.starts_with(char::is_uppercase) && after.len() - trimmed.len() <= 3;
    fits.then(|| rest.len() - name.len() + length)
}

/// The first words of a text and where they stand; commas and the like belong to none.
fn words(rest: &str) -> Vec<(usize, &str)> {
    let line = rest.get(..rest.find('\n').unwrap_or(rest.len())).unwrap_or_default();
    let words = line.split(' ').scan(0, |at, word| {
        let start = *at;
        *at += word.len() + 1;
        Some((start, word.trim_end_matches([',', ';', ':', '!', '?', ')', '"'])))
    });
    words.filter(|(_, word)| !word.is_empty()).take(10).collect()
}

/// A name of the list, whole and in any case.
fn name(rest: &str, names: &[String]) -> Option<usize> {
    names.iter().filter_map(|name| prefix(rest, name)).max()
}

/// How much of `rest` is `name`, case aside.
fn prefix(rest: &str, name: &str) -> Option<usize> {
    let mut wanted = name.chars();
    let mut end = 0;
    for c in rest.chars() {
        let Some(first) = wanted.clone().next() else { break };
        let mut lower = c.to_lowercase();
        if lower.next() != Some(first) {
            return None;
        }
        wanted.next();
        for more in lower {
            if wanted.next() != Some(more) {
                return None;
            }
        }
        end += c.len_utf8();
    }
    let whole =
        wanted.next().is_none() && !rest.get(end..).is_some_and(|after| after.starts_with(is_name_char));
    (whole && end > 0).then_some(end)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::string_slice, reason = "places are of the text itself")]

    use proptest::prelude::*;

    use super::*;

    fn found(text: &str) -> Vec<(&str, Kind)> {
        let names = ["chloé".to_owned(), "bert nepveu".to_owned()];
        find(text, &names).into_iter().map(|(at, kind)| (&text[at], kind)).collect()
    }

    #[test]
    fn what_is_personal_is_found_and_what_only_looks_so_is_not() {
        use Kind::*;
        let cases: &[(&str, &[(&str, Kind)])] = &[
            ("write to anne.b+x@mail.example.org.", &[("anne.b+x@mail.example.org", Email)]),
            ("user@localhost and @anne", &[]),
            ("FR76 3000 6000 0112 3456 7890 189 thanks", &[("FR76 3000 6000 0112 3456 7890 189", Iban)]),
            ("BE71 0961 2345 6769, please", &[("BE71 0961 2345 6769", Iban)]),
            ("BE72 0961 2345 6769, please", &[]),
            ("card 4539 1488 0343 6467!", &[("4539 1488 0343 6467", Card)]),
            ("order 4539 1488 0343 6468", &[]),
            (
                "call 06 12 34 56 78 or +32 470 12 34 56",
                &[("06 12 34 56 78", Phone), ("+32 470 12 34 56", Phone)],
            ),
            ("(555) 123-4567, 555-123-4567", &[("(555) 123-4567", Phone), ("555-123-4567", Phone)]),
            ("NIR 2 55 08 14 168 025 38", &[("2 55 08 14 168 025 38", Ssn)]),
            ("SSN 078-05-1120; not 666-05-1120", &[("078-05-1120", Ssn)]),
            ("from 203.0.113.7:443 and 2001:db8::7", &[("203.0.113.7", Ip), ("2001:db8::7", Ip)]),
            ("127.0.0.1, version 1.2.3, 12:30, ::1", &[]),
            (
                "Chloé, CHLOÉ and Chloés met Bert Nepveu",
                &[("Chloé", Name), ("CHLOÉ", Name), ("Bert Nepveu", Name)],
            ),
            ("12 bis, rue des Lilas, 75011 Paris.", &[("12 bis, rue des Lilas, 75011 Paris", Address)]),
            ("at 221B Baker Street today", &[("221B Baker Street", Address)]),
            ("rue Haute 12 est fermée", &[("rue Haute 12", Address)]),
            ("dans la rue, 3 enfants; 5 Big Ideas", &[]),
            ("on 2026-11-22 at 03:10:00 we had 1234567890 hits", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(found(text), *expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_looked_at(text in "\\PC{0,80}") {
            let mut last = 0;
            for (at, _) in find(&text, &["é".to_owned()]) {
                prop_assert!(at.start >= last && at.end > at.start && text.get(at.clone()).is_some());
                last = at.end;
            }
        }

        #[test]
        fn every_number_with_a_right_sum_is_found(body in "[2-6][0-9]{14}") {
            let sum: u32 = body.bytes().rev().enumerate().map(|(i, digit)| luhn(i + 1, digit - b'0')).sum();
            let number = format!("{body}{}", (10 - sum % 10) % 10);
            prop_assume!(number.bytes().any(|b| b != number.as_bytes()[0]));
            let text = format!("my card {number} is lost");
            prop_assert!(find(&text, &[]).iter().any(|(at, _)| text[at.clone()].contains(&number)));
        }
    }
}
