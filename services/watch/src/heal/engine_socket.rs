//! Whether somebody answers behind the socket of a container engine.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

const PATIENCE: Duration = Duration::from_secs(2);

/// `GET /_ping`, which every engine with Docker's API answers.
pub(crate) async fn ping(path: &Path) -> Result<(), String> {
    let asked = async {
        let mut stream = UnixStream::connect(path).await?;
        stream.write_all(b"GET /_ping HTTP/1.0\r\nhost: engine\r\n\r\n").await?;
        let mut answer = [0; 64];
        let length = stream.read(&mut answer).await?;
        Ok::<_, std::io::Error>(
            String::from_utf8_lossy(answer.get(..length).unwrap_or_default()).into_owned(),
        )
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(answer)) if answer.starts_with("HTTP/1.") && answer.contains(" 200") => Ok(()),
        Ok(Ok(answer)) => Err(format!("it answered `{}`", answer.lines().next().unwrap_or_default())),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}
