//! DHCPv6 (RFC 8415 §8; the client's name of RFC 4704).

use sanctum_api::firewall::Fingerprint;
use sanctum_kernel::Mac;

use super::{Heard, clean, hex};

/// Messages of a client that is or wants to be here: SOLICIT, REQUEST, CONFIRM, RENEW, REBIND, INFORMATION-REQUEST.
const HERE: [u8; 6] = [1, 3, 4, 5, 6, 11];

pub(super) fn read(mac: Mac, message: &[u8]) -> Option<Heard> {
    if !HERE.contains(message.first()?) {
        return None;
    }
    let all: Vec<(u16, &[u8])> = options(message.get(4..)?).collect();
    let option = |code: u16| all.iter().find(|(found, _)| *found == code).map(|(_, data)| *data);
    let shown = Fingerprint {
        hostname: option(39).and_then(|data| name(data.get(1..)?)),
        // The enterprise number, then classes with their lengths: the first says enough.
        vendor_class: option(16).and_then(|data| {
            let length = u16::from_be_bytes(*data.get(4..)?.first_chunk()?);
            clean(data.get(6..6 + usize::from(length))?)
        }),
        parameters: None,
        client_id: option(1).and_then(hex),
    };
    Some(Heard { mac, address: None, shown })
}

/// The first label of a name in DNS wire form.
fn name(data: &[u8]) -> Option<String> {
    let length = usize::from(*data.first()?);
    clean(data.get(1..=length).filter(|_| length > 0)?)
}

fn options(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let code = u16::from_be_bytes(*bytes.first_chunk()?);
        let length = usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?));
        let data = bytes.get(4..4 + length)?;
        bytes = bytes.get(4 + length..)?;
        Some((code, data))
    })
}
