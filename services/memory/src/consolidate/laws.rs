//! Laws of the plan: worlds of any shape are planned for, the plan is carried out on paper, and what must hold is looked at.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use proptest::prelude::*;
use sanctum_api::memory::{Class, Head, Kind, Origin};

use super::Config;
use super::plan::{Alike, Change, World, is_archived, is_left_alone, plan};
use crate::gate::tests::head;

fn day(day: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + day * 86_400).unwrap()
}

fn note() -> impl Strategy<Value = Head> {
    let place = prop::sample::select(vec![
        "inbox/yoda",
        "knowledge/garden",
        "events/2023/11",
        "procedures",
        "archive/inbox/yoda",
        "meta",
    ]);
    let origin = prop::sample::select(vec![Origin::Owner, Origin::Agent, Origin::Untrusted, Origin::System]);
    let kind = prop::sample::select(vec![
        Kind::Semantic,
        Kind::Episodic,
        Kind::Procedural,
        Kind::Observation,
        Kind::SessionSummary,
    ]);
    let key = prop::option::weighted(0.3, prop::sample::select(vec!["a.b", "c"]));
    let class = prop::sample::select(vec![Class::General, Class::General, Class::Health]);
    let times = (0_i64..200, 0_i64..100, prop::option::weighted(0.2, 1_i64..50));
    (place, origin, kind, key, class, times, 0_u32..8, 0.0_f32..1.0, prop::option::weighted(0.1, 1_u32..40))
        .prop_map(
            |(place, origin, kind, key, class, (created, more, holds), accesses, importance, ttl_days)| {
                Head {
                    path: format!("{place}/x.md"),
                    origin,
                    kind,
                    key: key.map(str::to_owned),
                    class,
                    created: day(created),
                    updated: day(created + more),
                    valid_until: holds.map(|holds| day(created + holds)),
                    accesses,
                    importance,
                    ttl_days,
                    ..head("x")
                }
            },
        )
}

fn world() -> impl Strategy<Value = World> {
    let alike = prop::collection::vec((0_usize..40, 0_usize..40, any::<bool>()), 0..20);
    (prop::collection::vec(note(), 0..40), alike, 150_i64..400, any::<bool>()).prop_map(
        |(notes, alike, now, keeps_history)| {
            let heads: Vec<Head> = notes
                .into_iter()
                .enumerate()
                .map(|(i, note)| Head {
                    id: format!("n-{i:03}"),
                    path: note.path.replace("x.md", &format!("{i}.md")),
                    ..note
                })
                .collect();
            let id = |at: usize| heads.get(at).map(|head| head.id.clone());
            let alike = alike
                .into_iter()
                .filter_map(|(less, more, exact)| Some(Alike { less: id(less)?, more: id(more)?, exact }));
            let alike = alike.filter(|alike| alike.less != alike.more).collect();
            let archived = heads
                .iter()
                .filter(|head| is_archived(head))
                .map(|head| (head.id.clone(), head.updated))
                .collect();
            World {
                now: day(now),
                links: HashMap::new(),
                texts: HashMap::new(),
                alike,
                archived,
                keeps_history,
                heads,
            }
        },
    )
}

/// What carrying out a change makes of a note.
fn changed(head: &Head, change: &Change) -> Head {
    let file = head.path.rsplit('/').next().unwrap().to_owned();
    let mut head = head.clone();
    if let Some(folder) = &change.folder {
        head.path = format!("{folder}/{file}");
    }
    head.kind = change.kind.unwrap_or(head.kind);
    head.importance = change.importance.unwrap_or(head.importance);
    head.base = change.base.or(head.base);
    head.accesses = change.accesses.unwrap_or(head.accesses);
    head.tags = change.tags.clone().unwrap_or(head.tags);
    head.entities = change.entities.clone().unwrap_or(head.entities);
    head.superseded_by = change.superseded_by.clone().or(head.superseded_by);
    head.valid_until = change.valid_until.or(head.valid_until);
    head
}

fn pass(world: &World, config: &Config) -> (World, usize) {
    let tasks = plan(world, config);
    let mut next = world.clone();
    for task in &tasks {
        if task.change.remove {
            next.heads.retain(|head| head.id != task.id);
        } else {
            let head = next.heads.iter_mut().find(|head| head.id == task.id).unwrap();
            *head = changed(head, &task.change);
            if is_archived(head) {
                next.archived.insert(head.id.clone(), world.now);
            }
        }
    }
    (next, tasks.len())
}

fn tight() -> Config {
    Config { inbox: 3, knowledge: 3, events: 3, procedures: 2, evictions: 2, ..Config::default() }
}

proptest! {
    #[test]
    fn a_note_is_written_once_and_what_is_done_is_known_as_done(world in world()) {
        let tasks = plan(&world, &tight());
        let ids: HashSet<&str> = tasks.iter().map(|task| task.id.as_str()).collect();
        prop_assert_eq!(ids.len(), tasks.len());
        for task in &tasks {
            let before = world.heads.iter().find(|head| head.id == task.id).unwrap();
            prop_assert!(!task.steps.is_empty() && task.version == before.version);
            if !task.change.remove {
                prop_assert!(!task.change.is_done(before), "{task:?} does nothing");
                prop_assert!(task.change.is_done(&changed(before, &task.change)), "{task:?}");
            }
            // What is kept in a journal comes back as it was.
            let text = serde_json::to_string(task).unwrap();
            prop_assert_eq!(&serde_json::from_str::<super::plan::Task>(&text).unwrap(), task);
        }
    }

    #[test]
    fn a_persons_notes_and_broken_ones_are_left_alone(world in world()) {
        for task in plan(&world, &tight()) {
            let head = world.heads.iter().find(|head| head.id == task.id).unwrap();
            prop_assert!(!is_left_alone(head) || (task.change.remove && is_archived(head)), "{:?}", task);
        }
    }

    #[test]
    fn only_what_was_archived_for_long_is_removed_and_only_where_a_history_keeps_it(world in world()) {
        for task in plan(&world, &tight()).iter().filter(|task| task.change.remove) {
            let head = world.heads.iter().find(|head| head.id == task.id).unwrap();
            prop_assert!(world.keeps_history && is_archived(head) && head.key.is_none());
            prop_assert!(world.now.duration_since(world.archived[&head.id]).as_hours() >= 90 * 24);
        }
    }

    #[test]
    fn what_is_merged_away_names_one_that_stays(world in world()) {
        let (next, _) = pass(&world, &tight());
        for (before, after) in world.heads.iter().filter_map(|b| Some((b, next.heads.iter().find(|a| a.id == b.id)?))) {
            if before.superseded_by.is_none() && let Some(by) = &after.superseded_by {
                let keeper = next.heads.iter().find(|head| head.id == *by);
                prop_assert!(keeper.is_some(), "{by} is gone");
            }
        }
        for step in plan(&world, &tight()).iter().flat_map(|task| &task.steps).filter(|step| step.what == "merge") {
            let class = |id: &str| world.heads.iter().find(|head| head.id == id).unwrap().class;
            if let Some(to) = &step.to {
                prop_assert_eq!(class(&step.id), class(to), "a class is never crossed");
            }
        }
    }

    #[test]
    fn it_comes_to_rest_and_then_every_folder_has_room(world in world()) {
        let config = tight();
        let mut now = world;
        let mut rounds = 0;
        loop {
            let (next, done) = pass(&now, &config);
            if done == 0 {
                break;
            }
            now = next;
            rounds += 1;
            prop_assert!(rounds < 60, "it never comes to rest");
        }
        for (place, most) in [("inbox/", 3), ("knowledge/", 3), ("events/", 3), ("procedures/", 2)] {
            let evictable = |head: &&Head| {
                head.path.starts_with(place) && !is_left_alone(head) && head.key.is_none() && head.accesses < 5
                    && super::importance::score(head, 0, now.now) <= 0.8
            };
            let counted = |head: &&Head| head.path.starts_with(place) && !is_left_alone(head);
            let over = now.heads.iter().filter(counted).count().saturating_sub(most);
            prop_assert!(over == 0 || now.heads.iter().filter(evictable).count() == 0, "{place} is too full");
        }
        // No note is current and over at once.
        let stale = |head: &&Head| !is_archived(head) && !is_left_alone(head)
            && (head.superseded_by.is_some() || head.valid_until.is_some_and(|until| until <= now.now));
        prop_assert_eq!(now.heads.iter().filter(stale).count(), 0);
    }

    #[test]
    fn a_pass_cut_off_anywhere_comes_to_the_same(world in world(), cut in 0_usize..40) {
        let config = tight();
        let tasks = plan(&world, &config);
        let mut heads = world.heads.clone();
        // Cut off after some; then the rest, where what is done is skipped.
        for task in tasks.iter().take(cut).chain(&tasks) {
            let Some(at) = heads.iter().position(|head| head.id == task.id) else { continue };
            if task.change.remove {
                heads.remove(at);
            } else if !task.change.is_done(&heads[at]) {
                heads[at] = changed(&heads[at], &task.change);
            }
        }
        prop_assert_eq!(heads, pass(&world, &config).0.heads);
    }
}
