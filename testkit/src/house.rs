//! Starting, asking, stopping and starting again.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sanctum_api::Transport;
use sanctum_host::{Plan, Running, start};
use sanctum_http::{Answer, Outbound, Outgoing};
use sanctum_kernel::peers::read_token;
use sanctum_kernel::{Catalogue, Clock, Paths, Peer};
use secrecy::ExposeSecret;
use serde_json::Value;

/// How long a house in one process may take to be ready on a busy machine.
const READY: Duration = Duration::from_secs(20);

/// A house that runs.
#[derive(Debug)]
pub struct House {
    running: Running,
    stopped: Stopped,
    outbound: Outbound,
}

/// A house that does not run (yet, or any more); its home stays as long as this lives.
#[derive(Debug)]
pub struct Stopped {
    home: Arc<tempfile::TempDir>,
    catalogue: &'static Catalogue,
    config: String,
    clock: Clock,
    names: Vec<&'static str>,
}

impl House {
    /// A house of all services of `catalogue`, each on a free port, in an empty home.
    #[expect(clippy::new_ret_no_self, reason = "a house is made before it runs")]
    pub fn new(catalogue: &'static Catalogue) -> Stopped {
        let home = Arc::new(tempfile::tempdir().unwrap());
        Stopped { home, catalogue, config: String::new(), clock: Clock::system(), names: Vec::new() }
    }

    pub fn addr(&self, service: &str) -> SocketAddr {
        *self.running.addrs().get(service).unwrap_or_else(|| panic!("`{service}` has no address"))
    }

    pub fn clock(&self) -> &Clock {
        self.running.clock()
    }

    pub fn paths(&self) -> &Paths {
        self.running.paths()
    }

    pub fn home(&self) -> &Path {
        self.stopped.home()
    }

    /// The token `caller` shows at `callee`.
    pub fn token(&self, caller: &str, callee: &str) -> String {
        read_token(self.paths(), caller, callee).unwrap().expose_secret().to_owned()
    }

    /// The way to a service, as the command line has it.
    pub fn transport(&self, service: &str) -> Arc<dyn Transport> {
        let token = read_token(self.paths(), "cli", service).unwrap();
        sanctum_http::transport(Peer { name: service.to_owned(), addr: self.addr(service), token })
    }

    /// `GET`, as the command line: status and body, `null` where the body is no JSON.
    pub async fn get(&self, service: &str, path: &str) -> (u16, Value) {
        self.send(service, "GET", path, &Value::Null).await
    }

    /// Any method with a JSON body, as the command line.
    pub async fn send(&self, service: &str, method: &'static str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        let answer = self.raw(service, method, path, &[("content-type", "application/json")], body).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    /// Any request with the command line's token, unless `headers` bring their own `authorization`.
    pub async fn raw(
        &self,
        service: &str,
        method: &'static str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let mut all: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
            all.push(("authorization".to_owned(), format!("Bearer {}", self.token("cli", service))));
        }
        let url = format!("http://{}{path}", self.addr(service));
        let outgoing = Outgoing { method, url, headers: all, body, timeout: Duration::from_secs(30) };
        self.outbound
            .send(outgoing)
            .await
            .unwrap_or_else(|error| panic!("{method} {path} at {service}: {error}"))
    }

    /// Writes another configuration and lets the house look at it.
    pub async fn reconfigure(&mut self, config: &str) {
        self.stopped.config = config.to_owned();
        self.stopped.write();
        self.running.reload(true).await;
    }

    /// Stops every service and keeps the home.
    pub async fn stop(self) -> Stopped {
        assert!(!self.running.stop().await, "a service ended badly");
        self.stopped
    }
}

impl Stopped {
    #[must_use]
    pub fn config(mut self, config: &str) -> Self {
        config.clone_into(&mut self.config);
        self
    }

    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Only these services.
    #[must_use]
    pub fn only(mut self, names: &[&'static str]) -> Self {
        self.names = names.to_vec();
        self
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn paths(&self) -> Paths {
        Paths::new(self.home.path())
    }

    /// The file as it is written: every listener on a free port, then the test's own sections.
    fn write(&self) {
        let listeners = self
            .catalogue
            .iter()
            .flat_map(|entry| entry.spec.listen.iter().map(|listen| (entry.spec.name, listen.name)));
        let lines = listeners.map(|(service, listener)| match listener {
            "http" => format!("{service} = \"127.0.0.1:0\"\n"),
            other => format!("\"{service}.{other}\" = \"127.0.0.1:0\"\n"),
        });
        let listen = if self.config.contains("[listen]") {
            String::new()
        } else {
            format!("[listen]\n{}", lines.collect::<String>())
        };
        let text = format!("{listen}\n{}", self.config);
        sanctum_kernel::files::replace(&self.paths().config(), text.as_bytes(), 0o600).unwrap();
    }

    /// Starts it, or says why it does not start.
    pub async fn try_start(self) -> Result<House, (Self, String)> {
        self.write();
        let loaded = match sanctum_settings::load(&self.paths().config(), self.catalogue) {
            Ok(loaded) => loaded,
            Err(problems) => return Err((self, problems.to_string())),
        };
        let plan = Plan {
            catalogue: self.catalogue,
            paths: self.paths(),
            loaded,
            names: self.names.clone(),
            clock: self.clock.clone(),
            begins: true,
        };
        match start(plan).await {
            Ok(running) => Ok(House { running, stopped: self, outbound: Outbound::default() }),
            Err(error) => {
                let (hint, code) = error.hint();
                let text =
                    format!("{} [{}] ({code})", sanctum_kernel::Chain(&error), hint.unwrap_or_default());
                Err((self, text))
            }
        }
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> House {
        let house = self.try_start().await.map_err(|(_, why)| why).expect("the house starts");
        crate::eventually("the house to be ready", READY, async || house.running.is_ready().then_some(()))
            .await;
        house
    }
}
