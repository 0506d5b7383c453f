//! `sanctum notify`: tell people something, and see what became of it.

mod look;
mod spool;

use std::io::Read;

use clap::builder::PossibleValuesParser;
use jiff::SignedDuration;
use sanctum_api::notify::{By, Client, Notice, Severity, Silence};
use sanctum_api::CallError;
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::trace::{hex, random};
use sanctum_kernel::{Clock, Failure, Period, exit};

use crate::cli::{Cli, Outcome};

/// Tells people something. It is kept before this returns; who hears of it, where and how loudly is the hub's to decide.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What happened, in a few words
    title: Option<String>,
    /// More of it; `-` reads it from standard input
    message: Option<String>,
    /// How bad it is
    #[arg(short, long, default_value = "info", value_parser = PossibleValuesParser::new(["info", "warn", "error", "critical"]))]
    severity: String,
    /// Who says it
    #[arg(long, default_value = "cli")]
    source: String,
    /// A label, `key=value`; may be given several times
    #[arg(long = "label", value_name = "K=V")]
    labels: Vec<String>,
    /// Over this channel, whatever the table says; may be given several times
    #[arg(long = "channel", value_name = "NAME")]
    channels: Vec<String>,
    /// What it is about: a later one with the same key replaces it, or resolves it
    #[arg(long)]
    key: Option<String>,
    /// The thing named by `--key` is over
    #[arg(long, requires = "key")]
    resolve: bool,
    /// A link
    #[arg(long)]
    url: Option<String>,
    #[command(flatten)]
    instead: Instead,
}

/// What else can be done.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
struct Instead {
    /// List what was said, newest first; with words, only what contains them
    #[arg(long, value_name = "WORDS", num_args = 0..=1, default_missing_value = "")]
    history: Option<String>,
    /// Show the whole life of a notification
    #[arg(long, value_name = "ID")]
    show: Option<i64>,
    /// Take note of a notification
    #[arg(long, value_name = "ID")]
    ack: Option<i64>,
    /// Hide a notification for this long, then tell it again: `ID=2h`
    #[arg(long, value_name = "ID=TIME")]
    snooze: Option<String>,
    /// Keep what matches quiet: `source=backup,host=nas for 2h because it moves`
    #[arg(long, value_name = "MATCH for TIME because WHY")]
    silence: Option<String>,
    /// List the silences
    #[arg(long)]
    silences: bool,
    /// End a silence
    #[arg(long, value_name = "ID")]
    unsilence: Option<i64>,
    /// List the channels and how they do
    #[arg(long)]
    channel_list: bool,
    /// Send a test message over one channel
    #[arg(long, value_name = "CHANNEL")]
    test: Option<String>,
    /// Say who would be told (with `--severity` and `--source`), now or at `HH:MM`
    #[arg(long, value_name = "HH:MM", num_args = 0..=1, default_missing_value = "")]
    explain: Option<String>,
    /// List what could not be delivered
    #[arg(long)]
    dead: bool,
    /// Send a dead delivery again
    #[arg(long, value_name = "DELIVERY")]
    retry: Option<i64>,
}

const EXAMPLES: &str = "\
Examples:
  sanctum notify \"Backup done\"
  sanctum notify -s error --source backup \"Backup failed\" \"disk full on nas\"
  journalctl -n 20 | sanctum notify -s warn \"Last words of the printer\" -
  sanctum notify -s critical --key water \"Water in the cellar\"
  sanctum notify --key water --resolve \"The cellar is dry\"
  sanctum notify --explain 03:10 -s critical
  sanctum notify --history \"backup failed\"
  sanctum notify --silence \"source=backup for 2h because the disk is being moved\"

When the hub is down the message is written to the spool, shown on this machine's desktop, and told when the hub is
back; the exit code is then 75. Other exit codes: 0 kept · 1 refused · 64 wrong command line · 73 not even the spool
could be written.";

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let instead = &args.instead;
    if let Some(outcome) = look::run(instead, &args, cli)? {
        return Ok(outcome);
    }
    if let Some(outcome) = act(instead, cli)? {
        return Ok(outcome);
    }
    tell(&notice(&args)?, cli)
}

fn usage(message: impl Into<String>, hint: &str) -> Failure {
    Box::new(Hinted::new(exit::USAGE, message, hint))
}

fn client(cli: &Cli) -> Result<Client, Failure> {
    cli.transport("notify").map(Client::new)
}

/// Who acts: the login name.
fn me() -> String {
    ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_else(|| "cli".to_owned())
}

fn act(instead: &Instead, cli: &Cli) -> Result<Option<u8>, Failure> {
    let by = || By { who: me(), until: None };
    let life = if let Some(id) = instead.ack {
        let client = client(cli)?;
        cli.call(client.ack(id, &by()))?
    } else if let Some(text) = &instead.snooze {
        let (id, time) = text.split_once('=').ok_or_else(|| usage("that is no snooze", "write `--snooze 17=2h`"))?;
        let id = id.parse().map_err(|_| usage(format!("`{id}` is no number"), "write `--snooze 17=2h`"))?;
        let by = By { until: Some(Clock::system().now() + length(time)?), ..by() };
        let client = client(cli)?;
        cli.call(client.snooze(id, &by))?
    } else if let Some(id) = instead.retry {
        let client = client(cli)?;
        cli.call(client.retry(id))?
    } else if let Some(text) = &instead.silence {
        let (silence, client) = (silence(text)?, client(cli)?);
        let kept = cli.call(client.silence(&silence))?;
        cli.show(&kept, |out, paint| writeln!(out, "silence {} until {}", paint.bold(kept.id), kept.until))?;
        return Ok(Some(exit::OK));
    } else if let Some(id) = instead.unsilence {
        let client = client(cli)?;
        cli.call(client.unsilence(id))?;
        return Ok(Some(exit::OK));
    } else {
        return Ok(None);
    };
    cli.show(&life, |out, paint| look::draw(out, paint, &life, &cli.wall()))?;
    Ok(Some(exit::OK))
}

fn length(text: &str) -> Result<SignedDuration, Failure> {
    let period: Period = text.trim().parse().map_err(|error| usage(format!("{error}"), "write `30m`, `2h` or `7d`"))?;
    SignedDuration::try_from(period.0).map_err(|_| usage("that is too long", "write `30m`, `2h` or `7d`"))
}

/// `source=backup,host=nas for 2h because it moves`.
fn silence(text: &str) -> Result<Silence, Failure> {
    const HINT: &str = "write `--silence \"source=backup for 2h because the disk is being moved\"`";
    let (what, reason) = text.split_once(" because ").ok_or_else(|| usage("a silence has a reason", HINT))?;
    let (what, time) = what.rsplit_once(" for ").ok_or_else(|| usage("a silence has an end", HINT))?;
    let matchers = what.split(',').map(|pair| pair.trim().split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())));
    let matchers = matchers.collect::<Option<_>>().ok_or_else(|| usage("a matcher is `name=value`", HINT))?;
    let until = Clock::system().now() + length(time)?;
    Ok(Silence { id: 0, matchers, author: me(), reason: reason.trim().to_owned(), until })
}

fn notice(args: &Args) -> Result<Notice, Failure> {
    let severity: Severity = args.severity.parse().map_err(|error: String| usage(error, "see `--help`"))?;
    let mut message = match args.message.as_deref() {
        Some("-") => {
            let mut bytes = Vec::new();
            // One byte more than the hub takes is enough to be refused by it.
            std::io::stdin().take(65_537).read_to_end(&mut bytes)?;
            String::from_utf8_lossy(&bytes).trim_end().to_owned()
        }
        Some(text) => text.to_owned(),
        None => String::new(),
    };
    let title = match &args.title {
        Some(title) if title == "-" => {
            std::io::stdin().take(65_537).read_to_string(&mut message)?;
            message.lines().next().unwrap_or_default().chars().take(120).collect()
        }
        Some(title) => title.clone(),
        None => return Err(usage("nothing was said", "write `sanctum notify \"What happened\"`; `--help` shows more")),
    };
    let labels = args.labels.iter().map(|label| label.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())));
    let labels = labels.collect::<Option<_>>().ok_or_else(|| usage("a label is `key=value`", "write `--label room=cellar`"))?;
    Ok(Notice {
        source: args.source.clone(),
        severity,
        title,
        message,
        labels,
        force_channels: args.channels.clone(),
        actions: Vec::new(),
        url: args.url.clone(),
        image: None,
        dedup_key: args.key.clone(),
        resolved: args.resolve,
    })
}

fn tell(notice: &Notice, cli: &Cli) -> Outcome {
    let key = hex(&random::<16>());
    let client = match client(cli) {
        Ok(client) => client,
        Err(error) => return spool::keep(notice, &key, &sanctum_kernel::Chain(&*error).to_string(), cli),
    };
    match cli.block_on(client.notify(notice, Some(key.clone())))? {
        Ok(accepted) => {
            cli.show(&accepted, |out, paint| {
                let to = if accepted.channels.is_empty() { "kept; nobody is told now".to_owned() } else { format!("to {}", accepted.channels.join(", ")) };
                writeln!(out, "{} {to}", paint.bold(accepted.id))?;
                if accepted.deduplicated {
                    writeln!(out, "{}", paint.dim("a repeat: counted on the first"))?;
                }
                if accepted.rate_limited {
                    writeln!(out, "{}", paint.dim("too many this hour: summed up when it turns"))?;
                }
                Ok(())
            })?;
            Ok(exit::OK)
        }
        Err(CallError::Refused { problem, service }) if problem.status < 500 => Err(Cli::explain(CallError::Refused { problem, service })),
        Err(error) => spool::keep(notice, &key, &sanctum_kernel::Chain(&error).to_string(), cli),
    }
}
