//! Which TCP sockets of this machine listen, and who holds them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::Command;

/// A socket that takes connections.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listener {
    pub port: u16,
    pub ip: IpAddr,
    /// The socket's inode, where the kernel says it.
    pub inode: Option<u64>,
}

impl Listener {
    /// Whether others than this machine can reach it.
    pub const fn is_exposed(&self) -> bool {
        match self.ip {
            IpAddr::V4(ip) => !ip.is_loopback(),
            IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
                Some(ip) => !ip.is_loopback(),
                None => !ip.is_loopback(),
            },
        }
    }
}

/// All of them, by port. `None`: this machine does not say.
pub fn listeners() -> Option<Vec<Listener>> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| std::fs::read_to_string(table).ok());
    let mut all: Vec<Listener> = if tables.iter().any(Option::is_some) {
        tables
            .into_iter()
            .flatten()
            .flat_map(|table| table.lines().skip(1).filter_map(line).collect::<Vec<_>>())
            .collect()
    } else {
        let output = Command::new("netstat").args(["-an", "-p", "tcp"]).output().ok()?;
        String::from_utf8_lossy(&output.stdout).lines().filter_map(bsd).collect()
    };
    all.sort();
    all.dedup_by_key(|listener| (listener.port, listener.ip));
    Some(all)
}

/// A line of proc_net_tcp: `sl local rem st … inode`; 0A is TCP_LISTEN (include/net/tcp_states.h).
fn line(line: &str) -> Option<Listener> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (address, port) = words.get(1)?.split_once(':')?;
    if *words.get(3)? != "0A" {
        return None;
    }
    let inode = words.get(9).and_then(|inode| inode.parse().ok());
    Some(Listener { port: u16::from_str_radix(port, 16).ok()?, ip: address_of(address)?, inode })
}

/// Words of 32 bits in the byte order of this machine.
fn address_of(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    if hex.len() == 8 {
        return Some(IpAddr::V4(Ipv4Addr::from(word(0)?)));
    }
    let bytes: Vec<u8> = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
    Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)))
}

/// A line of netstat(1) as BSD and macOS print it: `tcp4 0 0 127.0.0.1.4077 *.* LISTEN`.
fn bsd(line: &str) -> Option<Listener> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (family, local) = (*words.first()?, *words.get(3)?);
    if !family.starts_with("tcp") || words.last() != Some(&"LISTEN") {
        return None;
    }
    let (address, port) = local.rsplit_once('.')?;
    let address = address.split('%').next().unwrap_or(address);
    let ip = match address {
        "*" if family == "tcp6" => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        "*" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        address => address.parse().ok()?,
    };
    Some(Listener { port: port.parse().ok()?, ip, inode: None })
}

/// Which process holds the socket: `python3 (process 123)`, as far as it can be seen.
pub fn holder(listener: &Listener) -> Option<String> {
    let socket = format!("socket:[{}]", listener.inode?);
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let number = process.file_name().to_string_lossy().into_owned();
        let Ok(fds) = std::fs::read_dir(process.path().join("fd")) else { continue };
        let holds = fds
            .flatten()
            .any(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == socket.as_str()));
        if holds && number.bytes().all(|byte| byte.is_ascii_digit()) {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (process {number})", name.trim()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_saying_it_are_read() {
        let linux = line("   1: 0100007F:0FED 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1 0 100 0 0 10 0").unwrap();
        assert_eq!((linux.port, linux.is_exposed(), linux.inode), (4077, false, Some(4711)));
        let six = line("   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 5").unwrap();
        assert_eq!((six.port, six.ip, six.is_exposed()), (22, IpAddr::V6(Ipv6Addr::UNSPECIFIED), true));
        let mac = bsd("tcp46      0      0  *.8123                 *.*                    LISTEN").unwrap();
        assert_eq!((mac.port, mac.is_exposed()), (8123, true));
        let mac = bsd("tcp4       0      0  127.0.0.1.4077         *.*                    LISTEN").unwrap();
        assert_eq!((mac.port, mac.is_exposed()), (4077, false));
        assert_eq!(
            bsd("tcp4       0      0  127.0.0.1.4077         127.0.0.1.5000         ESTABLISHED"),
            None
        );
    }

    #[test]
    fn a_socket_of_this_process_is_found_with_its_holder() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let mine = listeners().unwrap().into_iter().find(|listener| listener.port == port).unwrap();
        assert!(holder(&mine).unwrap().contains(&std::process::id().to_string()));
    }
}
