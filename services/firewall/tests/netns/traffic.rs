//! Devices that talk: TCP and UDP, both directions at once, counted by the receiving kernel.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::lab::{INTERNET4, INTERNET6, Lab};

/// Stops every talker when it goes.
pub(crate) struct Talk(Arc<AtomicBool>);

impl Drop for Talk {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Starts servers in the internet and a device that talks to them on four flows: TCP and UDP, v4 and v6.
pub(crate) fn talk(lab: &Lab, part: &str, port: u16) -> Talk {
    let over = Arc::new(AtomicBool::new(false));
    count(lab, part, "sport", port);
    count(lab, "in", "dport", port);
    for host in [INTERNET4, INTERNET6] {
        let at: SocketAddr = (host.parse::<std::net::IpAddr>().unwrap(), port).into();
        let (ready, bound) = std::sync::mpsc::channel();
        let stop = Arc::clone(&over);
        drop(lab.inside("in", move || {
            let (tcp, udp) = (TcpListener::bind(at).unwrap(), UdpSocket::bind(at).unwrap());
            ready.send(()).unwrap();
            let end = Arc::clone(&stop);
            std::thread::spawn(move || echo(&udp, &end));
            tcp.set_nonblocking(true).unwrap();
            while !stop.load(Ordering::Relaxed) {
                match tcp.accept() {
                    Ok((stream, _)) => both_ways(stream, &stop),
                    Err(_) => nap(),
                }
            }
        }));
        bound.recv().unwrap();
        let stop = Arc::clone(&over);
        drop(lab.inside(part, move || {
            let any = if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let udp = UdpSocket::bind(any).unwrap();
            let end = Arc::clone(&stop);
            std::thread::spawn(move || {
                while !end.load(Ordering::Relaxed) {
                    let _sent = udp.send_to(&[1; 200], at);
                    nap();
                }
            });
            if let Ok(stream) = TcpStream::connect_timeout(&at, Duration::from_secs(5)) {
                both_ways(stream, &stop);
            }
        }));
    }
    Talk(over)
}

/// A server that plays: once asked, it sends on and on, as a download over QUIC would.
fn echo(udp: &UdpSocket, over: &AtomicBool) {
    udp.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
    let (mut room, mut listener) = ([0; 2048], None);
    while !over.load(Ordering::Relaxed) {
        if let Ok((_, from)) = udp.recv_from(&mut room) {
            listener = Some(from);
        }
        if let Some(to) = listener
            && udp.send_to(&[2; 900], to).is_err()
        {}
    }
}

fn both_ways(stream: TcpStream, over: &Arc<AtomicBool>) {
    let (mut reader, end) = (stream.try_clone().unwrap(), Arc::clone(over));
    std::thread::spawn(move || {
        let mut room = [0; 4096];
        while !end.load(Ordering::Relaxed) && reader.read(&mut room).is_ok_and(|count| count > 0) {}
    });
    let (mut writer, end) = (stream, Arc::clone(over));
    writer.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    std::thread::spawn(move || {
        while !end.load(Ordering::Relaxed) {
            let _sent = writer.write_all(&[3; 700]);
            nap();
        }
    });
}

#[expect(clippy::disallowed_methods, reason = "a device that talks at a pace, not a test that waits")]
fn nap() {
    std::thread::sleep(Duration::from_millis(3));
}

/// Counts what arrives on the four flows, in the kernel of the receiver: sockets' buffers play no part. A reset is
/// the router's own answer for a connection it no longer tracks.
fn count(lab: &Lab, part: &str, side: &str, port: u16) {
    let rules: String = ["ipv4", "ipv6"]
        .map(|nf| {
            let tcp = format!(
                "meta nfproto {nf} tcp {side} {port} tcp flags & rst == 0 counter comment \"tcp{nf}\";"
            );
            format!(" {tcp} meta nfproto {nf} udp {side} {port} counter comment \"udp{nf}\";")
        })
        .concat();
    lab.nft(
        part,
        &format!("table inet count{port} {{ chain c {{ type filter hook input priority 0;{rules} }}; }}"),
    );
}

/// Packets that arrived so far on each of the four flows.
pub(crate) fn counts(lab: &Lab, part: &str, port: u16) -> Vec<u64> {
    let text = lab.exec(part, &["nft", "list", "table", "inet", &format!("count{port}")]);
    let counters = text.lines().filter_map(|line| line.split("counter packets ").nth(1));
    let counts: Vec<u64> = counters.map(|rest| rest.split(' ').next().unwrap().parse().unwrap()).collect();
    assert_eq!(counts.len(), 4, "{text}");
    counts
}
