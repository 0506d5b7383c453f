//! Notes put in order: dry first, then done, then undone; cut off and taken up.

use jiff::SignedDuration;
use sanctum_kernel::Clock;
use sanctum_testkit::{House, eventually};
use serde_json::{Value, json};

use crate::house::{CATALOGUE, PATIENCE, WORDS, list, paths, vault, write};

const START: &str = "2026-11-22T02:00:00Z";

/// A house in which nobody puts notes in order but the test.
async fn house() -> House {
    House::new(&CATALOGUE)
        .config(&format!("[memory]\nconsolidate-every = \"0s\"\n{WORDS}"))
        .clock(Clock::starting_at(START.parse().unwrap()))
        .start()
        .await
}

async fn pass(house: &House, apply: bool) -> Value {
    let (status, report) =
        house.send("memory", "POST", &format!("/consolidate?apply={apply}"), &Value::Null).await;
    assert_eq!(status, 200, "{report}");
    report
}

fn steps(report: &Value) -> Vec<(String, String)> {
    let mut steps: Vec<_> = report["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (step["what"].as_str().unwrap().to_owned(), step["path"].as_str().unwrap().to_owned()))
        .collect();
    steps.sort();
    steps
}

/// Notes that need every kind of step, two days old.
async fn disorder(house: &House) {
    let text = "The boiler is serviced by Marc from Dinant every autumn.";
    write(
        house,
        json!({ "text": text, "agent": "yoda", "type": "semantic", "tags": ["house"], "title": "Boiler" }),
    )
    .await;
    write(house, json!({ "text": text, "agent": "windu", "type": "semantic", "tags": ["heating"], "title": "Boiler again" })).await;
    write(house, json!({ "text": "1. Open the valve\n2. Wait a minute\n3. Close the valve", "agent": "yoda", "type": "semantic", "title": "Bleeding a radiator" })).await;
    write(house, json!({ "text": "The hall lamp flickers at times.", "agent": "yoda", "type": "observation", "ttl_days": 1, "title": "Lamp" })).await;
    write(house, json!({ "text": "My own note, whatever it says.", "title": "Mine", "folder": "inbox/ava", "ttl_days": null })).await;
    house.clock().step(SignedDuration::from_hours(48));
}

#[tokio::test]
async fn a_dry_pass_says_what_a_pass_then_does_and_undo_takes_back() {
    let house = house().await;
    disorder(&house).await;
    let before = paths(&house).await;
    let dry = pass(&house, false).await;
    assert_eq!((&dry["dry_run"], paths(&house).await), (&json!(true), before.clone()));
    let done = pass(&house, true).await;
    assert_eq!(steps(&done), steps(&dry));
    let whats: Vec<String> = steps(&done).into_iter().map(|(what, _)| what).collect();
    for what in ["classify", "expire", "merge", "promote"] {
        assert!(whats.iter().any(|own| own == what), "{what} of {whats:?}");
    }
    let after: Vec<String> =
        paths(&house).await.into_iter().filter(|path| !path.starts_with("meta/")).collect();
    assert_eq!(after.len(), before.len(), "nothing is lost");
    assert!(
        after.iter().any(|path| path.starts_with("knowledge/"))
            && after.iter().any(|path| path.starts_with("procedures/")),
        "{after:?}"
    );
    assert!(after.contains(&"inbox/ava/mine.md".to_owned()), "a person's note stays where it is: {after:?}");
    assert_eq!(after.iter().filter(|path| path.starts_with("archive/")).count(), 2);
    let run = done["run"].as_str().unwrap();
    let report = std::fs::read_to_string(vault(&house).join(format!("meta/consolidation/{run}.md"))).unwrap();
    assert!(report.contains("sanctum memory undo"), "{report}");
    let (_, reports) = house.get("memory", "/reports").await;
    assert_eq!(reports[0]["run"], run);
    assert_eq!(pass(&house, true).await["steps"], json!([]), "what is in order stays in order");

    let (status, undone) = house.send("memory", "POST", &format!("/undo/{run}"), &Value::Null).await;
    assert_eq!(status, 200, "{undone}");
    let back: Vec<String> =
        paths(&house).await.into_iter().filter(|path| !path.starts_with("meta/")).collect();
    assert_eq!(back, before);
    assert_eq!(pass(&house, true).await["steps"], json!([]), "what a person has undone is not done again");
    house.stop().await;
}

#[tokio::test]
async fn what_was_merged_is_found_once_with_the_tags_of_both() {
    let house = house().await;
    disorder(&house).await;
    let (_, audit) = house.get("memory", "/audit").await;
    assert_eq!(audit["duplicates"].as_array().unwrap().len(), 1, "{audit}");
    pass(&house, true).await;
    let found = crate::house::search(&house, "who services the boiler?").await;
    assert_eq!(found.len(), 1, "{found:?}");
    let notes = list(&house, "&folder=knowledge").await;
    let tags = notes[0]["tags"].as_array().unwrap();
    assert!(tags.contains(&json!("house")) && tags.contains(&json!("heating")), "{tags:?}");
    let (_, audit) = house.get("memory", "/audit").await;
    assert_eq!(
        (&audit["duplicates"], &audit["stale"], &audit["mismatches"]),
        (&json!([]), &json!([]), &json!([])),
        "{audit}"
    );
    house.stop().await;
}

#[tokio::test]
async fn every_six_hours_a_pass_is_made_and_the_archive_is_emptied_after_ninety_days() {
    let clock = Clock::starting_at(START.parse().unwrap());
    let house = House::new(&CATALOGUE).config(WORDS).clock(clock).start().await;
    disorder(&house).await;
    let runs = async |least: usize| {
        eventually("a pass by itself", PATIENCE, async || {
            // The wait before the first begins when the notes have been read, whenever that is.
            house.clock().step(SignedDuration::from_mins(1));
            let (_, reports) = house.get("memory", "/reports").await;
            reports.as_array().filter(|reports| reports.len() >= least).cloned()
        })
        .await
    };
    let reports = runs(1).await;
    assert!(!reports[0]["steps"].as_array().unwrap().is_empty());
    house.clock().step(SignedDuration::from_hours(24 * 89));
    runs(2).await;
    let archived = async || paths(&house).await.iter().filter(|path| path.starts_with("archive/")).count();
    assert!(archived().await >= 2);
    house.clock().step(SignedDuration::from_hours(24 * 2));
    eventually("the archive to be emptied", PATIENCE, async || {
        let lamp = paths(&house).await.iter().any(|path| path.ends_with("lamp.md"));
        (!lamp).then_some(())
    })
    .await;
    // What is gone is in the history.
    let log = crate::house::git(&vault(&house), &["log", "--all", "--oneline", "--", "*lamp.md"]);
    assert!(!log.is_empty());
    house.stop().await;
}

#[tokio::test]
async fn a_full_folder_gives_up_the_least_important_a_few_a_pass() {
    let config = format!("{WORDS}[memory.consolidation]\nknowledge = 5\nevictions = 3\n");
    let house = House::new(&CATALOGUE)
        .config(&config)
        .clock(Clock::starting_at(START.parse().unwrap()))
        .start()
        .await;
    for i in 0..12_u32 {
        let text = format!("Shelf number {i} of the cellar holds {} jars.", i * 7 + 3);
        write(&house, json!({ "text": text, "agent": "yoda", "folder": "knowledge/cellar", "importance": 0.3 + f64::from(i) / 30.0 })).await;
    }
    let evicted = |report: &Value| {
        report["steps"].as_array().unwrap().iter().filter(|step| step["what"] == "evict").count()
    };
    let counts = [
        evicted(&pass(&house, true).await),
        evicted(&pass(&house, true).await),
        evicted(&pass(&house, true).await),
    ];
    assert_eq!(counts, [3, 3, 1]);
    let left = list(&house, "&folder=knowledge").await;
    assert!(
        left.len() == 5 && left.iter().all(|note| note["importance"].as_f64().unwrap() > 0.2),
        "{left:?}"
    );
    house.stop().await;
}

#[tokio::test]
async fn a_note_that_is_changed_under_a_pass_is_left_and_named() {
    let house = house().await;
    disorder(&house).await;
    // Twice the same is a race that one of them loses without harm.
    let (one, other) = tokio::join!(pass(&house, true), pass(&house, true));
    let both = one["steps"].as_array().unwrap().len() * other["steps"].as_array().unwrap().len();
    assert_eq!(both, 0, "one pass at a time");
    house.stop().await;
}

#[tokio::test]
async fn a_pass_that_is_cut_off_is_taken_up_and_nothing_is_lost() {
    let mut house = house().await;
    for i in 0..60_u32 {
        let text = format!("Beehive {i} stands in row {} and gave {} grams.", i % 7, i * 13 + 5);
        write(
            &house,
            json!({ "text": text, "agent": "yoda", "type": "semantic", "title": format!("Hive {i}") }),
        )
        .await;
    }
    house.clock().step(SignedDuration::from_hours(48));
    let planned = pass(&house, false).await["steps"].as_array().unwrap().len();
    {
        let running = house.send("memory", "POST", "/consolidate?apply=true", &Value::Null);
        let begun = eventually("the pass to have begun", PATIENCE, async || {
            paths(&house).await.iter().any(|path| path.starts_with("knowledge/")).then_some(())
        });
        tokio::select! {
            _ = running => {}
            () = begun => {}
        }
    }
    house = house.stop().await.start().await;
    let report = eventually("the pass to be over", PATIENCE, async || {
        let (_, reports) = house.get("memory", "/reports").await;
        reports.as_array().and_then(|reports| reports.first().cloned())
    })
    .await;
    assert_eq!(
        (report["steps"].as_array().unwrap().len(), &report["troubles"]),
        (planned, &json!([])),
        "{report}"
    );
    let paths: Vec<String> =
        paths(&house).await.into_iter().filter(|path| !path.starts_with("meta/")).collect();
    assert!(paths.len() == 60 && paths.iter().all(|path| path.starts_with("knowledge/")), "{paths:?}");
    house.stop().await;
}
