//! Foreign bytes: a small corpus of requests, and every other byte string there is.

use proptest::prelude::*;

use super::*;

const XBOX: Mac = Mac([0x60, 0x45, 0xbd, 0x12, 0x34, 0x56]);

fn ethernet(kind: [u8; 2], packet: &[u8]) -> Vec<u8> {
    [&[0xff; 6][..], &XBOX.0, &kind, packet].concat()
}

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    [&68u16.to_be_bytes()[..], &port.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload].concat()
}

fn four(options: &[u8]) -> Vec<u8> {
    let mut message = vec![0; 240];
    message[..4].copy_from_slice(&[1, 1, 6, 0]);
    message[28..34].copy_from_slice(&XBOX.0);
    message[236..].copy_from_slice(&[99, 130, 83, 99]);
    message.extend(options);
    let mut header = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17];
    header.resize(20, 0);
    ethernet([8, 0], &[header, udp(67, &message)].concat())
}

fn six(message: &[u8]) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0, 0, 0, 17, 1];
    header.resize(40, 0);
    ethernet([0x86, 0xdd], &[header, udp(547, message)].concat())
}

/// What real and documented clients send: udhcpc, an Xbox by MS-DHCPE, dhcpcd with an RFC 4361 identifier.
#[test]
fn a_small_corpus_is_read() {
    let check = |options: &[u8],
                 hostname: Option<&str>,
                 class: Option<&str>,
                 asks: Option<&str>,
                 id: Option<&str>| {
        let heard = read(&four(options)).unwrap();
        assert_eq!(heard.mac, XBOX);
        let shown = (
            heard.shown.hostname.as_deref(),
            heard.shown.vendor_class.as_deref(),
            heard.shown.parameters.as_deref(),
            heard.shown.client_id.as_deref(),
        );
        assert_eq!(shown, (hostname, class, asks, id));
    };
    let udhcpc = b"\x35\x01\x01\x3d\x07\x01\x60\x45\xbd\x12\x34\x56\x37\x07\x01\x03\x06\x0c\x0f\x1c\x2a\x3c\x0cudhcp 1.35.0\xff";
    check(udhcpc, None, Some("udhcp 1.35.0"), Some("1,3,6,12,15,28,42"), Some("016045bd123456"));
    let xbox = b"\x35\x01\x03\x0c\x04XBOX\x3c\x0dMSFT 5.0 XBOX\x37\x03\x01\x03\x06\xff";
    check(xbox, Some("XBOX"), Some("MSFT 5.0 XBOX"), Some("1,3,6"), None);
    let dhcpcd = b"\x35\x01\x01\x3d\x0b\xff\x00\x00\x00\x01\x00\x01\x00\x01\xaa\xbb\xff";
    check(dhcpcd, None, None, None, Some("ff0000000100010001aabb"));
    let padded = b"\x00\x00\x35\x01\x08\x0c\x05a\x00b\x07c\xff\x0c\x01x";
    check(padded, Some("abc"), None, None, None);
}

#[test]
fn what_is_no_request_is_left_out() {
    for options in [&b"\x35\x01\x02\xff"[..], b"\x35\x01\x07\xff", b"\xff", b"", b"\x35", b"\x35\x05\x01"] {
        assert_eq!(read(&four(options)), None, "{options:?}");
    }
    let mut group = four(b"\x35\x01\x01\xff");
    group[6] |= 1;
    assert_eq!(read(&group), None);
}

#[test]
fn the_requested_address_and_dhcpv6_are_read() {
    let heard = read(&four(b"\x35\x01\x03\x32\x04\x0a\x4d\x00\x32\xff")).unwrap();
    assert_eq!(heard.address, Some("10.77.0.50".parse().unwrap()));
    let solicit = b"\x01\x00\x00\x01\x00\x01\x00\x06\x00\x03\x00\x01\xaa\xbb\x00\x27\x00\x06\x00\x04XBOX\x00\x10\x00\x0a\x00\x00\x01\x37\x00\x04MSFT";
    let heard = read(&six(solicit)).unwrap();
    assert_eq!(heard.shown.client_id.as_deref(), Some("00030001aabb"));
    assert_eq!(
        (heard.shown.hostname.as_deref(), heard.shown.vendor_class.as_deref()),
        (Some("XBOX"), Some("MSFT"))
    );
    assert_eq!(read(&six(b"\x07\x00\x00\x01")), None);
}

proptest! {
    #[test]
    fn foreign_bytes_never_panic(bytes: Vec<u8>) {
        let _heard = read(&bytes);
    }

    #[test]
    fn foreign_options_never_panic_and_stay_short(options: Vec<u8>) {
        for frame in [four(&options), four(&[b"\x35\x01\x01", &options[..]].concat()), six(&options), six(&[b"\x01\0\0\0", &options[..]].concat())] {
            if let Some(heard) = read(&frame) {
                prop_assert!(heard.shown.hostname.is_none_or(|name| name.chars().count() <= LONGEST && !name.chars().any(char::is_control)));
                prop_assert!(heard.shown.client_id.is_none_or(|id| id.len() <= 2 * MOST));
            }
        }
    }

    #[test]
    fn a_request_cut_anywhere_never_panics(cut in 0usize..400) {
        let whole = four(b"\x35\x01\x03\x0c\x04XBOX\x3c\x0dMSFT 5.0 XBOX\x37\x03\x01\x03\x06\xff");
        let _heard = read(&whole[..cut.min(whole.len())]);
    }
}
