//! A SQLite database whose indexes do not fit its tables.

use std::io::Read;
use std::path::{Path, PathBuf};

use sanctum_store::{Connection, SqlError};

use super::hands::files;

/// What `integrity_check` says; empty if it is whole.
pub(crate) fn faults(path: &Path) -> Result<Vec<String>, String> {
    let of = |error: SqlError| format!("could not check `{}`: {error}", path.display());
    let connection = Connection::open(path).map_err(of)?;
    check(&connection).map_err(of)
}

fn check(connection: &Connection) -> Result<Vec<String>, SqlError> {
    connection.execute_batch("PRAGMA busy_timeout=5000;")?;
    let mut statement = connection.prepare("PRAGMA integrity_check(100)")?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    Ok(lines
        .into_iter()
        .flat_map(|line| line.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter(|line| line != "ok")
        .collect())
}

/// Whether building the indexes anew would mend what was found: tables themselves are not touched by it.
pub(crate) fn only_indexes(faults: &[String]) -> bool {
    // The words of SQLite's own check (pragma.c).
    let index = |fault: &String| {
        fault.contains("missing from index")
            || fault.contains("wrong # of entries in index")
            || fault.contains("values differ from index")
            || fault.contains("non-unique entry in index")
            || fault.contains("not in order") && fault.contains("index")
    };
    !faults.is_empty() && faults.iter().all(index)
}

/// What belongs to a database beside its file; nothing, if the file is no database.
pub(crate) fn companions(path: &Path, like: &Path) -> Vec<PathBuf> {
    let mut magic = [0; 16];
    let read = files::open(like).and_then(|mut file| file.read_exact(&mut magic));
    if read.is_err() || &magic != b"SQLite format 3\0" {
        return Vec::new();
    }
    ["-wal", "-shm", "-journal"].iter().map(|end| beside(path, end)).collect()
}

pub(crate) fn beside(path: &Path, end: &str) -> PathBuf {
    PathBuf::from(format!("{}{end}", path.display()))
}

/// Puts a copy aside, builds every index anew and checks the whole. Others may read meanwhile; nobody writes.
pub(crate) fn reindex(path: &Path, aside: &Path) -> Result<String, String> {
    let of = |error: SqlError| format!("could not mend `{}`: {error}", path.display());
    // Closing any descriptor of a file lets go of every lock this process has on it (fcntl(2)), those of SQLite too: these
    // stay open for longer than the connection.
    let held = files::open(path).map_err(files::on("read", path))?;
    let log = beside(path, "-wal");
    let held_log = files::open(&log).ok();
    let connection = Connection::open(path).map_err(of)?;
    connection.execute_batch("PRAGMA busy_timeout=5000; BEGIN IMMEDIATE;").map_err(of)?;
    files::keep_aside_of(&held, path, aside)?;
    if let Some(held_log) = &held_log {
        files::keep_aside_of(held_log, &log, &beside(aside, "-wal"))?;
    }
    let mended = connection.execute_batch("REINDEX; COMMIT;");
    if let Err(error) = mended {
        connection.execute_batch("ROLLBACK;").ok();
        return Err(of(error));
    }
    match check(&connection).map_err(of)?.as_slice() {
        [] => Ok(format!("`{}` is whole", path.display())),
        [first, ..] => Err(format!("`{}` is still damaged: {first}", path.display())),
    }
}
