//! `sanctum screen`: the family's rules, what they say, and changing them for a while.

mod act;
mod show;

use std::path::PathBuf;

use clap::Subcommand;
use sanctum_api::screen::Client;

use crate::cli::{Cli, Outcome};

/// See and change who is online when.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sanctum screen                              who is allowed what now
  sanctum screen tonight                      tonight's timeline
  sanctum screen why xbox --at \"fri 21:45\"    the rule that decides, and those it beat
  sanctum screen extend 30 --for ava --reason \"film night\"
  sanctum screen curfew --for xbox            off now, until the night ends
  sanctum screen credit ava chores            30 minutes earned
  sanctum screen undo                         takes the last one back")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Who is allowed what now, and whether the firewall holds it; exits with 1 if it does not
    Status,
    /// Tonight's timeline, device by device
    Tonight,
    /// The rule that decides over a device, those it beat, and the next change
    Why {
        /// The device's short name, such as `xbox`
        device: String,
        /// A moment in the house's zone: `fri 21:45`, `tomorrow 07:00`, `2026-12-25 21:45`; now by default
        #[arg(long, value_name = "WHEN")]
        at: Option<String>,
    },
    /// What was tried against the rules, the newest first
    Violations {
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Move tonight's bedtime; during the curfew, open it for so many minutes
    Extend {
        minutes: u16,
        #[command(flatten)]
        whom: Whom,
    },
    /// Curfew now, until the night ends
    Curfew(Whom),
    /// Allow everything, until the night ends
    Clear(Whom),
    /// Gaming, social and streaming off for a while; it ends by itself
    Homework {
        /// A person; everyone if absent
        person: Option<String>,
        /// How long, instead of the configured two hours
        #[arg(long)]
        minutes: Option<i64>,
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        by: By,
    },
    /// Earn a credit: a preset such as `chores`, or `--minutes`
    Credit {
        /// Who earns it; without a person, everyone's credits of today are shown
        person: Option<String>,
        /// `chores`, `homework`, `reading`, `exercise`, or what the configuration names
        preset: Option<String>,
        #[arg(long, conflicts_with = "preset")]
        minutes: Option<i64>,
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        by: By,
    },
    /// Spend today's credits on tonight's bedtime
    Redeem {
        person: String,
        /// Only this credit, by its number
        #[arg(long)]
        credit: Option<i64>,
        /// Repeating a command with the same key redeems once
        #[arg(long)]
        key: Option<String>,
    },
    /// Requests for more time; `--ask` makes one
    Requests {
        /// Ask for a person: `--ask ava --minutes 30 --reason "one more level"`
        #[arg(long, value_name = "PERSON", requires = "minutes")]
        ask: Option<String>,
        #[arg(long, requires = "ask")]
        minutes: Option<i64>,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Say yes to a request by its number, or to a guest by its device
    Approve {
        /// A number of `sanctum screen requests`, or a device of `sanctum screen guests`
        what: String,
        /// Fewer or more minutes than asked for
        #[arg(long)]
        minutes: Option<i64>,
        /// How many hours a guest's pass lasts
        #[arg(long)]
        hours: Option<i64>,
        /// The device is no guest but part of the house
        #[arg(long, conflicts_with = "hours")]
        resident: bool,
        #[command(flatten)]
        by: By,
    },
    /// Say no to a request by its number, or to a guest by its device
    Deny {
        what: String,
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        by: By,
    },
    /// Devices nobody has named
    Guests,
    /// Days off; `import FILE` reads an iCalendar file
    Holidays {
        #[command(subcommand)]
        what: Option<Holidays>,
    },
    /// Take back the last override, homework or redemption that is still in force
    Undo,
}

#[derive(Debug, Subcommand)]
enum Holidays {
    /// Import an iCalendar file; what it cannot take is said
    Import {
        file: PathBuf,
        /// What to call it; importing again under the same name replaces it
        #[arg(long)]
        name: Option<String>,
    },
}

/// Whom an override concerns, who says it, and why.
#[derive(Debug, clap::Args)]
struct Whom {
    /// A person or a device; everyone if absent
    #[arg(long = "for", value_name = "NAME")]
    target: Option<String>,
    /// When it ends, RFC 3339; the end of the night by default
    #[arg(long, value_name = "WHEN")]
    until: Option<jiff::Timestamp>,
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    by: By,
}

/// Who says it.
#[derive(Debug, clap::Args)]
struct By {
    /// Who does this [default: your login name]
    #[arg(long = "by", value_name = "NAME")]
    author: Option<String>,
}

impl By {
    fn name(self) -> String {
        let login = || std::env::var("USER").ok().filter(|name| !name.is_empty());
        self.author.or_else(login).unwrap_or_else(|| "command line".to_owned())
    }
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let client = Client::new(cli.transport("screen")?);
    match args.what.unwrap_or(What::Status) {
        What::Status => show::status(cli, &client),
        What::Tonight => show::tonight(cli, &client),
        What::Why { device, at } => show::why(cli, &client, &device, at.as_deref()),
        What::Violations { limit } => show::violations(cli, &client, limit),
        What::Requests { ask: None, .. } => show::requests(cli, &client),
        What::Guests => show::guests(cli, &client),
        What::Credit { person: None, .. } => show::credits(cli, &client),
        What::Holidays { what: None } => show::holidays(cli, &client),
        act => act::run(act, cli, &client),
    }
}
