//! `sanctum keys`: virtual keys, shown once, revocable.

use std::io::{self, Write};

use jiff::Timestamp;
use sanctum_api::proxy::{Client, Created, Key, NewKey};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Period, exit};

use crate::cli::{Cli, Outcome};
use crate::paint::Paint;

/// Virtual keys: what agents and clients show at the house's door for models.
///
/// The provider's real key never leaves the house; a virtual one can be taken back at any time, names the agent whose
/// cap it spends, and may be bound to models, uses and a last day. Its secret is kept as a hash and shown only once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sanctum keys create --agent windu --note \"the laptop\"
  sanctum keys create --agent kid --model 'gpt-*-mini' --scope chat --for 30d
  sanctum keys                                  every key, with its last use
  sanctum keys revoke k7f3")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Every key, without its secret
    List,
    /// Make a key and show it this once
    Create {
        /// Whose cap it spends
        #[arg(long)]
        agent: String,
        /// What it is for
        #[arg(long, default_value = "")]
        note: String,
        /// What it may do: chat, embeddings, models, explain, usage, memory; everything if absent
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// A model name or glob it may ask for; everything if absent
        #[arg(long = "model", value_name = "GLOB")]
        models: Vec<String>,
        /// For how long, such as `30d`; for good if absent
        #[arg(long = "for", value_name = "TIME")]
        period: Option<Period>,
    },
    /// Take a key back, at once and for good
    Revoke { id: String },
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let client = Client::new(cli.transport("proxy")?);
    match args.what.unwrap_or(What::List) {
        What::List => {
            let keys = cli.call(client.keys())?;
            cli.show(&keys, |out, paint| list(out, paint, &keys))?;
        }
        What::Create { agent, note, scopes, models, period } => {
            let expires = period.map(end).transpose()?;
            let created = cli.call(client.create_key(&NewKey { agent, note, scopes, models, expires }))?;
            cli.show(&created, |out, paint| shown_once(out, paint, &created))?;
        }
        What::Revoke { id } => {
            let key = cli.call(client.revoke_key(&id))?;
            cli.show(&key, |out, _| writeln!(out, "`{}` of {} opens nothing any more.", key.id, key.agent))?;
        }
    }
    Ok(exit::OK)
}

/// The moment at which a key of this length ends.
fn end(period: Period) -> Result<Timestamp, Hinted> {
    let refuse = || {
        Hinted::new(exit::USAGE, format!("`{period}` is too long"), "leave `--for` out for a key without an end")
    };
    let period = jiff::SignedDuration::try_from(period.0).map_err(|_| refuse())?;
    sanctum_kernel::Clock::system().now().checked_add(period).map_err(|_| refuse())
}

fn shown_once(out: &mut dyn Write, paint: Paint, created: &Created) -> io::Result<()> {
    writeln!(out, "{}", paint.bold(&created.secret))?;
    writeln!(out, "{}", paint.dim("This is the only time it is shown. Point a client at the house with it:"))?;
    writeln!(out, "  OPENAI_BASE_URL=http://127.0.0.1:4040/v1   OPENAI_API_KEY=…")?;
    writeln!(out, "  ANTHROPIC_BASE_URL=http://127.0.0.1:4040   ANTHROPIC_AUTH_TOKEN=…")?;
    writeln!(out, "{}", paint.dim(format!("`sanctum keys revoke {}` takes it back.", created.key.id)))
}

fn list(out: &mut dyn Write, paint: Paint, keys: &[Key]) -> io::Result<()> {
    if keys.is_empty() {
        return writeln!(out, "There are no keys: `sanctum keys create --agent NAME` makes one.");
    }
    let now = sanctum_kernel::Clock::system().now();
    for key in keys {
        let state = match (key.revoked, key.expires) {
            (Some(_), _) => paint.dim("revoked"),
            (None, Some(expires)) if expires <= now => paint.dim("expired"),
            (None, Some(expires)) => paint.yellow(format!("until {}", day(expires))),
            (None, None) => paint.green("valid"),
        };
        let used = key.last_used.map_or_else(|| "never used".to_owned(), |at| format!("last used {}", day(at)));
        let all = |words: &[String], what: &str| if words.is_empty() { format!("all {what}") } else { words.join(" ") };
        writeln!(
            out,
            "{} {:<14} {:<12} {state}  {}  {}  {}  {}",
            paint.bold(format!("{:<8}", key.id)),
            format!("{}…", key.prefix),
            key.agent,
            all(&key.models, "models"),
            all(&key.scopes, "uses"),
            paint.dim(used),
            key.note,
        )?;
    }
    Ok(())
}

fn day(at: Timestamp) -> String {
    at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}
