//! Data URIs (RFC 2397), as chat dialects carry pictures and files.

use crate::Source;

/// What a `data:` URI with base64 holds: its media type (`text/plain` where none is given) and the base64 text as written.
/// `None` for everything else.
pub fn parse(uri: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = uri.split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return None;
    }
    let (head, data) = rest.split_once(',')?;
    let media = head.strip_suffix(";base64")?;
    let media = media.split(';').next().unwrap_or(media);
    Some((if media.is_empty() { "text/plain" } else { media }, data))
}

/// A source from what stands in a field for URLs.
pub fn source(url: String) -> Source {
    match parse(&url) {
        Some((media, data)) => Source::Base64 { media: media.to_owned(), data: data.to_owned() },
        None => Source::Url(url),
    }
}

pub fn write(into: &mut String, media: &str, data: &str) {
    into.reserve(media.len() + data.len() + 13);
    into.push_str("data:");
    into.push_str(media);
    into.push_str(";base64,");
    into.push_str(data);
}

/// What stands in a field for URLs; `None` for a source that cannot stand there.
pub fn url(source: &Source) -> Option<std::borrow::Cow<'_, str>> {
    match source {
        Source::Url(url) => Some(url.as_str().into()),
        Source::Base64 { media, data } => {
            let mut uri = String::new();
            write(&mut uri, media, data);
            Some(uri.into())
        }
        Source::Text { .. } | Source::File { .. } => None,
    }
}

/// The bytes of a base64 text; `None` where it is none.
pub fn decode(base64: &str) -> Option<Vec<u8>> {
    let digits = base64.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 3);
    let (mut held, mut bits) = (0_u32, 0_u32);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        held = (held << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((held >> bits) & 0xFF).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_base64_and_nothing_else() {
        assert_eq!(parse("data:image/png;base64,AA=="), Some(("image/png", "AA==")));
        assert_eq!(parse("DATA:image/png;charset=x;base64,"), Some(("image/png", "")));
        assert_eq!(parse("data:;base64,AA"), Some(("text/plain", "AA")));
        for other in ["data:text/plain,hello", "https://x/y.png", "data", "", "dätä:;base64,AA"] {
            assert_eq!(parse(other), None, "{other}");
            assert_eq!(source(other.to_owned()), Source::Url(other.to_owned()));
        }
        let both = source("data:image/png;base64,AA==".to_owned());
        assert_eq!(url(&both).as_deref(), Some("data:image/png;base64,AA=="));
    }

    #[test]
    fn decodes_base64() {
        for (text, bytes) in [("", ""), ("TQ==", "M"), ("TWE", "Ma"), ("TWFu", "Man"), ("TWFuTQ", "ManM")] {
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(decode("T?"), None);
    }
}
