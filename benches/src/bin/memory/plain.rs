//! What recall is measured against: a search for words, BM25 alone, vectors alone, and the usual fusion of the two.

use std::collections::HashMap;

use sanctum_embed::Vector;
use sanctum_kernel::Failure;
use sanctum_store::{Connection, params};

use crate::locomo::Set;

/// The constant of reciprocal rank fusion (Cormack et al., 2009).
const FUSION: f32 = 60.0;
/// Ranks that are fused.
const DEPTH: usize = 100;

/// The words of a text, in lower case.
pub(crate) fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(Into::into)
        .collect()
}

/// Turns by how many different words of the question of more than three letters they hold, as `grep -i` finds them.
pub(crate) fn grep(set: &Set, question: &str) -> Vec<u32> {
    let wanted: Vec<String> = words(question).into_iter().filter(|word| word.len() > 3).collect();
    let scores = set.turns.iter().map(|turn| {
        let lower = turn.text.to_lowercase();
        wanted.iter().filter(|word| lower.contains(word.as_str())).count()
    });
    let mut ranked: Vec<(usize, u32)> = scores.zip(0..).filter(|(score, _)| *score > 0).collect();
    ranked.sort_by_key(|(score, at)| (usize::MAX - score, *at));
    ranked.into_iter().map(|(_, at)| at).take(DEPTH).collect()
}

/// BM25 as SQLite's FTS5 has it, with its Porter stemmer.
pub(crate) struct Fts(Connection);

impl Fts {
    pub(crate) fn new(set: &Set) -> Result<Self, Failure> {
        let db = Connection::open_in_memory()?;
        db.execute_batch("CREATE VIRTUAL TABLE turns USING fts5(text, tokenize = 'porter unicode61')")?;
        for (at, turn) in set.turns.iter().enumerate() {
            db.execute("INSERT INTO turns (rowid, text) VALUES (?1, ?2)", params![at as i64 + 1, turn.text])?;
        }
        Ok(Self(db))
    }

    pub(crate) fn ask(&self, question: &str) -> Result<Vec<u32>, Failure> {
        let query: Vec<String> = words(question).iter().map(|word| format!("\"{word}\"")).collect();
        let mut ask = self.0.prepare_cached(
            "SELECT rowid - 1 FROM turns WHERE turns MATCH ?1 ORDER BY bm25(turns), rowid LIMIT ?2",
        )?;
        let rows = ask.query_map(params![query.join(" OR "), DEPTH as i64], |row| row.get::<_, u32>(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Turns by cosine.
pub(crate) fn nearest(vectors: &[Vector], question: &Vector) -> Vec<u32> {
    let mut ranked: Vec<(f32, u32)> = vectors.iter().map(|vector| vector.cosine(question)).zip(0..).collect();
    ranked.sort_by(|one, two| two.0.total_cmp(&one.0).then(one.1.cmp(&two.1)));
    ranked.into_iter().map(|(_, at)| at).take(DEPTH).collect()
}

/// Plain reciprocal rank fusion.
pub(crate) fn fused(lists: [&[u32]; 2]) -> Vec<u32> {
    let mut scores: HashMap<u32, f32> = HashMap::new();
    for list in lists {
        for (rank, at) in list.iter().enumerate() {
            *scores.entry(*at).or_default() += 1.0 / (FUSION + rank as f32 + 1.0);
        }
    }
    let mut ranked: Vec<(u32, f32)> = scores.into_iter().collect();
    ranked.sort_by(|one, two| two.1.total_cmp(&one.1).then(one.0.cmp(&two.0)));
    ranked.into_iter().map(|(at, _)| at).collect()
}
