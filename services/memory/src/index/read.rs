//! Questions to the index.

use std::collections::HashMap;

use sanctum_api::memory::{Dot, Graph, Head, Link, List};
use sanctum_store::{Connection, OptionalExtension, Row, SqlError, ToSql, params_from_iter};

use super::write::{number, word};
use crate::model::{Indexed, Passage};
use crate::vault::file::Stat;

/// A head as it is kept, with the accesses since it was written.
const HEAD: &str =
    "SELECT n.row, n.head, coalesce(a.times, 0) FROM notes n LEFT JOIN accesses a ON a.id=n.id";

pub(super) fn head(json: &str) -> Option<Head> {
    serde_json::from_str(json).ok()
}

fn row_head(row: &Row<'_>) -> Result<(u32, Head), SqlError> {
    let json: String = row.get(1)?;
    let mut head = head(&json).ok_or(SqlError::InvalidQuery)?;
    head.accesses = head.accesses.saturating_add(row.get(2)?);
    Ok((number(row.get(0)?), head))
}

fn heads(db: &Connection, rest: &str, values: &[&dyn ToSql]) -> Result<Vec<(u32, Head)>, SqlError> {
    let mut ask = db.prepare_cached(&format!("{HEAD} {rest}"))?;
    let found = ask.query_map(params_from_iter(values), row_head)?;
    found.collect()
}

/// By id, or by path where it looks like one.
pub(crate) fn find(db: &Connection, name: &str) -> Result<Option<(u32, Head)>, SqlError> {
    let by_id = heads(db, "WHERE n.id=?1", &[&name])?.pop();
    if by_id.is_some() {
        return Ok(by_id);
    }
    let path = if name.strip_suffix(".md").is_some() { name.to_owned() } else { format!("{name}.md") };
    Ok(heads(db, "WHERE n.path=?1", &[&path])?.pop())
}

pub(crate) fn at_path(db: &Connection, path: &str) -> Result<Option<(u32, Head)>, SqlError> {
    Ok(heads(db, "WHERE n.path=?1", &[&path])?.pop())
}

pub(crate) fn by_row(db: &Connection, row: u32) -> Result<Option<Head>, SqlError> {
    Ok(heads(db, "WHERE n.row=?1", &[&row])?.pop().map(|(_, head)| head))
}

pub(crate) fn all(db: &Connection) -> Result<Vec<Head>, SqlError> {
    Ok(heads(db, "ORDER BY n.path", &[])?.into_iter().map(|(_, head)| head).collect())
}

/// Notes under a key that were neither superseded nor archived.
pub(crate) fn with_key(db: &Connection, key: &str) -> Result<Vec<Head>, SqlError> {
    let heads = heads(db, "WHERE n.key=?1 ORDER BY n.updated, n.row", &[&key])?;
    Ok(heads.into_iter().map(|(_, head)| head).filter(is_current).collect())
}

/// Ids of current notes that say something else under the same key and are valid at the same time.
pub(crate) fn contradictions(db: &Connection, head: &Head) -> Result<Vec<String>, SqlError> {
    let Some(key) = head.key.as_deref().filter(|_| is_current(head)) else { return Ok(Vec::new()) };
    let others = with_key(db, key)?;
    let differs = others.into_iter().filter(|other| other.id != head.id && overlap(head, other));
    Ok(differs.map(|other| other.id).collect())
}

fn overlap(one: &Head, other: &Head) -> bool {
    let before = |a: &Head, b: &Head| match (a.valid_until, b.valid_from) {
        (Some(until), Some(from)) => until <= from,
        _ => false,
    };
    !before(one, other) && !before(other, one)
}

pub(crate) fn is_current(head: &Head) -> bool {
    head.superseded_by.is_none() && !head.path.starts_with("archive/")
}

/// One page, the newest change first; `limit` + 1 rows at most.
pub(crate) fn page(
    db: &Connection,
    list: &List,
    private: bool,
    before: Option<(i64, i64)>,
    limit: u32,
) -> Result<Vec<(u32, Head)>, SqlError> {
    let mut rest = String::from("WHERE 1");
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    let mut and = |sql: &str, value: Box<dyn ToSql>| {
        values.push(value);
        rest.push_str(&format!(" AND {}", sql.replace('?', &format!("?{}", values.len()))));
    };
    if let Some(folder) = list.folder.as_deref().filter(|folder| !folder.is_empty()) {
        and("n.path >= ?", Box::new(format!("{folder}/")));
        // The character behind `/`.
        and("n.path < ?", Box::new(format!("{folder}0")));
    }
    if let Some(agent) = &list.agent {
        and("n.agent = ?", Box::new(agent.clone()));
    }
    if let Some(kind) = &list.kind {
        and("n.kind = ?", Box::new(word(kind)));
    }
    if let Some(tag) = &list.tag {
        and("instr(n.tags, ?) > 0", Box::new(format!("\n{}\n", tag.to_lowercase())));
    }
    if list.trouble {
        and("n.trouble = ?", Box::new(1));
    }
    if !private {
        and("n.class = ?", Box::new("general"));
    }
    if let Some((updated, row)) = before {
        and("n.updated <= ?", Box::new(updated));
        let at = values.len();
        values.push(Box::new(row));
        rest.push_str(&format!(" AND (n.updated < ?{at} OR n.row < ?{})", at + 1));
    }
    rest.push_str(&format!(" ORDER BY n.updated DESC, n.row DESC LIMIT {}", limit + 1));
    let values: Vec<&dyn ToSql> = values.iter().map(AsRef::as_ref).collect();
    heads(db, &rest, &values)
}

/// Which note a link leads to: the same path, else a file of that name, else a note of that title; of several the one with
/// the shortest path.
fn resolve(db: &Connection, target: &str) -> Result<Option<(u32, Head)>, SqlError> {
    for column in ["whole", "stem", "named"] {
        let rest = format!("WHERE n.{column}=?1 ORDER BY length(n.path), n.path LIMIT 1");
        let found = heads(db, &rest, &[&target])?.pop();
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Where a note's links lead.
pub(crate) fn links_out(db: &Connection, row: u32, private: bool) -> Result<Vec<Link>, SqlError> {
    let mut ask = db.prepare_cached("SELECT name, target FROM links WHERE row=?1 ORDER BY at")?;
    let names = ask.query_map([row], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut links = Vec::new();
    for name in names {
        let (name, target) = name?;
        let to = resolve(db, &target)?.map(|(_, head)| head);
        let to = to.filter(|head| private || head.class == sanctum_api::memory::Class::General);
        let (id, title) = to.map(|head| (head.id, head.title)).unzip();
        links.push(Link { name, id, title });
    }
    Ok(links)
}

/// Which notes link to one.
pub(crate) fn links_back(
    db: &Connection,
    row: u32,
    head: &Head,
    private: bool,
) -> Result<Vec<Link>, SqlError> {
    let whole = head.path.strip_suffix(".md").unwrap_or(&head.path).to_lowercase();
    let stem = whole.rsplit_once('/').map_or(whole.as_str(), |(_, stem)| stem).to_owned();
    let named = head.title.to_lowercase();
    let mut links = Vec::new();
    for target in [
        Some(&whole),
        Some(&stem).filter(|stem| **stem != whole),
        Some(&named).filter(|named| **named != stem),
    ]
    .into_iter()
    .flatten()
    {
        // Another note may be the one that is meant by this name.
        if resolve(db, target)?.is_none_or(|(found, _)| found != row) {
            continue;
        }
        let mut ask = db.prepare_cached(
            "SELECT l.name, n.id, n.head FROM links l JOIN notes n ON n.row=l.row WHERE l.target=?1 ORDER BY n.path LIMIT 1000",
        )?;
        let found = ask.query_map([target], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })?;
        for one in found {
            let (name, id, json) = one?;
            let Some(from) = self::head(&json) else { continue };
            if private || from.class == sanctum_api::memory::Class::General {
                links.push(Link { name, id: Some(id), title: Some(from.title) });
            }
        }
    }
    Ok(links)
}

/// How every file looked when it was read.
pub(crate) fn stats(db: &Connection, below: Option<&str>) -> Result<HashMap<String, Stat>, SqlError> {
    let mut ask =
        db.prepare_cached("SELECT path, size, modified, inode FROM notes WHERE path >= ?1 AND path < ?2")?;
    let (from, to) = match below {
        Some(folder) => (format!("{folder}/"), format!("{folder}0")),
        None => (String::new(), "\u{10ffff}".to_owned()),
    };
    let found = ask.query_map([from, to], |row| {
        let stat = Stat {
            size: row.get::<_, i64>(1)?.cast_unsigned(),
            modified: i128::from(row.get::<_, i64>(2)?),
            inode: row.get::<_, i64>(3)?.cast_unsigned(),
        };
        Ok((row.get(0)?, stat))
    })?;
    found.collect()
}

pub(crate) fn stat(db: &Connection, path: &str) -> Result<Option<Stat>, SqlError> {
    let mut ask = db.prepare_cached("SELECT size, modified, inode FROM notes WHERE path=?1")?;
    ask.query_row([path], |row| {
        Ok(Stat {
            size: row.get::<_, i64>(0)?.cast_unsigned(),
            modified: i128::from(row.get::<_, i64>(1)?),
            inode: row.get::<_, i64>(2)?.cast_unsigned(),
        })
    })
    .optional()
}

/// Everything of one note.
pub(crate) fn indexed(db: &Connection, row: i64) -> Result<Option<Indexed>, SqlError> {
    let json = db
        .prepare_cached("SELECT head FROM notes WHERE row=?1")?
        .query_row([row], |row| row.get::<_, String>(0));
    let Some(head) = json.optional()?.and_then(|json| head(&json)) else { return Ok(None) };
    let mut ask = db.prepare_cached("SELECT text, hash FROM passages WHERE row=?1 ORDER BY at")?;
    let passages = ask.query_map([row], |row| {
        let hash: Vec<u8> = row.get(1)?;
        Ok(Passage { text: row.get(0)?, hash: hash.try_into().unwrap_or_default() })
    })?;
    let passages = passages.collect::<Result<_, _>>()?;
    let mut ask = db.prepare_cached("SELECT name FROM links WHERE row=?1 ORDER BY at")?;
    let links = ask.query_map([row], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Some(Indexed { row: number(row), head, passages, links }))
}

/// Every row there is.
pub(crate) fn rows(db: &Connection) -> Result<Vec<i64>, SqlError> {
    db.prepare_cached("SELECT row FROM notes ORDER BY row")?.query_map([], |row| row.get(0))?.collect()
}

/// Numbers of notes, passages, links and troubles.
pub(crate) fn counts(db: &Connection) -> Result<[u64; 4], SqlError> {
    let sql = "SELECT (SELECT count(*) FROM notes), (SELECT count(*) FROM passages), (SELECT count(*) FROM links), (SELECT count(*) FROM notes WHERE trouble=1)";
    let count = |row: &Row<'_>, at: usize| row.get::<_, i64>(at).map(i64::cast_unsigned);
    db.prepare_cached(sql)?
        .query_row([], |row| Ok([count(row, 0)?, count(row, 1)?, count(row, 2)?, count(row, 3)?]))
}

/// The first files that something is wrong with: path and what.
pub(crate) fn troubles(db: &Connection, most: u32) -> Result<Vec<(String, String)>, SqlError> {
    let heads = heads(db, &format!("WHERE n.trouble=1 ORDER BY n.path LIMIT {most}"), &[])?;
    Ok(heads.into_iter().map(|(_, head)| (head.path, head.trouble.unwrap_or_default())).collect())
}

/// The newest change, in microseconds since 1970.
pub(crate) fn newest(db: &Connection) -> Result<Option<i64>, SqlError> {
    db.prepare_cached("SELECT max(updated) FROM notes")?.query_row([], |row| row.get(0))
}

/// The most important notes and the links between them.
pub(crate) fn graph(db: &Connection, most: usize, private: bool) -> Result<Graph, SqlError> {
    let only = if private { "" } else { "WHERE n.class='general'" };
    let rest = format!("{only} ORDER BY n.importance DESC, n.updated DESC, n.row DESC LIMIT {most}");
    let drawn = heads(db, &rest, &[])?;
    let mut places: HashMap<String, u32> = HashMap::new();
    // From the least to the best name, so that the best one stays.
    for (place, (_, head)) in (0_u32..).zip(&drawn) {
        places.entry(format!("2{}", head.title.to_lowercase())).or_insert(place);
        let whole = head.path.strip_suffix(".md").unwrap_or(&head.path).to_lowercase();
        let stem = whole.rsplit_once('/').map_or(whole.as_str(), |(_, stem)| stem);
        places.entry(format!("1{stem}")).or_insert(place);
        places.insert(format!("0{whole}"), place);
    }
    let mut edges = Vec::new();
    let mut ask = db.prepare_cached("SELECT target FROM links WHERE row=?1")?;
    for (from, (row, _)) in (0_u32..).zip(&drawn) {
        let targets = ask.query_map([row], |row| row.get::<_, String>(0))?;
        for target in targets {
            let target = target?;
            let to = ["0", "1", "2"].iter().find_map(|rank| places.get(&format!("{rank}{target}")));
            edges.extend(to.filter(|to| **to != from).map(|to| (from, *to)));
        }
    }
    edges.sort_unstable();
    edges.dedup();
    let [notes, ..] = counts(db)?;
    let left_out =
        u32::try_from(notes).unwrap_or(u32::MAX).saturating_sub(u32::try_from(drawn.len()).unwrap_or(0));
    let dot =
        |head: Head| Dot { id: head.id, title: head.title, kind: head.kind, importance: head.importance };
    Ok(Graph { nodes: drawn.into_iter().map(|(_, head)| dot(head)).collect(), edges, left_out })
}
