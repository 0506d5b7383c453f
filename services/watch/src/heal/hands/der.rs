//! DER (X.690), as much of it as a certificate needs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// One element: everything of it, its tag and its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) whole: &'a [u8],
    pub(crate) tag: u8,
    pub(crate) body: &'a [u8],
}

/// Takes the next element off `input`.
pub(crate) fn take<'a>(input: &mut &'a [u8]) -> Option<Element<'a>> {
    let all = *input;
    let (&tag, rest) = all.split_first()?;
    // Tags of several bytes do not occur in certificates.
    if tag & 0x1F == 0x1F {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7F);
        if !(1..=4).contains(&count) {
            return None;
        }
        let (bytes, rest) = rest.split_at_checked(count)?;
        (bytes.iter().fold(0_usize, |length, byte| (length << 8) | usize::from(*byte)), rest)
    };
    let (body, rest) = rest.split_at_checked(length)?;
    *input = rest;
    let whole = all.get(..all.len() - rest.len())?;
    Some(Element { whole, tag, body })
}

/// Takes the next element off `input`, which must have this tag.
pub(crate) fn expect<'a>(input: &mut &'a [u8], tag: u8) -> Option<Element<'a>> {
    take(input).filter(|element| element.tag == tag)
}

/// An element of these parts.
pub(crate) fn make(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut made = vec![tag];
    if let Ok(short @ 0..0x80) = u8::try_from(length) {
        made.push(short);
    } else {
        let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
        made.push(0x80 | u8::try_from(bytes.len()).unwrap_or_default());
        made.extend(bytes);
    }
    for part in parts {
        made.extend_from_slice(part);
    }
    made
}

/// A time of a certificate.
pub(crate) fn time(element: Element<'_>) -> Option<Timestamp> {
    let text = std::str::from_utf8(element.body).ok()?.strip_suffix('Z')?;
    let text = match element.tag {
        // Two digits of the year: from 1950 to 2049 (RFC 5280 §4.1.2.5.1).
        UTC_TIME if text.get(..2)? >= "50" => format!("19{text}"),
        UTC_TIME => format!("20{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i8>().ok();
    let year = text.get(..4)?.parse().ok()?;
    let civil = DateTime::new(year, part(4..6)?, part(6..8)?, part(8..10)?, part(10..12)?, part(12..14)?, 0);
    civil.ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// A time as a certificate has it.
pub(crate) fn make_time(at: Timestamp) -> Vec<u8> {
    let zoned = at.to_zoned(TimeZone::UTC);
    let text = zoned.strftime("%Y%m%d%H%M%SZ").to_string();
    match text.get(2..).filter(|_| (1950..2050).contains(&zoned.year())) {
        Some(short) => make(UTC_TIME, &[short.as_bytes()]),
        None => make(GENERALIZED_TIME, &[text.as_bytes()]),
    }
}

/// Every block of a PEM text (RFC 7468): its label and its bytes.
pub(crate) fn pem(text: &str) -> Vec<(String, Vec<u8>)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines().map(str::trim) {
        let label = |start: &str| line.strip_prefix(start).and_then(|rest| rest.strip_suffix("-----"));
        if let Some(label) = label("-----BEGIN ") {
            open = Some((label.to_owned(), String::new()));
        } else if let Some(label) = label("-----END ") {
            if let Some((begun, base64)) = open.take()
                && begun == label
                && let Ok(bytes) = STANDARD.decode(base64)
            {
                blocks.push((begun, bytes));
            }
        } else if let Some((_, base64)) = &mut open {
            base64.push_str(line);
        }
    }
    blocks
}

/// One block of PEM.
pub(crate) fn make_pem(label: &str, bytes: &[u8]) -> String {
    let base64 = STANDARD.encode(bytes);
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in base64.as_bytes().chunks(64) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_made_is_taken(tag in 0_u8..31, body in proptest::collection::vec(any::<u8>(), 0..70_000)) {
            let made = make(tag, &[&body]);
            let mut input = made.as_slice();
            let element = take(&mut input).unwrap();
            prop_assert!(input.is_empty() && element.tag == tag && element.body == body && element.whole == made);
        }

        #[test]
        fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut input = bytes.as_slice();
            while take(&mut input).is_some() {}
        }

        #[test]
        fn times_are_read_as_written(seconds in -600_000_000_i64..200_000_000_000) {
            let at = Timestamp::from_second(seconds).unwrap();
            let made = make_time(at);
            prop_assert_eq!(time(take(&mut made.as_slice()).unwrap()), Some(at));
        }
    }
}
