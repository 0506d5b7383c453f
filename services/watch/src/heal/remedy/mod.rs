//! The built-in actions: each looks for what it mends and plans the steps that mend it.

mod certificate;
mod clock;
mod database;
mod engine;
mod logs;
mod network;
mod restart;
mod secrets;
mod stale;
mod strays;

pub(crate) use network::{remember_resolver, remember_route};
pub(crate) use secrets::remember as remember_secrets;

use super::case::{Case, Found};
use super::recipe::Remedy;

impl Remedy {
    /// Looks; nothing is changed by it.
    pub(crate) async fn look(&self, case: &Case<'_>) -> Found {
        let found = match self {
            Self::Restart(_) => restart::one(case).await,
            Self::RestartRequirement(_) => restart::requirement(case),
            Self::RestartSubtree(_) => restart::subtree(case),
            Self::Unlock(_) => restart::unlock(case).await,
            Self::ClearStaleFile(parameters) => stale::look(case, parameters).await,
            Self::FreeLogs(parameters) => logs::look(case, parameters),
            Self::Reindex(_) => database::look(case).await,
            Self::Reissue(parameters) => certificate::look(case, parameters),
            Self::EndOrphans(_) => strays::orphans(case).await,
            Self::FreePort(_) => strays::port(case).await,
            Self::RestoreRoute(_) => network::route(case).await,
            Self::StepClock(parameters) => clock::look(case, parameters).await,
            Self::RestartEngine(parameters) => engine::look(case, parameters).await,
            Self::Protect(_) => secrets::look(case).await,
            Self::RestoreResolver(parameters) => network::resolver(case, parameters).await,
            Self::Script(script) => Ok(Found::Plan(vec![case.script(script)])),
        };
        found.unwrap_or_else(|found| found)
    }
}

/// What a look ends with; the error is a look that ended early.
type Looked = Result<Found, Found>;
