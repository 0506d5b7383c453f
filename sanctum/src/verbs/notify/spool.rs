//! The hub is down: the message is written down, shown on this machine, and told later.

use std::io::Write;

use sanctum_api::notify::{Notice, Spooled};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Clock, Trace, exit, files};
use serde::Serialize;

use crate::cli::{Cli, Outcome};

/// What became of a message that the hub did not take.
#[derive(Debug, Serialize)]
struct Kept<'a> {
    /// The file that the hub reads when it is back.
    file: String,
    why: &'a str,
    shown: &'a str,
}

pub(crate) fn keep(notice: &Notice, key: &str, why: &str, cli: &Cli) -> Outcome {
    let at = Clock::system().now();
    let spooled = Spooled { notice: notice.clone(), at, trace_id: Some(Trace::current().id()), key: Some(key.to_owned()), caller: None };
    let text = serde_json::to_vec_pretty(&spooled)?;
    let path = cli.paths.spool().join(format!("{:020}-{}.json", at.as_microsecond(), key.get(..8).unwrap_or(key)));
    let kept = files::private_dir(&cli.paths.spool()).and_then(|()| files::replace(&path, &text, 0o600));
    let shown = cli.block_on(sanctum_notify::show_on_desktop(notice.clone()))?;
    let shown = match shown {
        Ok(()) => "it is on this machine's desktop".to_owned(),
        Err(reason) => format!("it is not on this machine's desktop either ({reason})"),
    };
    if let Err(error) = kept {
        let message = format!("the hub does not answer ({why}), and the message could not be kept; {shown}");
        return Err(Hinted::new(exit::CANNOT_CREATE, message, "start the house with `sanctum up`, and free the disk").because(error).into());
    }
    if cli.json {
        cli.show(&Kept { file: path.display().to_string(), why, shown: &shown }, |_, _| Ok(()))?;
    }
    let mut err = std::io::stderr().lock();
    writeln!(err, "the hub does not answer: {why}")?;
    writeln!(err, "the message is kept in `{}` and told when the hub is back; {shown}", path.display())?;
    Ok(exit::TRY_AGAIN)
}
