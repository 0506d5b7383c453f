//! A provider of language models on loopback that answers well, or misbehaves by the name of the model or by a script.
//!
//! What it says follows from the request: the number of letters it read, the pictures it saw, the tools it was given.
//!
//! - a model whose name holds `tool` calls the first tool it is offered, `parallel` two of them at once;
//! - a line `call NAME {json}` in the last words of the user calls that tool with those arguments;
//! - a model whose name holds `think` shows its reasoning unasked, as local servers do;
//! - a model whose name ends in `fault-NAME` behaves as that row of [`FAULTS`];
//! - [`Provider::script`] and [`Provider::always`] override all of these.

mod anthropic;
mod ask;
mod chat;
mod fault;
mod gemini;
mod record;
mod respond;
mod responses;
mod say;
mod server;

pub use ask::{Api, Ask};
pub use fault::{Act, FAULTS, Fault, Nature, Retry, fault};
pub use record::{Connection, Seen};
pub use say::{Call, HELLO, Say, Tokens};

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use record::Shared;

/// What one request gets.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    /// Instead of what follows from the request.
    pub say: Option<Say>,
    pub act: Act,
}

impl Reply {
    /// What follows from the request, without a fault.
    pub fn good() -> Self {
        Self::default()
    }

    /// These words.
    pub fn text(text: &str) -> Self {
        Self { say: Some(Say { text: text.to_owned(), ..Say::default() }), act: Act::Good }
    }

    /// A row of [`FAULTS`], by its name.
    pub fn fault(name: &str) -> Self {
        Self { say: None, act: fault(name).act.clone() }
    }

    /// The same with these tokens reported.
    #[must_use]
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.say.get_or_insert_with(Say::default).tokens = tokens;
        self
    }

    /// Waits between the pieces of the answer.
    #[must_use]
    pub fn paced(mut self, gap: Duration) -> Self {
        self.say.get_or_insert_with(Say::default).gap = gap;
        self
    }
}

/// A provider that runs until it is dropped, on a thread of its own so that every kind of test can hold one.
#[derive(Debug)]
pub struct Provider {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Provider {
    pub fn start() -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// At an address of the caller's choice; a provider that was down may come back there.
    pub fn start_at(addr: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind(addr).expect("a provider binds its port");
        listener.set_nonblocking(true).unwrap();
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::new(addr));
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("provider".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let listener = TcpListener::from_std(listener).unwrap();
                    tokio::select! {
                        () = server::serve(listener, serving) => {}
                        _ = stopped => {}
                    }
                });
            })
            .unwrap();
        Self { addr, shared, stop: Some(stop), thread: Some(thread) }
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT`. Every route is served with whatever stands before it, `/v1` or nothing.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// What the next requests for an answer get, in this order; then everything is as before.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.script.lock().unwrap().extend(replies);
    }

    /// What every request for this model gets from now on; `*` is every model that has nothing of its own.
    pub fn always(&self, model: &str, reply: Reply) {
        self.shared.always.lock().unwrap().insert(model.to_owned(), reply);
    }

    /// Forgets the script and what holds always.
    pub fn behave(&self) {
        self.shared.script.lock().unwrap().clear();
        self.shared.always.lock().unwrap().clear();
    }

    /// From now on a request without this key is refused as the API does it.
    pub fn demand_key(&self, key: &str) {
        *self.shared.key.lock().unwrap() = Some(key.to_owned());
    }

    /// Every request so far, oldest first, those that were refused included.
    pub fn requests(&self) -> Vec<Arc<Seen>> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// The newest request.
    pub fn last(&self) -> Arc<Seen> {
        self.requests().pop().expect("the provider has seen a request")
    }

    /// Every connection so far, oldest first.
    pub fn connections(&self) -> Vec<Connection> {
        self.shared.connections.lock().unwrap().clone()
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        self.connections().iter().filter(|connection| !connection.closed).count()
    }

    /// Requests whose client went away before the whole answer was written.
    pub fn cancelled(&self) -> Vec<Arc<Seen>> {
        self.requests().into_iter().filter(|seen| seen.cancelled()).collect()
    }

    /// Forgets the requests it saw, not how to behave.
    pub fn forget(&self) {
        self.shared.requests.lock().unwrap().clear();
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || std::thread::panicking(), "the provider's thread panicked");
        }
    }
}
