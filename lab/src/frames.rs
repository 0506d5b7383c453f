//! What a frame says: addresses, protocol, payload, and whether a client asks for a DHCP lease.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sanctum_kernel::Mac;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const TCP: u8 = 6;
const UDP: u8 = 17;
const RST: u8 = 4;
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
/// What Linux gives a packet of its own (net.ipv4.ip_default_ttl, net.ipv6.conf.all.hop_limit).
const HOPS: u8 = 64;

/// An IP packet's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) from: IpAddr,
    pub(crate) to: IpAddr,
    pub(crate) protocol: Protocol,
    /// Bytes after the head of TCP or UDP.
    pub(crate) payload: usize,
    /// An ICMP error or a TCP reset whose hops are unspent: a router said it, nobody behind it (RFC 792, RFC 4443 §2.1,
    /// RFC 9293 §3.5.2). It carries the translated address of whom it is about; for a flow that was just forgotten the
    /// router resets what still comes to that address.
    pub(crate) routers_own: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
    Other(u8),
}

impl Packet {
    /// Such as `tcp6`.
    pub(crate) fn word(&self) -> String {
        let family = if self.from.is_ipv4() { 4 } else { 6 };
        match self.protocol {
            Protocol::Tcp => format!("tcp{family}"),
            Protocol::Udp => format!("udp{family}"),
            Protocol::Other(number) => format!("ip{family} protocol {number}"),
        }
    }
}

fn two(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// The IP packet in an Ethernet frame, if it is one.
pub(crate) fn packet(frame: &[u8]) -> Option<Packet> {
    let ip = frame.get(14..)?;
    let (from, to, protocol, hops, rest): (IpAddr, IpAddr, u8, u8, &[u8]) = match two(frame, 12)? {
        IPV4 => {
            let head = usize::from(ip.first()? & 15) * 4;
            let end = usize::from(two(ip, 2)?).min(ip.len());
            let from: [u8; 4] = ip.get(12..16)?.try_into().ok()?;
            let to: [u8; 4] = ip.get(16..20)?.try_into().ok()?;
            (
                Ipv4Addr::from(from).into(),
                Ipv4Addr::from(to).into(),
                *ip.get(9)?,
                *ip.get(8)?,
                ip.get(head..end)?,
            )
        }
        IPV6 => {
            let end = (40 + usize::from(two(ip, 4)?)).min(ip.len());
            let from: [u8; 16] = ip.get(8..24)?.try_into().ok()?;
            let to: [u8; 16] = ip.get(24..40)?.try_into().ok()?;
            (
                Ipv6Addr::from(from).into(),
                Ipv6Addr::from(to).into(),
                *ip.get(6)?,
                *ip.get(7)?,
                ip.get(40..end)?,
            )
        }
        _ => return None,
    };
    let kind = rest.first().copied().unwrap_or(u8::MAX);
    let error = (protocol == ICMP && matches!(kind, 3 | 11 | 12)) || (protocol == ICMPV6 && kind < 128);
    let reset = protocol == TCP && rest.get(13).is_some_and(|flags| flags & RST != 0);
    let routers_own = (error || reset) && hops == HOPS;
    let (protocol, head) = match protocol {
        TCP => (Protocol::Tcp, usize::from(rest.get(12)? >> 4) * 4),
        UDP => (Protocol::Udp, 8),
        other => (Protocol::Other(other), 0),
    };
    Some(Packet { from, to, protocol, payload: rest.len().saturating_sub(head), routers_own })
}

/// The client's address, if the frame is a request of a DHCP client (RFC 2131 §2: `op` 1, to port 67).
pub(crate) fn dhcp_client(frame: &[u8]) -> Option<Mac> {
    let ip = frame.get(14..)?;
    if two(frame, 12)? != IPV4 || *ip.get(9)? != UDP {
        return None;
    }
    let head = usize::from(ip.first()? & 15) * 4;
    let udp = ip.get(head..)?;
    let message = udp.get(8..)?;
    if two(udp, 2)? != 67 || *message.first()? != 1 {
        return None;
    }
    mac(message.get(28..34)?)
}

/// Six octets as an address.
pub(crate) fn mac(octets: &[u8]) -> Option<Mac> {
    Some(Mac(octets.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u16, ip: &[u8]) -> Vec<u8> {
        [&[0xff; 6][..], &[2, 0, 0, 0, 0, 9], &kind.to_be_bytes(), ip].concat()
    }

    fn ipv4(protocol: u8, rest: &[u8]) -> Vec<u8> {
        let len = u16::try_from(20 + rest.len()).unwrap().to_be_bytes();
        [&[0x45, 0, len[0], len[1], 0, 0, 0, 0, 64, protocol, 0, 0, 10, 77, 0, 5, 203, 0, 113, 2], rest]
            .concat()
    }

    #[test]
    fn payload_is_what_follows_the_heads_and_padding_is_not() {
        let mut bytes = frame(IPV4, &ipv4(UDP, &[[0; 8].as_slice(), b"abc"].concat()));
        bytes.extend([0; 20]);
        let found = packet(&bytes).unwrap();
        assert_eq!((found.word().as_str(), found.payload), ("udp4", 3));
        assert_eq!(found.to.to_string(), "203.0.113.2");
    }

    #[test]
    fn an_error_with_unspent_hops_is_the_routers_own() {
        let mut ip = ipv4(ICMP, &[3, 1, 0, 0, 0, 0, 0, 0]);
        assert!(packet(&frame(IPV4, &ip)).unwrap().routers_own);
        ip[8] = 63;
        assert!(!packet(&frame(IPV4, &ip)).unwrap().routers_own, "somebody behind it said so");
        assert!(
            !packet(&frame(IPV4, &ipv4(ICMP, &[8, 0, 0, 0]))).unwrap().routers_own,
            "a question is no error"
        );
    }

    #[test]
    fn reads_ipv6() {
        let mut ip = vec![0x60, 0, 0, 0, 0, 24, TCP, 64];
        ip.extend([0xfd; 16]);
        ip.extend([0x20; 16]);
        let mut tcp = vec![0; 24];
        tcp[12] = 5 << 4;
        ip.extend(tcp);
        let found = packet(&frame(IPV6, &ip)).unwrap();
        assert_eq!((found.word().as_str(), found.payload), ("tcp6", 4));
    }

    #[test]
    fn a_dhcp_request_names_its_client_and_an_answer_does_not() {
        let mut dhcp = vec![0; 240];
        dhcp[0] = 1;
        dhcp[28..34].copy_from_slice(&[0x60, 0x45, 0xbd, 1, 2, 3]);
        let udp = |port: u8, dhcp: &[u8]| [&[0, 68, 0, port, 0, 0, 0, 0], dhcp].concat();
        let asked = frame(IPV4, &ipv4(UDP, &udp(67, &dhcp)));
        assert_eq!(dhcp_client(&asked), Some("60:45:bd:01:02:03".parse().unwrap()));
        dhcp[0] = 2;
        assert_eq!(dhcp_client(&frame(IPV4, &ipv4(UDP, &udp(68, &dhcp)))), None);
    }

    #[test]
    fn half_a_frame_is_no_packet() {
        let mut tcp = [0; 20];
        tcp[12] = 5 << 4;
        let whole = frame(IPV4, &ipv4(TCP, &tcp));
        for len in 0..whole.len() {
            let part = &whole[..len];
            assert!(packet(part).is_none_or(|packet| packet.payload == 0), "{len}");
            assert_eq!(dhcp_client(part), None);
        }
    }
}
