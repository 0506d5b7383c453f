//! A database whose indexes do not fit its tables.

use std::path::PathBuf;

use super::Looked;
use crate::heal::case::{Case, Found};
use crate::heal::database::{faults, only_indexes};
use crate::heal::recipe::CheckKind;
use crate::heal::step::Step;

pub(super) async fn look(case: &Case<'_>) -> Looked {
    let checks = case.checks(CheckKind::Sqlite);
    let paths: Vec<PathBuf> = checks
        .into_iter()
        .filter_map(|check| check.sqlite.as_ref())
        .map(|sqlite| sqlite.path.clone())
        .collect();
    let mut steps = Vec::new();
    for path in &paths {
        if !path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(Found::advice(format!("`{}` is a link, or not there", path.display())));
        }
        // This process holds it open itself, and its locks with it.
        let same = |path: &PathBuf| path.canonicalize().ok();
        if same(path) == same(&case.ledger.database()) {
            return Err(Found::advice(format!(
                "`{}` is the one that healing itself keeps: end the house, then `sqlite3 {} REINDEX`",
                path.display(),
                path.display()
            )));
        }
        let looked_at = path.clone();
        let found = tokio::task::spawn_blocking(move || faults(&looked_at)).await;
        let found = found.map_err(|error| Found::Nothing(error.to_string()))?.map_err(Found::Advice)?;
        match found.as_slice() {
            [] => {}
            found if only_indexes(found) => {
                let aside = case.aside(path);
                steps.push(Step::Reindex { database: path.clone(), aside });
            }
            [first, ..] => {
                return Err(Found::advice(format!(
                    "`{}` is damaged beyond its indexes ({first}): put a backup back",
                    path.display()
                )));
            }
        }
    }
    if steps.is_empty() {
        return Err(Found::nothing("no database of it that is checked is damaged"));
    }
    Ok(Found::Plan(steps))
}
