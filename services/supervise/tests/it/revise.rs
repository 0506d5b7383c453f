//! Other rules for a house that is up: they hold at once, and no service is restarted.

use rustix::process::{Pid, Signal, kill_process};
use sanctum_api::supervise::{Phase, ServiceState};
use sanctum_supervise::Plan;

use crate::house::{QUICK, client, listener, new, phase, sinner, when};

/// Sends a signal to a child of this test's supervisor.
fn signal(state: &ServiceState, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(state.pid.unwrap()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[tokio::test]
async fn a_changed_section_restarts_no_service_and_holds_at_once() {
    let mut house = new(vec![listener("web", &[], &[]), sinner("worker", &[])]).start().await;
    let before = phase(&house, "web", Phase::Ready).await;
    let keeper = when(&house, "supervise", "itself", |state| state.live).await;
    assert_eq!(
        (keeper.phase, keeper.pid, keeper.well.is_some()),
        (Phase::Ready, Some(std::process::id()), true)
    );
    // Two failures lock instead of five, and a long wait replaces the short one.
    house.reconfigure(&format!("{QUICK}[supervise.breaker]\nfailures = 2\n")).await;
    let after = phase(&house, "web", Phase::Ready).await;
    assert_eq!((after.pid, after.since), (before.pid, before.since), "it was not restarted");
    let keeper_after = client(&house).service("supervise").await.unwrap();
    assert_eq!(keeper_after.since, keeper.since, "nor was the supervisor");
    for _ in 0..2 {
        let alive =
            when(&house, "worker", "a process", |state| state.pid.is_some() || state.phase == Phase::Locked);
        let alive = alive.await;
        if alive.phase != Phase::Locked {
            signal(&alive, Signal::KILL);
            when(&house, "worker", "its end", |state| state.pid != alive.pid).await;
        }
    }
    let locked = phase(&house, "worker", Phase::Locked).await;
    assert!(locked.locked.unwrap().reason.contains("2 times"));
    house.stop().await;
}

#[tokio::test]
async fn the_supervisor_lists_itself_last_and_is_not_to_be_stopped_here() {
    let house = new(vec![listener("web", &[], &[])]).start().await;
    phase(&house, "web", Phase::Ready).await;
    let names: Vec<String> =
        client(&house).services().await.unwrap().into_iter().map(|state| state.name).collect();
    assert_eq!(names, ["web", "supervise"]);
    let (status, problem) =
        house.send("supervise", "POST", "/services/supervise/stop", &serde_json::json!(null)).await;
    assert_eq!(status, 409, "{problem}");
    assert!(problem["hint"].as_str().unwrap().contains("sanctum down"), "{problem}");
    house.stop().await;
}

#[tokio::test]
async fn what_is_shown_is_not_older_than_the_question() {
    let seldom = QUICK.replace("health-every = \"100ms\"", "health-every = \"1h\"");
    let plan = listener("web", &[], &[]);
    let plan = Plan { health: plan.ready.clone(), ..plan };
    let house = new(vec![plan]).config(&seldom).start().await;
    phase(&house, "web", Phase::Ready).await;
    let web = when(&house, "web", "its health", |state| state.live && state.well.is_some()).await;
    // The next round of questions is in an hour: what is seen now was asked for by whoever looks.
    signal(&web, Signal::STOP);
    let hung = when(&house, "web", "that it hangs", |state| !state.live).await;
    assert!(hung.detail.unwrap().contains("did not answer"), "what is the matter is said");
    signal(&web, Signal::CONT);
    when(&house, "web", "that it answers again", |state| state.live && state.well.is_some()).await;
    house.stop().await;
}
