//! The verbs. To add one: a file here and a line in the table.

use std::path::PathBuf;

use clap::{CommandFactory, Parser};
use sanctum_kernel::Paths;

use crate::cli::{Cli, Outcome, home};

/// Declares the modules, the sub-commands and their dispatch.
macro_rules! verbs {
    ($($(#[$doc:meta])* $module:ident => $variant:ident),+ $(,)?) => {
        $(mod $module;)+

        #[derive(Debug, clap::Subcommand)]
        enum Verb {
            $($(#[$doc])* $variant($module::Args)),+
        }

        impl Verb {
            fn run(self, cli: &Cli) -> Outcome {
                match self {
                    $(Self::$variant(args) => $module::run(args, cli)),+
                }
            }
        }
    };
}

verbs! {
    /// Write a first configuration
    init => Init,
    /// Start the house: every service as a process of its own
    up => Up,
    /// Stop the house, dependants first
    down => Down,
    /// Run services in this process
    run => Run,
    /// How the house is
    status => Status,
    /// Why a service is as it is: from the symptom to the root
    why => Why,
    /// Troubles, open and over, with what was tried
    incidents => Incidents,
    /// Leave a service alone for a while: it is looked at, and nothing is done or said
    hold => Hold,
    /// Ask every check of a service now
    check => Check,
    /// What healing may do, did, and can undo
    heal => Heal,
    /// How tense the house is
    posture => Posture,
    /// Tell the house what to heed: recording, asleep
    attention => Attention,
    /// The small looks at what surrounds the services
    sentinels => Sentinels,
    /// Everything the house depends on: what is wrong with the declarations, and the drawing
    catalogue => Catalogue,
    /// What every service takes of the machine, live
    top => Top,
    /// The port register
    ports => Ports,
    /// Check, explain or show the configuration
    config => Config,
    /// Look for what would keep the house from working
    doctor => Doctor,
    /// Tell people something, and see what became of it
    notify => Notify,
    /// The devices on the network
    devices => Devices,
    /// The bridge to the router, and the way out of it
    firewall => Firewall,
    /// The family's rules
    screen => Screen,
    /// Ask a model through the house's own door
    ask => Ask,
    /// The models that can be asked
    models => Models,
    /// What models were used, and what they cost
    usage => Usage,
    /// Why a request would go where it goes
    route => Route,
    /// Virtual keys for agents and clients
    keys => Keys,
    /// What the house remembers: find it, read it, add to it, put it in order
    memory => Memory,
    /// The night at 02:47, with a simulated router
    demo => Demo,
    /// A house of its own is hurt at random, and scored
    chaos => Chaos,
    /// What services wrote
    logs => Logs,
    /// Start services that were stopped, or jobs now
    start => Start,
    /// Stop services until somebody starts them again
    stop => Stop,
    /// Stop services and start them again
    restart => Restart,
    /// Start again what runs from an older file
    reload => Reload,
    /// In which order the house starts
    plan => Plan,
    /// Let a service start again that its breaker has locked
    unlock => Unlock,
    /// The switch that watches the supervisor: its state, a drill, on and off
    deadman => Deadman,
    /// Unit files for launchd or systemd
    units => Units,
    /// Completions for your shell
    completions => Completions,
    /// The version, and what is in it
    version => Version,
}

/// A self-hosted control plane for a house that runs its own AI agents.
#[derive(Debug, Parser)]
#[command(name = "sanctum", version, propagate_version = true, arg_required_else_help = true, after_help = EXIT_CODES)]
pub(crate) struct Program {
    /// The house's directory [default: $SANCTUM_HOME, or ~/.sanctum]
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,
    /// Answer with JSON, for scripts
    #[arg(long, global = true)]
    json: bool,
    /// Log more
    #[arg(long, short, global = true)]
    verbose: bool,
    #[command(subcommand)]
    verb: Verb,
}

/// Generated text is checked against `kernel::exit::ALL` by a test.
const EXIT_CODES: &str = "Exit codes: 0 it went well · 1 the answer is no · 64 wrong command line · 66 file missing · \
69 a service does not answer · 70 internal · 73 cannot write · 75 try again · 77 not allowed · 78 wrong configuration";

impl Program {
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    pub(crate) fn run(self) -> Outcome {
        let Self { home: given, json, verbose, verb } = self;
        let cli = Cli { paths: Paths::new(home(given)), json, verbose };
        verb.run(&cli)
    }
}

/// The whole command, for completions and the reference.
pub fn command() -> clap::Command {
    Program::command()
}
