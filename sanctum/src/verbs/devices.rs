//! `sanctum devices`: who is on the network, and what is said of them.

use std::io::{self, Write};

use jiff::Timestamp;
use sanctum_api::firewall::{Block, Client, Device, Naming, Scope, Standing, Verdict};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Mac, Period, exit};

use crate::cli::{Cli, Outcome, Wall};
use crate::paint::Paint;

/// Who is on the network: names, approvals, blocks.
///
/// A device is meant by its short name from the configuration, by the id it got when it was first seen, or by any
/// of its addresses.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sanctum devices                                     everybody, with their blocks
  sanctum devices show xbox                           all that is known of one
  sanctum devices approve de-ad-be-00-00-47           a newcomer may stay
  sanctum devices name de-ad-be-00-00-47 \"Lea's phone\"
  sanctum devices same de-ad-be-00-00-47 xbox         it is Ava's Xbox with a made-up address
  sanctum devices apart xbox de:ad:be:00:00:47        it was not, after all
  sanctum devices block xbox --for 1h --reason dinner
  sanctum devices unblock xbox")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Every device, those that are here first
    List,
    /// Everything that is known of one device
    Show { id: String },
    /// Give a device a name
    Name { id: String, name: String },
    /// Let a newcomer stay
    Approve { id: String },
    /// Say that a newcomer is a known device with another address
    Same {
        id: String,
        #[arg(value_name = "AS")]
        known: String,
    },
    /// Say that an address is not that device after all
    Apart { id: String, mac: Mac },
    /// Cut a device off from the internet; the LAN stays open to it
    Block {
        id: String,
        /// Why, for people
        #[arg(long, default_value = "by hand")]
        reason: String,
        /// For how long, such as `30m`; until it is lifted, if absent
        #[arg(long = "for", value_name = "TIME")]
        period: Option<Period>,
        /// Only these services, such as `youtube`; where the router can
        #[arg(long = "service", value_name = "NAME")]
        services: Vec<String>,
    },
    /// Lift whatever block a device has
    Unblock { id: String },
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let client = Client::new(cli.transport("firewall")?);
    let what = args.what.unwrap_or(What::List);
    let device = match what {
        What::List => return list(cli, &client),
        What::Show { id } => cli.call(client.device(&id))?,
        What::Name { id, name } => {
            cli.call(client.name(&id, &Naming { name: Some(name), ..Naming::default() }))?
        }
        What::Approve { id } => {
            cli.call(client.name(&id, &Naming { approved: Some(true), ..Naming::default() }))?
        }
        What::Same { id, known } => {
            let known = cli.call(client.device(&known))?.id;
            cli.call(client.name(&id, &Naming { same_as: Some(known), ..Naming::default() }))?
        }
        What::Apart { id, mac } => {
            cli.call(client.name(&id, &Naming { apart: Some(mac), ..Naming::default() }))?
        }
        What::Block { id, reason, period, services } => {
            let scope = if services.is_empty() { Scope::All } else { Scope::Services(services) };
            let until = period.map(end).transpose()?;
            cli.call(client.block(&id, &Block { scope, reason, until }))?
        }
        What::Unblock { id } => return unblock(cli, &client, &id),
    };
    let wall = cli.wall();
    cli.show(&device, |out, paint| one(out, paint, &device, &wall))?;
    Ok(exit::OK)
}

/// Lifts a block, and says so if the family's rules will have it back: they are not a person's to lift here.
fn unblock(cli: &Cli, client: &Client, id: &str) -> Outcome {
    let device = cli.call(client.unblock(id))?;
    let rule = cli
        .transport("screen")
        .ok()
        .and_then(|way| cli.call(sanctum_api::screen::Client::new(way).status()).ok())
        .and_then(|status| status.devices.into_iter().find(|ruling| ruling.device == device.id))
        .filter(|ruling| ruling.blocked.is_some());
    let wall = cli.wall();
    let again = rule.map(|rule| {
        let until = rule.until.map(|until| format!(" until {}", wall.at(until))).unwrap_or_default();
        format!("the family's rules block it again ({}{until})", rule.because)
    });
    let way = format!("sanctum screen clear --for {}", device.id);
    let done = Unblocked { device: &device, blocked_again: again.clone(), instead: again.is_some().then(|| way.clone()) };
    cli.show(&done, |out, paint| {
        one(out, paint, &device, &wall)?;
        match &again {
            Some(again) => writeln!(out, "{} {again}. Instead: {}", paint.yellow("→"), paint.cyan(&way)),
            None => Ok(()),
        }
    })?;
    Ok(if again.is_some() { exit::NO } else { exit::OK })
}

/// What came of lifting a block.
#[derive(Debug, serde::Serialize)]
struct Unblocked<'a> {
    #[serde(flatten)]
    device: &'a Device,
    /// Why it will be blocked again in a moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked_again: Option<String>,
    /// What frees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    instead: Option<String>,
}

/// The moment at which a block of this length ends.
fn end(period: Period) -> Result<Timestamp, Hinted> {
    let refuse = || {
        Hinted::new(
            exit::USAGE,
            format!("`{period}` is too long"),
            "leave `--for` out for a block without an end",
        )
    };
    let period = jiff::SignedDuration::try_from(period.0).map_err(|_| refuse())?;
    sanctum_kernel::Clock::system().now().checked_add(period).map_err(|_| refuse())
}

fn list(cli: &Cli, client: &Client) -> Outcome {
    let mut devices = cli.call(client.devices())?;
    let wall = cli.wall();
    devices.sort_by_key(|device| (!device.online, device.name.to_lowercase()));
    cli.show(&devices, |out, paint| {
        if devices.is_empty() {
            return writeln!(
                out,
                "Nobody was seen yet. Devices you name go into `[device.NAME]` of sanctum.toml."
            );
        }
        devices.iter().try_for_each(|device| line(out, paint, device, &wall))
    })?;
    Ok(exit::OK)
}

/// One device on one line.
fn line(out: &mut dyn Write, paint: Paint, device: &Device, wall: &Wall) -> io::Result<()> {
    let here = if device.online { paint.green("●") } else { paint.dim("○") };
    let kind = device.kind.as_deref().or(device.vendor.as_deref()).unwrap_or("");
    writeln!(
        out,
        "{here} {:<24} {:<20} {:<10} {}",
        device.name,
        paint.dim(format!("{:<20}", device.id)),
        kind,
        state(paint, device, wall)
    )
}

/// What is in force for a device, in a few words.
fn state(paint: Paint, device: &Device, wall: &Wall) -> String {
    let Some(block) = &device.block else {
        return match device.standing {
            Standing::Known => String::new(),
            Standing::Seen => paint.dim("not named yet"),
            Standing::Automatic | Standing::Quarantined => paint.yellow("waits for approval"),
        };
    };
    let until = block.block.until.map(|until| format!(" until {}", wall.at(until))).unwrap_or_default();
    let text = format!("blocked ({}){until}: {}", block.block.reason, word(block.verdict));
    match block.verdict {
        Verdict::Proven | Verdict::Applied => paint.yellow(text),
        Verdict::Leaking | Verdict::Missing => paint.red(text),
        Verdict::Unknown => paint.dim(text),
    }
}

const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Proven => "proven",
        Verdict::Applied => "in force",
        Verdict::Leaking => "LEAKING",
        Verdict::Missing => "MISSING",
        Verdict::Unknown => "unknown",
    }
}

/// One device with everything that is known of it.
fn one(out: &mut dyn Write, paint: Paint, device: &Device, wall: &Wall) -> io::Result<()> {
    let macs: Vec<String> = device.macs.iter().map(ToString::to_string).collect();
    let addresses: Vec<String> = device.addresses.iter().map(ToString::to_string).collect();
    let shown = &device.fingerprint;
    let rows = [
        ("id", Some(device.id.clone())),
        ("owner", device.owner.clone()),
        ("kind", device.kind.clone()),
        ("vendor", device.vendor.clone()),
        ("addresses", Some(macs.join(", "))),
        ("IP addresses", (!addresses.is_empty()).then(|| addresses.join(", "))),
        ("calls itself", shown.hostname.clone()),
        ("vendor class", shown.vendor_class.clone()),
        ("last seen", device.last_seen.map(|at| wall.at(at))),
        ("traffic", Some(format!("{} MB", device.bytes / 1_000_000))),
        (
            "looks like",
            device
                .resembles
                .as_ref()
                .map(|like| format!("{} ({:.0} %: {})", like.device, like.score * 100.0, like.because)),
        ),
        ("evidence", device.block.as_ref().map(|block| block.evidence.clone())),
    ];
    writeln!(out, "{} {}", paint.bold(&device.name), state(paint, device, wall))?;
    for (label, value) in rows {
        if let Some(value) = value {
            writeln!(out, "  {} {value}", paint.dim(format!("{label:<13}")))?;
        }
    }
    Ok(())
}
