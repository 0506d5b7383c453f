//! What a service says of itself: datagrams of `KEY=VALUE` lines to the socket that `NOTIFY_SOCKET` names (sd_notify(3)).
//! `READY=1` makes it ready, `STATUS=…` is shown; everything else is heard and left.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram as Socket;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sanctum_kernel::Paths;
use tokio::net::UnixDatagram;

use crate::Plan;

/// Longer than any message of that kind.
const LONGEST: usize = 4096;
/// What an address of a socket can hold everywhere (unix(7): 108 bytes, 104 on BSD), with its final zero.
const LONGEST_PATH: usize = 103;

/// The socket of one process.
#[derive(Debug)]
pub(super) struct Ear {
    socket: UnixDatagram,
    address: OsString,
    /// To be removed with it.
    path: Option<PathBuf>,
    /// Lines of the last datagram that are not told yet.
    lines: Vec<Word>,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    Ready,
    Status(String),
}

/// Sockets that wait for the next process of their service, which need not have one made; `None` while a process has it.
#[derive(Debug, Default)]
pub(crate) struct Ears(Mutex<BTreeMap<String, Option<Ear>>>);

impl Ears {
    /// Makes the socket of a plan whose process is still to come, unless it has one.
    pub(super) fn prepare(&self, paths: &Paths, plan: &Plan) {
        // Made under the lock: whoever takes it meanwhile waits for it instead of making another at the same place.
        let mut kept = self.kept();
        if !kept.contains_key(&plan.name)
            && let Some(ear) = Ear::open(paths, plan)
        {
            kept.insert(plan.name.clone(), Some(ear));
        }
    }

    /// The socket for the next process of a plan. What the last one said in it is not heard any more.
    pub(super) fn take(&self, paths: &Paths, plan: &Plan) -> Option<Ear> {
        let kept = self.kept().insert(plan.name.clone(), None).flatten();
        // Who runs as somebody else by now cannot reach the one that was made before.
        let kept = kept.filter(|ear| ear.path == place(paths, plan));
        kept.and_then(Ear::emptied).or_else(|| Ear::open(paths, plan))
    }

    pub(super) fn keep(&self, name: &str, ear: Option<Ear>) {
        self.kept().extend(ear.map(|ear| (name.to_owned(), Some(ear))));
    }

    pub(super) fn drop(&self, name: &str) {
        self.kept().remove(name);
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Option<Ear>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ear {
    /// Without anything that was said before; `None` if it cannot be emptied.
    fn emptied(mut self) -> Option<Self> {
        self.lines.clear();
        let mut text = [0; LONGEST];
        loop {
            match self.socket.try_recv(&mut text) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Some(self),
                Err(_) => return None,
            }
        }
    }

    /// A service that cannot be heard is asked instead, so that a failure is only worth a line.
    pub(super) fn open(paths: &Paths, plan: &Plan) -> Option<Self> {
        let opened = place(paths, plan).map_or_else(|| abstracted(&plan.name), named);
        match opened {
            Ok((socket, address, path)) => {
                let socket = UnixDatagram::from_std(socket).ok()?;
                Some(Self { socket, address, path, lines: Vec::new() })
            }
            Err(error) => {
                tracing::warn!(service = plan.name, %error, "a service cannot say that it is ready");
                None
            }
        }
    }

    /// The value of `NOTIFY_SOCKET`.
    pub(super) fn address(&self) -> OsString {
        self.address.clone()
    }

    /// The next word; never, without an ear.
    pub(super) async fn hear(ear: &mut Option<Self>) -> Word {
        let Some(ear) = ear else { return std::future::pending().await };
        let mut text = [0; LONGEST];
        loop {
            if let Some(word) = ear.lines.pop() {
                return word;
            }
            match ear.socket.recv(&mut text).await {
                Ok(length) => ear.lines = words(text.get(..length).unwrap_or_default()),
                Err(_) => return std::future::pending().await,
            }
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            std::fs::remove_file(path).ok();
        }
    }
}

/// The words of a datagram, the last first.
fn words(text: &[u8]) -> Vec<Word> {
    let text = String::from_utf8_lossy(text);
    let word = |line: &str| match line.split_once('=')? {
        ("READY", "1") => Some(Word::Ready),
        ("STATUS", status) => Some(Word::Status(status.chars().take(200).collect())),
        _ => None,
    };
    text.lines().rev().filter_map(word).collect()
}

/// Where the socket of a plan is; nowhere for those who cannot come there: nobody else can enter the house's home, and some homes
/// are too deep for an address.
fn place(paths: &Paths, plan: &Plan) -> Option<PathBuf> {
    let path = paths.run().join(format!("{}.notify", plan.name));
    let near = plan.user.is_none() && plan.group.is_none() && path.as_os_str().len() <= LONGEST_PATH;
    near.then_some(path)
}

type Opened = (Socket, OsString, Option<PathBuf>);

fn named(path: PathBuf) -> std::io::Result<Opened> {
    // Left over from a supervisor that was killed.
    std::fs::remove_file(&path).ok();
    let socket = Socket::bind(&path)?;
    socket.set_nonblocking(true)?;
    Ok((socket, path.clone().into_os_string(), Some(path)))
}

/// An address that no directory guards, so that nobody can guess it.
#[cfg(target_os = "linux")]
fn abstracted(name: &str) -> std::io::Result<Opened> {
    use std::os::linux::net::SocketAddrExt;
    let chance = u128::from_le_bytes(sanctum_kernel::trace::random());
    let word = format!("sanctum/{chance:032x}/{name}");
    let socket = Socket::bind_addr(&std::os::unix::net::SocketAddr::from_abstract_name(&word)?)?;
    socket.set_nonblocking(true)?;
    Ok((socket, format!("@{word}").into(), None))
}

#[cfg(not(target_os = "linux"))]
fn abstracted(_: &str) -> std::io::Result<Opened> {
    Err(std::io::Error::new(std::io::ErrorKind::Unsupported, "its socket would lie where it cannot reach it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_heard_in_order_and_the_rest_is_left() {
        let mut heard = words(b"MAINPID=7\nSTATUS=warming up\nREADY=1\nREADY=0\nnonsense");
        heard.reverse();
        assert_eq!(heard, [Word::Status("warming up".to_owned()), Word::Ready]);
    }
}
