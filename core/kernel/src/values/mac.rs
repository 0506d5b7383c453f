//! An EUI-48 address.

use std::fmt;
use std::str::FromStr;

/// Six bytes, written `60:45:bd:12:34:56`; `-` as separator and upper case are read too.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a MAC address: six pairs of hexadecimal digits, such as `60:45:bd:12:34:56`")]
pub struct NotAMac(String);

impl Mac {
    /// Whether the address was made up by the device rather than bought with the chip (IEEE 802c: the
    /// locally-administered bit, 0x02 of the first octet).
    pub const fn is_local(self) -> bool {
        self.0[0] & 0x02 != 0
    }

    /// Whether the address names a group (multicast and broadcast), which no device has.
    pub const fn is_group(self) -> bool {
        self.0[0] & 0x01 != 0
    }

    /// The first three octets: the manufacturer's, unless the address is local.
    pub const fn oui(self) -> [u8; 3] {
        [self.0[0], self.0[1], self.0[2]]
    }
}

impl FromStr for Mac {
    type Err = NotAMac;

    fn from_str(text: &str) -> Result<Self, NotAMac> {
        let refuse = || NotAMac(text.to_owned());
        let mut bytes = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2).ok_or_else(refuse)?;
            if !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(refuse());
            }
            *byte = u8::from_str_radix(part, 16).map_err(|_| refuse())?;
        }
        if parts.next().is_some() { Err(refuse()) } else { Ok(Self(bytes)) }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.0.map(|byte| format!("{byte:02x}"));
        f.write_str(&pairs.join(":"))
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

super::text!(Mac, "Mac", "a MAC address", "60:45:bd:12:34:56");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_addresses_and_long_ones_are_refused() {
        for text in [
            "",
            "60:45:bd:12:34",
            "60:45:bd:12:34:56:78",
            "6:45:bd:12:34:56",
            "60:45:bd:12:34:5g",
            "+0:45:bd:12:34:56",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_local_bit_tells_a_made_up_address() {
        assert!("de:ad:be:00:00:47".parse::<Mac>().unwrap().is_local());
        assert!(!"60:45:bd:12:34:56".parse::<Mac>().unwrap().is_local());
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_as_the_same(bytes: [u8; 6]) {
            prop_assert_eq!(Mac(bytes).to_string().parse::<Mac>().unwrap(), Mac(bytes));
        }
    }
}
