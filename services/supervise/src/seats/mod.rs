//! Seats: services that take much memory and are loaded when somebody needs them. One is admitted where its peak fits, and
//! stopped when nobody has asked for it for a while.

mod admission;
mod memory;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use admission::Room;
pub use memory::Memory;
use sanctum_api::Problem;
use sanctum_api::supervise::{Loaded, Phase, ServiceState};
use sanctum_http::Refusal;
use sanctum_kernel::{Chain, OnError, Size, Stop};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::config;
use crate::engine::Event;
use crate::surface::Surface;
use admission::{Promises, Rules};

/// Between two looks at one that is being loaded.
const LOOK: Duration = Duration::from_millis(25);
/// Between two looks for seats that are idle, at most and at least.
const ROUND: Duration = Duration::from_secs(10);
const QUICK: Duration = Duration::from_millis(100);
/// One that waits for this long for what it requires is not loaded.
const WAITING: Duration = Duration::from_mins(2);

/// What is promised, and when each seat was last asked for.
#[derive(Debug)]
pub(crate) struct Seats {
    memory: Arc<dyn Memory>,
    promises: Mutex<Promises>,
    touched: Mutex<BTreeMap<String, Instant>>,
    rules: Rules,
}

impl Seats {
    pub(crate) fn new(config: &config::Seats, memory: Arc<dyn Memory>) -> Self {
        let rules = Rules { keep_free: config.keep_free.0, max_pressure: f64::from(config.max_pressure) };
        Self { memory, promises: Mutex::default(), touched: Mutex::default(), rules }
    }

    pub(crate) fn system() -> Arc<dyn Memory> {
        Arc::new(memory::System::new())
    }

    fn touch(&self, name: &str) {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), Instant::now());
    }

    fn admit(&self, name: &str, peak: u64) -> Result<(), Refusal> {
        let unknown = |error: std::io::Error| {
            let problem = Problem::new(503, "no-room", format!("`{name}` cannot be loaded"));
            Refusal(problem.detail(format!("how much memory there is cannot be read: {}", Chain(&error))))
        };
        let room = self.memory.look().map_err(unknown)?;
        let mut promises = self.promises.lock().unwrap_or_else(PoisonError::into_inner);
        promises.admit(name, peak, room, self.rules).map_err(|refused| {
            let problem = Problem::new(503, "no-room", format!("`{name}` does not fit"));
            Refusal(
                problem.detail(refused.to_string()).hint("stop another seat, or ask again when it is idle"),
            )
        })
    }

    /// How long `state` has not been asked for; from now on, if it was never.
    fn idle(&self, state: &ServiceState) -> Duration {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        touched.entry(state.name.clone()).or_insert_with(Instant::now).elapsed()
    }
}

/// Given back however the loading ends.
struct Promise<'a>(&'a Seats, &'a str);

impl Drop for Promise<'_> {
    fn drop(&mut self) {
        self.0.promises.lock().unwrap_or_else(PoisonError::into_inner).release(self.1);
    }
}

impl Surface {
    /// Loads a seat if it is not loaded, and waits until it is ready. Goes on if the one who asked goes away.
    pub(crate) async fn ensure_loaded(self: Arc<Self>, name: String) -> Result<Loaded, Refusal> {
        let (done, loaded) = oneshot::channel();
        let surface = Arc::clone(&self);
        self.tasks.spawn("seat", OnError::Log, |stop| async move {
            if let Some(outcome) = stop.or(surface.load(name)).await {
                done.send(outcome).ok();
            }
            Ok(())
        });
        let down = || Refusal(Problem::new(503, "unavailable", "the house is being ended"));
        loaded.await.map_err(|_| down())?
    }

    async fn load(&self, name: String) -> Result<Loaded, Refusal> {
        let (unit, state) = self.find(name)?;
        let name = state.name.clone();
        let Some(seat) = &state.seat else {
            let problem = Problem::conflict(format!("`{name}` is no seat"));
            return Err(Refusal(problem.hint(format!("declare what it takes in `[service.{name}.seat]`"))));
        };
        self.seats.touch(&name);
        match state.phase {
            Phase::Ready => return Ok(loaded(&state, true)),
            Phase::Locked => return Err(failed(&state)),
            _ => {}
        }
        self.seats.admit(&name, seat.peak_bytes)?;
        let promise = Promise(&self.seats, &name);
        self.wish(Event::Start { unit }).await?;
        let outcome = self.until_loaded(&name).await;
        drop(promise);
        if outcome.is_err() {
            // It is not tried again and again behind the back of the one who asked.
            self.wish(Event::Stop { unit }).await?;
        }
        self.seats.touch(&name);
        outcome
    }

    async fn until_loaded(&self, name: &str) -> Result<Loaded, Refusal> {
        let began = Instant::now();
        loop {
            let (_, state) = self.find(name.to_owned())?;
            match state.phase {
                Phase::Ready => return Ok(loaded(&state, false)),
                Phase::Waiting if began.elapsed() < WAITING => {}
                // A stop that was asked for before ends first.
                Phase::Starting | Phase::Stopping => {}
                _ => return Err(failed(&state)),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Somebody works with it.
    pub(crate) fn touch(&self, name: String) -> Result<ServiceState, Refusal> {
        let (_, state) = self.find(name)?;
        self.seats.touch(&state.name);
        Ok(state)
    }

    /// Stops seats that nobody has asked for, until the house ends.
    pub(crate) async fn unload_idle(&self, stop: Stop) {
        loop {
            let mut round = ROUND;
            for state in self.board.states() {
                let after =
                    state.seat.as_ref().and_then(|seat| seat.unload_after_ms).map(Duration::from_millis);
                let Some(after) = after.filter(|_| state.phase == Phase::Ready) else { continue };
                round = round.min((after / 4).max(QUICK));
                let idle = self.seats.idle(&state);
                if idle < after {
                    continue;
                }
                tracing::info!(
                    service = state.name,
                    seconds = idle.as_secs(),
                    "a seat is idle: it is unloaded"
                );
                if let Some(unit) = self.board.unit(&state.name)
                    && self.wish(Event::Stop { unit }).await.is_err()
                {
                    return;
                }
            }
            if stop.or(tokio::time::sleep(round)).await.is_none() {
                return;
            }
        }
    }
}

fn loaded(state: &ServiceState, already: bool) -> Loaded {
    Loaded {
        name: state.name.clone(),
        pid: state.pid,
        address: state.address.clone(),
        ready_ms: state.ready_ms,
        already,
    }
}

/// It was admitted and did not come up.
fn failed(state: &ServiceState) -> Refusal {
    let problem = Problem::new(503, "not-loaded", format!("`{}` did not become ready", state.name));
    let why = state.locked.as_ref().map(|locked| locked.reason.clone()).or_else(|| state.last_exit.clone());
    let why = why.or_else(|| state.detail.clone()).unwrap_or_else(|| format!("it is {}", state.phase.word()));
    Refusal(problem.detail(why).hint(format!("`sanctum logs {}` says why", state.name)))
}

/// What others are told of a declared seat.
pub(crate) fn shown(seat: &sanctum_kernel::inventory::Seat) -> sanctum_api::supervise::Seat {
    let bytes = |size: Option<Size>| size.map_or(0, |size| size.0);
    let idle_bytes = bytes(seat.idle);
    sanctum_api::supervise::Seat {
        idle_bytes,
        // One that does not say takes no more than when it waits.
        peak_bytes: bytes(seat.peak).max(idle_bytes),
        unload_after_ms: seat
            .unload_after
            .map(|after| u64::try_from(after.0.as_millis()).unwrap_or(u64::MAX)),
    }
}
