//! An incident has something new to say: what is written of it, and what people are told.

use std::time::Duration;

use sanctum_api::notify::Notice;
use sanctum_api::watch::Incident;
use sanctum_kernel::{Tier, Trace};

use super::Shell;
use super::obey::Moment;
use crate::config::Healed;
use crate::engine::Turn;
use crate::notices::About;
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
        if let Some(notice) = self.notice(&mut record, what, merged) {
            let letter = Letter { at: wall, trace: record.trace, notice };
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

    /// What people are told now, if anything: they are called once, the rest is shown in its place.
    fn notice(&self, record: &mut Record, what: Turn, merged: Option<i64>) -> Option<Notice> {
        let (style, about) = (self.hub.style(), self.about(&record.wire.root));
        let wire = &record.wire;
        let at = self.hub.now();
        let (notice, told) = match (what, &record.told) {
            (Turn::Escalated, None) => {
                let mut notice = style.escalated(wire, &about);
                if self.is_locked(&wire.root) {
                    // The supervisor's breaker has called people already: one trouble is one call.
                    notice.force_channels = vec!["dashboard".to_owned()];
                }
                (notice, true)
            }
            (Turn::Resolved, Some(_)) => (style.resolved(wire, &about, merged), false),
            (Turn::Resolved, None) => {
                let mended = wire.tried.iter().any(|tried| tried.helped == Some(true) && !tried.rehearsal);
                let wanted = self.hub.config().healed == Healed::Banner && mended && merged.is_none();
                return wanted.then(|| style.healed(wire, &about));
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
            record.told = Some(Told { at, title: notice.title.clone(), message: notice.message.clone() });
        }
        Some(notice)
    }

    fn is_locked(&self, root: &str) -> bool {
        let brain = self.hub.brain();
        brain.find(root).and_then(|at| brain.engine.node(at)).is_some_and(|node| node.locked)
    }

    fn about(&self, root: &str) -> About {
        let brain = self.hub.brain();
        let item = brain.find(root).and_then(|at| brain.item(at));
        item.map_or_else(
            || About { house_name: root.to_owned(), tier: Tier::Ordinary, supervised: false },
            |item| About {
                house_name: item.house_name.clone(),
                tier: item.tier,
                supervised: item.supervised,
            },
        )
    }
}
