//! What devices announce of themselves by multicast DNS (RFC 6762): their name, where DHCP did not tell it. A pure
//! function of foreign bytes.

use sanctum_api::firewall::Fingerprint;
use sanctum_kernel::Mac;

use crate::dhcp::{Heard, clean};
use crate::dns::{A, AAAA, number, record, skip_question};

/// The port of multicast DNS (RFC 6762 §3).
const PORT: u16 = 5353;
/// Records read of one announcement.
const MOST: u16 = 64;

/// Reads an Ethernet frame; `None` if it is no announcement of a host's own name.
pub(crate) fn read(frame: &[u8]) -> Option<Heard> {
    let mac = Mac(*frame.get(6..)?.first_chunk()?);
    if mac.is_group() || mac == Mac([0; 6]) {
        return None;
    }
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
    // Both ports: who answers from another one is asked by somebody's tool (RFC 6762 §11).
    let message = udp.get(8..).filter(|_| number(udp, 0) == Some(PORT) && number(udp, 2) == Some(PORT))?;
    let hostname = Some(own_name(message)?);
    Some(Heard { mac, address: None, shown: Fingerprint { hostname, ..Fingerprint::default() } })
}

/// The host's name: the owner of its address records (RFC 6762 §6.2), without `.local`.
fn own_name(message: &[u8]) -> Option<String> {
    // An answer (QR) to a standard query (OPCODE 0); an announcement is an answer that nobody asked for (§8.3).
    if number(message, 2)? & 0xf80f != 0x8000 {
        return None;
    }
    let mut at = 12;
    for _ in 0..number(message, 4)?.min(MOST) {
        at = skip_question(message, at)?;
    }
    // Answers, authorities and additional records: an answer to another question brings the address at its end.
    let count = [6, 8, 10].iter().filter_map(|place| number(message, *place)).fold(0, u16::saturating_add);
    for _ in 0..count.min(MOST) {
        let (record, next) = record(message, at)?;
        at = next;
        if matches!(record.kind, A | AAAA)
            && let Some(name) = record.owner.strip_suffix(".local").filter(|name| !name.contains('.'))
        {
            return clean(name.as_bytes());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A tablet's announcement: a service that it offers, and its address (RFC 6762 §8.3; class with the flush bit).
    const TABLET: &[u8] = b"\0\0\x84\0\0\0\0\x01\0\0\0\x01\
        \x08_airplay\x04_tcp\x05local\0\0\x0c\0\x01\0\0\x11\x94\0\x07\x04Avas\xc0\x0c\
        \x09Avas-iPad\xc0\x1a\0\x01\x80\x01\0\0\0\x78\0\x04\x0a\x4d\0\x14";

    fn framed(message: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 14 + 20 + 8];
        frame[6..12].copy_from_slice(&[0xf0, 0x18, 0x98, 0, 0, 1]);
        frame[12] = 8;
        frame[14] = 0x45;
        frame[23] = 17;
        frame[34..38].copy_from_slice(&[0x14, 0xe9, 0x14, 0xe9]);
        frame.extend(message);
        frame
    }

    #[test]
    fn a_host_is_known_by_the_name_of_its_address() {
        let heard = read(&framed(TABLET)).unwrap();
        assert_eq!((heard.mac.to_string().as_str(), heard.address), ("f0:18:98:00:00:01", None));
        assert_eq!(heard.shown.hostname.as_deref(), Some("avas-ipad"));
    }

    #[test]
    fn questions_other_ports_and_services_alone_say_no_name() {
        let mut question = framed(TABLET);
        question[44] = 0;
        assert_eq!(read(&question), None);
        let mut port = framed(TABLET);
        port[37] = 53;
        assert_eq!(read(&port), None);
        let mut service = framed(TABLET);
        service[53] = 0;
        assert_eq!(read(&service), None, "a service is not a host");
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>, at in 0..TABLET.len(), byte: u8) {
            let mut damaged = TABLET.to_vec();
            damaged[at] = byte;
            let _heard = (read(&bytes), read(&framed(&bytes)), read(&framed(&damaged)));
        }
    }
}
