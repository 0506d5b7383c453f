//! A pass: look, plan, write the plan down, carry it out, look again.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sanctum_api::memory::{Head, Kind, Progress, Report, Search, Write};
use sanctum_kernel::Clock;
use sanctum_store::Db;

use super::journal::{Journal, Open};
use super::plan::{self, Alike, Change, Task, World};
use super::{Config, page};
use crate::gate::Gate;
use crate::gate::gist::Gist;
use crate::library::{Amend, Error, Hand, Library, Tell, Value, Who};

/// Notes that may say the same as one are looked at up to so many.
const CANDIDATES: usize = 8;
/// Questions that are asked before and after.
const QUESTIONS: usize = 40;
/// Words of a question.
const WORDS: usize = 12;

/// Held by the pass that goes on, and by what it has under way.
type Turn = Arc<tokio::sync::OwnedMutexGuard<()>>;

/// Puts notes in order. Clones share it; one pass goes on at a time.
#[derive(Debug, Clone)]
pub(crate) struct Consolidation(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    clock: Clock,
    journal: Journal,
    gate: Gate,
    busy: Arc<tokio::sync::Mutex<()>>,
    enriching: Arc<tokio::sync::Mutex<()>>,
}

impl Consolidation {
    pub(crate) fn new(config: Config, clock: Clock, db: Db, gate: Gate) -> Self {
        let journal = Journal::new(db);
        Self(Arc::new(Inner {
            config,
            clock,
            journal,
            gate,
            busy: Arc::default(),
            enriching: Arc::default(),
        }))
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    /// Held by who asks a model about notes; `None` while somebody does.
    pub(crate) fn enriching(&self) -> Option<tokio::sync::OwnedMutexGuard<()>> {
        Arc::clone(&self.0.enriching).try_lock_owned().ok()
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.0.journal
    }

    /// One pass; dry unless `apply`. A run that was cut off is taken up first, and is the answer then.
    pub(crate) async fn pass(&self, library: &Library, apply: bool, tell: &Tell) -> Result<Report, Error> {
        let one = self.turn().await;
        if apply && let Some(report) = self.take_up(library, &one, tell).await? {
            return Ok(report);
        }
        let began = self.0.clock.now();
        let world = self.look(library, began).await?;
        let tasks = self.planned(&world).await?;
        let mut report = Report {
            run: self.name(began).await?,
            began: Some(began),
            dry_run: !apply,
            scanned: u32::try_from(world.heads.len()).unwrap_or(u32::MAX),
            steps: tasks.iter().flat_map(|task| task.steps.clone()).collect(),
            ..Report::default()
        };
        if !world.keeps_history && world.heads.iter().any(plan::is_archived) {
            report.troubles.push(
                "the archive is not emptied: there is no history to keep what is removed (install git)"
                    .to_owned(),
            );
        }
        if !apply {
            report.ended = Some(self.0.clock.now());
            return Ok(report);
        }
        let questions = questions(&world, &tasks);
        report.recall_before = self.asked(library, &questions).await;
        // What was changed before is no part of the run: undoing it must not take that back.
        settled(library).await?;
        self.0.journal.begin(&report, &tasks).await?;
        let open = (0_i64..).zip(tasks).map(|(at, task)| Open { at, task }).collect();
        self.carry_out(library, report, open, &questions, (&one, tell)).await
    }

    /// Until nobody else puts notes in order.
    async fn turn(&self) -> Turn {
        Arc::new(Arc::clone(&self.0.busy).lock_owned().await)
    }

    /// Takes up a run that was cut off, if there is one.
    async fn take_up(&self, library: &Library, one: &Turn, tell: &Tell) -> Result<Option<Report>, Error> {
        let Some((mut report, open)) = self.0.journal.interrupted().await? else { return Ok(None) };
        tracing::info!(
            run = report.run,
            left = open.len(),
            "a pass over the notes that was interrupted is taken up"
        );
        report.resumed = true;
        self.carry_out(library, report, open, &[], (one, tell)).await.map(Some)
    }

    /// At the start: only what was begun.
    pub(crate) async fn resume(&self, library: &Library) -> Result<Option<Report>, Error> {
        let one = self.turn().await;
        self.take_up(library, &one, &(Arc::new(|_| {}) as Tell)).await
    }

    async fn name(&self, began: Timestamp) -> Result<String, Error> {
        let base = began.to_zoned(TimeZone::UTC).strftime("run-%Y%m%d-%H%M%S").to_string();
        let mut name = base.clone();
        for more in 2..1000 {
            if !self.0.journal.has(&name).await? {
                break;
            }
            name = format!("{base}-{more}");
        }
        Ok(name)
    }

    async fn planned(&self, world: &World) -> Result<Vec<Task>, Error> {
        let vetoed = self.0.journal.vetoed().await?;
        let mut tasks = plan::plan(world, &self.0.config);
        // A person's word on what was done to a note stands.
        tasks.retain(|task| {
            !task.steps.iter().any(|step| vetoed.contains(&(step.id.clone(), step.what.clone())))
        });
        Ok(tasks)
    }

    async fn look(&self, library: &Library, now: Timestamp) -> Result<World, Error> {
        let heads = library.heads().await?;
        let archived =
            heads.iter().filter(|head| plan::is_archived(head)).map(|head| head.id.clone()).collect();
        let archived = self.0.journal.archived(archived, now).await?;
        let links = library.linked().await?;
        let mut texts = HashMap::new();
        for head in heads.iter().filter(|head| head.path.starts_with("inbox/") && !plan::is_left_alone(head))
        {
            texts.insert(head.id.clone(), library.text_of(&head.id).await?.unwrap_or_default());
        }
        let alike = alike(library, &self.0.gate, &heads).await?;
        Ok(World { now, heads, links, texts, alike, archived, keeps_history: library.keeps_history() })
    }

    async fn carry_out(
        &self,
        library: &Library,
        mut report: Report,
        open: Vec<Open>,
        questions: &[Question],
        (one, tell): (&Turn, &Tell),
    ) -> Result<Report, Error> {
        let total = u64::try_from(open.len()).unwrap_or(0);
        for (done, Open { at, task }) in (1_u64..).zip(open) {
            let (own, run, one) = (self.clone(), report.run.clone(), Arc::clone(one));
            // A pass may be ended between two tasks, but not within one: the next pass waits for it.
            let work = async move |library: Library| {
                let trouble = own.one(&library, &run, &task).await?;
                own.0.journal.done(&run, at, trouble.as_deref()).await?;
                drop(one);
                Ok(())
            };
            library.to_its_end(work).await?;
            tell(Progress { what: "consolidate".to_owned(), done, total: Some(total) });
        }
        // Nothing is over before the history has it: until then `undo` would find nothing.
        settled(library).await?;
        // From now on, not from the next look, they are in the archive.
        let archived =
            library.heads().await?.into_iter().filter(plan::is_archived).map(|head| head.id).collect();
        self.0.journal.archived(archived, self.0.clock.now()).await?;
        report.troubles.extend(self.0.journal.troubles(&report.run).await?);
        report.recall_after =
            if report.recall_before.is_some() { self.asked(library, questions).await } else { None };
        report.ended = Some(self.0.clock.now());
        self.0.journal.end(&report, self.0.config.reports).await?;
        if let Err(error) = self.tell_people(library, &report).await {
            tracing::warn!(%error, "the report of a pass could not be written into the vault");
        }
        Ok(report)
    }

    /// Does one task; says why it was left, if it was. What may go well later ends the pass: it is taken up then.
    async fn one(&self, library: &Library, run: &str, task: &Task) -> Result<Option<String>, Error> {
        let why: Vec<&str> = task.steps.iter().map(|step| step.why.as_str()).collect();
        let hand = Hand::new(&Who::house("consolidation"), why.join("; ")).in_run(run);
        let path = task.steps.first().map_or("", |step| step.path.as_str());
        let outcome = if task.change.remove {
            match library.head_of(&task.id).await? {
                None => Ok(()),
                Some(head) if head.version == task.version && plan::is_archived(&head) => {
                    library.remove(&task.id, &hand).await
                }
                Some(head) => Err(Error::Changed { id: head.id, now: head.version }),
            }
        } else {
            self.amended(library, task, &hand).await
        };
        match outcome {
            Ok(()) => Ok(None),
            Err(Error::Unknown(_)) if task.change.remove => Ok(None),
            Err(Error::Unknown(_)) => Ok(Some(format!("`{path}` is gone"))),
            Err(Error::Changed { .. }) => Ok(Some(format!("`{path}` was changed since it was looked at"))),
            Err(
                error @ (Error::Full(_)
                | Error::ReadOnly(_)
                | Error::Disk { .. }
                | Error::Index(_)
                | Error::Later(_)),
            ) => Err(error),
            Err(error) => Ok(Some(format!("`{path}`: {error}"))),
        }
    }

    async fn amended(&self, library: &Library, task: &Task, hand: &Hand) -> Result<(), Error> {
        let Some(head) = library.head_of(&task.id).await? else {
            return Err(Error::Unknown(task.id.clone()));
        };
        if task.change.is_done(&head) {
            return Ok(());
        }
        if head.version == task.version {
            return library.amend(&task.id, amend(&task.change, &task.version), hand).await.map(drop);
        }
        // Cut off between the lines of the file and its move: only the move is left.
        let lines = Change { folder: None, ..task.change.clone() };
        if lines != Change::default() && lines.is_done(&head) {
            let rest = Change { folder: task.change.folder.clone(), ..Change::default() };
            return library.amend(&task.id, amend(&rest, &head.version), hand).await.map(drop);
        }
        Err(Error::Changed { id: head.id, now: head.version })
    }

    async fn asked(&self, library: &Library, questions: &[Question]) -> Option<f32> {
        if questions.is_empty() {
            return None;
        }
        let who = Who::house("consolidation");
        let mut found = 0_u16;
        for question in questions {
            let search = Search { query: question.words.clone(), limit: Some(10), ..Search::default() };
            let answer = library.search(&search, &who).await.ok()?;
            found += u16::from(answer.results.iter().any(|hit| hit.id == question.note));
        }
        Some(f32::from(found) / f32::from(u16::try_from(questions.len()).unwrap_or(u16::MAX)))
    }

    async fn tell_people(&self, library: &Library, report: &Report) -> Result<(), Error> {
        let write = Write {
            text: page::page(report),
            title: Some(report.run.clone()),
            folder: Some("meta/consolidation".to_owned()),
            kind: Some(Kind::Observation),
            ..Write::default()
        };
        let hand = Hand::new(&Who::house("consolidation"), format!("the report of {}", report.run));
        library.put(write, &hand).await.map(drop)
    }
}

/// Returns when the history has everything, where there is one.
async fn settled(library: &Library) -> Result<(), Error> {
    match library.settle().await {
        Err(Error::NoHistory(_)) | Ok(()) => Ok(()),
        Err(error) => Err(error),
    }
}

/// A note that stays, and words of it that must find it before and after.
#[derive(Debug, Clone)]
struct Question {
    note: String,
    words: String,
}

/// The same notes for the same vault: those whose ids come first by a hash of them.
fn questions(world: &World, tasks: &[Task]) -> Vec<Question> {
    let leaving: std::collections::HashSet<&str> = tasks
        .iter()
        .filter(|task| task.change.folder.as_deref().is_some_and(|to| to.starts_with("archive")))
        .map(|task| &*task.id)
        .collect();
    let stays = |head: &&Head| {
        !plan::is_archived(head)
            && !leaving.contains(&*head.id)
            && head.superseded_by.is_none()
            && head.trouble.is_none()
            && !head.path.starts_with("meta/")
    };
    let mut heads: Vec<&Head> = world.heads.iter().filter(stays).collect();
    heads.sort_by_key(|head| (crate::gate::gist::hash(&head.id), head.id.clone()));
    let question = |head: &Head| {
        let text = world.texts.get(&head.id).map_or(head.title.as_str(), String::as_str);
        let words: Vec<&str> = crate::gate::gist::words(text).take(WORDS).collect();
        (words.len() > 1).then(|| Question { note: head.id.clone(), words: words.join(" ") })
    };
    heads.into_iter().filter_map(question).take(QUESTIONS).collect()
}

/// The lines of the file that a change means.
fn amend(change: &Change, version: &str) -> Amend {
    let mut matter: Vec<(&'static str, Option<Value>)> = Vec::new();
    let mut put = |key, value: Option<Value>| matter.extend(value.map(|value| (key, Some(value))));
    let rounded = |score: f32| (f64::from(score) * 1000.0).round() / 1000.0;
    put("type", change.kind.map(|kind| Value::Text(word(kind).to_owned())));
    put("importance", change.importance.map(|score| Value::Number(rounded(score))));
    put("importance_base", change.base.map(|base| Value::Number(rounded(base))));
    put("access_count", change.accesses.map(|accesses| Value::Whole(u64::from(accesses))));
    put("tags", change.tags.clone().map(Value::List));
    put("entities", change.entities.clone().map(Value::List));
    put("superseded_by", change.superseded_by.clone().map(Value::Text));
    put("valid_until", change.valid_until.map(Value::Time));
    Amend { version: Some(version.to_owned()), matter, folder: change.folder.clone(), ..Amend::default() }
}

/// As the front matter has it.
const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Semantic => "semantic",
        Kind::Episodic => "episodic",
        Kind::Procedural => "procedural",
        Kind::Observation => "observation",
        Kind::SessionSummary => "session_summary",
    }
}

/// Pairs of notes of which one adds nothing to the other.
pub(crate) async fn alike(library: &Library, gate: &Gate, heads: &[Head]) -> Result<Vec<Alike>, Error> {
    let current: HashMap<&str, &Head> = heads
        .iter()
        .filter(|head| {
            !plan::is_archived(head) && !head.path.starts_with("meta/") && head.superseded_by.is_none()
        })
        .map(|head| (head.id.as_str(), head))
        .collect();
    let mut found = Vec::new();
    let mut gists: HashMap<String, Arc<Gist>> = HashMap::new();
    for (one, other, exact) in gate.pairs(CANDIDATES) {
        if !current.contains_key(&*one) || !current.contains_key(&*other) {
            continue;
        }
        if exact {
            found.push(Alike { less: one, more: other, exact });
            continue;
        }
        let (a, b) = (gist(library, &mut gists, &one).await?, gist(library, &mut gists, &other).await?);
        if a.is_near(&b, None) {
            found.push(Alike { less: one, more: other, exact });
        } else if b.is_near(&a, None) {
            found.push(Alike { less: other, more: one, exact });
        }
    }
    Ok(found)
}

async fn gist(
    library: &Library,
    known: &mut HashMap<String, Arc<Gist>>,
    id: &str,
) -> Result<Arc<Gist>, Error> {
    if let Some(gist) = known.get(id) {
        return Ok(Arc::clone(gist));
    }
    let gist = Arc::new(Gist::of(&library.text_of(id).await?.unwrap_or_default()));
    known.insert(id.to_owned(), Arc::clone(&gist));
    Ok(gist)
}
