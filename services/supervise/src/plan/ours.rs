//! Plans for the services of this binary.

use std::path::PathBuf;

use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Catalogue, Failure, Peers, Probe, exit};

use super::{Check, Plan};

/// The plans of a catalogue: every service but the supervisor itself and those that are disabled runs as
/// `<this program> run NAME`.
pub(crate) fn of_catalogue(
    catalogue: &'static Catalogue,
    peers: &Peers,
    disabled: &[String],
) -> Result<Vec<Plan>, Failure> {
    for name in disabled {
        if !catalogue.iter().any(|entry| entry.spec.name == name) {
            let known: Vec<_> = catalogue.iter().map(|entry| entry.spec.name).collect();
            let message = format!("`supervise.disabled` names `{name}`, which is no service");
            return Err(
                Hinted::new(exit::CONFIG, message, format!("Services are: {}.", known.join(", "))).into()
            );
        }
    }
    let program = this_program()?;
    let runs = |name: &str| name != "supervise" && !disabled.iter().any(|disabled| disabled == name);
    let plans = catalogue.iter().filter(|entry| runs(entry.spec.name)).map(|entry| {
        let spec = entry.spec;
        let address = peers.addr(spec.name);
        let ready = |addr| Check::Http { addr, path: "/ready".to_owned(), expect: String::new() };
        let probed = !matches!(spec.probe, Probe::Process);
        Plan {
            house_name: spec.house_name.to_owned(),
            summary: spec.summary.to_owned(),
            ours: true,
            args: vec!["run".into(), spec.name.into()],
            needs: spec.needs.iter().filter(|need| runs(need)).map(|&need| need.to_owned()).collect(),
            ready: address.map_or(Check::Process, ready),
            notify: address.is_some(),
            health: address.filter(|_| probed).map_or(Check::Process, |addr| Check::Health { addr }),
            grace: spec.grace,
            address,
            port: address.map(|address| address.port()).filter(|port| *port != 0),
            ..Plan::new(spec.name, program.clone())
        }
    });
    Ok(plans.collect())
}

/// Where this program is. After an upgrade Linux calls the old file `… (deleted)`; the new one is in its place.
pub(crate) fn this_program() -> Result<PathBuf, Failure> {
    let path = std::env::current_exe()?;
    let text = path.to_string_lossy();
    Ok(text.strip_suffix(" (deleted)").map_or_else(|| path.clone(), PathBuf::from))
}
