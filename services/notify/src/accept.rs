//! Accepting: the decision, the notification and its deliveries in one commit.

use std::sync::Arc;

use jiff::Timestamp;
use ring::digest;
use sanctum_api::notify::{Accepted, Notice, Severity};
use sanctum_kernel::trace::TraceId;
use sanctum_store::{OptionalExtension, SqlError, StoreError, Transaction, params};
use tokio::sync::mpsc::OwnedPermit;

use crate::banners::{self, Change};
use crate::decide::{Hold, Known, Plan, Repeat, Send, decide, hour};
use crate::hub::Hub;
use crate::matching::{Matchers, Subject};
use crate::message::{Message, Phase};
use crate::resolve;
use crate::rows::{self, severity_number, severity_of};
use crate::schema::{flag, state};
use crate::spread;

/// Something to be kept and told.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
    pub(crate) notice: Notice,
    pub(crate) trace: TraceId,
    /// When it was said.
    pub(crate) at: Timestamp,
    /// A second one with this key gets the first answer.
    pub(crate) key: Option<String>,
    /// The hub speaks of itself: no dedup, no limit, no grouping.
    pub(crate) own: bool,
}

impl Incoming {
    pub(crate) fn own(notice: Notice, at: Timestamp, key: Option<String>) -> Self {
        Self { notice, trace: sanctum_kernel::Trace::current().id(), at, key, own: true }
    }
}

/// Messages with their places in the hands of channels that are free.
pub(crate) type Handoffs = Vec<(OwnedPermit<Message>, Message)>;

/// What a commit leaves to be done afterwards.
#[derive(Debug, Default)]
pub(crate) struct After {
    pub(crate) handoffs: Handoffs,
    pub(crate) waiting: Vec<String>,
    pub(crate) change: Change,
    pub(crate) timers: bool,
}

impl After {
    pub(crate) fn run(self, hub: &Hub) {
        for (permit, message) in self.handoffs {
            permit.send(message);
        }
        hub.wake(&self.waiting);
        if self.timers {
            hub.timers.nudge();
        }
        self.change.publish(&hub.feed);
    }
}

/// Keeps it; when this returns it is on the disk and on its way.
pub(crate) async fn accept(hub: &Arc<Hub>, incoming: Incoming) -> Result<Accepted, StoreError> {
    let _waiting = hub.accepting();
    let within = Arc::clone(hub);
    let kept = hub.db.write_first(move |tx| keep(tx, &within, &incoming)).await;
    hub.kept(kept.as_ref().err());
    let (accepted, after) = kept?;
    after.run(hub);
    Ok(accepted)
}

/// The work of the transaction; it bears being done again after a rollback, because only rows decide.
pub(crate) fn keep(
    tx: &Transaction<'_>,
    hub: &Hub,
    incoming: &Incoming,
) -> Result<(Accepted, After), SqlError> {
    if let Some(key) = &incoming.key
        && let Some(answer) = answered(tx, key)?
    {
        return Ok((answer, After::default()));
    }
    let mut after = After::default();
    let accepted = if incoming.notice.resolved {
        resolve::by_notice(tx, hub, incoming, &mut after)?
    } else {
        fire(tx, hub, incoming, &mut after)?
    };
    if let Some(key) = &incoming.key {
        let answer = serde_json::to_string(&accepted).unwrap_or_default();
        let mut insert = tx.prepare_cached("INSERT INTO keys(key, answer, at) VALUES(?1, ?2, ?3)")?;
        insert.execute(params![key, answer, incoming.at.as_microsecond()])?;
    }
    Ok((accepted, after))
}

fn answered(tx: &Transaction<'_>, key: &str) -> Result<Option<Accepted>, SqlError> {
    let mut select = tx.prepare_cached("SELECT answer FROM keys WHERE key=?1")?;
    let answer: Option<String> = select.query_row([key], |row| row.get(0)).optional()?;
    Ok(answer.and_then(|answer| serde_json::from_str(&answer).ok()))
}

/// What makes two notices the same: their key, or else SHA-256 of source, title and message.
fn identity(notice: &Notice) -> digest::Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    let parts = match &notice.dedup_key {
        Some(key) => ["key", "", key.as_str()],
        None => [notice.source.as_str(), notice.title.as_str(), notice.message.as_str()],
    };
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part.as_bytes());
    }
    context.finish()
}

fn fire(
    tx: &Transaction<'_>,
    hub: &Hub,
    incoming: &Incoming,
    after: &mut After,
) -> Result<Accepted, SqlError> {
    let notice = &incoming.notice;
    let hash = identity(notice);
    let now = incoming.at.to_zoned(hub.rules.zone.clone());
    let known = known(tx, hub, incoming, hash.as_ref(), hour(&now).0)?;
    let plan = decide(notice, &hub.rules, &known, &now);
    let fold = match &plan.hold {
        Some(hold) => Some(held(tx, hold, after)?),
        None => None,
    };
    // In a rush whom to tell waits in the row itself, so that everybody is answered soon; what is critical never waits.
    let waits = !plan.sends.is_empty()
        && notice.severity < Severity::Critical
        && hub.is_busy()
        && hub.unspread.has_room();
    let sends = waits.then(|| spread::words(hub.now().as_microsecond(), &plan.sends));
    let id = insert(tx, incoming, hash.as_ref(), &plan, fold, sends)?;
    if plan.first.is_none() && !incoming.own {
        let at = incoming.at.as_microsecond();
        hub.recent(|recent| recent.add(hash.as_ref(), id, at, at.saturating_sub(hub.rules.dedup_window())));
    }
    if let Some(first) = plan.first {
        let mut count = tx.prepare_cached("UPDATE notifications SET count=count+1, latest=?2 WHERE id=?1")?;
        count.execute(params![first, id])?;
        after.change = banners::changed(tx, first, incoming.at.as_microsecond())?;
    }
    if plan.counts {
        let mut count = tx.prepare_cached(
            "INSERT INTO rate(hour, source, sent) VALUES(?1, ?2, 1), (?1, '', 1) ON CONFLICT DO UPDATE SET sent=sent+1",
        )?;
        count.execute(params![hour(&now).0.as_second(), notice.source])?;
    }
    if let (Some(name), Some(interval), false) =
        (hub.rules.group(notice), hub.rules.config.grouping.interval, plan.sends.is_empty())
    {
        let due = incoming.at + jiff::SignedDuration::try_from(interval.0).unwrap_or_default();
        held(tx, &Hold { kind: "group", name, due }, after)?;
    }
    if waits {
        hub.unspread.add(notice.severity, id);
        after.waiting.extend(plan.sends.iter().map(|send| send.channel.clone()));
    } else {
        let mut shared = None;
        for send in &plan.sends {
            deliver(tx, hub, (id, incoming, &mut shared), send, after)?;
        }
    }
    Ok(Accepted {
        id,
        status: if plan.sends.is_empty() { "suppressed" } else { "accepted" }.to_owned(),
        channels: plan.sends.into_iter().map(|send| send.channel).collect(),
        deduplicated: plan.flags & flag::DEDUPLICATED != 0,
        rate_limited: plan.flags & flag::RATE_LIMITED != 0,
        quiet_hours: plan.flags & flag::QUIET != 0,
        trace_id: incoming.trace,
    })
}

/// Stores the notification itself.
pub(crate) fn insert(
    tx: &Transaction<'_>,
    incoming: &Incoming,
    hash: &[u8],
    plan: &Plan,
    fold: Option<i64>,
    sends: Option<String>,
) -> Result<i64, SqlError> {
    let notice = &incoming.notice;
    let resolves = if notice.resolved { flag::RESOLVES } else { 0 };
    let mut insert = tx.prepare_cached(
        "INSERT INTO notifications(trace, accepted, source, severity, title, message, rest, dedup_key, hash, first, flags, reasons, fold, own, resolved, sends)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?;
    insert.execute(params![
        incoming.trace.to_string(),
        incoming.at.as_microsecond(),
        notice.source,
        severity_number(notice.severity),
        notice.title,
        notice.message,
        rows::rest_of(notice),
        notice.dedup_key,
        hash,
        plan.first,
        plan.flags | resolves,
        plan.reasons.join("\n"),
        fold,
        i64::from(incoming.own),
        notice.resolved.then(|| incoming.at.as_microsecond()),
        sends,
    ])?;
    Ok(tx.last_insert_rowid())
}

/// Stores one delivery; where the channel is free it is begun with the same commit.
fn deliver(
    tx: &Transaction<'_>,
    hub: &Hub,
    (id, incoming, shared): (i64, &Incoming, &mut Option<Arc<Notice>>),
    send: &Send,
    after: &mut After,
) -> Result<(), SqlError> {
    let at_once = incoming.notice.severity == Severity::Critical || !hub.is_busy();
    let permit = hub.lines.get(&send.channel).filter(|_| at_once).and_then(crate::hub::Line::claim);
    let now = hub.now();
    let mut insert = tx.prepare_cached(
        "INSERT INTO deliveries(notification, channel, phase, manner, state, reason, created, due, started, severity) VALUES(?1, ?2, 0, ?3, ?4, ?5, ?6, ?6, ?7, ?8)",
    )?;
    let state = if permit.is_some() { state::IN_FLIGHT } else { state::PENDING };
    let started = permit.is_some().then(|| now.as_microsecond());
    insert.execute(params![
        id,
        send.channel,
        send.manner.word(),
        state,
        send.reason,
        now.as_microsecond(),
        started,
        severity_number(incoming.notice.severity)
    ])?;
    let delivery = tx.last_insert_rowid();
    match permit {
        Some(permit) => {
            let message = Message {
                id,
                delivery,
                trace: incoming.trace,
                notice: Arc::clone(shared.get_or_insert_with(|| Arc::new(incoming.notice.clone()))),
                phase: Phase::Fire,
                manner: send.manner,
                accepted: incoming.at,
                word: None,
                before: None,
                tries: 0,
                spent: 0,
                since: now,
                now,
            };
            after.handoffs.push((permit, message));
        }
        None => after.waiting.push(send.channel.clone()),
    }
    Ok(())
}

/// The summary this goes into: an open one, or a new one with its timer.
pub(crate) fn held(tx: &Transaction<'_>, hold: &Hold, after: &mut After) -> Result<i64, SqlError> {
    let mut open = tx.prepare_cached("SELECT id FROM folds WHERE kind=?1 AND name=?2 AND done=0")?;
    if let Some(id) = open.query_row(params![hold.kind, hold.name], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    let due = hold.due.as_microsecond();
    tx.prepare_cached("INSERT INTO folds(kind, name, due) VALUES(?1, ?2, ?3)")?
        .execute(params![hold.kind, hold.name, due])?;
    let id = tx.last_insert_rowid();
    tx.prepare_cached("INSERT INTO timers(kind, name, due) VALUES('fold', ?1, ?2)")?
        .execute(params![id, due])?;
    after.timers = true;
    Ok(id)
}

fn known(
    tx: &Transaction<'_>,
    hub: &Hub,
    incoming: &Incoming,
    hash: &[u8],
    hour: Timestamp,
) -> Result<Known, SqlError> {
    let notice = &incoming.notice;
    let subject = Subject::of(notice);
    let at = incoming.at;
    let silence = if hub.may_be_silenced(at) { silence(tx, subject, at)? } else { None };
    let mut known = Known { own: incoming.own, silence, ..Known::default() };
    if incoming.own {
        return Ok(known);
    }
    let window = hub.rules.dedup_window();
    known.repeat = match hub.recent(|recent| recent.find(hash)) {
        Some(id) => repeat(tx, id, hash, at.as_microsecond().saturating_sub(window))?,
        None => None,
    };
    known.inhibited = inhibited(tx, hub, notice, subject)?;
    if hub.rules.config.per_hour > 0 && notice.severity < Severity::Critical {
        let mut sent = tx.prepare_cached("SELECT sent FROM rate WHERE hour=?1 AND source=?2")?;
        let mut of =
            |source: &str| sent.query_row(params![hour.as_second(), source], |row| row.get(0)).optional();
        known.sent = (of(&notice.source)?.unwrap_or(0), of("")?.unwrap_or(0));
    }
    if let Some(name) = hub.rules.group(notice) {
        let mut open =
            tx.prepare_cached("SELECT due FROM folds WHERE kind='group' AND name=?1 AND done=0")?;
        known.group_until = open.query_row([name], |row| row.get(0)).optional()?.map(rows::instant);
    }
    Ok(known)
}

/// The row decides whether `id` is what it is remembered as: a commit that failed leaves no row.
fn repeat(tx: &Transaction<'_>, id: i64, hash: &[u8], oldest: i64) -> Result<Option<Repeat>, SqlError> {
    let mut repeat = tx.prepare_cached(
        "SELECT severity, sends IS NULL AND NOT EXISTS(SELECT 1 FROM deliveries d WHERE d.notification=n.id) FROM notifications n
         WHERE id=?1 AND hash=?2 AND accepted>?3 AND first IS NULL AND resolved IS NULL",
    )?;
    let found = repeat.query_row(params![id, hash, oldest], |row| {
        Ok(Repeat { id, severity: severity_of(row.get(0)?), unheard: row.get(1)? })
    });
    found.optional()
}

/// Fills the memory of the dedup window, and of how long there are silences, from the rows, at start.
pub(crate) fn remember(db: &sanctum_store::Connection, hub: &Hub) -> Result<(), SqlError> {
    let last: Option<i64> = db.query_row("SELECT max(until) FROM silences", [], |row| row.get(0))?;
    if let Some(last) = last {
        hub.silenced_until(last);
    }
    let oldest = hub.now().as_microsecond().saturating_sub(hub.rules.dedup_window());
    let mut young = db.prepare(
        "SELECT id, hash, accepted FROM (SELECT * FROM notifications ORDER BY id DESC LIMIT 100000)
         WHERE accepted>?1 AND first IS NULL AND own=0 ORDER BY id",
    )?;
    let mut young = young.query([oldest])?;
    while let Some(row) = young.next()? {
        let (id, hash, at): (i64, Vec<u8>, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        hub.recent(|recent| recent.add(&hash, id, at, oldest));
    }
    Ok(())
}

/// The silence that matches, in words.
pub(crate) fn silence(
    db: &sanctum_store::Connection,
    subject: Subject<'_>,
    at: Timestamp,
) -> Result<Option<String>, SqlError> {
    let mut all = db.prepare_cached(
        "SELECT id, matchers, author, reason, until FROM silences WHERE until>?1 ORDER BY id",
    )?;
    let mut all = all.query([at.as_microsecond()])?;
    while let Some(row) = all.next()? {
        let matchers: String = row.get(1)?;
        let Ok(matchers) = serde_json::from_str::<Matchers>(&matchers) else { continue };
        if subject.has(&matchers) {
            let (id, author, reason): (i64, String, String) = (row.get(0)?, row.get(2)?, row.get(3)?);
            return Ok(Some(format!(
                "{reason} ({author}, until {}, silence {id})",
                rows::instant(row.get(4)?)
            )));
        }
    }
    Ok(None)
}

/// What inhibits it, in words: an unresolved notification with a key that a rule names.
pub(crate) fn inhibited(
    db: &sanctum_store::Connection,
    hub: &Hub,
    notice: &Notice,
    subject: Subject<'_>,
) -> Result<Option<String>, SqlError> {
    let rules: Vec<_> = hub.rules.config.inhibit.iter().filter(|rule| subject.has(&rule.mutes)).collect();
    if rules.is_empty() {
        return Ok(None);
    }
    let sql = format!(
        "SELECT n.id, {} FROM notifications n WHERE n.dedup_key IS NOT NULL AND n.resolved IS NULL AND n.first IS NULL",
        rows::NOTICE
    );
    let mut active = db.prepare_cached(&sql)?;
    let mut active = active.query([])?;
    while let Some(row) = active.next()? {
        let (id, cause): (i64, Notice) = (row.get(0)?, rows::notice(row, 1)?);
        let source = Subject::of(&cause);
        let same = |rule: &crate::config::Inhibit| {
            rule.equal.iter().all(|field| source.field(field) == subject.field(field))
        };
        if cause.dedup_key != notice.dedup_key
            && rules.iter().any(|rule| source.has(&rule.when) && same(rule))
        {
            return Ok(Some(format!("{id} “{}”", cause.title)));
        }
    }
    Ok(None)
}
