//! What a pass would do, as data: decided whole before anything is touched.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use sanctum_api::memory::{Head, Kind, Origin, Step};
use serde::{Deserialize, Serialize};

use super::{Config, classify, importance};
use crate::gate::truth;

/// All a pass looks at. Reading it twice gives the same plan.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) heads: Vec<Head>,
    /// How many notes link to a note.
    pub(crate) links: HashMap<String, u32>,
    /// Texts of the notes of the inbox.
    pub(crate) texts: HashMap<String, String>,
    /// Notes of which one adds nothing to the others: ids, and whether they agree word for word.
    pub(crate) alike: Vec<Alike>,
    /// Since when a note has been in the archive.
    pub(crate) archived: HashMap<String, Timestamp>,
    /// Whether what is removed from the archive stays in a history.
    pub(crate) keeps_history: bool,
}

/// `less` adds nothing to `more`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alike {
    pub(crate) less: String,
    pub(crate) more: String,
    pub(crate) exact: bool,
}

/// What is done to one note, all at once: a note is written once in a pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Change {
    pub(crate) folder: Option<String>,
    pub(crate) kind: Option<Kind>,
    pub(crate) importance: Option<f32>,
    pub(crate) base: Option<f32>,
    pub(crate) accesses: Option<u32>,
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) entities: Option<Vec<String>>,
    pub(crate) superseded_by: Option<String>,
    pub(crate) valid_until: Option<Timestamp>,
    /// Gone for good; the history has it.
    pub(crate) remove: bool,
}

/// One note, what is done to it, and the steps of the report this is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Task {
    pub(crate) id: String,
    /// The note as it was looked at: one that was changed since is left alone.
    pub(crate) version: String,
    pub(crate) change: Change,
    pub(crate) steps: Vec<Step>,
}

impl Change {
    /// Whether a note is already as this would make it: a pass that was cut off takes up where it was.
    pub(crate) fn is_done(&self, head: &Head) -> bool {
        let folder = |folder: &String| head.path.rsplit_once('/').map_or("", |(folder, _)| folder) == folder;
        let close = |a: f32, b: f32| (a - b).abs() < 5e-4;
        !self.remove
            && self.folder.as_ref().is_none_or(folder)
            && self.kind.is_none_or(|kind| head.kind == kind)
            && self.importance.is_none_or(|score| close(head.importance, score))
            && self.base.is_none_or(|base| head.base.is_some_and(|own| close(own, base)))
            && self.accesses.is_none_or(|accesses| head.accesses >= accesses)
            && self.tags.as_ref().is_none_or(|tags| head.tags == *tags)
            && self.entities.as_ref().is_none_or(|entities| head.entities == *entities)
            && self.superseded_by.is_none_or_eq(head.superseded_by.as_ref())
            && self.valid_until.is_none_or(|until| head.valid_until == Some(until))
    }
}

trait NoneOrEq<T> {
    fn is_none_or_eq(&self, other: Option<&T>) -> bool;
}

impl<T: PartialEq> NoneOrEq<T> for Option<T> {
    fn is_none_or_eq(&self, other: Option<&T>) -> bool {
        self.is_none() || self.as_ref() == other
    }
}

/// Whether consolidation leaves a note alone: a person's, one it cannot read, and what the house writes of itself.
pub(crate) fn is_left_alone(head: &Head) -> bool {
    head.origin == Origin::Owner
        || head.id.starts_with("p-")
        || head.trouble.is_some()
        || head.path.starts_with("meta/")
}

pub(crate) fn is_archived(head: &Head) -> bool {
    head.path.starts_with("archive/")
}

/// The plan of one pass.
pub(crate) fn plan(world: &World, config: &Config) -> Vec<Task> {
    let mut planner = Planner {
        world,
        config,
        by_id: world.heads.iter().map(|head| (head.id.as_str(), head)).collect(),
        tasks: BTreeMap::new(),
        leaving: HashSet::new(),
    };
    planner.empty();
    planner.promote();
    planner.merge();
    planner.supersede();
    planner.expire();
    planner.evict();
    planner.score();
    let mut tasks: Vec<Task> = planner.tasks.into_values().collect();
    tasks.truncate(usize::try_from(config.changes).unwrap_or(usize::MAX));
    tasks
}

struct Planner<'w> {
    world: &'w World,
    config: &'w Config,
    by_id: HashMap<&'w str, &'w Head>,
    tasks: BTreeMap<&'w str, Task>,
    /// Notes that go to the archive, or out of it.
    leaving: HashSet<&'w str>,
}

impl<'w> Planner<'w> {
    /// Notes a pass may move, that are not on their way out.
    fn movable(&self) -> Vec<&'w Head> {
        let stays = |head: &&Head| {
            !is_left_alone(head) && !is_archived(head) && !self.leaving.contains(head.id.as_str())
        };
        self.world.heads.iter().filter(stays).collect()
    }

    fn step(
        &mut self,
        head: &'w Head,
        what: &str,
        to: Option<String>,
        why: String,
        change: impl FnOnce(&mut Change),
    ) {
        let task = self.tasks.entry(head.id.as_str()).or_insert_with(|| Task {
            id: head.id.clone(),
            version: head.version.clone(),
            change: Change::default(),
            steps: Vec::new(),
        });
        change(&mut task.change);
        task.steps.push(Step {
            what: what.to_owned(),
            id: head.id.clone(),
            path: head.path.clone(),
            to,
            why,
        });
    }

    fn archive(&mut self, head: &'w Head, what: &str, why: String, more: impl FnOnce(&mut Change)) {
        let folder = head.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        // Whatever else was planned for it: it goes.
        self.tasks.remove(head.id.as_str());
        let folder = format!("archive/{folder}").trim_end_matches('/').to_owned();
        self.step(head, what, Some(folder.clone()), why, |change| {
            *change = Change { folder: Some(folder), ..Change::default() };
            more(change);
        });
        self.leaving.insert(&head.id);
    }

    /// What has been in the archive for long goes for good, if a history keeps it. What once held under a key stays:
    /// questions about that time need it.
    fn empty(&mut self) {
        if !self.world.keeps_history {
            return;
        }
        let kept = SignedDuration::try_from(self.config.archive.0).unwrap_or(SignedDuration::MAX);
        for head in self.world.heads.iter().filter(|head| is_archived(head) && head.key.is_none()) {
            let since = self.world.archived.get(&head.id);
            if let Some(since) = since.filter(|since| self.world.now.duration_since(**since) >= kept) {
                let why = format!("it has been in the archive since {}", since.strftime("%Y-%m-%d"));
                self.step(head, "empty", None, why, |change| change.remove = true);
                self.leaving.insert(&head.id);
            }
        }
    }

    /// Of notes that say the same the best stays, with the tags and uses of the others.
    fn merge(&mut self) {
        let mut groups: BTreeMap<&str, Vec<(&'w Head, bool)>> = BTreeMap::new();
        let mut gone: HashSet<&str> = HashSet::new();
        let mut kept: HashSet<&str> = HashSet::new();
        for alike in &self.world.alike {
            let (Some(less), Some(more)) = (self.by_id.get(&*alike.less), self.by_id.get(&*alike.more))
            else {
                continue;
            };
            // Of two that agree word for word either may go.
            let (less, more) =
                if alike.exact && better(less, more) { (*more, *less) } else { (*less, *more) };
            let common = self.place(more) != "inbox" || less.agent == more.agent;
            let fits = common
                && mergeable(less, more)
                && !gone.contains(&*less.id)
                && !gone.contains(&*more.id)
                && !kept.contains(&*less.id);
            if fits {
                gone.insert(&less.id);
                kept.insert(&more.id);
                groups.entry(&more.id).or_default().push((less, alike.exact));
            }
        }
        for (keeper, losers) in groups {
            let Some(keeper) = self.by_id.get(keeper).copied() else { continue };
            for (loser, exact) in &losers {
                let why = if *exact { "it says the same word for word" } else { "it adds nothing" };
                self.archive(loser, "merge", format!("{why} to `{}`", keeper.id), |change| {
                    change.superseded_by = Some(keeper.id.clone());
                });
                if let Some(step) = self.tasks.get_mut(&*loser.id).and_then(|task| task.steps.last_mut()) {
                    step.to = Some(keeper.id.clone());
                }
            }
            if !is_left_alone(keeper) {
                self.absorb(keeper, &losers);
            }
        }
    }

    fn absorb(&mut self, keeper: &'w Head, losers: &[(&'w Head, bool)]) {
        let union = |of: fn(&Head) -> &Vec<String>| {
            let mut all = of(keeper).clone();
            for one in losers.iter().flat_map(|(loser, _)| of(loser)) {
                if !all.contains(one) {
                    all.push(one.clone());
                }
            }
            (all != *of(keeper)).then_some(all)
        };
        let (tags, entities) = (union(|head| &head.tags), union(|head| &head.entities));
        let used: u32 = losers.iter().map(|(loser, _)| loser.accesses).sum();
        if tags.is_some() || entities.is_some() || used > 0 {
            let why = format!("it stands for {} more", losers.len());
            self.step(keeper, "merge", None, why, |change| {
                change.tags = tags;
                change.entities = entities;
                change.accesses = (used > 0).then(|| keeper.accesses.saturating_add(used));
            });
        }
    }

    /// Of statements under a key the newest that counts as much stands; those that are over go where nobody takes them for
    /// current.
    fn supersede(&mut self) {
        let mut keyed: BTreeMap<&str, Vec<Head>> = BTreeMap::new();
        for head in &self.world.heads {
            if let Some(key) =
                head.key.as_deref().filter(|_| !is_archived(head) && !self.leaving.contains(&*head.id))
            {
                keyed.entry(key).or_default().push(head.clone());
            }
        }
        for heads in keyed.values_mut() {
            heads.sort_by(|a, b| truth::from(a).cmp(&truth::from(b)).then(a.id.cmp(&b.id)));
            let all = heads.clone();
            for (at, new) in all.iter().enumerate().skip(1) {
                let effect = truth::arrive(new, heads.get(..at).unwrap_or_default());
                for (id, until) in effect.supersedes {
                    let Some(old) = self.by_id.get(&*id).copied().filter(|old| !is_left_alone(old)) else {
                        continue;
                    };
                    if let Some(one) = heads.iter_mut().find(|head| head.id == id) {
                        one.superseded_by = Some(new.id.clone());
                    }
                    let why = format!(
                        "`{}` says something newer under `{}`",
                        new.id,
                        new.key.as_deref().unwrap_or_default()
                    );
                    self.archive(old, "supersede", why, |change| {
                        change.superseded_by = Some(new.id.clone());
                        change.valid_until = Some(until);
                    });
                }
            }
        }
        for head in self.movable() {
            if let Some(by) = &head.superseded_by {
                self.archive(head, "supersede", format!("`{by}` has taken its place"), |_| {});
            } else if head.valid_until.is_some_and(|until| until <= self.world.now) {
                self.archive(head, "expire", "it no longer holds".to_owned(), |_| {});
            }
        }
    }

    fn score_of(&self, head: &Head) -> f32 {
        importance::score(head, self.world.links.get(&head.id).copied().unwrap_or(0), self.world.now)
    }

    fn expire(&mut self) {
        for head in self.movable() {
            // What holds under a key is over when something newer is said, not by lying still.
            if head.key.is_some() && head.ttl_days.is_none() {
                continue;
            }
            let score = self.score_of(head);
            if let Some(end) = importance::ends(head, score).filter(|end| *end <= self.world.now) {
                let why = format!("unused since {}, and worth {score:.2}", head.updated.strftime("%Y-%m-%d"));
                debug_assert!(end <= self.world.now);
                self.archive(head, "expire", why, |_| {});
            }
        }
    }

    fn promote(&mut self) {
        let waits = SignedDuration::try_from(self.config.promote_after.0).unwrap_or(SignedDuration::MAX);
        for head in self.movable() {
            if !head.path.starts_with("inbox/") || self.world.now.duration_since(head.created) < waits {
                continue;
            }
            let text = self.world.texts.get(&head.id).map_or("", String::as_str);
            let kind = classify::kind(head, text);
            let Some(folder) = classify::folder(head, kind) else { continue };
            if kind != head.kind {
                let why = format!("it reads like {}", word(kind));
                self.step(head, "classify", None, why, |change| change.kind = Some(kind));
            }
            self.step(head, "promote", Some(folder.clone()), format!("it is {}", word(kind)), |change| {
                change.folder = Some(folder);
            });
        }
    }

    /// Where a note will be after the steps so far.
    fn place(&self, head: &'w Head) -> &str {
        let planned = self.tasks.get(&*head.id).and_then(|task| task.change.folder.as_deref());
        planned.unwrap_or(&head.path).split('/').next().unwrap_or_default()
    }

    fn evict(&mut self) {
        let caps = [
            ("inbox", self.config.inbox),
            ("knowledge", self.config.knowledge),
            ("events", self.config.events),
            ("procedures", self.config.procedures),
        ];
        for (place, most) in caps.into_iter().filter(|(_, most)| *most > 0) {
            let mut notes: Vec<(f32, &'w Head)> = Vec::new();
            for head in self.movable() {
                if self.place(head) == place {
                    notes.push((self.score_of(head), head));
                }
            }
            let over = notes.len().saturating_sub(usize::try_from(most).unwrap_or(usize::MAX));
            notes.retain(|(score, head)| {
                *score <= importance::PERMANENT && head.accesses < importance::USED && head.key.is_none()
            });
            notes.sort_by(|a, b| {
                a.0.total_cmp(&b.0).then(a.1.updated.cmp(&b.1.updated)).then(a.1.id.cmp(&b.1.id))
            });
            let bound = over.min(usize::try_from(self.config.evictions).unwrap_or(usize::MAX));
            for (score, head) in notes.into_iter().take(bound) {
                let why = format!("`{place}` has more than {most} notes, and this one is worth {score:.2}");
                self.archive(head, "evict", why, |_| {});
            }
        }
    }

    fn score(&mut self) {
        for head in self.movable() {
            let accesses = self.tasks.get(&*head.id).and_then(|task| task.change.accesses);
            let head_then = Head { accesses: accesses.unwrap_or(head.accesses), ..head.clone() };
            let score = self.score_of(&head_then);
            if importance::has_moved(head.importance, score) {
                let why = format!("{:.2} is {score:.2} now", head.importance);
                let base = head.base.is_none().then_some(head.importance);
                self.step(head, "re-score", None, why, |change| {
                    change.importance = Some(score);
                    change.base = base;
                    change.accesses = Some(head_then.accesses);
                });
            }
        }
    }
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Semantic => "something that is so",
        Kind::Episodic => "something that happened",
        Kind::Procedural => "how something is done",
        Kind::Observation => "a remark",
        Kind::SessionSummary => "what a session came to",
    }
}

/// Whether `a` is the one to keep of two that say the same: a person's first, then what is sorted, what is used, what is older.
fn better(a: &Head, b: &Head) -> bool {
    let rank = |head: &Head| {
        let sorted = !head.path.starts_with("inbox/");
        (
            is_left_alone(head),
            truth::weight(head.origin),
            sorted,
            head.accesses,
            std::cmp::Reverse(head.created),
        )
    };
    (rank(a), &b.id) > (rank(b), &a.id)
}

/// Whether `less` may go because of `more`: never what is left alone, never across classes, and no statement under a key for
/// one without.
fn mergeable(less: &Head, more: &Head) -> bool {
    less.id != more.id
        && !is_left_alone(less)
        && !is_archived(less)
        && !is_archived(more)
        && less.class == more.class
        && more.trouble.is_none()
        && more.superseded_by.is_none()
        && less.superseded_by.is_none()
        && (less.key.is_none() || less.key == more.key)
        && truth::weight(more.origin) >= truth::weight(less.origin)
}
