//! `sanctum ports`: the port register, computed from the catalogue and the file.

use sanctum_kernel::exit;
use sanctum_kernel::inventory::Plane;
use serde::Serialize;

use crate::CATALOGUE;
use crate::cli::{Cli, Outcome};

/// Every socket of the house: its address, its service and the reason of its number; ours first, then those that the file
/// declares.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Debug, Serialize)]
struct Port {
    service: String,
    house_name: String,
    listener: &'static str,
    address: String,
    lore: String,
    /// Part of this binary.
    ours: bool,
}

pub(crate) fn run(_: Args, cli: &Cli) -> Outcome {
    // Without a file the register is the one of the defaults.
    let loaded = if cli.paths.config().exists() { Some(cli.settings()?) } else { None };
    let ours = CATALOGUE
        .iter()
        .flat_map(|entry| entry.spec.listen.iter().map(move |listen| (entry.spec, listen)))
        .map(|(spec, listen)| {
            let configured = loaded.as_ref().and_then(|loaded| loaded.address(spec.name, listen.name));
            let address = configured.map_or_else(|| format!("127.0.0.1:{}", listen.port), |addr| addr.to_string());
            Port { service: spec.name.to_owned(), house_name: spec.house_name.to_owned(), listener: listen.name, address, lore: listen.lore.to_owned(), ours: true }
        });
    let foreign = loaded.iter().flat_map(|loaded| &loaded.house.service).filter_map(|(name, declared)| {
        let house_name = declared.name.clone().unwrap_or_else(|| name.clone());
        let place = match declared.plane {
            Plane::Host => "",
            Plane::Guest => "guest",
            Plane::Outside => "outside",
        };
        let address = format!("{place}:{}", declared.port?);
        Some(Port { service: name.clone(), house_name, listener: "http", address, lore: declared.summary.clone(), ours: false })
    });
    let ports: Vec<Port> = ours.chain(foreign).collect();
    cli.show(&ports, |out, paint| {
        for port in &ports {
            let service = if port.listener == "http" { port.service.clone() } else { format!("{}.{}", port.service, port.listener) };
            writeln!(out, "{:<22} {} {:<18} {}", port.address, paint.bold(format!("{service:<12}")), port.house_name, paint.dim(&port.lore))?;
        }
        Ok(())
    })?;
    Ok(exit::OK)
}
