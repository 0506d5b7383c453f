//! Telling a person without the house: one POST, one program.

use std::process::Stdio;
use std::time::Duration;

use sanctum_http::{Outbound, OutboundError, Outgoing};
use sanctum_kernel::Paths;
use sanctum_kernel::values::SecretError;
use secrecy::ExposeSecret;

use crate::Config;

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

/// Tells by every path there is; what became of each.
pub(crate) async fn tell(
    config: &Config,
    paths: &Paths,
    title: &str,
    text: &str,
) -> Vec<(&'static str, Result<(), TellError>)> {
    let mut told = Vec::new();
    if let Some(url) = &config.url {
        told.push(("url", post(config, paths, url, title, text).await));
    }
    if let [program, args @ ..] = config.command.as_slice() {
        told.push(("command", run(program, args, title, text).await));
    }
    told
}

/// A plain text with its title in a header, as ntfy takes it; anything that takes a POST understands the body.
async fn post(config: &Config, paths: &Paths, url: &str, title: &str, text: &str) -> Result<(), TellError> {
    let mut headers = vec![
        ("content-type".to_owned(), "text/plain; charset=utf-8".to_owned()),
        // Header values are ASCII; a name of the house may not be.
        (
            "title".to_owned(),
            title
                .chars()
                .map(|letter| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' })
                .collect(),
        ),
        ("priority".to_owned(), "urgent".to_owned()),
    ];
    if let Some(token) = &config.token {
        let token = token.resolve(paths).map_err(TellError::Token)?;
        headers.push(("authorization".to_owned(), format!("Bearer {}", token.expose_secret())));
    }
    let body = text.as_bytes().to_vec();
    let answer = Outbound::default()
        .send(Outgoing { method: "POST", url: url.to_owned(), headers, body, timeout: PATIENCE })
        .await?;
    if answer.is_success() { Ok(()) } else { Err(TellError::Refused(answer.status)) }
}

async fn run(program: &str, args: &[String], title: &str, text: &str) -> Result<(), TellError> {
    let mut command = tokio::process::Command::new(program);
    command.args(args).args([title, text]).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(PATIENCE, command.status()).await {
        Err(_) => Err(TellError::Slow(program.to_owned())),
        Ok(Err(error)) => Err(TellError::Run(program.to_owned(), error)),
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(TellError::Ended(program.to_owned(), status)),
    }
}
