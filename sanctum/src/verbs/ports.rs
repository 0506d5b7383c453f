//! `sanctum ports`: the port register, computed from the catalogue and the file.

use sanctum_kernel::exit;
use serde::Serialize;

use crate::CATALOGUE;
use crate::cli::{Cli, Outcome};

/// Every socket of the house: its address, its service and the reason of its number.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Debug, Serialize)]
struct Port {
    service: &'static str,
    house_name: &'static str,
    listener: &'static str,
    address: String,
    lore: &'static str,
}

pub(crate) fn run(_: Args, cli: &Cli) -> Outcome {
    // Without a file the register is the one of the defaults.
    let loaded = if cli.paths.config().exists() { Some(cli.settings()?) } else { None };
    let ports: Vec<Port> = CATALOGUE
        .iter()
        .flat_map(|entry| entry.spec.listen.iter().map(move |listen| (entry.spec, listen)))
        .map(|(spec, listen)| {
            let configured = loaded.as_ref().and_then(|loaded| loaded.address(spec.name, listen.name));
            let address = configured.map_or_else(|| format!("127.0.0.1:{}", listen.port), |addr| addr.to_string());
            Port { service: spec.name, house_name: spec.house_name, listener: listen.name, address, lore: listen.lore }
        })
        .collect();
    cli.show(&ports, |out, paint| {
        for port in &ports {
            let service = if port.listener == "http" { port.service.to_owned() } else { format!("{}.{}", port.service, port.listener) };
            writeln!(out, "{:<22} {} {:<18} {}", port.address, paint.bold(format!("{service:<12}")), port.house_name, paint.dim(port.lore))?;
        }
        Ok(())
    })?;
    Ok(exit::OK)
}
