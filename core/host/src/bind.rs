//! All sockets first, before anything is built: a port that is taken is found while nothing has happened yet.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};

use sanctum_kernel::{Catalogue, Spec, exit};
use sanctum_settings::Loaded;

/// The sockets of the services that will run, and everybody's address.
#[derive(Debug)]
pub struct Bound {
    sockets: BTreeMap<(&'static str, &'static str), TcpListener>,
    /// Where each service's listener `http` is, also of services that run elsewhere.
    pub addrs: BTreeMap<String, SocketAddr>,
}

/// Which socket could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("{service} cannot listen on {addr} (its listener `{listener}`)")]
pub struct BindError {
    service: &'static str,
    listener: &'static str,
    addr: SocketAddr,
    #[source]
    source: std::io::Error,
}

impl BindError {
    /// The way out, and the exit code.
    pub fn hint(&self) -> (String, u8) {
        let holder = sanctum_kernel::process::listener(self.addr.port())
            .map(|holder| format!(" It is held by {holder}."))
            .unwrap_or_default();
        match self.source.kind() {
            std::io::ErrorKind::AddrInUse => (
                format!(
                    "something else listens on port {}.{holder} End it, or give {} another port: `[listen]` `{} = \"127.0.0.1:…\"` in sanctum.toml",
                    self.addr.port(),
                    self.service,
                    self.service
                ),
                exit::UNAVAILABLE,
            ),
            std::io::ErrorKind::PermissionDenied => {
                ("ports below 1024 need root, or another port in `[listen]`".to_owned(), exit::NO_PERMISSION)
            }
            _ => ("check the address in `[listen]` of sanctum.toml".to_owned(), exit::UNAVAILABLE),
        }
    }
}

impl Bound {
    /// Binds every listener of the services in `names`.
    pub fn bind(
        catalogue: &'static Catalogue,
        loaded: &Loaded,
        names: &[&'static str],
    ) -> Result<Self, BindError> {
        let mut bound = Self { sockets: BTreeMap::new(), addrs: loaded.addresses() };
        for spec in catalogue.iter().map(|entry| entry.spec).filter(|spec| names.contains(&spec.name)) {
            for listen in spec.listen {
                let default = SocketAddr::from(([127, 0, 0, 1], listen.port));
                let addr = loaded.address(spec.name, listen.name).unwrap_or(default);
                let failed = |source| BindError { service: spec.name, listener: listen.name, addr, source };
                let socket = TcpListener::bind(addr).map_err(failed)?;
                if listen.name == "http" {
                    bound.addrs.insert(spec.name.to_owned(), socket.local_addr().map_err(failed)?);
                }
                bound.sockets.insert((spec.name, listen.name), socket);
            }
        }
        Ok(bound)
    }

    /// The sockets of one service, to hand to one instance of it; the host keeps its own for the next.
    pub fn sockets(&self, spec: &Spec) -> std::io::Result<BTreeMap<&'static str, TcpListener>> {
        let own = self.sockets.iter().filter(|((service, _), _)| *service == spec.name);
        own.map(|((_, listener), socket)| Ok((*listener, socket.try_clone()?))).collect()
    }
}
