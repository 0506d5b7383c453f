//! Connections to what is near, which stand before anybody has to wait for them.
//!
//! On one machine the three-way handshake is over when the first `connect` returns, although it says that it is under way. Asking
//! again costs less than waiting to be told, by half of all that a look at a port costs.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketType};
use tokio::net::TcpStream;

/// A connection that stands. Nothing waits for it yet, or somebody has had to.
#[derive(Debug)]
pub(crate) enum Line {
    Quick(std::net::TcpStream),
    Slow(TcpStream),
}

/// How far one has come at once.
#[derive(Debug)]
pub(crate) enum Begun {
    Stands(std::net::TcpStream),
    Waits(std::net::TcpStream),
}

impl Line {
    /// Says what fits at once; how much that was.
    pub(crate) fn say(&self, text: &[u8]) -> io::Result<usize> {
        let Self::Quick(stream) = self else { return Ok(0) };
        let mut stream = stream;
        match stream.write(text) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            said => said,
        }
    }

    /// For those who wait.
    pub(crate) fn stream(self) -> io::Result<TcpStream> {
        match self {
            Self::Quick(stream) => TcpStream::from_std(stream),
            Self::Slow(stream) => Ok(stream),
        }
    }
}

/// Begins a connection. What cannot be reached at all is an error now.
pub(crate) fn begin(at: SocketAddr) -> io::Result<Begun> {
    let socket = socket(if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 })?;
    let mut tried = net::connect(&socket, &at);
    if tried == Err(Errno::INPROGRESS) {
        tried = net::connect(&socket, &at);
    }
    match tried {
        Ok(()) | Err(Errno::ISCONN) => Ok(Begun::Stands(socket.into())),
        Err(Errno::INPROGRESS | Errno::ALREADY | Errno::INTR) => Ok(Begun::Waits(socket.into())),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(target_os = "linux")]
fn socket(family: AddressFamily) -> io::Result<OwnedFd> {
    let flags = net::SocketFlags::NONBLOCK | net::SocketFlags::CLOEXEC;
    Ok(net::socket_with(family, SocketType::STREAM, flags, None)?)
}

#[cfg(not(target_os = "linux"))]
fn socket(family: AddressFamily) -> io::Result<OwnedFd> {
    let socket = net::socket(family, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn what_is_near_stands_at_once_and_what_is_not_there_is_refused_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        assert!(matches!(begin(at), Ok(Begun::Stands(_))));
        drop(listener);
        assert_eq!(begin(at).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
