//! How a supervisor makes way for its newer self: the process stays, the program in it is another, and every child of it
//! runs on.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use crate::plan;

/// A program that cannot say its version in this time is not given a house.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether the program at our place can run at all; why not, if not.
pub(crate) async fn can_run() -> Result<(), String> {
    let program = plan::this_program().map_err(|error| error.to_string())?;
    let mut command = tokio::process::Command::new(&program);
    command.arg("version").kill_on_drop(true);
    match tokio::time::timeout(PATIENCE, command.output()).await {
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().chars().take(300).collect::<String>();
            Err(format!("`{} version` ended with {}: {said}", program.display(), output.status))
        }
        Ok(Err(error)) => Err(format!("`{}` cannot be started: {error}", program.display())),
        Err(_) => Err(format!("`{} version` did not answer", program.display())),
    }
}

/// Puts the newer program into this process, with the words this one was started with; returns only if that fails.
pub(crate) fn by_the_newer() -> std::io::Error {
    match plan::this_program() {
        Ok(program) => Command::new(program).args(std::env::args_os().skip(1)).exec(),
        Err(error) => std::io::Error::other(error.to_string()),
    }
}
