//! A UDP port answers a datagram.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use sanctum_kernel::inventory::check::Udp;
use tokio::net::UdpSocket;

use crate::answer::excerpt;
use crate::dial::split;
use crate::{Answer, Eyes};

/// One that got lost is sent again; nobody does it for us.
const AGAIN: Duration = Duration::from_secs(1);

pub(super) async fn look(eyes: &Eyes, udp: &Udp) -> Result<Answer, Answer> {
    let (host, port) = split(&udp.address)?;
    let socket = socket(eyes, host, port).await?;
    let silent = |error| Answer::of("no answer", &error);
    let mut answer = vec![0; 64 * 1024];
    loop {
        socket.send(udp.send.as_bytes()).await.map_err(silent)?;
        let Ok(received) = tokio::time::timeout(AGAIN, socket.recv(&mut answer)).await else { continue };
        let said = answer.get(..received.map_err(silent)?).unwrap_or_default();
        return match &udp.expect {
            Some(expect) if !String::from_utf8_lossy(said).contains(expect.as_str()) => {
                Err(Answer::fail(format!("answers `{}` instead of `{expect}`", excerpt(said))))
            }
            _ => Ok(Answer::pass("answers")),
        };
    }
}

/// A socket that hears only `host:port`.
pub(super) async fn socket(eyes: &Eyes, host: &str, port: u16) -> Result<UdpSocket, Answer> {
    let addrs = eyes.names.resolve(host).await?;
    let ip = addrs.first().copied().ok_or_else(|| Answer::fail(format!("`{host}` has no address")))?;
    let any: IpAddr = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await;
    let socket =
        socket.map_err(|error| Answer::unknown(format!("there is no socket to ask with: {error}")))?;
    let connected = socket.connect(SocketAddr::new(ip, port)).await;
    connected.map_err(|error| Answer::of(&format!("{host}:{port} cannot be reached"), &error))?;
    Ok(socket)
}
