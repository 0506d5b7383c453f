//! The times of scheduled jobs, and what became of every job's last run.

use jiff::Timestamp;
use sanctum_api::supervise::{LastRun, Phase};
use sanctum_kernel::files::FileError;
use sanctum_kernel::inventory::Kind;
use sanctum_kernel::{Chain, Status};

use super::Keeper;
use crate::engine::Event;
use crate::jobs::{Times, Verdict};
use crate::tell;

impl Keeper {
    /// When the next job is to be looked at.
    pub(super) fn next_run(&self) -> Option<Timestamp> {
        self.faces.iter().filter_map(|face| face.next_run).min()
    }

    /// Starts every job whose time has come, and finds out when the next one's does.
    pub(super) async fn due(&mut self) {
        for unit in 0..self.plans.len() {
            let Some(plan) = self.plans.get(unit).cloned() else { continue };
            let gone = self.engine.unit(unit).is_none_or(|unit| unit.gone);
            let next = match &plan.schedule {
                Some(schedule) if !gone && plan.kind == Kind::Scheduled => {
                    let zone = self.house.house.timezone.tz();
                    self.look_at(unit, &Times::new(&plan.name, schedule, zone)).await
                }
                _ => None,
            };
            if let Some(face) = self.faces.get_mut(unit) {
                face.next_run = next;
            }
        }
        self.touch_all();
        self.show();
    }

    /// What the clock says of one job; returns its next time.
    async fn look_at(&mut self, unit: usize, times: &Times<'_>) -> Option<Timestamp> {
        let now = self.shared.clock.now();
        let plan = self.plans.get(unit).cloned()?;
        let mut until = self.jobs.until(&plan.name, now);
        let verdict = times.verdict(until, now);
        if verdict != Verdict::Wait {
            until = times.dealt_with(until, now);
            let written = self.jobs.dealt_with(&plan.name, until);
            self.written(written);
        }
        let phase = self.engine.unit(unit).map(|unit| unit.phase);
        match (verdict, phase) {
            (Verdict::Run, Some(Phase::Scheduled | Phase::Failed)) => self.handle(Event::Due { unit }).await,
            (Verdict::Run, Some(Phase::Stopped)) | (Verdict::Wait, _) => {}
            (Verdict::Run, _) => self.remark(unit, "skipped: the run before still goes on"),
            (Verdict::Pass, _) => {
                self.remark(unit, "skipped: its time had passed when the clock was looked at");
            }
        }
        times.next(until)
    }

    /// A line of the supervisor's own in the log of a service.
    fn remark(&mut self, unit: usize, text: &'static str) {
        let Some(plan) = self.plans.get(unit) else { return };
        tracing::info!(service = plan.name, reason = text, "a time of a job passes without a run");
        let mut log = self.cradle.logs.of(&plan.name);
        self.work.spawn(async move { log.note(text).await });
    }

    /// A job's run is over.
    pub(super) fn finished(&mut self, unit: usize, well: bool) {
        self.touch(unit);
        let (Some(plan), Some(face)) = (self.plans.get(unit).cloned(), self.faces.get(unit)) else { return };
        let exit = self.engine.unit(unit).and_then(|unit| Some(unit.last_exit.as_ref()?.to_string()));
        let exit = exit.unwrap_or_default();
        let ended = self.shared.clock.now();
        let run = LastRun { began: face.began.unwrap_or(ended), ended, well, exit: exit.clone() };
        let failed_before = self.jobs.last(&plan.name).is_some_and(|last| !last.well);
        let lines = face.last_lines();
        let once = (plan.kind == Kind::OneShot).then(|| plan.signature());
        let written = self.jobs.ended(&plan.name, run, once);
        self.written(written);
        if !well {
            tracing::warn!(service = plan.name, exit, "a job has failed");
            self.tell(&plan.name, "failed", tell::failed(&plan, &exit, &lines), None);
        } else if failed_before {
            self.tell(&plan.name, "well again", tell::well_again(&plan), None);
        }
    }

    /// Says whether what is remembered reached the disk.
    pub(super) fn written(&self, written: Result<(), FileError>) {
        match written {
            Ok(()) => self.shared.well.clear("state"),
            Err(error) => {
                let detail = format!("what is to be remembered could not be written: {}", Chain(&error));
                let hint = "make room on the disk, or mend the permissions of `state/`";
                self.shared.well.set_hint("state", Status::Degraded, detail, hint);
            }
        }
    }
}
