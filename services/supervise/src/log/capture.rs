//! The thread that takes what services print: one for all of them, so that a flood keeps nobody but itself from its turn.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use super::{Log, Tail};

/// How much is taken from a pipe at once.
const BITE: usize = 64 * 1024;

/// One output to be taken until nobody can write into it any more, or nobody waits for that.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) log: Log,
    pub(super) pipe: OwnedFd,
    pub(super) tail: Tail,
    pub(super) over: oneshot::Sender<()>,
}

/// The way to the thread.
pub(super) type Outputs = mpsc::UnboundedSender<Output>;

/// Starts the thread; it ends when the last way to it is gone.
pub(super) fn start() -> io::Result<Outputs> {
    let (outputs, mut taken) = mpsc::unbounded_channel::<Output>();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = move || {
        // They take turns, so that one place is enough for all.
        let bite = Rc::new(RefCell::new(vec![0; BITE]));
        LocalSet::new().block_on(&runtime, async {
            while let Some(output) = taken.recv().await {
                tokio::task::spawn_local(capture(output, Rc::clone(&bite)));
            }
        });
    };
    std::thread::Builder::new().name("output".to_owned()).spawn(work)?;
    Ok(outputs)
}

async fn capture(output: Output, bite: Rc<RefCell<Vec<u8>>>) {
    let Output { mut log, pipe, tail, mut over } = output;
    let Ok(pipe) = pipe::Receiver::from_owned_fd(pipe) else { return };
    log.tail = tail;
    let mut partial = Vec::new();
    loop {
        tokio::select! {
            readable = pipe.readable() => if readable.is_err() { break },
            () = over.closed() => break,
        }
        let lines = {
            let mut bite = bite.borrow_mut();
            match pipe.try_read(&mut bite) {
                Ok(0) => break,
                Ok(taken) => log.whole(&mut partial, bite.get(..taken).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                Err(_) => break,
            }
        };
        if let Some((text, count)) = lines {
            log.give(text, count).await;
        }
        tokio::task::consume_budget().await;
    }
    if let Some((text, count)) = log.rest(&partial) {
        log.give(text, count).await;
    }
    drop(pipe);
    over.send(()).ok();
}
