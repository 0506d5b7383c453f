//! The receiver: keeps what arrives with its time, and is dead on cue.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sanctum_http::axum::Router;
use sanctum_http::{Bytes, State, StatusCode};
use sanctum_kernel::Failure;

#[derive(Debug, Default)]
struct Inner {
    arrived: Vec<(String, Instant)>,
    down: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Sink {
    addr: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

impl Sink {
    #[expect(clippy::disallowed_methods, reason = "a benchmark is no service")]
    pub(crate) async fn open() -> Result<Self, Failure> {
        let inner = Arc::default();
        let app = Router::new().fallback(take).with_state(Arc::clone(&inner));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        tokio::spawn(async move { sanctum_http::axum::serve(listener, app).await });
        Ok(Self { addr, inner })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.addr)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn down(&self, down: bool) {
        self.with(|inner| inner.down = down);
    }

    pub(crate) fn clear(&self) {
        self.with(|inner| inner.arrived.clear());
    }

    pub(crate) fn arrivals(&self) -> Vec<(String, Instant)> {
        self.with(|inner| inner.arrived.clone())
    }

    /// Different ids, and how often one came again.
    pub(crate) fn unique(&self) -> (usize, usize) {
        let arrived = self.arrivals();
        let unique: BTreeSet<&String> = arrived.iter().map(|(id, _)| id).collect();
        (unique.len(), arrived.len() - unique.len())
    }

    pub(crate) async fn wait_for(&self, count: usize, deadline: Duration) {
        let until = Instant::now() + deadline;
        // Counting the different ones costs time that belongs to the hub, so only once enough have come.
        while Instant::now() < until
            && (self.with(|inner| inner.arrived.len()) < count || self.unique().0 < count)
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn wait_for_all(&self, ids: &[String], deadline: Duration) {
        let until = Instant::now() + deadline;
        while Instant::now() < until {
            let arrived: BTreeSet<String> = self.arrivals().into_iter().map(|(id, _)| id).collect();
            if ids.iter().all(|id| arrived.contains(id)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn take(State(inner): State<Arc<Mutex<Inner>>>, body: Bytes) -> StatusCode {
    let mut inner = inner.lock().unwrap_or_else(PoisonError::into_inner);
    if inner.down {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let now = Instant::now();
    let text = String::from_utf8_lossy(&body);
    // One request of Alertmanager may carry several; each names its id as `id=…`.
    let mut ids = BTreeSet::new();
    for (at, _) in text.match_indices("id=") {
        let rest = text.get(at + 3..).unwrap_or_default();
        let id: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
        // Alertmanager's group key names the label as well, without an id behind it.
        if !id.is_empty() {
            ids.insert(id);
        }
    }
    inner.arrived.extend(ids.into_iter().map(|id| (id, now)));
    StatusCode::OK
}
