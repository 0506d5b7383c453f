//! One program as the engine sees it.

use std::time::Duration;

use sanctum_api::supervise::Phase;
use sanctum_kernel::inventory::Kind;

use super::breaker::History;
use super::words::{Bond, Member, Past};
use super::{Exit, Rules};

#[derive(Debug)]
pub(crate) struct Unit {
    pub(super) member: Member,
    /// Who leans on it, and how.
    pub(super) dependants: Vec<(usize, Bond)>,
    pub(crate) phase: Phase,
    /// Someone wants it to run; of a scheduled job, now.
    pub(super) wanted: bool,
    /// A scheduled job that somebody stopped: its times pass without it.
    pub(super) paused: bool,
    /// It has a process, or one is on its way.
    pub(crate) alive: bool,
    pub(crate) run: u64,
    /// Why its process is being ended.
    pub(super) ending: Option<Ending>,
    pub(super) renew: Option<Renew>,
    /// It has been ready, or done, since the house began.
    pub(super) once: bool,
    /// It was unlocked: the next failure locks it again at once.
    pub(super) trial: bool,
    /// It is declared no more.
    pub(crate) gone: bool,
    pub(super) history: History,
    pub(crate) last_exit: Option<Exit>,
    /// How long the present wait is, for people.
    pub(crate) wait: Option<Duration>,
}

/// Why a process is being ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Somebody asked, or what it requires has ended.
    Asked,
    /// It did not become ready.
    Overdue,
    /// A job that took too long.
    TooLong,
}

/// Its process is to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Renew {
    Now,
    /// When those it leans on have been.
    InOrder,
}

impl Unit {
    pub(super) fn new(member: Member, past: Past, now: Duration, rules: &Rules) -> Self {
        let history = History::recall(&past, now, rules);
        let phase = match (past.locked, member.kind) {
            (true, _) => Phase::Locked,
            (false, Kind::OneShot) if past.done => Phase::Done,
            (false, Kind::Scheduled) if !past.running => Phase::Scheduled,
            (false, _) if member.on_demand && !past.running => Phase::Stopped,
            _ => Phase::Waiting,
        };
        Self {
            wanted: (member.kind != Kind::Scheduled && !member.on_demand) || past.running,
            member,
            dependants: Vec::new(),
            phase,
            paused: false,
            alive: false,
            run: 0,
            ending: None,
            renew: None,
            once: phase == Phase::Done,
            trial: past.trial,
            gone: false,
            history,
            last_exit: None,
            wait: None,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Ready | Phase::Done)
    }

    pub(super) fn is_job(&self) -> bool {
        self.member.kind != Kind::Continuous
    }

    /// Its process could be asked to end.
    pub(super) const fn can_end(&self) -> bool {
        matches!(self.phase, Phase::Starting | Phase::Ready | Phase::Running)
    }

    /// Where it rests when nothing is wanted of it.
    pub(super) fn rest(&self) -> Phase {
        let waits = self.member.kind == Kind::Scheduled && !self.paused && !self.gone;
        if waits { Phase::Scheduled } else { Phase::Stopped }
    }

    /// Those whose end ends it.
    pub(super) fn requires(&self) -> impl Iterator<Item = usize> {
        self.member.bonds.iter().filter(|(_, bond)| *bond == Bond::Requires).map(|(at, _)| *at)
    }
}
