//! Who a device may be: its maker, its kind, and how much it resembles one that is known.

use std::collections::BTreeMap;

use sanctum_api::firewall::{Fingerprint, Resembles, Standing};
use sanctum_kernel::Mac;

use crate::record::Record;

const MAKERS: &str = include_str!("oui.txt");
/// Below this a likeness is not worth a question: another phone of the same make reaches 0.4.
const WORTH_ASKING: f64 = 0.6;

/// The maker of an address and, if it makes one kind of thing only, that kind. Made-up addresses have none.
pub(crate) fn maker(mac: Mac) -> Option<(&'static str, Option<&'static str>)> {
    if mac.is_local() || mac.is_group() {
        return None;
    }
    let [a, b, c] = mac.oui();
    let prefix = format!("{a:02x}{b:02x}{c:02x}");
    MAKERS.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut fields = line.split('|');
        let (name, kind, prefixes) = (fields.next()?, fields.next()?, fields.next()?);
        let listed = prefixes.as_bytes().chunks(6).any(|chunk| chunk == prefix.as_bytes());
        listed.then_some((name, Some(kind).filter(|kind| !kind.is_empty())))
    })
}

/// The kind of a device as far as it can be told. `MSFT 5.0 XBOX` is documented in MS-DHCPE; the others were
/// seen on the wire.
pub(crate) fn kind(mac: Mac, shown: &Fingerprint) -> Option<&'static str> {
    let class = shown.vendor_class.as_deref().unwrap_or_default();
    let name = shown.hostname.as_deref().unwrap_or_default().to_ascii_lowercase();
    let asks = shown.parameters.as_deref().unwrap_or_default();
    if class == "MSFT 5.0 XBOX"
        || name.starts_with("xbox")
        || name.starts_with("ps5")
        || name.starts_with("ps4")
    {
        return Some("console");
    }
    if class.starts_with("MSFT") || class.starts_with("dhcpcd") {
        return Some("computer");
    }
    if class.starts_with("android-dhcp") || name.contains("iphone") || name.starts_with("android") {
        return Some("phone");
    }
    if name.contains("ipad") {
        return Some("tablet");
    }
    if asks.starts_with("1,121,3,6,15,108,114,119") {
        return Some("phone");
    }
    if name.contains("-tv") || name.starts_with("tv") {
        return Some("tv");
    }
    maker(mac).and_then(|(_, kind)| kind)
}

/// How much two fingerprints are alike, from 0 to 1, and what agrees. The address plays no part.
///
/// The weights reward what a family gives (a name) over what a maker gives (class and parameter list, which every
/// device of one model shares). The DUID of a client identifier settles it: it outlives a change of address
/// (RFC 4361), whereas an identifier made of the address says nothing new.
pub(crate) fn sameness(a: &Fingerprint, b: &Fingerprint) -> (f64, Vec<&'static str>) {
    if duid(a).is_some() && duid(a) == duid(b) {
        return (1.0, vec!["client identifier"]);
    }
    let fields = [
        ("hostname", 0.5, &a.hostname, &b.hostname),
        ("vendor class", 0.2, &a.vendor_class, &b.vendor_class),
        ("parameters", 0.3, &a.parameters, &b.parameters),
    ];
    let shown = fields.iter().filter(|(_, _, a, b)| a.is_some() || b.is_some());
    let most: f64 = shown.map(|(_, weight, ..)| weight).sum();
    let alike: Vec<_> = fields.iter().filter(|(_, _, a, b)| a.is_some() && a == b).collect();
    let score: f64 = alike.iter().map(|(_, weight, ..)| weight).sum();
    let score = if most > 0.0 { (score / most * 100.0).round() / 100.0 } else { 0.0 };
    (score, alike.iter().map(|(word, ..)| *word).collect())
}

/// Whether the client identifier outlives a change of address.
pub(crate) fn is_lasting(shown: &Fingerprint) -> bool {
    duid(shown).is_some()
}

/// The DUID inside a client identifier: as DHCPv6 has it, or after `ff` and the IAID in DHCPv4 (RFC 4361 §6.1).
fn duid(shown: &Fingerprint) -> Option<&str> {
    let id = shown.client_id.as_deref()?;
    match id.get(..2)? {
        "ff" => id.get(10..).filter(|duid| !duid.is_empty()),
        "00" => Some(id),
        _ => None,
    }
}

/// The known device that a newcomer with a made-up address resembles most, if any is worth a question.
pub(crate) fn resembles(newcomer: &Record, known: &BTreeMap<String, Record>) -> Option<Resembles> {
    if !newcomer.device.macs.iter().all(|mac| mac.is_local()) {
        return None;
    }
    known
        .values()
        .filter(|other| {
            other.device.id != newcomer.device.id
                && matches!(other.device.standing, Standing::Known | Standing::Seen)
        })
        .filter(|other| !newcomer.refused.contains(&other.device.id))
        .map(|other| (other, sameness(&other.device.fingerprint, &newcomer.device.fingerprint)))
        .filter(|(_, (score, _))| *score >= WORTH_ASKING)
        .max_by(|(_, (a, _)), (_, (b, _))| a.total_cmp(b))
        .map(|(other, (score, because))| Resembles {
            device: other.device.id.clone(),
            score,
            because: because.join(", "),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(hostname: Option<&str>, class: Option<&str>, asks: &str, id: Option<&str>) -> Fingerprint {
        Fingerprint {
            hostname: hostname.map(str::to_owned),
            vendor_class: class.map(str::to_owned),
            parameters: Some(asks.to_owned()),
            client_id: id.map(str::to_owned),
        }
    }

    #[test]
    fn makers_are_found_and_made_up_addresses_have_none() {
        assert_eq!(maker("60:45:bd:12:34:56".parse().unwrap()).map(|(name, _)| name), Some("Microsoft"));
        assert_eq!(maker("de:ad:be:00:00:01".parse().unwrap()), None);
        assert_eq!(maker("98:b6:e9:00:00:01".parse().unwrap()), Some(("Nintendo", Some("console"))));
    }

    #[test]
    fn the_same_console_is_recognised_and_others_are_not() {
        let asks = "1,3,6,15,31,33,43,44,46,47,119,121,249,252";
        let xbox = shown(Some("XBOX"), Some("MSFT 5.0 XBOX"), asks, Some("016045bd123456"));
        let again = shown(Some("XBOX"), Some("MSFT 5.0 XBOX"), asks, Some("01deadbe000001"));
        let windows = shown(Some("DESKTOP-AB12CD3"), Some("MSFT 5.0"), asks, None);
        let phone = shown(Some("Avas-iPhone"), None, "1,121,3,6,15,108,114,119,252", None);
        let hidden = shown(None, None, "1,121,3,6,15,108,114,119,252", None);
        assert!(sameness(&xbox, &again).0 > 0.9);
        assert!(sameness(&xbox, &windows).0 < WORTH_ASKING);
        assert!(sameness(&xbox, &phone).0 < WORTH_ASKING);
        assert!(sameness(&phone, &hidden).0 < WORTH_ASKING);
        let duid = |iaid: &str| shown(None, None, "1", Some(&format!("ff{iaid}00010001aabbccdd")));
        assert!(sameness(&duid("00000001"), &duid("00000002")).0 > 0.99);
    }
}
