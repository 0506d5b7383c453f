//! The command line: one file per verb, one line each in `verbs`.

pub mod catalogue;
mod cli;
mod known;
mod paint;
mod run;
mod trouble;
mod verbs;
mod watching;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use sanctum_kernel::exit;

pub use catalogue::CATALOGUE;
pub use verbs::command;

/// Runs the program with the process's own arguments.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    let json = words.iter().any(|word| word == "--json");
    match verbs::Program::try_parse_from(as_service(words)) {
        Ok(program) => {
            let json = program.is_json();
            ExitCode::from(program.run().unwrap_or_else(|error| trouble::complain(&error, json)))
        }
        Err(error) => {
            let asked = matches!(
                error.kind(),
                clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion
            );
            if json && !asked {
                trouble::misunderstood(&error.render().to_string());
            }
            // A closed pipe while printing help is nobody's problem.
            error.print().ok();
            ExitCode::from(if asked { exit::OK } else { exit::USAGE })
        }
    }
}

/// A link named `sanctum-<name>` (or by a house name) runs that service.
fn as_service(words: Vec<OsString>) -> Vec<OsString> {
    let called = words
        .first()
        .map(std::path::Path::new)
        .and_then(|path| path.file_name())
        .and_then(|name| name.to_str());
    let service = called.and_then(|called| {
        let plain = called.strip_prefix("sanctum-").and_then(|name| CATALOGUE.find(name));
        plain.or_else(|| CATALOGUE.find(called))
    });
    match service {
        Some(entry) => {
            let head = ["sanctum", "run", entry.spec.name].map(OsString::from);
            head.into_iter().chain(words.into_iter().skip(1)).collect()
        }
        None => words,
    }
}

/// The whole command for completions and docs.
pub fn clap_command() -> clap::Command {
    verbs::Program::command()
}
