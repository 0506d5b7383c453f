//! DHCP requests, as far as they tell who asks (RFC 2131, RFC 2132, RFC 8415): a pure function of foreign bytes.

mod v4;
mod v6;

use std::net::IpAddr;

use sanctum_api::firewall::Fingerprint;
use sanctum_kernel::Mac;

/// The longest name that is kept of what a device says of itself, in characters.
const LONGEST: usize = 64;
/// The longest identifier or list that is kept, in bytes; a DUID has at most 130 (RFC 8415 §11.1).
const MOST: usize = 130;

/// A request that was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The address the frame came from: the one that rules match, whatever the request claims.
    pub mac: Mac,
    /// The address it asks for or has.
    pub address: Option<IpAddr>,
    pub shown: Fingerprint,
}

/// Reads an Ethernet frame; `None` if it is not a client's request.
pub(crate) fn read(frame: &[u8]) -> Option<Heard> {
    let mac = Mac(*frame.get(6..)?.first_chunk()?);
    if mac.is_group() || mac == Mac([0; 6]) {
        return None;
    }
    let packet = frame.get(14..)?;
    match frame.get(12..14)? {
        [0x08, 0x00] => {
            let header = usize::from(packet.first()? & 0x0f) * 4;
            let protocol = *packet.get(9)?;
            let udp = packet.get(header..).filter(|_| header >= 20 && protocol == 17)?;
            v4::read(mac, payload(udp, 67)?)
        }
        [0x86, 0xdd] => {
            let udp = packet.get(40..).filter(|_| packet.get(6) == Some(&17))?;
            v6::read(mac, payload(udp, 547)?)
        }
        _ => None,
    }
}

/// What a UDP datagram to `port` carries.
fn payload(udp: &[u8], port: u16) -> Option<&[u8]> {
    let to = u16::from_be_bytes(*udp.get(2..)?.first_chunk()?);
    let length = usize::from(u16::from_be_bytes(*udp.get(4..)?.first_chunk()?));
    udp.get(8..length.min(udp.len())).filter(|_| to == port)
}

/// Text as people may see it: printable, trimmed, short; `None` if nothing is left.
pub(crate) fn clean(bytes: &[u8]) -> Option<String> {
    let text: String = String::from_utf8_lossy(bytes)
        .chars()
        .filter(|c| !c.is_control() && *c != '\u{fffd}')
        .take(LONGEST)
        .collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn hex(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.get(..bytes.len().min(MOST))?;
    (!bytes.is_empty()).then(|| sanctum_kernel::trace::hex(bytes))
}

#[cfg(test)]
mod tests;
