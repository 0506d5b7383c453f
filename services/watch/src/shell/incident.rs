//! An incident has something new to say: what is written of it, and what people are told.

use std::time::Duration;

use sanctum_api::notify::Notice;
use sanctum_api::watch::Incident;
use sanctum_kernel::{Tier, Trace};

use super::Shell;
use super::obey::Moment;
use crate::config::Healed;
use crate::engine::Turn;
use crate::notices::{About, Lock};
use crate::store::{Letter, Record, Told, Write};
use crate::{memory, timeline, words};

/// How far back the memory of the same trouble goes.
const PAST: Duration = Duration::from_hours(365 * 24);

impl Shell {
    pub(super) async fn incident(&mut self, id: u64, what: Turn, moment: &mut Moment) {
        let wall = self.hub.now();
        let Ok(key) = i64::try_from(id) else { return };
        let (before, mut wire, merged) = {
            let brain = self.hub.brain();
            let Some(seen) = brain.engine.incident(id) else { return };
            let before = brain.book.get(&key).cloned();
            let mut wire = brain.incident(seen, before.as_ref().map(|record| &record.wire), wall);
            if let Some(before) = before.as_ref().filter(|_| wire.root.is_empty()) {
                // It is no longer declared: it keeps the name it had.
                wire.root.clone_from(&before.wire.root);
            }
            (before, wire, seen.merged.and_then(|merged| i64::try_from(merged).ok()))
        };
        if before.is_none() {
            wire.memory = self.alike(&wire).await;
        }
        let news = timeline::news(before.as_ref().map(|record| &record.wire), &wire, what, wall);
        wire.timeline.extend(news.iter().cloned());
        let mut record = match before {
            Some(before) => Record { wire, ..before },
            None => Record { wire, trace: Trace::start().id(), escalated: None, told: None },
        };
        self.count(what, &mut record);
        if let Some((notice, claims)) = self.notice(&mut record, what, merged) {
            let letter = Letter { at: wall, trace: record.trace, notice, claims };
            moment.writes.push(Write::Letter(Box::new(letter)));
        }
        moment.writes.push(Write::Incident(Box::new(record.clone())));
        moment.writes.extend(news.into_iter().map(|entry| Write::Entry { incident: key, entry }));
        moment.incidents.push(Incident { timeline: Vec::new(), ..record.wire.clone() });
        let mut brain = self.hub.brain();
        brain.book.insert(key, record);
        brain.tidy();
    }

    fn count(&self, what: Turn, record: &mut Record) {
        match what {
            Turn::Opened => drop(self.hub.gauges.incidents.inc()),
            Turn::Escalated => {
                self.hub.gauges.escalated.inc();
                record.escalated.get_or_insert_with(|| self.hub.now());
            }
            Turn::Changed | Turn::Resolved => {}
        }
        let Incident { id, root, title, .. } = &record.wire;
        match what {
            Turn::Opened => tracing::warn!(incident = id, root, title, "an incident has begun"),
            Turn::Escalated => tracing::error!(incident = id, root, title, "an incident needs a person"),
            Turn::Resolved => tracing::info!(incident = id, root, title, "an incident is over"),
            Turn::Changed => {}
        }
    }

    /// What the same trouble was like before. Where the disk does not answer, those at hand have to do.
    async fn alike(&self, wire: &Incident) -> Option<String> {
        let wall = self.hub.now();
        let past = self.hub.store.alike(wire.fingerprint.clone(), wire.id, words::before(wall, PAST)).await;
        match past {
            Ok(past) => memory::sentence(&past, wall),
            Err(error) => {
                tracing::warn!(%error, "the past could not be read");
                None
            }
        }
    }

    /// What people are told now, if anything: they are called once, the rest is shown in its place. With it, the service of whose
    /// lock that tells.
    fn notice(
        &self,
        record: &mut Record,
        what: Turn,
        merged: Option<i64>,
    ) -> Option<(Notice, Option<String>)> {
        let (style, about) = (self.hub.style(), self.about(&record.wire.root));
        let wire = &record.wire;
        let at = self.hub.now();
        let knew = record.told.as_ref().is_some_and(|told| told.locked);
        let mut claims = None;
        let (notice, told) = match (what, &record.told) {
            // A lock is a person's matter from its beginning, whatever may be tried meanwhile.
            (Turn::Opened | Turn::Changed | Turn::Escalated, _) if about.lock.is_some() && !knew => {
                let mut notice = style.escalated(wire, &about);
                if about.lock.as_ref().is_some_and(Lock::is_told_by_supervisor) {
                    // One trouble is one call.
                    notice.force_channels = vec!["dashboard".to_owned()];
                } else {
                    claims = Some(wire.root.clone());
                }
                (notice, true)
            }
            (Turn::Escalated, None) => (style.escalated(wire, &about), true),
            (Turn::Resolved, Some(_)) => (style.resolved(wire, &about, merged), false),
            (Turn::Resolved, None) => {
                let mended = wire.tried.iter().any(|tried| tried.helped == Some(true) && !tried.rehearsal);
                let wanted = self.hub.config().healed == Healed::Banner && mended && merged.is_none();
                return wanted.then(|| (style.healed(wire, &about), None));
            }
            (Turn::Changed | Turn::Escalated, Some(told)) => {
                let notice = style.updated(wire, &about);
                if (&told.title, &told.message) == (&notice.title, &notice.message) {
                    return None;
                }
                (notice, true)
            }
            (Turn::Opened | Turn::Changed, _) => return None,
        };
        if told {
            let locked = knew || about.lock.is_some();
            let (title, message) = (notice.title.clone(), notice.message.clone());
            record.told = Some(Told { at, title, message, locked });
        }
        Some((notice, claims))
    }

    fn about(&self, root: &str) -> About {
        let brain = self.hub.brain();
        let item = brain.find(root).and_then(|at| brain.item(at));
        item.map_or_else(
            || About { house_name: root.to_owned(), tier: Tier::Ordinary, supervised: false, lock: None },
            |item| About {
                house_name: item.house_name.clone(),
                tier: item.tier,
                supervised: item.supervised,
                lock: self.lock(root),
            },
        )
    }
}
