//! `sanctum demo`: the night at 02:47 with a simulated router, for real in everything else.

mod phone;
mod story;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::date;
use sanctum_api::Transport;
use sanctum_api::firewall::Fault;
use sanctum_host::{Plan, Running, start};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::peers::read_token;
use sanctum_kernel::{Clock, Failure, Paths, Peer, Zone, exit};
use secrecy::ExposeSecret;

use crate::CATALOGUE;
use crate::cli::{Cli, Outcome};
use crate::paint::Paint;
use crate::run::{in_one_process, runtime};

/// A console joins the Wi-Fi at 02:47, in a house of its own: a temporary directory, free ports, a simulated
/// router, and a clock that shows that night. Needs no root and changes nothing on this machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "Faults of the router:\n  lies         says that it blocked, and did nothing\n  forgets      blocks, and drops the block a moment later\n  leaks        has the block, and packets pass\n  slow         answers late; the story takes seconds longer\n  refuses      refuses every change\n  unreachable  does not answer\n\nExamples:\n  sanctum demo                  the story, then the dashboard to look at\n  sanctum demo --fault lies     a lying router is caught\n  sanctum demo --exit           the story only")]
pub(crate) struct Args {
    /// Let the router misbehave, and see it caught
    #[arg(long, value_name = "NAME", value_parser = fault)]
    fault: Option<Fault>,
    /// End after the story instead of leaving the dashboard open
    #[arg(long)]
    exit: bool,
}

fn fault(word: &str) -> Result<Fault, String> {
    serde_json::from_value(serde_json::Value::from(word)).map_err(|_| "one of lies, forgets, leaks, slow, refuses, unreachable".to_owned())
}

/// The zone of the night that is told; bedtimes are wall time there.
const ZONE: &str = "America/Toronto";

/// A Tuesday in April, a little before a console joins.
pub(crate) fn night() -> Result<Timestamp, Failure> {
    at(14, 2, 46, 58)
}

/// The evening before, when nothing is blocked yet.
fn evening() -> Result<Timestamp, Failure> {
    at(13, 20, 0, 0)
}

fn at(day: i8, hour: i8, minute: i8, second: i8) -> Result<Timestamp, Failure> {
    let zone: Zone = ZONE.parse()?;
    Ok(date(2026, 4, day).at(hour, minute, second, 0).to_zoned(zone.tz())?.timestamp())
}

/// A house with a story in it.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) running: Running,
    pub(crate) clock: Clock,
    pub(crate) phone: phone::Phone,
    _home: tempfile::TempDir,
}

impl Stage {
    /// The way to a service of this house, as the command line has it.
    pub(crate) fn transport(&self, service: &str) -> Result<Arc<dyn Transport>, Failure> {
        let addr = self.running.addrs().get(service).copied();
        let addr = addr.ok_or_else(|| Hinted::new(exit::SOFTWARE, format!("`{service}` has no address"), "please report it"))?;
        let token = read_token(self.running.paths(), "cli", service)?;
        Ok(sanctum_http::transport(Peer { name: service.to_owned(), addr, token }))
    }

    fn url(&self) -> Result<String, Failure> {
        let addr = self.running.addrs().get("dashboard").copied().map(|addr| addr.to_string()).unwrap_or_default();
        let key = read_token(self.running.paths(), "browser", "dashboard")?;
        Ok(format!("http://{addr}/enter?key={}", key.expose_secret()))
    }
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    if cli.verbose {
        sanctum_host::telemetry(true);
    }
    runtime()?.block_on(async {
        let stage = raise(if args.fault.is_some() { evening()? } else { night()? }).await?;
        let told = story::tell(&stage, args.fault, cli).await?;
        if args.exit || cli.json {
            let failed = stage.running.stop().await;
            return Ok(if told && !failed { exit::OK } else { exit::NO });
        }
        let paint = Paint::stdout();
        let url = paint.bold(stage.url()?);
        cli.say(&format!("\n  The house is still up, and it is the morning after:\n\n    {url}\n\n  {}", paint.dim("Ctrl-C ends it and leaves nothing behind.")))?;
        let code = stage.running.until_stopped().await;
        Ok(if told { code } else { exit::NO })
    })
}

async fn raise(begin: Timestamp) -> Result<Stage, Failure> {
    let home = tempfile::Builder::new().prefix("sanctum-demo-").tempdir()?;
    let paths = Paths::new(home.path());
    let phone = phone::Phone::listen()?;
    let listen: Vec<String> = CATALOGUE.iter().map(|entry| format!("{} = \"127.0.0.1:0\"\n", entry.spec.name)).collect();
    let text = format!("[listen]\n{}\n{}", listen.concat(), include_str!("demo.toml").replace("@PHONE@", &phone.url()));
    let loaded = sanctum_settings::check(&paths.config(), &text, &CATALOGUE)?;
    paths.prepare()?;
    sanctum_kernel::files::replace(&paths.config(), text.as_bytes(), 0o600)?;
    let clock = Clock::starting_at(begin);
    let plan = Plan { catalogue: &CATALOGUE, paths, loaded, names: in_one_process(), clock: clock.clone(), begins: true };
    let running = start(plan).await.map_err(sanctum_host::HostError::hinted)?;
    let stage = Stage { running, clock, phone, _home: home };
    story::until("the house is ready", Duration::from_secs(20), async || Ok(stage.running.is_ready().then_some(()))).await?;
    Ok(stage)
}
