//! `sanctum-lab`: the story of the house in network namespaces, with real DHCP, a real browser and the real binary.

mod args;
mod browser;
mod chain;
mod check;
mod clients;
mod conformance;
mod edge;
mod follow;
mod frames;
mod house;
mod joins;
mod mcp;
mod net;
mod packets;
mod procs;
mod report;
mod sink;
mod stage;
mod story;
mod stream;
mod wait;
mod watch;

use std::io::Write;
use std::process::ExitCode;

use sanctum_kernel::{Chain, Clock, Failure, exit, hint};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::{Args, Verb, Wish};
use crate::net::Net;
use crate::report::Report;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let code = match args::parse(&words) {
        Ok(Wish::Help) => {
            write!(std::io::stdout().lock(), "{}", args::HELP).ok();
            exit::OK
        }
        Ok(Wish::Run(args)) => run(&args).unwrap_or_else(|error| complain(&error)),
        Err(error) => complain(&error),
    };
    ExitCode::from(code)
}

fn complain(error: &Failure) -> u8 {
    let (way, code) = hint(&**error).map_or((None, exit::NO), |(way, code)| (Some(way), code));
    let way = way.map(|way| format!("hint: {way}\n")).unwrap_or_default();
    write!(std::io::stderr().lock(), "sanctum-lab: {}\n{way}", Chain(&**error)).ok();
    code
}

fn run(args: &Args) -> Result<u8, Failure> {
    let binary = match args.verb {
        Verb::Check | Verb::Provider | Verb::Fixtures => std::path::PathBuf::new(),
        Verb::Conformance if args.against.is_some() => std::path::PathBuf::new(),
        _ => house::binary(args.sanctum.clone())?,
    };
    let mut report = Report::new(args.json);
    let only = args.only.as_deref();
    match args.verb {
        Verb::Conformance => conformance::run(&binary, args.against.as_deref(), only, &mut report)?,
        Verb::Clients => clients::run(&binary, only, &mut report)?,
        Verb::Mcp => mcp::run(&binary, only, &mut report)?,
        Verb::Fixtures => return mcp::fixtures(&report),
        Verb::Provider => return clients::provider(&report),
        _ => return story(args, &binary, report),
    }
    Ok(if report.finish()? { exit::OK } else { exit::NO })
}

/// Whatever needs the network of its own.
fn story(args: &Args, binary: &std::path::Path, mut report: Report) -> Result<u8, Failure> {
    net::check_tools(args.browser)?;
    report.say("Sanctum lab: a router, an internet, a console and a tablet as network namespaces");
    let net = Net::up()?;
    // From here on everything that is started is born inside the router, where the house listens on loopback.
    net::enter(&net.router)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(async {
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        tokio::select! {
            outcome = play(args, binary, net, &mut report) => outcome,
            _ = term.recv() => Err("stopped by SIGTERM; everything has been removed".into()),
            _ = int.recv() => Err("stopped by Ctrl-C; everything has been removed".into()),
        }
    });
    if let Err(error) = outcome {
        if let Some((way, _)) = hint(&*error) {
            report.say(way);
        }
        report.check("the lab went through", false, Chain(&*error));
    }
    Ok(if report.finish()? { exit::OK } else { exit::NO })
}

async fn play(args: &Args, binary: &std::path::Path, net: Net, report: &mut Report) -> Result<(), Failure> {
    match args.verb {
        Verb::Story => story::tell(binary, net, args.browser, report).await,
        Verb::Edge => edge::measure(binary, net, args.n, report).await,
        Verb::Joins => joins::measure(binary, net, args.n, report).await,
        Verb::Check => check::instruments(net, args.browser, report).await,
        Verb::Conformance | Verb::Clients | Verb::Provider | Verb::Mcp | Verb::Fixtures => Ok(()),
        Verb::Chain => chain::measure(binary, net, args.n, args.browser, report).await,
    }
}

/// Nanoseconds since 1970, as the kernel stamps packets.
pub(crate) fn now() -> i64 {
    nanos(Clock::system().now())
}

/// A moment in nanoseconds since 1970.
pub(crate) fn nanos(at: jiff::Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or_default()
}

/// Nanoseconds as milliseconds.
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(crate) fn ms(nanos: i64) -> f64 {
    nanos as f64 / 1e6
}
