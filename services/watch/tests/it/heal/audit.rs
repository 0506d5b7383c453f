//! The guards in a running house, and what is written down.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use sanctum_api::supervise::Phase;
use sanctum_api::watch::Posture;
use sanctum_kernel::Clock;
use sanctum_kernel::inventory::check::{Check, Sqlite};
use sanctum_watch::engine::{Acted, Action};
use sanctum_watch::heal::{By, Cause, Config, Order, PerHour, switch};

use super::ward::{Ward, config, database, evidence, healer, home, item, open, refused, sh};

fn script_recipe(id: &str, severity: &str, cool_down: &str, dry_run: &str) -> String {
    format!(
        "id = \"{id}\"\nsummary = \"counts\"\ntrigger = \"it\"\nseverity = \"{severity}\"\ncool-down = \"{cool_down}\"\n\
         dry-run = \"{dry_run}\"\nreversible = false\n[action.script]\nfile = \"count\"\n"
    )
}

async fn counting() -> Ward {
    let ward = open(home(), vec![], vec![item("app", &[]), item("web", &[])], "").await;
    ward.script("count", "#!/bin/sh\necho x >> $SANCTUM_HOME/count\n");
    ward
}

fn count(ward: &Ward) -> usize {
    std::fs::read_to_string(ward.home().join("count")).unwrap_or_default().lines().count()
}

#[tokio::test]
async fn the_kill_switch_stops_everything_at_once_also_what_a_person_wants() {
    let ward = open(home(), vec![sh("app", "exec sleep 1000")], vec![item("app", &[])], "").await;
    let first = ward.phase("app", Phase::Ready).await.pid;
    let mut restart = ward.order(Some("app"), "x", vec![]);
    restart.action = Action::Restart;
    switch::off(&ward.shared.paths, "the cable man is here").unwrap();
    let why = refused(ward.healer.act(restart.clone()).await);
    assert_eq!(
        why,
        "kill switch: healing is switched off (the cable man is here); `sanctum heal on` ends that"
    );
    restart.by = By::Person("ava".to_owned());
    assert!(refused(ward.healer.act(restart.clone()).await).starts_with("kill switch"));
    assert_eq!(ward.phase("app", Phase::Ready).await.pid, first);
    switch::on(&ward.shared.paths).unwrap();
    assert!(matches!(ward.healer.act(restart).await, Acted::Done(_)));
    // A folder, a link to nowhere: whatever bears that name switches off.
    std::os::unix::fs::symlink("/nonexistent", ward.home().join("heal.off")).unwrap();
    assert!(refused(ward.act(Some("app"), "restart", vec![]).await).starts_with("kill switch"));
    ward.house.stop().await;
}

#[tokio::test]
async fn what_does_not_exist_or_leads_somewhere_is_refused_and_written_down() {
    let ward = counting().await;
    for (id, why) in [
        ("make-coffee", "unknown recipe: there is no such recipe"),
        ("../../bin/sh", "allow-list: "),
        ("restart; rm -rf /", "allow-list: "),
        ("", "allow-list: "),
        (&"x".repeat(5000), "allow-list: "),
    ] {
        let refused = refused(ward.act(Some("app"), id, vec![]).await);
        assert!(refused.starts_with(why) && refused.len() < 300, "{id}: {refused}");
        let line = ward.newest("refused").await;
        assert!(line.recipe.len() <= 60 && line.detail == refused, "{line:?}");
    }
    ward.recipe("off", &script_recipe("count", "low", "0s", "never"));
    let off = Config { off: vec!["count".to_owned()], ..config() };
    ward.healer.revise(off, Arc::clone(&ward.inventory));
    assert!(refused(ward.act(Some("app"), "count", vec![]).await).contains("`[watch.heal] off`"));
    assert!(
        ward.healer
            .recipes()
            .await
            .unwrap()
            .iter()
            .any(|recipe| recipe.id == "count" && recipe.mode == "off")
    );
    assert_eq!(count(&ward), 0);
    ward.house.stop().await;
}

#[tokio::test]
async fn promotion_and_pause_are_per_service_survive_a_restart_and_no_step_of_the_clock_moves_them() {
    let clock = Clock::starting_at("2026-11-22T05:00:00Z".parse().unwrap());
    let ward = open(home().clock(clock.clone()), vec![], vec![item("app", &[]), item("web", &[])], "").await;
    ward.script("count", "#!/bin/sh\necho x >> $SANCTUM_HOME/count\n");
    ward.recipe("count", &script_recipe("count", "low", "1h", "first"));
    assert!(matches!(ward.act(Some("app"), "count", vec![]).await, Acted::Rehearsed(_)));
    assert!(
        matches!(ward.act(Some("web"), "count", vec![]).await, Acted::Rehearsed(_)),
        "another service, another sighting"
    );
    let again = healer(&ward.shared, &ward.inventory, config());
    let order = || ward.order(Some("app"), "count", vec![]);
    assert!(matches!(again.act(order()).await, Acted::Done(_)), "the rehearsal was kept");
    for hours in [2, 24 * 400, -24 * 800] {
        clock.step(SignedDuration::from_hours(hours));
        let anew = healer(&ward.shared, &ward.inventory, config());
        let why = refused(anew.act(order()).await);
        assert!(why.starts_with("cool-down: it was used"), "{hours} h: {why}");
    }
    assert_eq!(count(&ward), 1);
    assert!(matches!(ward.act(Some("web"), "count", vec![]).await, Acted::Done(_)));
    assert_eq!(count(&ward), 2);
    ward.house.stop().await;
}

#[tokio::test]
async fn severity_sets_how_often_and_who() {
    let ward = counting().await;
    ward.recipe("low", &script_recipe("low", "low", "0s", "never"));
    ward.recipe("critical", &script_recipe("critical", "critical", "0s", "never"));
    ward.recipe("never", &script_recipe("shy", "low", "0s", "always"));
    let few = Config { per_hour: PerHour { low: 4, ..PerHour::default() }, ..config() };
    ward.healer.revise(few, Arc::clone(&ward.inventory));
    for _ in 0..2 {
        assert!(matches!(ward.act(Some("app"), "low", vec![]).await, Acted::Done(_)));
    }
    ward.healer.posture(Posture::Conserving);
    assert!(refused(ward.act(Some("app"), "low", vec![]).await).starts_with("severity: 2 of severity low"));
    ward.healer.posture(Posture::Poised);
    for _ in 0..2 {
        assert!(matches!(ward.act(Some("web"), "low", vec![]).await, Acted::Done(_)));
    }
    assert!(refused(ward.act(Some("app"), "low", vec![]).await).contains("a person should look"));
    assert_eq!(count(&ward), 4);
    let why = refused(ward.act(Some("app"), "critical", vec![]).await);
    assert!(why.contains("a person's to use"), "{why}");
    let run = async |id: &str| ward.healer.run_recipe(id, Some("app".to_owned()), "ava").await;
    assert!(matches!(run("critical").await, Acted::Done(_)));
    assert!(matches!(run("shy").await, Acted::Rehearsed(_)));
    assert_eq!(count(&ward), 5);
    ward.house.stop().await;
}

#[tokio::test]
async fn one_recipe_is_at_work_for_one_service_only_once() {
    let ward = counting().await;
    ward.script(
        "count",
        "#!/bin/sh\necho x >> $SANCTUM_HOME/count; while [ ! -e $SANCTUM_HOME/go ]; do sleep 0.05; done\n",
    );
    ward.recipe("count", &script_recipe("count", "low", "0s", "never"));
    let healer = Arc::clone(&ward.healer);
    let order = ward.order(Some("app"), "count", vec![]);
    let first = healer.act(order);
    let second = async {
        sanctum_testkit::eventually("the first", Duration::from_secs(10), async || {
            (count(&ward) == 1).then_some(())
        })
        .await;
        let why = refused(ward.act(Some("app"), "count", vec![]).await);
        sanctum_kernel::files::replace(&ward.home().join("go"), b"", 0o600).unwrap();
        why
    };
    let (first, why) = tokio::join!(first, second);
    assert!(matches!(first, Acted::Done(_)), "{first:?}");
    assert_eq!(why, "cool-down: it is at work there at this moment");
    assert!(matches!(ward.act(Some("app"), "count", vec![]).await, Acted::Done(_)), "and again afterwards");
    ward.house.stop().await;
}

#[tokio::test]
async fn the_audit_says_before_and_after_and_cannot_be_changed() {
    let ward = counting().await;
    ward.recipe("count", &script_recipe("count", "low", "0s", "never"));
    ward.act(Some("app"), "count", vec![]).await;
    let outcomes: Vec<String> =
        ward.healer.audit(1).await.unwrap().into_iter().map(|line| line.outcome).collect();
    assert_eq!(outcomes, ["acted", "began"], "newest first");
    let db = database(&ward.shared);
    for sql in [
        "UPDATE heal_audit SET outcome = 'refused'",
        "DELETE FROM heal_audit",
        "REPLACE INTO heal_audit SELECT * FROM heal_audit",
    ] {
        let error = db.write(move |tx| tx.execute(sql, [])).await.unwrap_err();
        assert!(error.to_string().contains("heal.db"), "{error}");
    }
    assert_eq!(ward.healer.audit(1).await.unwrap().len(), 2);
    let recipes = ward.healer.recipes().await.unwrap();
    let count = recipes.iter().find(|recipe| recipe.id == "count").unwrap();
    assert_eq!((count.helped, count.tries, count.mode.as_str()), (1, 1, "acts at once"));
    assert!(count.last_fired.is_some());
    ward.house.stop().await;
}

#[tokio::test]
async fn what_was_torn_off_in_the_middle_is_said_and_can_be_undone() {
    let ward = counting().await;
    let secret = ward.home().join("secrets/x");
    sanctum_kernel::files::replace(&secret, b"s", 0o600).unwrap();
    // As a process leaves it that was killed between the line before and the line after.
    let steps = serde_json::json!([{ "mode": { "path": secret, "mode": 0o640, "was": 0o600 } }]).to_string();
    let db = database(&ward.shared);
    db.write(move |tx| {
        tx.execute(
            "INSERT INTO heal_audit (at, recipe, service, asked_by, outcome, detail, undo, undo_steps)
             VALUES (unixepoch() * 1000000, 'secret-drift', 'house', 'house', 'began', 'x', 'set it back', ?1)",
            [steps],
        )
    })
    .await
    .unwrap();
    let (stopper, stop) = sanctum_kernel::stop::channel();
    let anew = healer(&ward.shared, &ward.inventory, config());
    stopper.request();
    anew.run(stop).await;
    let line = ward.newest("failed").await;
    assert!(line.detail.contains("in the middle of it") && line.undo.is_some(), "{line:?}");
    ward.healer.undo(line.id, "ava").await.unwrap();
    assert_eq!(std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o640);
    ward.house.stop().await;
}

#[tokio::test]
async fn a_plan_that_fails_in_its_middle_is_rolled_back() {
    // The lock is put aside, but the service still does not come up: the lock goes back.
    let house = home();
    let lock = house.home().join("app.lock");
    sanctum_kernel::files::replace(&lock, b"999999999\n", 0o600).unwrap();
    let script = format!("echo \"lock {} exists\"; exit 1", lock.display());
    let ward = open(house, vec![sh("app", &script)], vec![item("app", &[])], "").await;
    ward.phase("app", Phase::Locked).await;
    assert!(matches!(ward.act(Some("app"), "crash-loop", vec![]).await, Acted::Rehearsed(_)));
    let failed = ward.act(Some("app"), "crash-loop", vec![]).await;
    let Acted::Failed(why) = failed else { panic!("{failed:?}") };
    assert!(why.contains("is locked") && why.contains("undone: `"), "{why}");
    assert_eq!(std::fs::read_to_string(&lock).unwrap(), "999999999\n");
    assert_eq!(ward.newest("failed").await.undo, None, "nothing is left to undo");
    ward.house.stop().await;
}

#[tokio::test]
async fn a_full_disk_under_the_audit_stops_healing_and_not_the_other_way_round() {
    let house = home();
    let _disk = sanctum_testkit::disk::Mount::small(&house.home().join("state"));
    let ward = open(house, vec![], vec![item("app", &[])], "").await;
    ward.script("count", "#!/bin/sh\necho x >> $SANCTUM_HOME/count\n");
    ward.recipe("count", &script_recipe("count", "low", "0s", "never"));
    let mut rest = std::fs::File::create(ward.home().join("state/rest")).unwrap();
    while std::io::Write::write_all(&mut rest, &[0; 512]).is_ok() {}
    let why = refused(ward.act(Some("app"), "count", vec![]).await);
    assert!(why.contains("the audit cannot be kept"), "{why}");
    assert_eq!(count(&ward), 0, "what cannot be written down is not done");
    drop(rest);
    std::fs::remove_file(ward.home().join("state/rest")).unwrap();
    assert!(matches!(ward.act(Some("app"), "count", vec![]).await, Acted::Done(_)));
    ward.house.stop().await;
}

#[tokio::test]
async fn a_ladder_names_what_is_declared_first_and_then_what_fits() {
    let check = Check { sqlite: Some(Sqlite { path: "/x.db".into() }), ..Check::default() };
    let mut app = super::ward::checked("app", &["base"], check);
    app.heal = vec!["recipe:count".to_owned(), "restart".to_owned()];
    let mut outside = item("outside", &[]);
    (outside.supervised, outside.heal) = (false, Vec::new());
    let ward = open(home(), vec![], vec![app.clone(), outside.clone()], "").await;
    let ladder = ward.healer.ladder(&app);
    assert_eq!(ladder[..2], [Action::Recipe("count".to_owned()), Action::Restart]);
    assert!(ladder.contains(&Action::Recipe("stale-index".to_owned())));
    assert!(ladder.contains(&Action::Recipe("crash-loop".to_owned())));
    assert_eq!(ladder[ladder.len() - 2..], [Action::RestartRequirement, Action::RestartSubtree]);
    assert_eq!(ward.healer.ladder(&outside), []);
    let order = Order {
        incident: None,
        service: Some("outside".to_owned()),
        action: Action::Restart,
        cause: Cause::Checks,
        evidence: evidence("http", "refused"),
        by: By::House,
    };
    assert!(refused(ward.healer.act(order).await).contains("run by somebody else"));
    ward.house.stop().await;
}
