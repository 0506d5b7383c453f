//! Seats with real processes, in a machine whose memory the test decides.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sanctum_api::supervise::{Loaded, Phase};
use sanctum_api::{CallError, Problem};
use sanctum_kernel::inventory::Seat;
use sanctum_kernel::{Period, Size};
use sanctum_supervise::{Memory, Plan, Room};
use sanctum_testkit::eventually;

use crate::house::{SOON, client, listener, new, phase, runs, sinner, start};

/// Bytes that are available, by the home of the test.
static ROOMS: Mutex<BTreeMap<PathBuf, Arc<AtomicU64>>> = Mutex::new(BTreeMap::new());

/// A machine with as much memory as a test says.
#[derive(Debug)]
pub(crate) struct Said(Arc<AtomicU64>);

impl Memory for Said {
    fn look(&self) -> io::Result<Room> {
        Ok(Room { available: self.0.load(Ordering::Relaxed), pressure: None })
    }
}

/// What the house of this home is told; plenty, where the test says nothing.
pub(crate) fn memory(home: &std::path::Path) -> Arc<Said> {
    Arc::new(Said(room(home)))
}

fn room(home: &std::path::Path) -> Arc<AtomicU64> {
    let mut rooms = ROOMS.lock().unwrap();
    Arc::clone(rooms.entry(home.to_owned()).or_insert_with(|| Arc::new(AtomicU64::new(1 << 40))))
}

const MIB: u64 = 1024 * 1024;

fn seat(plan: Plan, peak: u64, unload_after: Option<Duration>) -> Plan {
    let seat = Seat { idle: None, peak: Some(Size(peak * MIB)), unload_after: unload_after.map(Period) };
    Plan { seat: Some(seat), ..plan }
}

fn refusal(answer: Result<Loaded, CallError>) -> Problem {
    answer.unwrap_err().problem().unwrap().clone()
}

#[tokio::test]
async fn a_seat_is_loaded_when_it_is_asked_for_and_its_peak_fits() {
    let stopped = new(vec![seat(listener("model", &[], &[]), 1000, None), sinner("app", &[])]);
    let room = room(stopped.home());
    room.store(1400 * MIB, Ordering::Relaxed);
    let house = stopped.start().await;
    phase(&house, "app", Phase::Ready).await;
    assert_eq!(
        client(&house).service("model").await.unwrap().phase,
        Phase::Stopped,
        "nobody has asked for it"
    );
    let refused = refusal(client(&house).ensure_loaded("model").await);
    assert_eq!(refused.status, 503);
    let detail = refused.detail.unwrap();
    assert!(
        detail.contains("1000.0 MiB at its peak, and 888.0 MiB can be given: 1.4 GiB are available"),
        "{detail}"
    );
    room.store(1600 * MIB, Ordering::Relaxed);
    let loaded = client(&house).ensure_loaded("model").await.unwrap();
    assert!(!loaded.already && loaded.ready_ms.is_some() && runs(loaded.pid.unwrap()));
    let again = client(&house).ensure_loaded("model").await.unwrap();
    assert!(again.already && again.pid == loaded.pid);
    let none = refusal(client(&house).ensure_loaded("app").await);
    assert_eq!((none.status, none.title.as_str()), (409, "`app` is no seat"));
    house.stop().await;
}

#[tokio::test]
async fn what_is_promised_to_one_that_is_being_loaded_is_given_to_nobody_else() {
    let slow = seat(listener("slow", &["--ready-after", "700"], &[]), 1000, None);
    let stopped = new(vec![slow, seat(listener("other", &[], &[]), 1000, None)]);
    room(stopped.home()).store(1600 * MIB, Ordering::Relaxed);
    let house = stopped.start().await;
    let (one, another) = (client(&house), client(&house));
    let meanwhile = async {
        phase(&house, "slow", Phase::Starting).await;
        let detail = refusal(client(&house).ensure_loaded("other").await).detail.unwrap();
        assert!(detail.contains("1000.0 MiB of them are promised"), "{detail}");
        // Who asks for the same waits with the first.
        another.ensure_loaded("slow").await
    };
    let (first, second) = tokio::join!(one.ensure_loaded("slow"), meanwhile);
    assert_eq!(first.unwrap().pid, second.unwrap().pid);
    // This machine's memory does not shrink: the promise is over, so the other fits.
    client(&house).ensure_loaded("other").await.unwrap();
    house.stop().await;
}

#[tokio::test]
async fn what_was_promised_is_given_back_when_the_loading_fails() {
    let broken = seat(sinner("broken", &["--crash-after", "0", "--exit-code", "3"]), 1000, None);
    let broken = Plan { ready: listener("x", &[], &[]).ready, ..broken };
    // The second failure waits, so that it is seen before the breaker would open.
    let config = "[supervise]\nhealth-every = \"100ms\"\n";
    let stopped = new(vec![broken, seat(listener("good", &[], &[]), 1000, None)]).config(config);
    room(stopped.home()).store(1600 * MIB, Ordering::Relaxed);
    let house = stopped.start().await;
    for _ in 0..2 {
        let refused = refusal(client(&house).ensure_loaded("broken").await);
        assert!(refused.title.contains("did not become ready"), "{refused:?}");
        assert_eq!(refused.detail.as_deref(), Some("exit code 3"));
        phase(&house, "broken", Phase::Stopped).await;
    }
    client(&house).ensure_loaded("good").await.unwrap();
    house.stop().await;
}

#[tokio::test]
async fn an_idle_seat_is_unloaded_and_one_that_is_worked_with_is_not() {
    let after = Some(Duration::from_millis(1200));
    let house = start(vec![seat(listener("model", &[], &[]), 10, after)]).await;
    let pid = client(&house).ensure_loaded("model").await.unwrap().pid.unwrap();
    for _ in 0..6 {
        // Each touch comes well within the time, and all of them together take longer than it.
        tokio::time::sleep(Duration::from_millis(400)).await;
        client(&house).act("model", "touch").await.unwrap();
    }
    assert!(runs(pid));
    phase(&house, "model", Phase::Stopped).await;
    assert!(!runs(pid));
    let again =
        eventually("it is loaded again", SOON, async || client(&house).ensure_loaded("model").await.ok())
            .await;
    assert_ne!(again.pid, Some(pid));
    house.stop().await;
}

#[tokio::test]
async fn what_each_takes_is_counted_with_its_grandchildren() {
    let house = start(vec![sinner("app", &["--fork-grandchild"])]).await;
    phase(&house, "app", Phase::Ready).await;
    let app = eventually("both processes", SOON, async || {
        let all = client(&house).usage().await.ok()?;
        all.into_iter().find(|usage| usage.name == "app" && usage.processes == 2)
    })
    .await;
    assert!(app.memory_bytes > 0 && app.threads >= 2 && app.files.is_some_and(|files| files > 0), "{app:?}");
    let own =
        client(&house).usage().await.unwrap().into_iter().find(|usage| usage.name == "supervise").unwrap();
    assert_eq!((own.pid, own.processes), (std::process::id(), 1));
    house.stop().await;
}
