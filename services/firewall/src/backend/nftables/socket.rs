//! A netlink socket: whole exchanges, with the kernel's answer to each.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_recv_buffer_size, set_socket_timeout};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, getsockname, recv, send, socket_with};

use super::wire::{Builder, DONE, INTERRUPTED, Message, messages};

/// The kernel answers in microseconds; this long it does not answer at all.
const SILENCE: Duration = Duration::from_secs(3);
/// Larger than any batch the kernel sends at once (NLMSG_GOODSIZE is at most 32 KiB).
const ROOM: usize = 256 * 1024;
/// How often a dump that was interrupted by a change is begun anew.
const TRIES: u8 = 8;

/// The socket.
#[derive(Debug)]
pub(super) struct Netlink {
    fd: OwnedFd,
    seq: u32,
    port: u32,
    room: Vec<u8>,
}

impl Netlink {
    /// For requests and answers.
    pub(super) fn open(protocol: Option<Protocol>) -> io::Result<Self> {
        let netlink = Self::bound(protocol, 0, SocketFlags::CLOEXEC)?;
        set_socket_timeout(&netlink.fd, Timeout::Recv, Some(SILENCE))?;
        Ok(netlink)
    }

    /// For what the kernel tells by itself, in these groups (a bit mask).
    pub(super) fn listen(protocol: Option<Protocol>, groups: u32) -> io::Result<Self> {
        let netlink = Self::bound(protocol, groups, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
        // A burst of a whole house arriving at once fits; an overrun is noticed and made good.
        set_socket_recv_buffer_size(&netlink.fd, ROOM * 4)?;
        Ok(netlink)
    }

    fn bound(protocol: Option<Protocol>, groups: u32, flags: SocketFlags) -> io::Result<Self> {
        let fd = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        bind(&fd, &SocketAddrNetlink::new(0, groups))?;
        let port = SocketAddrNetlink::try_from(getsockname(&fd)?)?.pid();
        Ok(Self { fd, seq: 1, port, room: vec![0; ROOM] })
    }

    /// Its port: what it asked for is reported to others under this number.
    pub(super) const fn port(&self) -> u32 {
        self.port
    }

    /// The number of the next request; `count` of them are used.
    pub(super) const fn next(&mut self, count: u32) -> u32 {
        let seq = self.seq;
        self.seq = self.seq.wrapping_add(count);
        seq
    }

    /// What has arrived.
    pub(super) fn take(&mut self) -> io::Result<&[u8]> {
        let (length, _) = recv(&self.fd, &mut self.room[..], RecvFlags::empty())?;
        Ok(self.room.get(..length).unwrap_or_default())
    }

    /// Sends, and waits for the acknowledgement of `count` messages numbered from `first`. The first refusal
    /// is returned, after all have been heard.
    pub(super) fn acknowledged(&mut self, request: &Builder, first: u32, count: u32) -> io::Result<()> {
        self.send(request)?;
        let mut waiting = count;
        let mut refused = None;
        while waiting > 0 {
            let received = self.take()?;
            for message in messages(received) {
                // The answer to the beginning of a batch has the number before the first: the whole is refused.
                let whole = message.seq.wrapping_add(1) == first;
                let mine = message.seq.wrapping_sub(first) < count;
                let Some(code) = message.errno().filter(|_| mine || whole) else { continue };
                if code != 0 {
                    refused.get_or_insert(code);
                }
                waiting = if whole { 0 } else { waiting.saturating_sub(1) };
            }
        }
        refused.map_or(Ok(()), |code| Err(io::Error::from_raw_os_error(code)))
    }

    /// Sends one request for one object, and reads the answer.
    pub(super) fn one<T>(&mut self, request: &Builder, seq: u32, mut read: impl FnMut(&Message<'_>) -> Option<T>) -> io::Result<Option<T>> {
        self.send(request)?;
        loop {
            let received = self.take()?;
            if let Some(message) = messages(received).find(|message| message.seq == seq) {
                match message.errno() {
                    Some(0) => return Ok(None),
                    Some(code) => return Err(io::Error::from_raw_os_error(code)),
                    None => return Ok(read(&message)),
                }
            }
        }
    }

    /// Sends one request for everything, and reads the answers; begins anew if it changed in between.
    pub(super) fn dump<T>(&mut self, build: impl Fn(&mut Builder, u32), mut read: impl FnMut(&Message<'_>, &mut Vec<T>)) -> io::Result<Vec<T>> {
        for _ in 0..TRIES {
            let seq = self.next(1);
            let mut request = Builder::default();
            build(&mut request, seq);
            self.send(&request)?;
            let mut found = Vec::new();
            if self.dumped(seq, |message| read(message, &mut found))? {
                return Ok(found);
            }
        }
        Err(io::Error::other("it kept changing while it was read"))
    }

    fn dumped(&mut self, seq: u32, mut read: impl FnMut(&Message<'_>)) -> io::Result<bool> {
        let mut whole = true;
        loop {
            let received = self.take()?;
            for message in messages(received).filter(|message| message.seq == seq) {
                whole &= message.flags & INTERRUPTED == 0;
                match message.errno() {
                    Some(0) => return Ok(whole),
                    Some(code) if code == libc::EINTR => return Ok(false),
                    Some(code) => return Err(io::Error::from_raw_os_error(code)),
                    None if message.kind == DONE => return Ok(whole),
                    None => read(&message),
                }
            }
        }
    }

    fn send(&self, request: &Builder) -> io::Result<()> {
        send(&self.fd, request.bytes(), SendFlags::empty())?;
        Ok(())
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Netlink {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}
