//! A machine answers to ping (RFC 792, RFC 4443), through a socket for which no root is needed.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, ipproto};
use sanctum_kernel::inventory::check::Icmp;
use sanctum_kernel::trace::random;
use tokio::net::UdpSocket;

use crate::{Answer, Eyes};

/// One that got lost is sent again.
const AGAIN: Duration = Duration::from_secs(1);

pub(super) async fn look(eyes: &Eyes, icmp: &Icmp) -> Result<Answer, Answer> {
    let addrs = eyes.names.resolve(&icmp.host).await?;
    let ip = addrs.first().copied().ok_or_else(|| Answer::fail(format!("`{}` has no address", icmp.host)))?;
    let socket = socket(ip).map_err(|errno| match errno {
        Errno::ACCESS | Errno::PERM | Errno::PROTONOSUPPORT => Answer::unknown(
            "the kernel lets us send no ping; allow it with `sysctl -w net.ipv4.ping_group_range=\"0 2147483647\"`",
        ),
        errno => Answer::unknown(format!("there is no socket to ping with: {errno}")),
    })?;
    let socket =
        UdpSocket::from_std(socket).map_err(|error| Answer::unknown(format!("cannot ping: {error}")))?;
    let silent = |error| Answer::of("no answer to ping", &error);
    // What comes back is told from other people's by these.
    let mark = random::<16>();
    let kind = if ip.is_ipv4() { 8 } else { 128 };
    for sequence in 1_u16.. {
        let [high, low] = sequence.to_be_bytes();
        // The kernel fills in the checksum and the number of the socket.
        let mut echo = vec![kind, 0, 0, 0, 0, 0, high, low];
        echo.extend_from_slice(&mark);
        correct(&mut echo);
        socket.send(&echo).await.map_err(silent)?;
        let heard = tokio::time::timeout(AGAIN, reply(&socket, &mark, kind)).await;
        if let Ok(heard) = heard {
            return heard.map(|()| Answer::pass(format!("{ip} answers to ping"))).map_err(silent);
        }
    }
    Err(Answer::fail("no answer to ping"))
}

/// A datagram socket of another protocol, which is used as those of UDP are.
fn socket(ip: IpAddr) -> Result<std::net::UdpSocket, Errno> {
    let (family, protocol) = match ip {
        IpAddr::V4(_) => (AddressFamily::INET, ipproto::ICMP),
        IpAddr::V6(_) => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    let socket = rustix::net::socket(family, SocketType::DGRAM, Some(protocol))?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::net::connect(&socket, &SocketAddr::new(ip, 0))?;
    Ok(socket.into())
}

async fn reply(socket: &UdpSocket, mark: &[u8; 16], kind: u8) -> io::Result<()> {
    let mut heard = [0; 1024];
    loop {
        let count = socket.recv(&mut heard).await?;
        let heard = heard.get(..count).unwrap_or_default();
        // Our own question, which a socket on this machine may hear as well, is not an answer.
        let echoed = heard.len() == mark.len() + 8 && heard.first() == Some(&kind);
        if !echoed && heard.ends_with(mark) {
            return Ok(());
        }
    }
}

/// The checksum of RFC 1071, for kernels that do not fill it in.
fn correct(echo: &mut [u8]) {
    let words = echo.chunks(2).map(|pair| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    let [.., high, low] = (!sum).to_be_bytes();
    if let [_, _, first, second, ..] = echo {
        (*first, *second) = (high, low);
    }
}
