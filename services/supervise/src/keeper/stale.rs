//! What runs from an older file than the one that is there now.

use sanctum_api::supervise::Phase;

use super::Keeper;
use crate::plan;

impl Keeper {
    /// Compares every running program with its file.
    pub(super) fn compare(&mut self) {
        let allowed = self.cradle.environment();
        for (unit, face) in self.faces.iter_mut().enumerate() {
            let alive =
                self.engine.unit(unit).is_some_and(|unit| unit.alive && unit.phase != Phase::Stopping);
            let Some(plan) = self.plans.get(unit).filter(|_| alive) else {
                face.stale = false;
                continue;
            };
            // A file that is away for a moment, as in an upgrade, is not a newer one.
            let now = plan::program(plan, &allowed).and_then(|file| plan::stamp(&file));
            let then = face.identity.as_ref().and_then(|identity| identity.file.as_ref());
            face.stale = then.zip(now.as_ref()).is_some_and(|(then, now)| then != now);
        }
        let now = plan::this_program().ok().and_then(|file| plan::stamp(&file));
        self.own_stale = self.own_file.as_ref().zip(now.as_ref()).is_some_and(|(then, now)| then != now);
    }
}
