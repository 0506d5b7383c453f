//! Packets as the kernel saw them: a raw socket on one interface, with the kernel's own time stamps.

use std::ffi::CString;
use std::io;
use std::mem::{MaybeUninit, size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use rustix::net::sockopt;

/// What a burst of a second may need, so that the tap itself loses nothing.
const BUFFER: usize = 16 * 1024 * 1024;

/// Everything that comes and goes on one interface of the calling thread's network namespace.
#[derive(Debug)]
pub(crate) struct Tap(OwnedFd);

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caught {
    /// When the kernel had it, in nanoseconds since 1970.
    pub(crate) at: i64,
    /// It was on its way out of this interface.
    pub(crate) outgoing: bool,
    /// It was addressed to somebody else and only flooded here.
    pub(crate) foreign: bool,
    /// Bytes of it in the buffer.
    pub(crate) len: usize,
}

#[expect(unsafe_code, reason = "packet(7) sockets have no safe binding that carries kernel time stamps")]
impl Tap {
    /// Opens a tap on `interface`, as packet(7) has it.
    pub(crate) fn open(interface: &str) -> io::Result<Self> {
        let name = CString::new(interface)?;
        // SAFETY: `name` is a NUL-terminated string that lives through the call.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        if index == 0 {
            return Err(io::Error::last_os_error());
        }
        // Protocol 0 until bound: otherwise it would first hear every interface.
        // SAFETY: no pointers are passed.
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and belongs to nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let on: libc::c_int = 1;
        // SAFETY: the option's value is a c_int that lives through the call.
        let stamped = unsafe {
            libc::setsockopt(
                fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_TIMESTAMPNS,
                (&raw const on).cast(),
                length::<libc::c_int>(),
            )
        };
        // SAFETY: all zeroes is a valid sockaddr_ll.
        let mut addr: libc::sockaddr_ll = unsafe { zeroed() };
        addr.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
        addr.sll_protocol = u16::try_from(libc::ETH_P_ALL).unwrap_or_default().to_be();
        addr.sll_ifindex = libc::c_int::try_from(index).unwrap_or_default();
        // SAFETY: the address is a complete sockaddr_ll of the length that is passed.
        let bound =
            unsafe { libc::bind(fd.as_raw_fd(), (&raw const addr).cast(), length::<libc::sockaddr_ll>()) };
        if stamped != 0 || bound != 0 {
            return Err(io::Error::last_os_error());
        }
        sockopt::set_socket_recv_buffer_size_force(&fd, BUFFER)?;
        sockopt::set_socket_timeout(&fd, sockopt::Timeout::Recv, Some(Duration::from_millis(100)))?;
        Ok(Self(fd))
    }

    /// The next frame; `None` if there was none for a tenth of a second.
    pub(crate) fn next(&self, buffer: &mut [u8]) -> io::Result<Option<Caught>> {
        // SAFETY: all zeroes is a valid sockaddr_ll and a valid msghdr.
        let (mut from, mut message): (libc::sockaddr_ll, libc::msghdr) = unsafe { (zeroed(), zeroed()) };
        let mut control = MaybeUninit::<[u64; 16]>::uninit();
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        message.msg_name = (&raw mut from).cast();
        message.msg_namelen = length::<libc::sockaddr_ll>();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of::<[u64; 16]>();
        // SAFETY: every pointer in `message` is to something that lives through the call, with its length.
        let len = unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut message, 0) };
        let Ok(len) = usize::try_from(len) else {
            let error = io::Error::last_os_error();
            // An interface that goes down says so once and stays bound.
            let quiet = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
                || error.raw_os_error() == Some(libc::ENETDOWN);
            return if quiet { Ok(None) } else { Err(error) };
        };
        // SAFETY: `message` was filled by recvmsg.
        let at = unsafe { stamp(&message) }.unwrap_or_else(crate::now);
        let outgoing = from.sll_pkttype == libc::PACKET_OUTGOING;
        let foreign = from.sll_pkttype == libc::PACKET_OTHERHOST;
        Ok(Some(Caught { at, outgoing, foreign, len: len.min(buffer.len()) }))
    }

    /// Frames that came too fast for this tap since it was last asked: whoever counts must know.
    pub(crate) fn lost(&self) -> u32 {
        // SAFETY: all zeroes is a valid tpacket_stats.
        let mut stats: libc::tpacket_stats = unsafe { zeroed() };
        let mut len = length::<libc::tpacket_stats>();
        // SAFETY: the value and its length live through the call.
        let got = unsafe {
            libc::getsockopt(
                self.0.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut stats).cast(),
                &raw mut len,
            )
        };
        if got == 0 { stats.tp_drops } else { 0 }
    }
}

/// The kernel's time stamp, if the message carries one.
///
/// # Safety
/// `message` must have been filled by `recvmsg`, with its control buffer still alive.
#[expect(unsafe_code, reason = "control messages are walked by pointer")]
unsafe fn stamp(message: &libc::msghdr) -> Option<i64> {
    // SAFETY: as promised by the caller.
    let mut at = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !at.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR give whole headers or null.
        let header = unsafe { at.read_unaligned() };
        if header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SCM_TIMESTAMPNS {
            // SAFETY: a control message of this type carries a timespec.
            let time: libc::timespec =
                unsafe { libc::CMSG_DATA(at).cast::<libc::timespec>().read_unaligned() };
            return Some(time.tv_sec * 1_000_000_000 + time.tv_nsec);
        }
        // SAFETY: `at` is a header of `message`.
        at = unsafe { libc::CMSG_NXTHDR(message, at) };
    }
    None
}

fn length<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or_default()
}

/// The kernel's news about its rules (nfnetlink group 7), as raw messages.
#[derive(Debug)]
pub(crate) struct Rules(OwnedFd);

#[expect(unsafe_code, reason = "netlink multicast groups need a bound sockaddr_nl")]
impl Rules {
    /// `NFNLGRP_NFTABLES` of linux/netfilter/nfnetlink.h.
    const GROUP: u32 = 7;

    /// Follows the rules of the calling thread's network namespace.
    pub(crate) fn open() -> io::Result<Self> {
        // SAFETY: no pointers are passed.
        let fd = unsafe {
            libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_NETFILTER)
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and belongs to nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: all zeroes is a valid sockaddr_nl.
        let mut addr: libc::sockaddr_nl = unsafe { zeroed() };
        addr.nl_family = u16::try_from(libc::AF_NETLINK).unwrap_or_default();
        addr.nl_groups = 1 << (Self::GROUP - 1);
        // SAFETY: the address is a complete sockaddr_nl of the length that is passed.
        if unsafe { libc::bind(fd.as_raw_fd(), (&raw const addr).cast(), length::<libc::sockaddr_nl>()) } != 0
        {
            return Err(io::Error::last_os_error());
        }
        sockopt::set_socket_recv_buffer_size_force(&fd, BUFFER)?;
        sockopt::set_socket_timeout(&fd, sockopt::Timeout::Recv, Some(Duration::from_millis(100)))?;
        Ok(Self(fd))
    }

    /// The next datagram's length; `None` if there was none for a tenth of a second.
    pub(crate) fn next(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        match rustix::net::recv(&self.0, buffer, rustix::net::RecvFlags::empty()) {
            Ok((len, _)) => Ok(Some(len)),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR | rustix::io::Errno::NOBUFS) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
