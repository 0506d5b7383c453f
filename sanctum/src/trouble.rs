//! What went wrong with a command, for people on standard error and for scripts on standard output.

use std::io::Write;

use sanctum_api::{CallError, Problem};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Chain, Failure, exit};
use serde::Serialize;

use crate::paint::Paint;

/// A service refused a call: its own words, and what a person can do about it.
#[derive(Debug, thiserror::Error)]
#[error("{hinted}")]
pub(crate) struct Refused {
    hinted: Hinted,
    problem: Problem,
}

/// The same shape for every verb: an RFC 9457 problem, with the exit code beside it.
#[derive(Debug, Serialize)]
struct Trouble<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: String,
    /// Only if a service refused: the HTTP status it answered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<&'a str>,
    exit_code: u8,
}

impl Refused {
    /// As an error with the service's field, value and what is allowed, each on a line.
    pub(crate) fn by(problem: &Problem) -> Failure {
        let mut text = problem.to_string();
        for (name, value) in
            [("field", &problem.field), ("value", &problem.value), ("allowed", &problem.allowed)]
        {
            if let Some(value) = value {
                text.push_str(&format!("\n  {name}: {value}"));
            }
        }
        let code = if problem.status >= 500 { exit::TRY_AGAIN } else { exit::NO };
        let hint = problem.hint.clone().unwrap_or_else(|| "`--help` shows how to say it".to_owned());
        Box::new(Self { hinted: Hinted::new(code, text, hint), problem: problem.clone() })
    }
}

/// A call's failure with what a person can do about it.
pub(crate) fn explain(error: CallError) -> Failure {
    match &error {
        CallError::Refused { problem, .. } => Refused::by(problem),
        CallError::Silent { service, .. } => {
            let hint =
                format!("is the house up? `sanctum status` tells; `sanctum logs {service}` says why not");
            Box::new(Hinted::new(exit::UNAVAILABLE, error.to_string(), hint))
        }
        CallError::Garbled { .. } => Box::new(error),
    }
}

/// The way out and the exit code of an error.
fn way(error: &Failure) -> (Option<&str>, u8) {
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return (sanctum_kernel::hint(&refused.hinted).map(|(hint, _)| hint), refused.hinted.code());
    }
    let hinted = sanctum_kernel::hint(&**error);
    let code = match error.downcast_ref::<Hinted>() {
        Some(hinted) => hinted.code(),
        None if error.is::<sanctum_kernel::files::FileError>() => exit::CANNOT_CREATE,
        None => hinted.map_or(exit::SOFTWARE, |(_, code)| code),
    };
    (hinted.map(|(hint, _)| hint), code)
}

/// Prints an error with its way out, as JSON on standard output too if asked to; returns its exit code.
pub(crate) fn complain(error: &Failure, json: bool) -> u8 {
    let (hint, code) = way(error);
    let text = Chain(&**error).to_string();
    let colour = Paint::stderr();
    anstream::eprintln!("{} {text}", colour.red("error:"));
    if let Some(hint) = hint {
        anstream::eprintln!("{} {hint}", colour.cyan("hint:"));
    }
    if json {
        let problem = error.downcast_ref::<Refused>().map(|refused| &refused.problem);
        print(&trouble(problem, &text, hint, code));
    }
    code
}

/// A command line that could not be read.
pub(crate) fn misunderstood(text: &str) {
    print(&trouble(
        None,
        text.trim().trim_start_matches("error: "),
        Some("`--help` shows how to say it"),
        exit::USAGE,
    ));
}

fn trouble<'a>(
    problem: Option<&'a Problem>,
    text: &str,
    hint: Option<&'a str>,
    exit_code: u8,
) -> Trouble<'a> {
    let (first, rest) = text.split_once('\n').map_or((text, None), |(first, rest)| (first, Some(rest)));
    let word = exit::ALL.iter().find(|(code, _)| *code == exit_code).map_or("failed", |_| kind(exit_code));
    Trouble {
        kind: problem.map_or_else(|| format!("urn:sanctum:{word}"), |problem| problem.kind.clone()),
        title: problem.map_or_else(|| first.to_owned(), |problem| problem.title.clone()),
        status: problem.map(|problem| problem.status),
        detail: problem.map_or_else(|| rest.map(str::to_owned), |problem| problem.detail.clone()),
        field: problem.and_then(|problem| problem.field.as_deref()),
        value: problem.and_then(|problem| problem.value.as_deref()),
        allowed: problem.and_then(|problem| problem.allowed.as_deref()),
        hint,
        trace_id: problem.and_then(|problem| problem.trace_id.as_deref()),
        exit_code,
    }
}

/// The kind of problem an exit code stands for.
const fn kind(code: u8) -> &'static str {
    match code {
        exit::NO => "no",
        exit::USAGE => "usage",
        exit::NO_INPUT => "file-missing",
        exit::UNAVAILABLE => "unavailable",
        exit::CANNOT_CREATE => "cannot-write",
        exit::TRY_AGAIN => "try-again",
        exit::NO_PERMISSION => "not-allowed",
        exit::CONFIG => "bad-configuration",
        _ => "inside",
    }
}

fn print(trouble: &Trouble<'_>) {
    let mut out = std::io::stdout().lock();
    let written = serde_json::to_writer_pretty(&mut out, trouble).map_err(std::io::Error::from);
    // Who reads through `head` closes the pipe; that is no error.
    written.and_then(|()| writeln!(out)).ok();
}
