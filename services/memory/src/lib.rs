//! Holocron: what the house remembers. Markdown files are the truth; the index can be thrown away.

mod api;
mod audit;
mod config;
mod consolidate;
mod exchange;
mod gate;
mod guests;
mod history;
mod index;
mod ingest;
mod library;
mod mcp;
mod model;
#[expect(dead_code, reason = "the parts that use it are being built")]
mod recall;
mod vault;

use std::net::TcpListener;

use sanctum_kernel::chain::Hinted;
use sanctum_kernel::service::{Complaint, Shared};
use sanctum_kernel::{
    Call, Context, Failure, Guest, House, Latch, Listen, OnError, Probe, Right, Service, Spec, Stop, Tier,
    exit,
};

pub use config::Config;
pub use recall::bare;

use history::History;
use index::Index;
use library::{Keeping, Library, Parts, keeper};
use recall::Recall;
use vault::Vault;

/// The memory of the house.
#[derive(Debug)]
pub struct Memory {
    library: Library,
    latch: Latch,
    listener: TcpListener,
}

impl Service for Memory {
    const SPEC: Spec = Spec {
        name: "memory",
        house_name: "Holocron",
        aliases: &["sanctum-memory", "memory-vault"],
        summary: "what the house remembers: notes as files, found by words and by meaning",
        listen: &[Listen { name: "http", port: 42069, lore: "the number nobody forgets" }],
        probe: Probe::Http { listen: "http", path: "/health", expect: "\"status\":\"well\"" },
        calls: &[Call { to: "notify", right: Right::Act }, Call { to: "proxy", right: Right::Act }],
        guests: &[Guest { from: "proxy", right: Right::Act }],
        tier: Tier::Important,
        ..Spec::DEFAULT
    };
    type Config = Config;

    fn check(config: &Config, _: &House) -> Vec<Complaint> {
        config.complaints()
    }

    async fn build(mut cx: Context<Config>) -> Result<Self, Failure> {
        let listener = cx.listener("http")?;
        let Context { config, house, shared, latch, .. } = cx;
        let library = open(config, &house, shared).await?;
        Ok(Self { library, latch, listener })
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        let Self { library, latch, listener } = self;
        let app = api::routes(&library, listener.local_addr()?)?;
        let tasks = library.shared().tasks.clone();
        let (reader, timer) = (library.clone(), library.clone());
        tasks.spawn("ingest", OnError::Stop, |stop| ingest::read::run(reader, stop));
        tasks.spawn("consolidation", OnError::Log, |stop| consolidate::timer::run(timer, stop));
        tasks.spawn("vault", OnError::Stop, |stop| keeper::run(library, latch, stop));
        sanctum_http::serve(listener, app, stop).await?;
        Ok(())
    }
}

async fn open(config: Config, house: &House, shared: Shared) -> Result<Library, Failure> {
    let root = config.vault.clone().unwrap_or_else(|| shared.paths.home().join("vault"));
    let zone = house.house.timezone.tz();
    let vault = Vault { root, zone, most: config.longest_note.0 };
    if let Err(error) = vault.prepare() {
        let hint = "give the user who runs the house the right to write there, or name another folder with `[memory] vault`";
        return Err(Hinted::new(exit::CANNOT_CREATE, "could not make the vault", hint).because(error).into());
    }
    let (index, mended) = Index::open(&shared.paths.state()).map_err(sanctum_store::StoreError::hinted)?;
    if let Some(why) = &mended {
        tracing::warn!(why, "the index was put aside, and is made again from the files");
    }
    let mended = mended.map(|why| format!("made again from the files, because {why}"));
    // The folder in the house's home is nobody's own, even if the home is in somebody's repository.
    let nested = config.vault.is_some();
    let history = History::begin(&vault.root, nested, config.git.on, &shared).await;
    let recall = Recall::open(&shared, &config.recall).await;
    let keeping = Keeping::open(&config, &shared).map_err(sanctum_store::StoreError::hinted)?;
    Ok(Library::new(Parts { config, shared, vault, index, history, recall, keeping, mended }))
}
