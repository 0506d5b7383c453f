//! Pictures, documents and sounds, at what the providers' documentation says they cost.

use crate::Source;

/// What a picture costs at most, and one nobody can measure: Anthropic shrinks them to about this many tokens.
const IMAGE: u64 = 1_600;
/// OpenAI's price of a picture in low detail.
const LOW: u64 = 85;
/// Anthropic's guide to PDF: 1,500 to 3,000 tokens a page.
const PAGE: u64 = 2_250;
/// Bytes of a page, when the pages are not counted: a page of text with its fonts.
const PAGE_BYTES: u64 = 60_000;
/// Google's: 32 tokens a second; a second of MP3 at 128 kbit/s has 16,000 bytes.
const AUDIO_BYTES: u64 = 500;

/// Anthropic's formula: width × height / 750.
pub(super) fn image(source: &Source, detail: Option<&str>) -> u64 {
    if detail == Some("low") {
        return LOW;
    }
    let size = match source {
        Source::Base64 { data, .. } => size(&decode(data, 65_536)),
        _ => None,
    };
    size.map_or(IMAGE, |(width, height)| (width * height).div_ceil(750).clamp(1, IMAGE))
}

pub(super) fn document(source: &Source) -> u64 {
    match source {
        Source::Base64 { media, data } if media.starts_with("text/") => {
            let bytes = decode(data, usize::MAX);
            super::text(&String::from_utf8_lossy(&bytes))
        }
        Source::Base64 { data, .. } => (data.len() as u64 * 3 / 4).div_ceil(PAGE_BYTES).max(1) * PAGE,
        _ => PAGE,
    }
}

pub(super) fn audio(source: &Source) -> u64 {
    match source {
        Source::Base64 { media, data } => {
            let bytes = data.len() as u64 * 3 / 4;
            // A second of speech as WAV has 32,000 bytes.
            let bytes = if media.contains("wav") { bytes / 2 } else { bytes };
            bytes.div_ceil(AUDIO_BYTES)
        }
        _ => IMAGE,
    }
}

/// The beginning of what stands in base64.
fn decode(data: &str, most: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in data.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => continue,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from((bits >> count) & 0xFF).unwrap_or_default());
            bits &= (1 << count) - 1;
        }
        if out.len() >= most {
            break;
        }
    }
    out
}

/// Width and height out of the head of a PNG, GIF, WebP or JPEG.
fn size(bytes: &[u8]) -> Option<(u64, u64)> {
    let big = |at: usize| Some(u64::from(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?])));
    let little = |at: usize| Some(u64::from(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?])));
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some((big(16)? << 16 | big(18)?, big(20)? << 16 | big(22)?)),
        [b'G', b'I', b'F', ..] => Some((little(6)?, little(8)?)),
        [b'R', b'I', b'F', b'F', ..] => match bytes.get(12..16)? {
            b"VP8 " => Some((little(26)? & 0x3FFF, little(28)? & 0x3FFF)),
            b"VP8L" => {
                let packed = little(21)? | little(23)? << 16;
                Some(((packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1))
            }
            b"VP8X" => {
                let three = |at: usize| Some((little(at)? | u64::from(*bytes.get(at + 2)?) << 16) + 1);
                Some((three(24)?, three(27)?))
            }
            _ => None,
        },
        [0xFF, 0xD8, ..] => {
            let mut at = 2;
            loop {
                let (mark, kind) = (*bytes.get(at)?, *bytes.get(at + 1)?);
                if mark != 0xFF {
                    return None;
                }
                // Starts of frames, without the tables that share their range.
                if matches!(kind, 0xC0..=0xCF) && !matches!(kind, 0xC4 | 0xC8 | 0xCC) {
                    return Some((big(at + 7)?, big(at + 5)?));
                }
                at += 2 + usize::try_from(big(at + 2)?).ok()?;
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn heads_tell_sizes() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x04\0\0\0\x03\0\x08";
        assert_eq!(size(png), Some((1024, 768)));
        assert_eq!(size(b"GIF89a\x0a\0\x14\0"), Some((10, 20)));
        let jpeg = b"\xFF\xD8\xFF\xE0\0\x04ab\xFF\xC0\0\x11\x08\x02\x58\x03\x20";
        assert_eq!(size(jpeg), Some((800, 600)));
        assert_eq!(size(b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x63\0\0\x31\0\0"), Some((100, 50)));
        assert_eq!(size(b"BM"), None);
    }

    #[test]
    fn pictures_cost_what_the_documentation_says() {
        // Base64 of the head of a PNG of 1000 by 1000.
        let data = "iVBORw0KGgoAAAANSUhEUgAAA+gAAAPoCAYAAAA=".to_owned();
        let source = Source::Base64 { media: "image/png".to_owned(), data };
        assert_eq!(image(&source, None), 1_334);
        assert_eq!(image(&source, Some("low")), LOW);
        assert_eq!(image(&Source::Url("https://x".to_owned()), None), IMAGE);
    }

    proptest! {
        #[test]
        fn garbage_is_measured_without_a_panic(bytes: Vec<u8>, text: String) {
            let _ = size(&bytes);
            let _ = size(&decode(&text, 100));
            let mut jpeg = vec![0xFF, 0xD8];
            jpeg.extend(bytes);
            let _ = size(&jpeg);
        }
    }
}
