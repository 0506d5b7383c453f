//! Questions: what recall finds, with the words of the notes and what is known of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use sanctum_api::memory::{Class, Found, Head, Hit, Recall, Search};
use sanctum_store::{Connection, OptionalExtension, SqlError};
use tokio::time::Instant;

use super::{Error, Library, Who, compose};
use crate::index::read;
use crate::recall::{Filter, Query, Scored};

/// Tokens of an answer for a prompt, as bytes over three.
const TOKENS: u32 = 2048;
const LONGEST: usize = 16 * 1024;

impl Library {
    pub(super) async fn find_passages(&self, search: &Search, who: &Who) -> Result<Found, Error> {
        let limit = search.limit.unwrap_or(10);
        if !(1..=100).contains(&limit) {
            return Err(Error::field("limit", &limit.to_string(), "1 to 100"));
        }
        if search.query.trim().is_empty() || search.query.len() > LONGEST {
            return Err(Error::field("query", &search.query, "1 to 16384 bytes"));
        }
        let began = Instant::now();
        self.0.meters.searches.inc();
        let folder =
            search.folder.as_deref().filter(|folder| !folder.is_empty()).map(compose::folder).transpose()?;
        let outside = search.egress || !who.private;
        let classes = match (outside, search.classes.as_slice()) {
            (false, classes) => classes.to_vec(),
            // What leaves the house is general, whatever was asked for.
            (true, []) => vec![Class::General],
            (true, classes) if classes.contains(&Class::General) => vec![Class::General],
            (true, _) => {
                return Err(Error::field(
                    "classes",
                    "health, finance",
                    "`general`: the answer leaves the house",
                ));
            }
        };
        let query = Query {
            text: search.query.clone(),
            now: self.0.shared.clock.now(),
            zone: self.0.vault.zone.clone(),
            as_of: search.as_of,
            filter: Filter {
                classes,
                kinds: search.types.clone(),
                tags: search.tags.clone(),
                folder: folder.map(|folder| folder.as_str().to_owned()),
                inbox: search.agent.clone().or_else(|| who.agent.clone()),
                history: search.history,
            },
            limit: usize::try_from(limit).unwrap_or(10),
        };
        // Of questions that come at once each is answered whole, in its turn: shared among many, the processors would do no
        // more, and whoever asked first would wait as long as whoever asked last.
        let turn = self.0.recall.turn().await;
        let recall = self.0.recall.clone();
        let read = move |db: &Connection| {
            let answer = recall.find(&query);
            let results = hits_of(db, &answer.hits)?;
            Ok((answer, results))
        };
        let (answer, results) = self.0.index.read(read).await?;
        drop(turn);
        if let Some(session) = search.session.as_deref() {
            // What this conversation was told is not news when it comes back.
            let texts = results.iter().map(|hit| hit.text.as_str());
            self.gate().served().tell(None, Some(session), texts, self.0.shared.clock.now());
        }
        let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        Ok(Found { results, degraded: self.less(answer.degraded), withheld: answer.withheld, took_us })
    }

    pub(super) async fn recall_for(&self, recall: &Recall, who: &Who) -> Result<Found, Error> {
        let limit = recall.limit.unwrap_or(10);
        if !(1..=50).contains(&limit) {
            return Err(Error::field("limit", &limit.to_string(), "1 to 50"));
        }
        let tokens = recall.tokens.unwrap_or(TOKENS);
        if !(1..=TOKENS).contains(&tokens) {
            return Err(Error::field("tokens", &tokens.to_string(), "1 to 2048"));
        }
        let search = Search {
            query: recall.query.clone(),
            limit: Some(limit),
            agent: Some(recall.agent.clone()).filter(|agent| !agent.is_empty()),
            session: recall.session.clone(),
            classes: recall.classes.clone(),
            as_of: recall.as_of,
            ..Search::default()
        };
        let mut found = self.find_passages(&search, who).await?;
        let mut left = usize::try_from(tokens).unwrap_or(0) * 3;
        // Whole passages, the best first; one that is too long makes room for those behind it.
        found.results.retain(|hit| match left.checked_sub(hit.text.len()) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        });
        let texts = found.results.iter().map(|hit| hit.text.as_str());
        let agent = Some(recall.agent.as_str());
        self.gate().served().tell(agent, recall.session.as_deref(), texts, self.0.shared.clock.now());
        let mut seen = std::collections::HashSet::new();
        for hit in &found.results {
            if seen.insert(&hit.id) {
                self.0.accessed(&hit.id);
            }
        }
        Ok(found)
    }
}

fn hits_of(db: &Connection, scored: &[Scored]) -> Result<Vec<Hit>, SqlError> {
    // One look at the index for all of them; nothing is changed, so that it only ends.
    let db = &db.unchecked_transaction()?;
    let mut text = db.prepare_cached("SELECT text FROM passages WHERE row=?1 AND at=?2")?;
    let mut heads: HashMap<u32, (Head, Vec<String>)> = HashMap::new();
    let mut hits = Vec::with_capacity(scored.len());
    for one in scored {
        let Some(text) = text.query_row([one.row, one.passage], |row| row.get::<_, String>(0)).optional()?
        else {
            // Changed between the two looks.
            continue;
        };
        let (head, contradicts) = match heads.entry(one.row) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(place) => {
                let Some(head) = read::by_row(db, one.row)? else { continue };
                let contradicts = read::contradictions(db, &head)?;
                place.insert((head, contradicts)).clone()
            }
        };
        hits.push(Hit {
            id: head.id,
            path: head.path,
            title: head.title,
            text,
            passage: one.passage,
            class: head.class,
            origin: head.origin,
            kind: head.kind,
            score: one.score,
            why: one.why,
            updated: head.updated,
            valid_from: head.valid_from,
            valid_until: head.valid_until,
            superseded_by: head.superseded_by,
            contradicts,
        });
    }
    Ok(hits)
}
