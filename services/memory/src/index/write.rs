//! What a read file does to the index.

use std::path::Path;
use std::sync::Arc;

use sanctum_api::memory::Head;
use sanctum_store::{Connection, OptionalExtension, SqlError, params};
use serde::Serialize;

use super::read;
use crate::model::{Delta, Indexed};
use crate::vault::{Parsed, Rel, file, id, link};

/// What came of a file.
#[derive(Debug)]
pub(crate) struct Put {
    pub(crate) head: Head,
    pub(crate) what: What,
    /// In the order in which they are to be taken over.
    pub(crate) deltas: Vec<Delta>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Created,
    Changed,
    /// From there.
    Moved(String),
}

/// A file that was there and is not any more.
#[derive(Debug)]
pub(crate) struct Dropped {
    pub(crate) head: Head,
    pub(crate) delta: Delta,
    /// Files that claimed its id: they have to be read again.
    pub(crate) heirs: Vec<String>,
}

/// Who keeps an id that two files claim: the shorter path, so that a copy beside its original loses, whenever it is read.
fn comes_first(one: &str, other: &str) -> bool {
    (one.len(), one) < (other.len(), other)
}

/// Takes a file in.
pub(crate) fn put(db: &Connection, root: &Path, parsed: Parsed) -> Result<Put, SqlError> {
    let path = parsed.head.path.clone();
    let own = id::of_path(&path);
    let wanted = parsed.claim.clone().unwrap_or_else(|| own.clone());
    let mine = by(db, "SELECT row, path FROM notes WHERE path=?1", &[&path])?;
    let holder = by(db, "SELECT row, path FROM notes WHERE id=?1 AND path<>?2", &[&wanted, &path])?;
    let mut parsed = parsed;
    let mut row = mine.as_ref().map(|(row, _)| *row);
    let mut what = if row.is_some() { What::Changed } else { What::Created };
    let mut deltas = Vec::new();
    parsed.head.id.clone_from(&wanted);
    if let Some((other, held)) = holder {
        let there = Rel::parse(&held).is_some_and(|rel| file::stat(&root.join(rel.as_str())).is_some());
        match (there, row) {
            (false, None) => {
                row = Some(other);
                what = What::Moved(held);
            }
            (false, Some(_)) => {
                erase(db, other)?;
                deltas.push(Delta::Gone(number(other)));
            }
            (true, _) if comes_first(&held, &path) => {
                parsed.head.id = free(db, &own, &path)?;
                say(&mut parsed.head, &wanted, &held);
            }
            (true, _) => deltas.extend(evict(db, other, &held, &wanted, &path)?),
        }
    }
    let row = keep(db, row, &parsed)?;
    let Parsed { head, passages, links, .. } = parsed;
    deltas.push(Delta::Put(Arc::new(Indexed { row: number(row), head: head.clone(), passages, links })));
    Ok(Put { head, what, deltas })
}

fn by(db: &Connection, sql: &str, values: &[&str]) -> Result<Option<(i64, String)>, SqlError> {
    let values = sanctum_store::params_from_iter(values);
    db.prepare_cached(sql)?.query_row(values, |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

/// The first of its own ids that nobody has.
fn free(db: &Connection, own: &str, path: &str) -> Result<String, SqlError> {
    let mut id = own.to_owned();
    let mut salted = path.to_owned();
    while by(db, "SELECT row, path FROM notes WHERE id=?1 AND path<>?2", &[&id, path])?.is_some() {
        salted.push('/');
        id = id::of_path(&salted);
    }
    Ok(id)
}

fn say(head: &mut Head, claimed: &str, other: &str) {
    let twice = format!("its id `{claimed}` is that of `{other}` as well: it goes by another one");
    head.trouble =
        Some(head.trouble.take().map_or_else(|| twice.clone(), |trouble| format!("{trouble}; {twice}")));
}

/// Takes an id away from the file that has it.
fn evict(db: &Connection, row: i64, path: &str, claimed: &str, by: &str) -> Result<Option<Delta>, SqlError> {
    let Some(mut indexed) = read::indexed(db, row)? else { return Ok(None) };
    indexed.head.id = free(db, &id::of_path(path), path)?;
    say(&mut indexed.head, claimed, by);
    db.prepare_cached("UPDATE notes SET id=?2, head=?3, trouble=1 WHERE row=?1")?.execute(params![
        row,
        indexed.head.id,
        json(&indexed.head)
    ])?;
    Ok(Some(Delta::Put(Arc::new(indexed))))
}

fn keep(db: &Connection, row: Option<i64>, parsed: &Parsed) -> Result<i64, SqlError> {
    let Parsed { claim, head, passages, links, stat, body } = parsed;
    let whole = head.path.strip_suffix(".md").unwrap_or(&head.path).to_lowercase();
    let stem = whole.rsplit_once('/').map_or(whole.as_str(), |(_, stem)| stem);
    let tags: Vec<String> = head.tags.iter().map(|tag| format!("\n{}\n", tag.to_lowercase())).collect();
    let tags = tags.concat();
    let values = params![
        row,
        head.id,
        claim,
        head.path,
        i64::try_from(stat.size).unwrap_or(i64::MAX),
        i64::try_from(stat.modified).unwrap_or(i64::MAX),
        stat.inode.cast_signed(),
        head.updated.as_microsecond(),
        word(&head.kind),
        word(&head.class),
        head.agent,
        head.session,
        head.key,
        tags,
        whole,
        stem,
        head.title.to_lowercase(),
        body.as_slice(),
        head.importance,
        head.trouble.is_some(),
        json(head)
    ];
    let row = match row {
        None => {
            db.prepare_cached("INSERT INTO notes VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21)")?.execute(values)?;
            db.last_insert_rowid()
        }
        Some(row) => {
            db.prepare_cached("UPDATE notes SET id=?2, claim=?3, path=?4, size=?5, modified=?6, inode=?7, updated=?8, kind=?9, class=?10, agent=?11, session=?12, key=?13, tags=?14, whole=?15, stem=?16, named=?17, body=?18, importance=?19, trouble=?20, head=?21 WHERE row=?1")?.execute(values)?;
            db.prepare_cached("DELETE FROM passages WHERE row=?1")?.execute([row])?;
            db.prepare_cached("DELETE FROM links WHERE row=?1")?.execute([row])?;
            row
        }
    };
    let mut insert = db.prepare_cached("INSERT INTO passages VALUES(?1,?2,?3,?4)")?;
    for (at, passage) in (0_i64..).zip(passages) {
        insert.execute(params![row, at, passage.hash.as_slice(), passage.text])?;
    }
    let folder = head.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut insert = db.prepare_cached("INSERT INTO links VALUES(?1,?2,?3,?4)")?;
    for (at, name) in (0_i64..).zip(links) {
        insert.execute(params![row, at, name, link::target(name, folder)])?;
    }
    Ok(row)
}

/// The file at this path is gone.
pub(crate) fn gone(db: &Connection, path: &str) -> Result<Option<Dropped>, SqlError> {
    let sql = "SELECT row, head FROM notes WHERE path=?1";
    let found = db.prepare_cached(sql)?.query_row([path], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)));
    let Some((row, head)) = found.optional()? else { return Ok(None) };
    erase(db, row)?;
    let Some(head) = read::head(&head) else { return Ok(None) };
    let mut heirs = db.prepare_cached("SELECT path FROM notes WHERE claim=?1 AND id<>claim")?;
    let heirs = heirs.query_map([&head.id], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Some(Dropped { head, delta: Delta::Gone(number(row)), heirs }))
}

fn erase(db: &Connection, row: i64) -> Result<(), SqlError> {
    for sql in [
        "DELETE FROM notes WHERE row=?1",
        "DELETE FROM passages WHERE row=?1",
        "DELETE FROM links WHERE row=?1",
    ] {
        db.prepare_cached(sql)?.execute([row])?;
    }
    Ok(())
}

/// Adds to how often notes were recalled or read.
pub(crate) fn accessed(db: &Connection, times: &[(String, u32)]) -> Result<(), SqlError> {
    let sql = "INSERT INTO accesses VALUES(?1,?2) ON CONFLICT(id) DO UPDATE SET times=times+excluded.times";
    let mut add = db.prepare_cached(sql)?;
    times.iter().try_for_each(|(id, times)| add.execute(params![id, times]).map(drop))
}

pub(crate) fn number(row: i64) -> u32 {
    u32::try_from(row).unwrap_or(u32::MAX)
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A word of the wire, such as `semantic`.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    json(value).trim_matches('"').to_owned()
}
