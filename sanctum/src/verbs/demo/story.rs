//! Telling the story: what happens, what every service saw of it, and at what time.

use std::io::Write;
use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use sanctum_api::firewall::{self, Arrival, Fault, FaultSwitch, Fingerprint, Happening, Kind, Packets, Simulate, Verdict};
use sanctum_api::{CallError, Moment, screen};
use sanctum_kernel::trace::TraceId;
use sanctum_kernel::{Failure, Mac, Period};
use serde::Serialize;

use super::Stage;
use crate::cli::Cli;
use crate::paint::Paint;

const XBOX: Mac = Mac([0x60, 0x45, 0xbd, 0x12, 0x34, 0x56]);
const IPAD: Mac = Mac([0xf0, 0x18, 0x98, 0, 0, 1]);

/// The five parts of the story: who saw it, in the words of `Moment::what`, and what people call it.
const PARTS: [(&str, &str, &str); 5] = [
    ("firewall", "joined", "a console joins the Wi-Fi"),
    ("firewall", "verified", "the block is read back at the router"),
    ("screen", "violation", "written down in SQLite"),
    ("notify", "delivered", "a parent's phone has the message"),
    ("dashboard", "banner", "a banner glows on the dashboard"),
];

/// The moment of a part.
fn part<'m>(moments: &'m [Moment], service: &str, what: &str) -> Option<&'m Moment> {
    moments.iter().find(|moment| moment.service == service && moment.what == what)
}

/// How long any part may take before the story has failed.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, Serialize)]
struct Report {
    trace_id: Option<TraceId>,
    verdict: Option<Verdict>,
    passed: u64,
    dropped: u64,
    moments: Vec<Moment>,
    missing: Vec<&'static str>,
    lifted: bool,
    fault: Option<Fault>,
    /// What the reconciler saw and did.
    drift: Option<String>,
    told: bool,
}

/// Tells it; `true` if it went as it must.
pub(crate) async fn tell(stage: &Stage, fault: Option<Fault>, cli: &Cli) -> Result<bool, Failure> {
    let firewall = firewall::Client::new(stage.transport("firewall")?);
    let screen = screen::Client::new(stage.transport("screen")?);
    let paint = Paint::stdout();
    heading(cli, paint)?;
    if let Some(fault) = fault {
        // It misbehaves from the evening on, so that the curfew itself meets it.
        simulate(&firewall, Simulate::Fault(FaultSwitch { fault, on: true })).await?;
        stage.clock.set(super::night()?);
    }
    armed(&firewall, fault).await?;
    // A browser looks at the dashboard all the while.
    let mut browser = stage.transport("dashboard")?.events("/events".to_owned(), None).await.map_err(Cli::explain)?;
    let mut events = firewall.events(None).await.map_err(Cli::explain)?;
    simulate(&firewall, Simulate::Join(arrival(IPAD, "iPad", None))).await?;
    simulate(&firewall, Simulate::Join(arrival(XBOX, "XBOX", Some("MSFT 5.0 XBOX")))).await?;
    let packets = simulate(&firewall, Simulate::Send(Packets { mac: XBOX, up: 25, down: 40, service: None })).await?;
    let attempt = happening(&mut events, Kind::Attempt).await?;
    let trace_id = attempt.as_ref().map(|attempt| attempt.trace_id);
    let moments = match trace_id {
        Some(id) => gather(stage, id, &mut browser).await?,
        None => Vec::new(),
    };
    let verdict = settled(&firewall, fault).await?;
    let drift = match fault {
        Some(Fault::Forgets) => happening(&mut events, Kind::Drift).await?.map(|drift| drift.detail),
        _ => None,
    };
    let lifted = if fault.is_none() { wake_up(stage, &screen, &firewall).await? } else { false };
    let missing: Vec<&'static str> = PARTS.iter().filter(|(service, what, _)| part(&moments, service, what).is_none()).map(|(_, what, _)| *what).collect();
    let told = match fault {
        None => missing.is_empty() && packets.passed == 0 && lifted,
        Some(Fault::Slow) => missing.is_empty() && packets.passed == 0,
        Some(Fault::Forgets) => drift.is_some(),
        Some(_) => matches!(verdict, Some(Verdict::Missing | Verdict::Leaking | Verdict::Unknown)),
    };
    let report = Report { trace_id, verdict, passed: packets.passed, dropped: packets.dropped, moments, missing, lifted, fault, drift, told };
    show(&report, stage, cli)?;
    Ok(report.told)
}

fn heading(cli: &Cli, paint: Paint) -> Result<(), Failure> {
    if cli.json {
        return Ok(());
    }
    cli.say(&format!("\n  {}   {}\n", paint.bold("Tuesday, 14 April, 02:46"), paint.dim("curfew until 10:00 · the router is simulated, everything else is real")))
}

/// The rules have been declared to the router ahead of time; one that misbehaves need not have heard.
async fn armed(firewall: &firewall::Client, fault: Option<Fault>) -> Result<(), Failure> {
    until("the curfew is declared to the router", PATIENCE, async || {
        let device = firewall.device("ava-xbox").await.map_err(Cli::explain)?;
        let good = |verdict| verdict == Verdict::Applied || verdict == Verdict::Proven;
        Ok(device.block.filter(|block| fault.is_some() || good(block.verdict)).map(drop))
    })
    .await
}

fn arrival(mac: Mac, hostname: &str, vendor_class: Option<&str>) -> Arrival {
    let fingerprint = Fingerprint {
        hostname: Some(hostname.to_owned()),
        vendor_class: vendor_class.map(str::to_owned),
        parameters: Some("1,3,6,15,31,33,43,44,46,47,121,249,252".to_owned()),
        client_id: None,
    };
    Arrival { mac, address: None, fingerprint: Some(fingerprint) }
}

async fn simulate(firewall: &firewall::Client, what: Simulate) -> Result<firewall::Passage, Failure> {
    firewall.simulate(&what).await.map_err(Cli::explain)
}

/// The next happening of a kind; `None` if it does not come in time.
async fn happening(events: &mut sanctum_api::Events, kind: Kind) -> Result<Option<Happening>, Failure> {
    let next = async {
        while let Some(event) = events.next().await {
            let event = event.map_err(Cli::explain)?;
            if event.kind == kind.word() {
                return serde_json::from_str(&event.data).map(Some).map_err(Failure::from);
            }
        }
        Ok(None)
    };
    tokio::time::timeout(PATIENCE, next).await.unwrap_or(Ok(None))
}

/// What every service knows of the story, once all five parts are there or patience ends.
async fn gather(stage: &Stage, id: TraceId, browser: &mut sanctum_api::Events) -> Result<Vec<Moment>, Failure> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let mut moments = Vec::new();
        for service in ["firewall", "screen", "notify", "dashboard"] {
            let to = stage.transport(service)?;
            let known: Result<Vec<Moment>, CallError> = sanctum_api::transport::get(&*to, format!("/trace/{id}")).await;
            moments.extend(known.map_err(Cli::explain)?);
        }
        moments.sort_by_key(|moment| moment.at);
        let complete = PARTS.iter().all(|(service, what, _)| part(&moments, service, what).is_some());
        if complete || tokio::time::Instant::now() > deadline {
            return Ok(moments);
        }
        // The browser reads what it is sent; without a reader the page would fall behind.
        if tokio::time::timeout(Duration::from_millis(20), browser.next()).await.is_ok() {}
    }
}

/// The verdict once it is no longer changing: with a fault, once the reconciler has looked.
async fn settled(firewall: &firewall::Client, fault: Option<Fault>) -> Result<Option<Verdict>, Failure> {
    let look = async || -> Result<Option<Verdict>, Failure> {
        let device = firewall.device("ava-xbox").await.map_err(Cli::explain)?;
        let verdict = device.block.map(|block| block.verdict);
        let wanted = match fault {
            None | Some(Fault::Slow | Fault::Forgets) => verdict == Some(Verdict::Proven),
            Some(_) => matches!(verdict, Some(Verdict::Missing | Verdict::Leaking | Verdict::Unknown)),
        };
        Ok(verdict.filter(|_| wanted))
    };
    match until("a verdict", PATIENCE, look).await {
        Ok(verdict) => Ok(Some(verdict)),
        Err(_) => Ok(firewall.device("ava-xbox").await.map_err(Cli::explain)?.block.map(|block| block.verdict)),
    }
}

/// It is ten o'clock: the block lifts by itself.
async fn wake_up(stage: &Stage, screen: &screen::Client, firewall: &firewall::Client) -> Result<bool, Failure> {
    let status = screen.status().await.map_err(Cli::explain)?;
    let ends = status.devices.iter().find(|ruling| ruling.device == "ava-xbox").and_then(|ruling| ruling.until);
    let Some(ends) = ends else { return Ok(false) };
    stage.clock.set(ends);
    let lifted = until("the block is lifted at wake-up", PATIENCE, async || {
        let device = firewall.device("ava-xbox").await.map_err(Cli::explain)?;
        Ok(device.block.is_none().then_some(()))
    });
    Ok(lifted.await.is_ok())
}

/// Asks until there is an answer.
pub(crate) async fn until<T, F>(what: &str, patience: Duration, mut look: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<Option<T>, Failure>>,
{
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        if let Some(seen) = look().await? {
            return Ok(seen);
        }
        if tokio::time::Instant::now() > deadline {
            return Err(format!("waited {} for: {what}", Period(patience)).into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn show(report: &Report, stage: &Stage, cli: &Cli) -> Result<(), Failure> {
    let messages = stage.phone.messages();
    cli.show(report, |out, paint| {
        let first = report.moments.first().map_or(Timestamp::UNIX_EPOCH, |moment| moment.at);
        for (service, what, words) in PARTS {
            match part(&report.moments, service, what) {
                Some(moment) => {
                    let ms = moment.at.duration_since(first).as_secs_f64() * 1e3;
                    writeln!(out, "  {} {:>9}  {}  {}", paint.green("●"), format!("+{ms:.1} ms"), paint.bold(words), paint.dim(&moment.detail))?;
                }
                None => writeln!(out, "  {} {:>9}  {words}", paint.red("○"), "missing")?,
            }
        }
        if let Some(id) = report.trace_id {
            let received = messages.iter().filter(|message| message.traceparent.as_ref().is_some_and(|parent| parent.contains(&id.to_string()))).count();
            writeln!(out, "\n  {} {id} {}", paint.dim("trace"), paint.dim(format!("· in all of them, and in the message ({received} received)")))?;
        }
        ending(out, paint, report)
    })
}

fn ending(out: &mut dyn Write, paint: Paint, report: &Report) -> std::io::Result<()> {
    let verdict = report.verdict.map_or_else(|| "unknown".to_owned(), word);
    let Some(fault) = report.fault else {
        writeln!(out, "  {} {verdict}: {} packets dropped, {} passed", paint.dim("verdict"), report.dropped, report.passed)?;
        let lifted = if report.lifted { paint.green("At ten o'clock it was lifted by itself.") } else { paint.red("At ten o'clock it was not lifted.") };
        return writeln!(out, "\n  Nobody woke up. {lifted}");
    };
    let seen = match (&report.drift, report.told) {
        (Some(drift), true) => paint.green(format!("caught. {drift}")),
        (None, true) if fault == Fault::Slow => paint.green(format!("waited for. The block is {verdict}.")),
        (None, true) => paint.green(format!("caught, and said: the block is {verdict}.")),
        (_, false) => paint.red(format!("not caught: the block is said to be {verdict}.")),
    };
    writeln!(out, "\n  The router's fault: {}. {seen}", paint.bold(word(fault)))
}

/// The word JSON has for it.
fn word(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
