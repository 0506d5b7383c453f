//! Telling whoever started this process how it is: sd_notify(3), as systemd and our own supervisor understand it.

use std::os::unix::net::UnixDatagram;

/// Sends `KEY=VALUE` lines to the socket that `NOTIFY_SOCKET` names. Nobody may be listening; that is fine.
pub fn announce(text: &str) {
    let Some(address) = std::env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty()) else {
        return;
    };
    if let Err(error) = send(&address, text) {
        tracing::debug!(%error, "nobody hears how this process is");
    }
}

fn send(address: &std::ffi::OsStr, text: &str) -> std::io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    // A full queue of a reader that hangs must not hang this process.
    socket.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    if let Some(name) = std::os::unix::ffi::OsStrExt::as_bytes(address).strip_prefix(b"@") {
        use std::os::linux::net::SocketAddrExt;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
        return socket.send_to_addr(text.as_bytes(), &address).map(drop);
    }
    socket.send_to(text.as_bytes(), address).map(drop)
}
