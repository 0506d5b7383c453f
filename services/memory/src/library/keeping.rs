//! What the gate, the queue and consolidation need of the library, and what it gives through them.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use sanctum_api::memory::{Audit, Exchange, Head, Ingested, Outcome, Report, Write, Written};

use sanctum_kernel::OnError;
use sanctum_kernel::reconcile::Nudge;
use sanctum_kernel::service::Shared;
use sanctum_store::{Db, StoreError};

use super::{Amend, Error, Hand, Library, Tell, Value, Who, compose};
use crate::Config;
use crate::consolidate::enrich;
use crate::consolidate::run::Consolidation;
use crate::exchange::Draft as Brought;
use crate::gate::gist::Gist;
use crate::gate::{Draft, Facts, Gate, Verdict, judge, truth};
use crate::index::read;
use crate::ingest::queue::{Kept, Queue, Said};
use crate::ingest::{schema, spoken};
use crate::vault::{Rel, matter};

/// Notes that may say nearly the same as a draft are looked at up to so many.
const CANDIDATES: usize = 8;
/// A name of an agent or a key has so many bytes at most.
const NAME: usize = 200;

/// What watches the door, waits behind it, and puts in order.
#[derive(Debug)]
pub(crate) struct Keeping {
    pub(crate) gate: Gate,
    pub(crate) queue: Queue,
    /// Something was said.
    pub(crate) said: Nudge,
    pub(crate) consolidation: Consolidation,
    /// One statement under a key at a time.
    keyed: tokio::sync::Mutex<()>,
}

impl Keeping {
    /// `ingest.db` in the folder: what must survive the index.
    pub(crate) fn open(config: &Config, shared: &Shared) -> Result<Self, StoreError> {
        let db = Db::open(&shared.paths.state().join("ingest.db"), schema::MIGRATIONS)?;
        let gate = Gate::new(config.gate.clone());
        let consolidation =
            Consolidation::new(config.consolidation.clone(), shared.clock.clone(), db.clone(), gate.clone());
        let (said, keyed) = (Nudge::default(), tokio::sync::Mutex::default());
        Ok(Self { gate, queue: Queue::new(db), said, consolidation, keyed })
    }
}

/// What a note has besides what a write says: an import and an exchange bring their own times.
#[derive(Debug, Clone, Default)]
pub(crate) struct Birth {
    pub(crate) id: Option<String>,
    pub(crate) created: Option<Timestamp>,
    pub(crate) updated: Option<Timestamp>,
    pub(crate) superseded_by: Option<String>,
    pub(crate) accesses: u32,
}

impl Birth {
    /// Lines of the front matter in place of those of a new note.
    pub(super) fn onto(&self, lines: &mut Vec<(&'static str, Option<Value>)>) {
        let own = [
            ("created", self.created.map(Value::Time)),
            ("updated", self.updated.or(self.created).map(Value::Time)),
            ("superseded_by", self.superseded_by.clone().map(Value::Text)),
            ("access_count", (self.accesses > 0).then(|| Value::Whole(u64::from(self.accesses)))),
        ];
        for (key, value) in own.into_iter().filter(|(_, value)| value.is_some()) {
            match lines.iter_mut().find(|(other, _)| *other == key) {
                Some(line) => line.1 = value,
                None => lines.push((key, value)),
            }
        }
    }
}

impl Library {
    pub(crate) fn queue(&self) -> &Queue {
        &self.0.keeping.queue
    }

    pub(crate) fn said(&self) -> &Nudge {
        &self.0.keeping.said
    }

    pub(crate) fn consolidation(&self) -> &Consolidation {
        &self.0.keeping.consolidation
    }

    /// Returns when the vault was read once since the start: until then nobody knows what is there already.
    pub(crate) async fn has_read(&self) {
        while self.0.reading.load(std::sync::atomic::Ordering::Relaxed) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// A person's word on a run that he has undone stands.
    pub(super) async fn mind(&self, run: &str, who: &Who) -> Result<(), Error> {
        let journal = self.consolidation().journal();
        if who.origin == sanctum_api::memory::Origin::Owner && journal.has(run).await? {
            journal.undone(run).await?;
        }
        Ok(())
    }

    pub(crate) async fn last_pass(&self) -> Result<Option<Timestamp>, Error> {
        Ok(self.consolidation().journal().last().await?)
    }

    /// The Markdown of a note, from its file; nobody has read it for that.
    pub(crate) async fn body_of(&self, head: &Head) -> Result<Option<String>, Error> {
        let Some(rel) = Rel::parse(&head.path) else { return Ok(None) };
        let vault = self.0.vault.clone();
        let Ok(Ok(opened)) = tokio::task::spawn_blocking(move || vault.open(&rel)).await else {
            return Ok(None);
        };
        Ok(Some(matter::split(&opened.text).body.trim_start_matches(['\r', '\n']).to_owned()))
    }

    /// Tells followers how far long work is.
    pub(crate) fn progress(&self) -> Tell {
        self.teller()
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.0.keeping.gate
    }

    /// The gate judges what is new; what takes the place of something older under its key does so at once.
    pub(super) async fn write_gated(&self, write: Write, who: &Who) -> Result<Written, Error> {
        compose::check(&write, self.0.vault.most)?;
        let agent = write.agent.clone().or_else(|| who.agent.clone());
        let now = self.0.shared.clock.now();
        let facts = if write.id.is_some() {
            // A change of a note is no new one: only what it must never hold is looked at, and how much is written.
            Facts {
                written: agent.as_deref().map_or(0, |agent| self.gate().written(agent, now)),
                ..Facts::default()
            }
        } else {
            self.facts(&write, agent.as_deref(), who, now).await?
        };
        let draft = Draft {
            title: write.title.as_deref(),
            text: &write.text,
            key: write.key.as_deref(),
            agent: agent.as_deref(),
        };
        if let Verdict::Leave { outcome, note, reason } = judge(&draft, &facts, self.gate().config()) {
            let note = match note {
                Some(id) => self.head_of(&id).await?.filter(|head| who.may_see(head.class)),
                None => None,
            };
            return Ok(Written { outcome, note, reason: Some(reason), superseded: Vec::new() });
        }
        // Of two statements under one key one must come second.
        let _one = match &write.key {
            Some(_) => Some(self.0.keeping.keyed.lock().await),
            None => None,
        };
        let mut written = self.keep(&write, who, &Hand::new(who, "")).await?;
        if let Some(agent) = &agent {
            self.gate().wrote(agent, now);
        }
        if let Some(head) = written.note.take() {
            let (head, superseded) = self.take_place(head, &Hand::new(who, "")).await?;
            written.note = Some(head);
            written.superseded = superseded;
        }
        Ok(written)
    }

    /// What is known that bears on a draft.
    async fn facts(
        &self,
        write: &Write,
        agent: Option<&str>,
        who: &Who,
        now: Timestamp,
    ) -> Result<Facts, Error> {
        let gist = Gist::of(&write.text);
        let mut facts = self.gate().facts(&gist, agent, write.session.as_deref(), now);
        facts.same = self.first(self.gate().same(&gist), write, agent, who).await?.map(|head| head.id);
        // Word for word the same under another key is another statement.
        if facts.same.is_none() && write.key.is_none() {
            facts.near = self.near(&gist, write, agent, who).await?;
        }
        Ok(facts)
    }

    /// A note that a draft adds nothing to.
    async fn near(
        &self,
        gist: &Gist,
        write: &Write,
        agent: Option<&str>,
        who: &Who,
    ) -> Result<Option<String>, Error> {
        for id in self.gate().alike(gist, CANDIDATES) {
            let Some(head) = self.first(vec![id], write, agent, who).await? else { continue };
            let Some(text) = self.text_of(&head.id).await? else { continue };
            if gist.is_near(&Gist::of(&text), None) {
                return Ok(Some(head.id));
            }
        }
        Ok(None)
    }

    /// The first of some notes that stands for the draft: whoever may find the one would find the other, and its word counts as
    /// much.
    async fn first(
        &self,
        ids: Vec<String>,
        write: &Write,
        agent: Option<&str>,
        who: &Who,
    ) -> Result<Option<Head>, Error> {
        for id in ids {
            let Some(head) = self.head_of(&id).await? else { continue };
            let stands = head.class == write.class.unwrap_or_default()
                && (!head.path.starts_with("inbox/") || head.agent.as_deref() == agent || agent.is_none())
                && truth::weight(head.origin) >= truth::weight(who.origin)
                && (write.key.is_none() || write.key == head.key);
            if stands {
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    /// What a statement under a key does to those that were there.
    async fn take_place(&self, head: Head, hand: &Hand) -> Result<(Head, Vec<String>), Error> {
        let Some(key) = head.key.clone() else { return Ok((head, Vec::new())) };
        let effect = truth::arrive(&head, &self.with_key(&key).await?);
        let mut superseded = Vec::new();
        for (id, until) in effect.supersedes {
            let matter = vec![
                ("valid_until", Some(Value::Time(until))),
                ("superseded_by", Some(Value::Text(head.id.clone()))),
            ];
            let hand = Hand { why: format!("superseded by {}", head.id), ..hand.clone() };
            match self.amend(&id, Amend { matter, ..Amend::default() }, &hand).await {
                Ok(_) => superseded.push(id),
                // A file that cannot be changed contradicts from now on, and is shown to.
                Err(error) => tracing::warn!(%error, id, "a note that is over could not be marked"),
            }
        }
        let Some(until) = effect.held_until else { return Ok((head, superseded)) };
        let matter = vec![("valid_until", Some(Value::Time(until)))];
        let head = self.amend(&head.id, Amend { matter, ..Amend::default() }, hand).await?;
        Ok((head, superseded))
    }

    /// Puts a note that is already judged, with its own id and times. One that is there already is left as it is.
    pub(crate) async fn put_as(&self, write: &Write, birth: &Birth, hand: &Hand) -> Result<Head, Error> {
        compose::check(write, self.0.vault.most)?;
        if let Some(id) = &birth.id
            && let Some(head) = self.head_of(id).await?
        {
            return Ok(head);
        }
        let (write, birth, hand) = (write.clone(), birth.clone(), hand.clone());
        self.to_its_end(async move |own| own.create(&write, &hand.who, &hand, &birth).await).await
    }

    /// Whether the front matter of a note has a key, whatever it is.
    pub(crate) async fn says(&self, head: &Head, key: &'static str) -> Result<bool, Error> {
        let Some(rel) = Rel::parse(&head.path) else { return Err(Error::Unknown(head.id.clone())) };
        let vault = self.0.vault.clone();
        let opened = tokio::task::spawn_blocking(move || vault.open(&rel)).await;
        let Ok(Ok(opened)) = opened else { return Err(Error::Unknown(head.id.clone())) };
        let matter = matter::split(&opened.text).matter.unwrap_or_default();
        Ok(matter.lines().any(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':'))))
    }

    /// What is known of a note, if it is there.
    pub(crate) async fn head_of(&self, id: &str) -> Result<Option<Head>, Error> {
        match self.find(id).await {
            Ok((_, head)) => Ok(Some(head)),
            Err(Error::Unknown(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The words of a note as the index has them; nobody has read it for that.
    pub(crate) async fn text_of(&self, id: &str) -> Result<Option<String>, Error> {
        let id = id.to_owned();
        let found = self.0.index.read(move |db| {
            let Some((row, _)) = read::find(db, &id)? else { return Ok(None) };
            read::indexed(db, i64::from(row))
        });
        let text = |note: crate::model::Indexed| {
            let passages: Vec<String> = note.passages.into_iter().map(|passage| passage.text).collect();
            passages.join("\n")
        };
        Ok(found.await?.map(text))
    }

    /// How many notes link to each.
    pub(crate) async fn linked(&self) -> Result<HashMap<String, u32>, Error> {
        let graph = self.0.index.read(|db| read::graph(db, usize::MAX / 2, true)).await?;
        let mut linked = HashMap::new();
        for (_, to) in &graph.edges {
            if let Some(dot) = usize::try_from(*to).ok().and_then(|to| graph.nodes.get(to)) {
                *linked.entry(dot.id.clone()).or_default() += 1;
            }
        }
        Ok(linked)
    }

    /// Whether what is removed stays in a history.
    pub(crate) fn keeps_history(&self) -> bool {
        self.0.history.git().is_ok()
    }

    /// Keeps an exchange, cleaned, until it is read into a note.
    pub(super) async fn ingest_kept(&self, mut exchange: Exchange, who: &Who) -> Result<Ingested, Error> {
        if exchange.agent.trim().is_empty() {
            exchange.agent = who.name.clone();
        }
        let agent = exchange.agent.trim().to_owned();
        if agent.len() > NAME || agent.chars().any(char::is_control) {
            return Err(Error::field("agent", &agent, "a name of at most 200 bytes"));
        }
        exchange.agent = agent;
        if spoken::class(&exchange.class).is_none() {
            return Err(Error::field("class", &exchange.class, "`general`, `health` or `finance`"));
        }
        if exchange.key.len() > NAME {
            return Err(Error::field("key", &exchange.key, "at most 200 bytes"));
        }
        let now = self.0.shared.clock.now();
        let sane = Timestamp::from_millisecond(exchange.at)
            .is_ok_and(|at| exchange.at > 0 && at.duration_since(now) < SignedDuration::from_hours(24));
        if exchange.key.is_empty() {
            exchange.key = spoken::key(&exchange);
        }
        if !sane {
            exchange.at = now.as_millisecond();
        }
        let key = exchange.key.clone();
        let house = &self.0.keeping;
        if house.queue.knows(&key).await? {
            return Ok(Ingested { key, repeated: true });
        }
        let (agent, session, before) =
            (exchange.agent.clone(), exchange.session.clone(), exchange.assistant.len());
        let served = self.gate().served();
        let exchange =
            spoken::clean(exchange, |gist| served.echoes(gist, Some(&agent), session.as_deref(), now));
        let said = Said { echoed: exchange.assistant.len() < before, exchange };
        let pause = i64::try_from(self.0.config.ingest.pause.0.as_millis()).unwrap_or(i64::MAX / 4);
        let kept = house.queue.keep(said, pause, self.0.config.ingest.waiting).await?;
        house.said.nudge();
        match kept {
            Kept::Full => Err(Error::Later("too many exchanges wait to be read: bring it again later")),
            Kept::New | Kept::Repeated => Ok(Ingested { key, repeated: kept == Kept::Repeated }),
        }
    }

    /// Judges an exchange as what it is: not written because somebody wanted it remembered, so nobody's quota.
    pub(crate) async fn judged(&self, write: &Write, who: &Who) -> Result<Verdict, Error> {
        let agent = write.agent.as_deref();
        let mut facts = self.facts(write, agent, who, self.0.shared.clock.now()).await?;
        // What came back of what was recalled was cut out when the exchange was brought.
        facts.echoes = false;
        facts.written = 0;
        let draft = Draft { title: write.title.as_deref(), text: &write.text, key: None, agent };
        Ok(judge(&draft, &facts, self.gate().config()))
    }

    /// Takes one note of an import; `None`: it is there already.
    pub(crate) async fn take_in(
        &self,
        brought: &Brought,
        who: &Who,
    ) -> Result<Result<Option<Head>, String>, Error> {
        let write = &brought.write;
        compose::check(write, self.0.vault.most)?;
        let gist = Gist::of(&write.text);
        if let Some(id) = &brought.id
            && self.head_of(id).await?.is_some()
        {
            return Ok(Ok(None));
        }
        let archived = write.folder.as_deref().is_some_and(|folder| folder.starts_with("archive"));
        let same = match (
            archived,
            self.first(self.gate().same(&gist), write, write.agent.as_deref(), who).await?,
        ) {
            (false, Some(head)) => Some(head.id),
            _ => None,
        };
        let draft = Draft {
            title: write.title.as_deref(),
            text: &write.text,
            key: write.key.as_deref(),
            agent: None,
        };
        match judge(&draft, &Facts { same, ..Facts::default() }, self.gate().config()) {
            Verdict::Leave { outcome: Outcome::Duplicate, .. } => return Ok(Ok(None)),
            Verdict::Leave { reason, .. } => return Ok(Err(reason)),
            Verdict::Keep => {}
        }
        let birth = Birth {
            id: brought.id.clone(),
            created: brought.created,
            updated: brought.updated,
            superseded_by: brought.superseded_by.clone(),
            accesses: brought.accesses,
        };
        let head = self.put_as(write, &birth, &Hand::new(who, format!("imported, {}", brought.at))).await?;
        Ok(Ok(Some(head)))
    }

    pub(super) async fn consolidated(&self, apply: bool, tell: Tell) -> Result<Report, Error> {
        let report = self.0.keeping.consolidation.pass(self, apply, &tell).await?;
        if apply {
            self.happened("consolidated", format!("{}: {} steps", report.run, report.steps.len()));
            let (own, run) = (self.clone(), report.run.clone());
            self.0.shared.tasks.spawn("enrichment", OnError::Log, |stop| enrich::run(own, run, stop));
        }
        Ok(report)
    }

    /// The last passes, the newest first.
    pub(crate) async fn reports(&self) -> Result<Vec<Report>, Error> {
        Ok(self.0.keeping.consolidation.journal().reports(100).await?)
    }

    pub(super) async fn audited(&self) -> Result<Audit, Error> {
        crate::audit::audit(self).await
    }

    /// Where the index and the files differ.
    pub(crate) async fn mismatches(&self) -> Result<Vec<String>, Error> {
        let mut found = self.differences().await?;
        let status = self.engine().status();
        let [_, passages, ..] = self.0.index.read(read::counts).await?;
        if u64::from(status.passages) != passages {
            found.push(format!("recall knows {} passages and the index has {passages}", status.passages));
        }
        if status.model.is_some() && status.vectors + status.wanting != status.passages {
            found.push(format!(
                "{} of {} passages have a vector, and {} wait for one",
                status.vectors, status.passages, status.wanting
            ));
        }
        Ok(found)
    }
}
