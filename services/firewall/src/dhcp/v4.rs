//! DHCPv4 (RFC 2131 §2; options of RFC 2132).

use std::net::{IpAddr, Ipv4Addr};

use sanctum_api::firewall::Fingerprint;
use sanctum_kernel::Mac;

use super::{Heard, MOST, clean, hex};

const COOKIE: [u8; 4] = [99, 130, 83, 99];
const OPTIONS: usize = 240;

/// Message types of a client that is or wants to be here: DISCOVER, REQUEST, INFORM.
const HERE: [u8; 3] = [1, 3, 8];

pub(super) fn read(mac: Mac, message: &[u8]) -> Option<Heard> {
    let request = *message.first()? == 1;
    if !request || message.get(OPTIONS - 4..OPTIONS)? != COOKIE {
        return None;
    }
    let all: Vec<(u8, &[u8])> = options(message.get(OPTIONS..)?).collect();
    let option = |code: u8| all.iter().find(|(found, _)| *found == code).map(|(_, data)| *data);
    let kind = *option(53)?.first()?;
    if !HERE.contains(&kind) {
        return None;
    }
    let at = |bytes: &[u8]| {
        bytes.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets)).filter(|at| !at.is_unspecified())
    };
    let address = message.get(12..16).and_then(at).or_else(|| option(50).and_then(at)).map(IpAddr::from);
    let parameters = option(55).map(|list| {
        let codes: Vec<String> = list.iter().take(MOST).map(u8::to_string).collect();
        codes.join(",")
    });
    let shown = Fingerprint {
        hostname: option(12).and_then(clean),
        vendor_class: option(60).and_then(clean),
        parameters: parameters.filter(|list| !list.is_empty()),
        client_id: option(61).and_then(hex),
    };
    Some(Heard { mac, address, shown })
}

/// Options in their order, until the end mark or the first that is broken.
fn options(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        loop {
            match bytes {
                [0, rest @ ..] => bytes = rest,
                [255, ..] | [] | [_] => return None,
                [code, length, rest @ ..] => {
                    let data = rest.get(..usize::from(*length))?;
                    bytes = rest.get(usize::from(*length)..)?;
                    return Some((*code, data));
                }
            }
        }
    })
}
