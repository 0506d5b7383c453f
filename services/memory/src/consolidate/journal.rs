//! What a pass means to do is written down before it does anything: one that is cut off is taken up, and what was undone by a
//! person is not done again.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sanctum_api::memory::Report;
use sanctum_store::{Db, OptionalExtension, StoreError, params};

use super::plan::Task;

/// A task of a run, with its place in it.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) at: i64,
    pub(crate) task: Task,
}

#[derive(Debug, Clone)]
pub(crate) struct Journal {
    db: Db,
}

impl Journal {
    pub(crate) fn new(db: Db) -> Self {
        Self { db }
    }

    /// Writes a run down, whole, before it begins.
    pub(crate) async fn begin(&self, report: &Report, tasks: &[Task]) -> Result<(), StoreError> {
        let (name, began) = (report.run.clone(), report.began.unwrap_or_default().as_microsecond());
        let report = serde_json::to_string(report).unwrap_or_default();
        let bodies: Vec<String> = tasks.iter().filter_map(|task| serde_json::to_string(task).ok()).collect();
        self.db
            .write(move |tx| {
                tx.execute(
                    "INSERT INTO runs(name, began, dry, report) VALUES(?1, ?2, 0, ?3)",
                    params![name, began, report],
                )?;
                let mut put = tx.prepare_cached("INSERT INTO tasks(run, at, body) VALUES(?1, ?2, ?3)")?;
                for (at, body) in (0_i64..).zip(&bodies) {
                    put.execute(params![name, at, body])?;
                }
                Ok(())
            })
            .await
    }

    /// The run that was begun and not ended, with what is left of it.
    pub(crate) async fn interrupted(&self) -> Result<Option<(Report, Vec<Open>)>, StoreError> {
        self.db
            .read(|db| {
                let sql = "SELECT name, report FROM runs WHERE ended IS NULL ORDER BY began LIMIT 1";
                let run = db
                    .query_row(sql, [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
                    .optional()?;
                let Some((name, report)) = run else { return Ok(None) };
                let report = serde_json::from_str(&report)
                    .unwrap_or_else(|_| Report { run: name.clone(), ..Report::default() });
                let mut ask =
                    db.prepare_cached("SELECT at, body FROM tasks WHERE run=?1 AND done=0 ORDER BY at")?;
                let rows =
                    ask.query_map([name], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
                let mut open = Vec::new();
                for row in rows {
                    let (at, body) = row?;
                    open.extend(serde_json::from_str(&body).ok().map(|task| Open { at, task }));
                }
                Ok(Some((report, open)))
            })
            .await
    }

    /// A task is done, or was left with a reason. It need not be on the disk at once: whoever takes up a run looks whether a
    /// task is done already.
    pub(crate) async fn done(&self, run: &str, at: i64, trouble: Option<&str>) -> Result<(), StoreError> {
        let (run, trouble) = (run.to_owned(), trouble.map(str::to_owned));
        self.db
            .write_soon(move |tx| {
                tx.prepare_cached("UPDATE tasks SET done=1, trouble=?3 WHERE run=?1 AND at=?2")?
                    .execute(params![run, at, trouble])
            })
            .await?;
        Ok(())
    }

    /// What the tasks of a run that were left say.
    pub(crate) async fn troubles(&self, run: &str) -> Result<Vec<String>, StoreError> {
        let run = run.to_owned();
        self.db
            .read(move |db| {
                let mut ask = db.prepare_cached(
                    "SELECT trouble FROM tasks WHERE run=?1 AND trouble IS NOT NULL ORDER BY at",
                )?;
                ask.query_map([run], |row| row.get(0))?.collect()
            })
            .await
    }

    /// The run is over. Of old ones the reports go, and what they did.
    pub(crate) async fn end(&self, report: &Report, keep: u32) -> Result<(), StoreError> {
        let (name, ended) = (report.run.clone(), report.ended.unwrap_or_default().as_microsecond());
        let report = serde_json::to_string(report).unwrap_or_default();
        self.db
            .write(move |tx| {
                tx.execute(
                    "UPDATE runs SET ended=?2, report=?3 WHERE name=?1",
                    params![name, ended, report],
                )?;
                tx.execute(
                    "DELETE FROM runs WHERE dry<>2 AND ended IS NOT NULL AND name NOT IN
                     (SELECT name FROM runs WHERE ended IS NOT NULL ORDER BY began DESC, name DESC LIMIT ?1)",
                    [keep.max(1)],
                )?;
                tx.execute("DELETE FROM tasks WHERE run NOT IN (SELECT name FROM runs)", [])
            })
            .await?;
        Ok(())
    }

    /// The last reports, the newest first.
    pub(crate) async fn reports(&self, most: u32) -> Result<Vec<Report>, StoreError> {
        self.db
            .read(move |db| {
                let mut ask = db.prepare_cached(
                    "SELECT report FROM runs WHERE ended IS NOT NULL ORDER BY began DESC, name DESC LIMIT ?1",
                )?;
                let rows = ask.query_map([most], |row| row.get::<_, String>(0))?;
                let rows = rows.collect::<Result<Vec<_>, _>>()?;
                Ok(rows.iter().filter_map(|report| serde_json::from_str(report).ok()).collect())
            })
            .await
    }

    /// When the last run ended.
    pub(crate) async fn last(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT max(ended) FROM runs";
        let last: Option<i64> = self.db.read(move |db| db.query_row(sql, [], |row| row.get(0))).await?;
        Ok(last.and_then(|last| Timestamp::from_microsecond(last).ok()))
    }

    /// Whether there is a run of this name.
    pub(crate) async fn has(&self, run: &str) -> Result<bool, StoreError> {
        let run = run.to_owned();
        let ask = move |db: &sanctum_store::Connection| {
            db.query_row("SELECT 1 FROM runs WHERE name=?1", [run], |_| Ok(())).optional()
        };
        Ok(self.db.read(ask).await?.is_some())
    }

    /// A person has undone a run, and what it did with each note is not done to that note again. Kept for good.
    pub(crate) async fn undone(&self, run: &str) -> Result<(), StoreError> {
        let run = run.to_owned();
        self.db.write(move |tx| tx.execute("UPDATE runs SET dry=2 WHERE name=?1", [run])).await?;
        Ok(())
    }

    /// Notes and steps that a person has undone.
    pub(crate) async fn vetoed(&self) -> Result<HashSet<(String, String)>, StoreError> {
        self.db
            .read(|db| {
                let mut ask = db.prepare_cached(
                    "SELECT body FROM tasks JOIN runs ON runs.name=tasks.run WHERE runs.dry=2",
                )?;
                let rows = ask.query_map([], |row| row.get::<_, String>(0))?;
                let mut vetoed = HashSet::new();
                for row in rows {
                    let Ok(task) = serde_json::from_str::<Task>(&row?) else { continue };
                    vetoed.extend(task.steps.into_iter().map(|step| (step.id, step.what)));
                }
                Ok(vetoed)
            })
            .await
    }

    /// Notes that a model was asked about.
    pub(crate) async fn asked(&self) -> Result<HashSet<String>, StoreError> {
        self.db
            .read(|db| db.prepare_cached("SELECT id FROM asked")?.query_map([], |row| row.get(0))?.collect())
            .await
    }

    /// A model was asked about a note, and is not asked again.
    pub(crate) async fn was_asked(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.db.write_soon(move |tx| tx.execute("INSERT OR IGNORE INTO asked(id) VALUES(?1)", [id])).await?;
        Ok(())
    }

    /// Since when each note has been in the archive: those that are seen there for the first time since now, and those that
    /// are there no more are forgotten.
    pub(crate) async fn archived(
        &self,
        ids: Vec<String>,
        now: Timestamp,
    ) -> Result<HashMap<String, Timestamp>, StoreError> {
        let now = now.as_microsecond();
        let since: Vec<(String, i64)> = self
            .db
            .write(move |tx| {
                let known: HashMap<String, i64> = tx
                    .prepare_cached("SELECT id, since FROM archived")?
                    .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect::<Result<_, _>>()?;
                let here: HashSet<&String> = ids.iter().collect();
                for gone in known.keys().filter(|id| !here.contains(id)) {
                    tx.prepare_cached("DELETE FROM archived WHERE id=?1")?.execute([gone])?;
                }
                let mut since = Vec::new();
                for id in &ids {
                    let at = known.get(id).copied().unwrap_or(now);
                    if !known.contains_key(id) {
                        tx.prepare_cached("INSERT INTO archived(id, since) VALUES(?1, ?2)")?
                            .execute(params![id, at])?;
                    }
                    since.push((id.clone(), at));
                }
                Ok(since)
            })
            .await?;
        Ok(since
            .into_iter()
            .filter_map(|(id, at)| Some((id, Timestamp::from_microsecond(at).ok()?)))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use sanctum_api::memory::Step;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn report(run: &str, second: i64) -> Report {
        Report { run: run.into(), began: Some(at(second)), ended: Some(at(second + 1)), ..Report::default() }
    }

    fn task(id: &str) -> Task {
        let step = Step {
            what: "merge".into(),
            id: id.into(),
            path: format!("inbox/{id}.md"),
            to: None,
            why: String::new(),
        };
        Task {
            id: id.into(),
            version: "1".into(),
            change: crate::consolidate::plan::Change::default(),
            steps: vec![step],
        }
    }

    #[tokio::test]
    async fn a_run_that_was_cut_off_is_found_with_what_is_left_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ingest.db");
        {
            let journal = Journal::new(Db::open(&path, crate::ingest::schema::MIGRATIONS).unwrap());
            assert!(journal.interrupted().await.unwrap().is_none());
            journal.begin(&report("run-1", 1), &[task("a"), task("b"), task("c")]).await.unwrap();
            journal.done("run-1", 0, None).await.unwrap();
            journal.done("run-1", 1, Some("it was changed since")).await.unwrap();
        }
        let journal = Journal::new(Db::open(&path, crate::ingest::schema::MIGRATIONS).unwrap());
        let (found, open) = journal.interrupted().await.unwrap().unwrap();
        assert_eq!((&*found.run, open.len(), open[0].at, &*open[0].task.id), ("run-1", 1, 2, "c"));
        assert_eq!(journal.troubles("run-1").await.unwrap(), ["it was changed since"]);
        journal.end(&report("run-1", 1), 1).await.unwrap();
        assert!(journal.interrupted().await.unwrap().is_none() && journal.has("run-1").await.unwrap());
        assert_eq!(journal.last().await.unwrap(), Some(at(2)));
    }

    #[tokio::test]
    async fn old_reports_go_but_not_what_a_person_has_undone() {
        let dir = tempfile::tempdir().unwrap();
        let journal =
            Journal::new(Db::open(&dir.path().join("ingest.db"), crate::ingest::schema::MIGRATIONS).unwrap());
        for (run, second) in [("run-1", 1), ("run-2", 2), ("run-3", 3)] {
            journal.begin(&report(run, second), &[task(run)]).await.unwrap();
            journal.end(&report(run, second), 1).await.unwrap();
            if run == "run-1" {
                journal.undone(run).await.unwrap();
            }
        }
        let reports: Vec<String> =
            journal.reports(10).await.unwrap().into_iter().map(|report| report.run).collect();
        assert_eq!(reports, ["run-3", "run-1"]);
        assert!(journal.vetoed().await.unwrap().contains(&("run-1".to_owned(), "merge".to_owned())));
    }

    #[tokio::test]
    async fn the_archive_remembers_since_when() {
        let dir = tempfile::tempdir().unwrap();
        let journal =
            Journal::new(Db::open(&dir.path().join("ingest.db"), crate::ingest::schema::MIGRATIONS).unwrap());
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        journal.archived(ids(&["a"]), at(1)).await.unwrap();
        let since = journal.archived(ids(&["a", "b"]), at(5)).await.unwrap();
        assert_eq!((since["a"], since["b"]), (at(1), at(5)));
        journal.archived(ids(&["b"]), at(6)).await.unwrap();
        assert_eq!(
            journal.archived(ids(&["a"]), at(9)).await.unwrap()["a"],
            at(9),
            "it was out of the archive"
        );
    }
}
