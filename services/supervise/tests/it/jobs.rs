//! What runs once, and what runs at its times.

use jiff::{SignedDuration, Timestamp};
use sanctum_api::notify::Severity;
use sanctum_api::supervise::Phase;
use sanctum_kernel::Clock;
use sanctum_testkit::eventually;

use crate::house::{SOON, client, file, log, new, of, phase, runs_logged, script, told, when};

const ONCE: &str = "kind = \"one-shot\"";

fn scheduled(cron: &str, more: &str) -> String {
    format!("kind = \"scheduled\"\nrun.schedule = {{ cron = \"{cron}\"{more} }}")
}

#[tokio::test]
async fn a_job_that_runs_once_is_done_and_never_healed() {
    let services = [
        script("prepare", "echo prepared", ONCE),
        script("app", "exec sleep 1000", "requires = [\"prepare\"]"),
        script("broken", "test -e mended && exit 0; echo 'no such table'; exit 3", ONCE),
        script("on-it", "exec sleep 1000", "requires = [\"broken\"]"),
    ];
    let house = of(&services).await;
    let prepare = phase(&house, "prepare", Phase::Done).await;
    assert!(prepare.is_fine() && prepare.pid.is_none() && prepare.last_run.unwrap().well);
    phase(&house, "app", Phase::Ready).await;
    let broken = phase(&house, "broken", Phase::Failed).await;
    assert!(!broken.is_fine() && broken.detail.unwrap().contains("exit code 3"));
    let home = house.home().to_owned();
    let notice = eventually("people to be told", SOON, async || told(&home).first().cloned()).await;
    assert_eq!(notice.severity, Severity::Warn);
    assert!(
        notice.message.contains("no such table") && notice.message.contains("sanctum start broken"),
        "{}",
        notice.message
    );
    assert_eq!(client(&house).service("on-it").await.unwrap().phase, Phase::Waiting);
    std::fs::File::create(house.home().join("mended")).unwrap();
    assert_eq!(runs_logged(house.paths(), "broken", 1).await, 1, "nobody tried again");
    client(&house).act("broken", "start").await.unwrap();
    phase(&house, "on-it", Phase::Ready).await;
    eventually("the end of it", SOON, async || told(&home).into_iter().find(|notice| notice.resolved)).await;

    // A new house runs them anew.
    let house = house.stop().await.start().await;
    phase(&house, "on-it", Phase::Ready).await;
    assert_eq!(runs_logged(house.paths(), "prepare", 2).await, 2);
    house.stop().await;
}

#[tokio::test]
async fn a_changed_job_runs_again_and_an_unchanged_one_does_not() {
    let mut house = of(&[script("one", "echo first", ONCE), script("two", "echo same", ONCE)]).await;
    phase(&house, "one", Phase::Done).await;
    phase(&house, "two", Phase::Done).await;
    house.reconfigure(&file(&[script("one", "echo second", ONCE), script("two", "echo same", ONCE)])).await;
    let paths = house.paths().clone();
    eventually("the second run", SOON, async || log(&paths, "one").contains(" second").then_some(())).await;
    phase(&house, "one", Phase::Done).await;
    assert_eq!(runs_logged(&paths, "two", 1).await, 1);
    house.stop().await;
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_scheduled_job_runs_at_its_wall_time_and_missed_ones_are_made_up_for_once() {
    let clock = Clock::starting_at(at("2026-10-24T22:00:00Z"));
    let services = [
        script("night", "echo slept", &scheduled("30 2 * * *", "")),
        script("lazy", "echo slept", &scheduled("30 2 * * *", ", catch-up = false")),
        script("minute", "test -e hold || exit 0; exec sleep 1000", &scheduled("* * * * *", "")),
    ];
    let config = format!("[house]\ntimezone = \"Europe/Paris\"\n{}", file(&services));
    let house = new(Vec::new()).config(&config).clock(clock.clone()).start().await;
    let paths = house.paths().clone();
    let runs = |name: &str| log(&paths, name).matches("--- started").count();
    let night = phase(&house, "night", Phase::Scheduled).await;
    assert!(night.is_fine());
    assert_eq!(night.next_run, Some(at("2026-10-25T00:30:00Z")), "02:30 in summer time");
    clock.set(at("2026-10-25T00:30:01Z"));
    let night =
        when(&house, "night", "its run", |state| state.last_run.is_some() && state.phase == Phase::Scheduled)
            .await;
    // The clock on the wall shows 02:30 again an hour later; the next night's is in winter time.
    assert_eq!(night.next_run, Some(at("2026-10-26T01:30:00Z")));
    eventually("both to have run", SOON, async || (runs("night") == 1 && runs("lazy") == 1).then_some(()))
        .await;

    // The machine sleeps for four days.
    clock.step(SignedDuration::from_hours(96));
    when(&house, "night", "what it missed", |state| state.next_run == Some(at("2026-10-29T01:30:00Z"))).await;
    eventually("one run for three", SOON, async || (runs("night") == 2).then_some(())).await;
    eventually("a remark", SOON, async || {
        log(&paths, "lazy").contains("skipped: its time had passed").then_some(())
    })
    .await;
    assert_eq!(runs("lazy"), 1);

    // No overlap, and now if a person says so.
    std::fs::File::create(house.home().join("hold")).unwrap();
    when(&house, "minute", "its rest", |state| state.phase == Phase::Scheduled).await;
    client(&house).act("minute", "start").await.unwrap();
    let running =
        when(&house, "minute", "its run", |state| state.phase == Phase::Running && state.pid.is_some()).await;
    assert!(running.is_fine());
    clock.step(SignedDuration::from_secs(60));
    eventually("a remark", SOON, async || {
        log(&paths, "minute").contains("skipped: the run before still goes on").then_some(())
    })
    .await;
    assert_eq!(client(&house).service("minute").await.unwrap().pid, running.pid);
    client(&house).act("minute", "stop").await.unwrap();
    let stopped = phase(&house, "minute", Phase::Stopped).await;
    assert_eq!(stopped.next_run, None);
    house.stop().await;
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_ended_and_has_failed() {
    let services = [script("slow", "exec sleep 1000", &scheduled("0 0 1 1 *", ", timeout = \"300ms\""))];
    let house = of(&services).await;
    phase(&house, "slow", Phase::Scheduled).await;
    client(&house).act("slow", "start").await.unwrap();
    let failed = phase(&house, "slow", Phase::Failed).await;
    assert_eq!(failed.last_exit.as_deref(), Some("no end in time"));
    assert!(failed.next_run.is_some() && !failed.last_run.unwrap().well);
    assert_eq!(runs_logged(house.paths(), "slow", 1).await, 1);
    house.stop().await;
}

#[tokio::test]
async fn what_was_dealt_with_is_known_to_the_next_house() {
    let clock = Clock::starting_at(at("2026-11-22T02:59:00Z"));
    let services = [script("backup", "echo saved", &scheduled("0 3 * * *", ""))];
    let house = new(Vec::new()).config(&file(&services)).clock(clock.clone()).start().await;
    phase(&house, "backup", Phase::Scheduled).await;
    clock.set(at("2026-11-22T03:00:01Z"));
    when(&house, "backup", "its run", |state| state.last_run.is_some()).await;
    let stopped = house.stop().await;
    let paths = stopped.paths();
    let house = stopped.start().await;
    let again = phase(&house, "backup", Phase::Scheduled).await;
    assert!(again.last_run.unwrap().well);
    assert_eq!(again.next_run, Some(at("2026-11-23T03:00:00Z")));
    let stopped = house.stop().await;
    // Off for a week: made up for once, when the house is up again.
    clock.step(SignedDuration::from_hours(24 * 7));
    let house = stopped.start().await;
    eventually("one run", SOON, async || {
        (log(&paths, "backup").matches("--- started").count() == 2).then_some(())
    })
    .await;
    house.stop().await;
}
