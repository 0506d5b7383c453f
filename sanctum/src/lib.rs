//! The command line: one file per verb, one line each in `verbs`.

pub mod catalogue;
mod cli;
mod paint;
mod run;
mod verbs;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Chain, Failure, exit};

pub use catalogue::CATALOGUE;
pub use verbs::command;

/// Runs the program with the process's own arguments.
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    match verbs::Program::try_parse_from(as_service(words)) {
        Ok(program) => match program.run() {
            Ok(code) => ExitCode::from(code),
            Err(error) => ExitCode::from(complain(&error)),
        },
        Err(error) => {
            let asked = matches!(
                error.kind(),
                clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion
            );
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

/// Prints an error with its way out; returns its exit code.
fn complain(error: &Failure) -> u8 {
    let colour = paint::Paint::stderr();
    let hinted = sanctum_kernel::hint(&**error);
    let text = Chain(&**error).to_string();
    anstream::eprintln!("{} {text}", colour.red("error:"));
    if let Some((hint, _)) = hinted {
        anstream::eprintln!("{} {hint}", colour.cyan("hint:"));
    }
    match error.downcast_ref::<Hinted>() {
        Some(hinted) => hinted.code(),
        None if error.is::<sanctum_kernel::files::FileError>() => exit::CANNOT_CREATE,
        None => hinted.map_or(exit::SOFTWARE, |(_, code)| code),
    }
}

/// The whole command for completions and docs.
pub fn clap_command() -> clap::Command {
    verbs::Program::command()
}
