//! Telling a person without the house: one POST, one program.

use std::process::Stdio;
use std::time::Duration;

use sanctum_http::{Outbound, OutboundError, Outgoing};
use sanctum_kernel::values::SecretError;
use sanctum_kernel::{Chain, Paths};
use secrecy::ExposeSecret;

use crate::Config;
use crate::state::Said;

/// A path that does not answer must not keep the switch from its work.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub(crate) enum TellError {
    #[error("its token cannot be read")]
    Token(#[source] SecretError),
    #[error(transparent)]
    Post(#[from] OutboundError),
    #[error("the answer was {0}")]
    Refused(u16),
    #[error("`{0}` could not be run")]
    Run(String, #[source] std::io::Error),
    #[error("`{0}` ended with {1}")]
    Ended(String, std::process::ExitStatus),
    #[error("`{0}` took too long")]
    Slow(String),
}

/// How loud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Volume {
    Alarm,
    /// Nobody shall wake up: ntfy shows it without sound; a program finds `SANCTUM_DRILL=1` in its environment.
    Drill,
}

/// The ways there are, as words that change when one of them does.
pub(crate) fn ways(config: &Config) -> Vec<String> {
    let url = config.url.as_ref().map(|url| format!("url {url}"));
    let command = (!config.command.is_empty()).then(|| format!("command {}", config.command.join(" ")));
    url.into_iter().chain(command).collect()
}

/// Tells by every way there is, side by side; what became of each.
pub(crate) async fn tell(
    config: &Config,
    paths: &Paths,
    said: &Said,
    volume: Volume,
) -> Vec<(&'static str, Result<(), TellError>)> {
    let by_url = async {
        match &config.url {
            Some(url) => Some(("url", post(config, paths, url, said, volume).await)),
            None => None,
        }
    };
    let by_command = async {
        match config.command.as_slice() {
            [program, args @ ..] => Some(("command", run(program, args, said, volume).await)),
            [] => None,
        }
    };
    let (url, command) = tokio::join!(by_url, by_command);
    let told: Vec<_> = url.into_iter().chain(command).collect();
    for (path, outcome) in &told {
        if let Err(error) = outcome {
            tracing::error!(path, error = %Chain(error), "could not tell");
        }
    }
    told
}

/// A plain text with its title in a header, as ntfy takes it; anything that takes a POST understands the body.
async fn post(
    config: &Config,
    paths: &Paths,
    url: &str,
    said: &Said,
    volume: Volume,
) -> Result<(), TellError> {
    // Header values are ASCII; a name of the house may not be.
    let ascii = |letter: char| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' };
    // ntfy's `min`: no sound, no vibration, folded away (docs.ntfy.sh/publish, "Message priority").
    let priority = if volume == Volume::Alarm { "urgent" } else { "min" };
    let mut headers = vec![
        ("content-type".to_owned(), "text/plain; charset=utf-8".to_owned()),
        ("title".to_owned(), said.title.chars().map(ascii).collect()),
        ("priority".to_owned(), priority.to_owned()),
    ];
    if let Some(token) = &config.token {
        let token = token.resolve(paths).map_err(TellError::Token)?;
        headers.push(("authorization".to_owned(), format!("Bearer {}", token.expose_secret())));
    }
    let body = said.text.as_bytes().to_vec();
    let answer = Outbound::default()
        .send(Outgoing { method: "POST", url: url.to_owned(), headers, body, timeout: PATIENCE })
        .await?;
    if answer.is_success() { Ok(()) } else { Err(TellError::Refused(answer.status)) }
}

async fn run(program: &str, args: &[String], said: &Said, volume: Volume) -> Result<(), TellError> {
    let mut command = tokio::process::Command::new(program);
    command
        .args(args)
        .args([&said.title, &said.text])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    if volume == Volume::Drill {
        command.env("SANCTUM_DRILL", "1");
    }
    match tokio::time::timeout(PATIENCE, command.status()).await {
        Err(_) => Err(TellError::Slow(program.to_owned())),
        Ok(Err(error)) => Err(TellError::Run(program.to_owned(), error)),
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(TellError::Ended(program.to_owned(), status)),
    }
}
