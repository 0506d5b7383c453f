//! What the verbs about the watch have in common: its client, names, and the colours of states.

use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use sanctum_api::CallError;
use sanctum_api::watch::{Client, Light, State};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Failure, exit};
use serde::Serialize;

use crate::CATALOGUE;
use crate::cli::{Cli, Outcome, Wall};
use crate::paint::Paint;

// The service a verb is about. No doc comment: it would be taken for that of the verb.
#[derive(Debug, clap::Args)]
pub(crate) struct About {
    /// The service, by name or house name; a declared one by its short name
    #[arg(value_name = "NAME")]
    name: String,
}

type Draw<T> = fn(&mut dyn Write, Paint, &T, &Wall) -> io::Result<()>;

impl About {
    /// Asks the watch and shows what it says; the exit code says whether the service is healthy.
    pub(crate) fn show<T: Serialize>(
        &self,
        cli: &Cli,
        ask: impl AsyncFnOnce(&Client, &str) -> Result<T, CallError>,
        draw: Draw<T>,
        state: impl FnOnce(&T) -> State,
    ) -> Outcome {
        let (name, client) = (named(cli, &self.name)?, client(cli)?);
        let said = cli.call(ask(&client, &name))?;
        let wall = cli.wall();
        cli.show(&said, |out, paint| draw(out, paint, &said, &wall))?;
        Ok(if state(&said) == State::Healthy { exit::OK } else { exit::NO })
    }
}

pub(crate) fn client(cli: &Cli) -> Result<Client, Failure> {
    cli.transport("watch").map(Client::new)
}

/// The service a word means: one of ours by any of its names, or a declared one by its short name or what people call it. While
/// the file is broken, the watch itself is asked what it knows.
pub(crate) fn named(cli: &Cli, word: &str) -> Result<String, Failure> {
    if let Some(entry) = CATALOGUE.find(word) {
        return Ok(entry.spec.name.to_owned());
    }
    let Ok(loaded) = cli.settings() else { return Ok(word.to_owned()) };
    let declared = &loaded.house.service;
    let called = |name: &Option<String>| name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(word));
    let found = declared.iter().find(|(name, service)| *name == word || called(&service.name));
    found.map(|(name, _)| name.clone()).ok_or_else(|| {
        let ours = CATALOGUE.iter().map(|entry| entry.spec.name);
        let known: Vec<&str> = ours.chain(declared.keys().map(String::as_str)).collect();
        Hinted::new(
            exit::USAGE,
            format!("no service is called `{word}`"),
            format!("the services are {}", known.join(", ")),
        )
        .into()
    })
}

/// A state, padded and then coloured.
pub(crate) fn state(paint: Paint, state: State, width: usize) -> String {
    let word = format!("{:<width$}", state.word());
    match state {
        State::Healthy => paint.green(word),
        State::Unknown => paint.cyan(word),
        State::Drift => paint.yellow(word),
        State::Failed | State::Blocked => paint.red(word),
    }
}

/// A light, padded and then coloured.
pub(crate) fn light(paint: Paint, light: Light, width: usize) -> String {
    let word = format!("{:<width$}", light.word());
    match light {
        Light::Green => paint.green(word),
        Light::Unknown => paint.cyan(word),
        Light::Amber => paint.yellow(word),
        Light::Red => paint.red(word),
    }
}

/// From the one moment to the other, roughly: `12 s`, `3 min`, `5 h`, `2 d`.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> String {
    let seconds = Duration::try_from(to.duration_since(from)).unwrap_or_default().as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86400),
    }
}
