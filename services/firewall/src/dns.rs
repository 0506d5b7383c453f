//! Answers of the DNS, as far as they tell which addresses a name has (RFC 1035, RFC 3596): a pure function of
//! foreign bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Types of records.
pub(crate) const A: u16 = 1;
const CNAME: u16 = 5;
pub(crate) const AAAA: u16 = 28;
/// The class of the internet.
const IN: u16 = 1;
/// Records read of one answer; more do not fit into a datagram that anybody sends.
const MOST: usize = 128;
/// The longest name in text (RFC 1035 §2.3.4), and a bound on its labels and pointers.
const LONGEST: usize = 255;

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The name that was asked for and those it stands for, in lower case.
    pub names: Vec<String>,
    /// Their addresses, and for how many seconds they hold.
    pub addresses: Vec<(IpAddr, u32)>,
}

/// Reads an Ethernet frame; `None` if it is not an answer with addresses.
pub(crate) fn read(frame: &[u8]) -> Option<Answer> {
    let packet = frame.get(14..)?;
    let udp = match frame.get(12..14)? {
        [0x08, 0x00] => {
            let header = usize::from(packet.first()? & 0x0f) * 4;
            let protocol = *packet.get(9)?;
            packet.get(header..).filter(|_| header >= 20 && protocol == 17)?
        }
        [0x86, 0xdd] => packet.get(40..).filter(|_| packet.get(6) == Some(&17))?,
        _ => return None,
    };
    message(udp.get(8..).filter(|_| number(udp, 0) == Some(53))?)
}

/// Reads a message; of one that is cut short, what is there.
pub(crate) fn message(bytes: &[u8]) -> Option<Answer> {
    let flags = number(bytes, 2)?;
    // An answer (QR) to a standard query (OPCODE 0) without an error (RCODE 0).
    if flags & 0xf80f != 0x8000 || number(bytes, 4)? != 1 {
        return None;
    }
    let count = usize::from(number(bytes, 6)?).min(MOST);
    let (asked, mut at) = name(bytes, 12)?;
    at += 4;
    let (mut names, mut addresses) = (vec![asked], Vec::new());
    for _ in 0..count {
        let Some((record, next)) = record(bytes, at) else { break };
        at = next;
        // Servers write a chain in its order; a record of a name that nobody led to is none of ours.
        if record.class != IN || !names.contains(&record.owner) {
            continue;
        }
        let data = bytes.get(record.data..next).unwrap_or_default();
        match record.kind {
            A => addresses
                .extend(data.first_chunk().map(|a: &[u8; 4]| (Ipv4Addr::from(*a).into(), record.ttl))),
            AAAA => addresses
                .extend(data.first_chunk().map(|a: &[u8; 16]| (Ipv6Addr::from(*a).into(), record.ttl))),
            CNAME => names.extend(name(bytes, record.data).map(|(target, _)| target)),
            _ => {}
        }
    }
    (!addresses.is_empty()).then_some(Answer { names, addresses })
}

pub(crate) struct Record {
    pub owner: String,
    pub kind: u16,
    class: u16,
    ttl: u32,
    /// Where its data begins.
    data: usize,
}

/// Where what follows the question at `at` begins.
pub(crate) fn skip_question(bytes: &[u8], at: usize) -> Option<usize> {
    name(bytes, at).map(|(_, at)| at + 4)
}

/// The record at `at`, and where the next begins.
pub(crate) fn record(bytes: &[u8], at: usize) -> Option<(Record, usize)> {
    let (owner, at) = name(bytes, at)?;
    let ttl = bytes.get(at + 4..)?.first_chunk().map(|ttl| u32::from_be_bytes(*ttl))?;
    let data = at + 10;
    let next = data + usize::from(number(bytes, at + 8)?);
    bytes.get(data..next)?;
    Some((Record { owner, kind: number(bytes, at)?, class: number(bytes, at + 2)?, ttl, data }, next))
}

/// The name at `at` (RFC 1035 §4.1.4), and where what follows it begins.
fn name(bytes: &[u8], mut at: usize) -> Option<(String, usize)> {
    let (mut text, mut after) = (String::new(), None);
    for _ in 0..LONGEST {
        let length = usize::from(*bytes.get(at)?);
        if length & 0xc0 == 0xc0 {
            after = after.or(Some(at + 2));
            at = usize::from(number(bytes, at)? & 0x3fff);
            continue;
        }
        if length & 0xc0 != 0 {
            return None;
        }
        if length == 0 {
            return Some((text, after.unwrap_or(at + 1)));
        }
        if !text.is_empty() {
            text.push('.');
        }
        // A label may hold any byte; what no domain of ours holds must not be taken for a dot.
        let plain = |byte: &u8| {
            if byte.is_ascii_graphic() && *byte != b'.' { byte.to_ascii_lowercase() } else { b'?' }
        };
        text.extend(bytes.get(at + 1..at + 1 + length)?.iter().map(|byte| char::from(plain(byte))));
        if text.len() > LONGEST {
            return None;
        }
        at += 1 + length;
    }
    None
}

pub(crate) fn number(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|pair| u16::from_be_bytes(*pair))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A query's answer as RFC 1035 writes it: the question, a CNAME by a pointer, and two addresses.
    const CHAIN: &[u8] = b"\x12\x34\x81\x80\0\x01\0\x04\0\0\0\0\x03WWW\x07youtube\x03com\0\0\x01\0\x01\
        \xc0\x0c\0\x05\0\x01\0\0\x0e\x10\0\x0a\x07edge-ui\xc0\x10\
        \xc0\x2d\0\x01\0\x01\0\0\0\x3c\0\x04\xcb\0\x71\x03\
        \xc0\x2d\0\x1c\0\x01\0\0\0\x3c\0\x10\x20\x01\x0d\xb8\x01\x13\0\0\0\0\0\0\0\0\0\x03\
        \xc0\x14\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\x09\x08\x07";

    fn framed(message: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 14 + 20 + 8];
        frame[12] = 8;
        frame[14] = 0x45;
        frame[23] = 17;
        frame[35] = 53;
        frame.extend(message);
        frame
    }

    #[test]
    fn a_chain_is_followed_and_strangers_in_it_are_not() {
        let answer = read(&framed(CHAIN)).unwrap();
        assert_eq!(answer.names, ["www.youtube.com", "edge-ui.youtube.com"]);
        let addresses = ["203.0.113.3", "2001:db8:113::3"].map(|text| (text.parse().unwrap(), 60));
        assert_eq!(answer.addresses, addresses);
    }

    #[test]
    fn what_is_no_answer_is_none() {
        let with = |at: usize, byte: u8| {
            let mut bytes = CHAIN.to_vec();
            bytes[at] = byte;
            message(&bytes)
        };
        assert_eq!(with(2, 0x01), None, "a question");
        assert_eq!(with(3, 0x83), None, "no such name");
        assert_eq!(with(5, 0), None, "no question");
        assert_eq!(with(7, 0), None, "no record");
        // A name that points at itself ends.
        assert_eq!(message(b"\0\0\x81\x80\0\x01\0\x01\0\0\0\0\xc0\x0c\0\x01\0\x01"), None);
        // Cut short, it tells what is there.
        assert_eq!(message(&CHAIN[..CHAIN.len() - 30]).unwrap().addresses.len(), 1);
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>) {
            let _answer = (read(&bytes), message(&bytes), read(&framed(&bytes)));
        }

        #[test]
        fn a_damaged_answer_never_panics(at in 0..CHAIN.len(), byte: u8, end in 0..=CHAIN.len()) {
            let mut bytes = CHAIN.to_vec();
            bytes[at] = byte;
            if let Some(answer) = message(&bytes[..end]) {
                prop_assert!(answer.names.iter().all(|name| name.len() <= LONGEST + 64));
            }
        }
    }
}
