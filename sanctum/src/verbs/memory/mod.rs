//! `sanctum memory`: what the house remembers.

mod exchange;
mod looks;
mod mcp;
mod notes;
mod upkeep;

use sanctum_api::memory::{Class, Client, Kind};
use sanctum_kernel::Failure;
use serde::de::DeserializeOwned;

use crate::cli::{Cli, Outcome};

/// What the house remembers: Markdown files in a folder, found by words and by meaning.
///
/// A note is named by its id (`n-…`) or by its path in the vault. Whatever is changed here is in the vault's history, and
/// `undo` takes it back.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sanctum memory search when is the dentist
  sanctum memory search --as-of 2026-03-01 who lives upstairs
  sanctum memory write --key dentist.phone \"Dr. Wu: 555 0199\"
  sanctum memory read n-01j9x…                  with everything known of it
  sanctum memory consolidate                    what would be put in order; --apply does it
  sanctum memory undo n-01j9x…                  the last change of a note, or a whole run
  sanctum memory export --to ~/backup           an Obsidian vault
  sanctum memory mcp --agent claude             for agents that speak MCP over their standard input")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Find passages of notes, the best first
    Search(looks::Search),
    /// Show a note
    Read { id: String },
    /// Keep something, or change a note
    Write(notes::Write),
    /// Notes, the newest change first
    List(looks::List),
    /// Where a note's links lead, and what links to it
    Links { id: String },
    /// Put a note away; its history stays
    Delete { id: String },
    /// The changes of a note
    History { id: String },
    /// Take the last change of a note back, or a whole run of consolidation
    Undo { id: String },
    /// Make the index again from the files
    Rebuild,
    /// Put notes in order: dry unless `--apply`
    Consolidate {
        /// Do it, and do not only say what would be done
        #[arg(long)]
        apply: bool,
    },
    /// What is wrong with what is remembered
    Audit,
    /// How the memory is, in numbers
    Health,
    /// Take in what others remember
    Import(exchange::Import),
    /// Write what is remembered as others read it
    Export(exchange::Export),
    /// Speak MCP over standard input and output, for agents
    Mcp(mcp::Mcp),
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    match args.what {
        What::Search(search) => looks::search(search, cli),
        What::Read { id } => notes::read(&id, cli),
        What::Write(write) => notes::write(write, cli),
        What::List(list) => looks::list(list, cli),
        What::Links { id } => notes::links(&id, cli),
        What::Delete { id } => notes::delete(&id, cli),
        What::History { id } => notes::history(&id, cli),
        What::Undo { id } => notes::undo(&id, cli),
        What::Rebuild => upkeep::rebuild(cli),
        What::Consolidate { apply } => upkeep::consolidate(apply, cli),
        What::Audit => upkeep::audit(cli),
        What::Health => upkeep::health(cli),
        What::Import(import) => exchange::import(&import, cli),
        What::Export(export) => exchange::export(&export, cli),
        What::Mcp(mcp) => mcp::run(&mcp, cli),
    }
}

fn client(cli: &Cli) -> Result<Client, Failure> {
    Ok(Client::new(cli.transport("memory")?))
}

/// For work that takes as long as it takes.
fn patient(cli: &Cli) -> Result<Client, Failure> {
    Ok(Client::new(cli.patient("memory")?))
}

/// A word of the wire, such as `session_summary`.
fn word<T: DeserializeOwned>(given: &str) -> Result<T, String> {
    serde_json::from_value(given.into()).map_err(|error| error.to_string())
}

fn kind(given: &str) -> Result<Kind, String> {
    word(given)
}

fn class(given: &str) -> Result<Class, String> {
    word(given)
}

/// `2026-03-01`, or with a time and an offset as RFC 3339 has it.
fn moment(given: &str) -> Result<jiff::Timestamp, String> {
    if let Ok(at) = given.parse() {
        return Ok(at);
    }
    let day = given.parse::<jiff::civil::Date>();
    let start = day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::system()));
    start.map(|start| start.timestamp()).map_err(|_| "a day like 2026-03-01, or a time like 2026-03-01T07:30:00Z".to_owned())
}

/// As the wire writes it.
fn said<T: serde::Serialize>(word: T) -> String {
    serde_json::to_value(word).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// `1 note`, `2 notes`.
fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
