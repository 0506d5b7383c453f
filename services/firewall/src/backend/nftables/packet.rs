//! Sockets that see DHCP requests and answers of the DNS on one interface, and waiting for sockets: the only unsafe code of this service.

#![expect(unsafe_code, reason = "no safe wrapper binds a packet socket or attaches a filter to it")]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use tokio::io::unix::AsyncFd;

/// A classic BPF program (linux/filter.h): UDP to port 67 over IPv4 or 547 over IPv6, unfragmented, untagged.
const FILTER: [(u16, u8, u8, u32); 17] = [
    (0x28, 0, 0, 12),        // ldh [12]: the EtherType
    (0x15, 0, 8, 0x0800),    // IPv4? else 10
    (0x30, 0, 0, 23),        // ldb [23]: its protocol
    (0x15, 0, 12, 17),       // UDP? else drop
    (0x28, 0, 0, 20),        // ldh [20]: flags and fragment offset
    (0x45, 10, 0, 0x1fff),   // a later fragment? drop
    (0xb1, 0, 0, 14),        // ldx 4 * ([14] & 15): the header's length
    (0x48, 0, 0, 16),        // ldh [x + 16]: the destination port
    (0x15, 6, 0, 67),        // the DHCP server's? keep
    (0x06, 0, 0, 0),         // drop
    (0x15, 0, 5, 0x86dd),    // IPv6? else drop
    (0x30, 0, 0, 20),        // ldb [20]: the next header
    (0x15, 0, 3, 17),        // UDP? else drop
    (0x28, 0, 0, 56),        // ldh [56]: the destination port
    (0x15, 0, 1, 547),       // the DHCPv6 server's? else drop
    (0x06, 0, 0, 0x0004_0000), // keep it whole
    (0x06, 0, 0, 0),         // drop
];

/// What goes out to the LAN (`SKF_AD_PKTTYPE` is `PACKET_OUTGOING`) as UDP from port 53, unfragmented, untagged: no
/// device can make another's answers up by sending them.
const ANSWERS: [(u16, u8, u8, u32); 18] = [
    (0x20, 0, 0, 0xffff_f004), // ld: the packet's type
    (0x15, 0, 15, 4),        // outgoing? else drop
    (0x28, 0, 0, 12),        // ldh [12]: the EtherType
    (0x15, 0, 7, 0x0800),    // IPv4? else 11
    (0x30, 0, 0, 23),        // ldb [23]: its protocol
    (0x15, 0, 11, 17),       // UDP? else drop
    (0x28, 0, 0, 20),        // ldh [20]: flags and fragment offset
    (0x45, 9, 0, 0x1fff),    // a later fragment? drop
    (0xb1, 0, 0, 14),        // ldx 4 * ([14] & 15): the header's length
    (0x48, 0, 0, 14),        // ldh [x + 14]: the source port
    (0x15, 5, 6, 53),        // the DNS server's? keep, else drop
    (0x15, 0, 5, 0x86dd),    // IPv6? else drop
    (0x30, 0, 0, 20),        // ldb [20]: the next header
    (0x15, 0, 3, 17),        // UDP? else drop
    (0x28, 0, 0, 54),        // ldh [54]: the source port
    (0x15, 0, 1, 53),        // the DNS server's? else drop
    (0x06, 0, 0, 0x0004_0000), // keep it whole
    (0x06, 0, 0, 0),         // drop
];

/// What comes in from the LAN for UDP port 5353 (multicast DNS), unfragmented, untagged; the router's own is not heard.
const ANNOUNCEMENTS: [(u16, u8, u8, u32); 18] = [
    (0x20, 0, 0, 0xffff_f004), // ld: the packet's type
    (0x15, 15, 0, 4),        // outgoing? drop
    (0x28, 0, 0, 12),        // ldh [12]: the EtherType
    (0x15, 0, 7, 0x0800),    // IPv4? else 11
    (0x30, 0, 0, 23),        // ldb [23]: its protocol
    (0x15, 0, 11, 17),       // UDP? else drop
    (0x28, 0, 0, 20),        // ldh [20]: flags and fragment offset
    (0x45, 9, 0, 0x1fff),    // a later fragment? drop
    (0xb1, 0, 0, 14),        // ldx 4 * ([14] & 15): the header's length
    (0x48, 0, 0, 16),        // ldh [x + 16]: the destination port
    (0x15, 5, 6, 5353),      // multicast DNS? keep, else drop
    (0x15, 0, 5, 0x86dd),    // IPv6? else drop
    (0x30, 0, 0, 20),        // ldb [20]: the next header
    (0x15, 0, 3, 17),        // UDP? else drop
    (0x28, 0, 0, 56),        // ldh [56]: the destination port
    (0x15, 0, 1, 5353),      // multicast DNS? else drop
    (0x06, 0, 0, 0x0004_0000), // keep it whole
    (0x06, 0, 0, 0),         // drop
];

/// The socket; reading it does not wait.
#[derive(Debug)]
pub(super) struct Packets(OwnedFd);

impl Packets {
    /// Hears every DHCP request that reaches the interface with this index.
    pub(super) fn open(index: u32) -> io::Result<Self> {
        Self::filtered(index, FILTER)
    }

    /// Hears every answer of a DNS server that leaves the interface with this index.
    pub(super) fn answers(index: u32) -> io::Result<Self> {
        Self::filtered(index, ANSWERS)
    }

    /// Hears every announcement that devices make on the interface with this index.
    pub(super) fn announcements(index: u32) -> io::Result<Self> {
        Self::filtered(index, ANNOUNCEMENTS)
    }

    fn filtered<const N: usize>(index: u32, filter: [(u16, u8, u8, u32); N]) -> io::Result<Self> {
        let protocol = u16::try_from(libc::ETH_P_ALL).unwrap_or(3).to_be();
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // Protocol 0: nothing is received before the filter is attached and the interface bound.
        // SAFETY: socket(2) takes numbers only; the result is checked before it is owned.
        let fd = unsafe {
            let fd = libc::socket(libc::AF_PACKET, kind, 0);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        let mut program = filter.map(|(code, jt, jf, k)| libc::sock_filter { code, jt, jf, k });
        let filter = libc::sock_fprog { len: u16::try_from(N).unwrap_or(0), filter: program.as_mut_ptr() };
        let length = |bytes: usize| libc::socklen_t::try_from(bytes).unwrap_or(0);
        // SAFETY: `filter` and the program it points to outlive the call, which copies them.
        let done = unsafe {
            libc::setsockopt(
                fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                (&raw const filter).cast(),
                length(size_of::<libc::sock_fprog>()),
            )
        };
        check(done)?;
        let address = libc::sockaddr_ll {
            sll_family: u16::try_from(libc::AF_PACKET).unwrap_or(17),
            sll_protocol: protocol,
            sll_ifindex: i32::try_from(index).unwrap_or(0),
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        // SAFETY: `address` is a whole `sockaddr_ll` and its length is given.
        let done =
            unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length(size_of::<libc::sockaddr_ll>())) };
        check(done)?;
        Ok(Self(fd))
    }

    /// One frame, from its Ethernet header on.
    pub(super) fn take<'a>(&self, room: &'a mut [u8]) -> io::Result<&'a [u8]> {
        let (length, _) = rustix::net::recv(&self.0, &mut *room, rustix::net::RecvFlags::empty())?;
        Ok(room.get(..length).unwrap_or_default())
    }
}

impl AsFd for Packets {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Packets {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Our kinds of sockets: each owns its descriptor, and never changes or gives it away.
pub(super) trait Socket: AsRawFd {}
impl Socket for Packets {}
impl Socket for super::socket::Netlink {}

/// Makes the runtime wait for a socket.
pub(super) fn wait_for<T: Socket>(socket: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: a `Socket` owns one descriptor that stays open and the same for as long as it lives.
    let registered = unsafe { AsyncFd::register(socket) };
    Ok(registered?)
}

fn check(done: libc::c_int) -> io::Result<()> {
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
