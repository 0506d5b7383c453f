//! The one thread that forks. On Linux a child may be told to end with the *thread* that forked it, so that thread
//! must live exactly as long as the supervisor.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc;

use tokio::sync::oneshot;

/// Forks children until it is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Nursery(mpsc::Sender<Birth>);

struct Birth {
    command: Command,
    reply: oneshot::Sender<io::Result<Child>>,
}

impl Nursery {
    pub(crate) fn open() -> io::Result<Self> {
        let (births, wanted) = mpsc::channel::<Birth>();
        std::thread::Builder::new().name("nursery".to_owned()).stack_size(256 * 1024).spawn(move || {
            for Birth { mut command, reply } in wanted {
                let child = command.spawn();
                // Its copies of the pipe must be closed before anyone waits for the end of the output.
                drop(command);
                if let Err(Ok(mut child)) = reply.send(child)
                    && child.kill().is_ok()
                {
                    child.wait().ok();
                }
            }
        })?;
        Ok(Self(births))
    }

    pub(crate) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let (reply, born) = oneshot::channel();
        let gone = || io::Error::other("the thread that forks has ended");
        self.0.send(Birth { command, reply }).map_err(|_| gone())?;
        born.await.map_err(|_| gone())?
    }
}
