//! How a supervisor begins: from what is declared, what is remembered, and what still runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sanctum_api::supervise::Phase;
use sanctum_kernel::inventory::Kind;
use sanctum_kernel::service::Shared;
use sanctum_kernel::{Failure, House, Status};
use sanctum_probe::Prober;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Agenda, BEFORE, Face, Keeper, LATER, Ours, SURVIVOR_GRACE, Wishes};
use crate::board::Board;
use crate::child::{Cradle, Ears};
use crate::engine::{Bond, Engine, Member, Past, Rules};
use crate::failures::Failures;
use crate::jobs::Jobs;
use crate::locks::Locks;
use crate::log::Logs;
use crate::pids::Identity;
use crate::process::Leaders;
use crate::{Config, Plan, order, pids, plan};

/// A plan as the engine sees it.
pub(super) fn member(plan: &Plan, bonds: Vec<(usize, Bond)>) -> Member {
    Member {
        bonds,
        kind: plan.kind,
        grace: plan.grace,
        start_within: plan.start_within,
        limit: plan.schedule.as_ref().and_then(|schedule| Some(schedule.timeout?.0)),
        on_demand: plan.seat.is_some(),
    }
}

impl Keeper {
    pub(crate) fn new(
        ours: Ours,
        config: Config,
        house: Arc<House>,
        shared: Shared,
        board: Board,
    ) -> Result<(Self, Wishes), Failure> {
        let plans = super::shape::declared(&ours, &config, &house)?;
        let bonds = order::resolve(plans.iter())?;
        let mut aside = Vec::new();
        let locks = Locks::load(&shared.paths, &mut aside)?;
        let failures = Failures::load(&shared.paths.state(), &mut aside)?;
        let jobs = Jobs::load(&shared.paths, &mut aside)?;
        say_aside(&shared, &aside);
        // Everything that runs is looked through when the house begins, and once is enough.
        let alive = pids::remembered(&shared.paths);
        let past = |plan: &Plan| Past {
            running: plan.seat.is_some() && alive.iter().any(|process| process.name == plan.name),
            locked: locks.get(&plan.name).is_some(),
            done: jobs.is_done(&plan.name, &plan.signature()),
            ..failures.past(&plan.name)
        };
        let members =
            plans.iter().zip(bonds).map(|(plan, bonds)| (member(plan, bonds), past(plan))).collect();
        let seed = u64::from_le_bytes(sanctum_kernel::trace::random());
        let engine = Engine::new(members, Rules::from(&config), seed, BEFORE);
        let (wishes, messages) = mpsc::unbounded_channel();
        let cradle = cradle(&shared, &config, &wishes)?;
        let now = shared.clock.now();
        let face = |plan: &Plan| Face::new(now, locks.get(&plan.name));
        let mut keeper = Self {
            prober: Prober::new(&shared),
            faces: plans.iter().map(face).collect(),
            plans: plans.into_iter().map(Arc::new).collect(),
            ours,
            config,
            house,
            shared,
            engine,
            locks,
            jobs,
            board,
            cradle: Arc::new(cradle),
            messages,
            agenda: Agenda::default(),
            work: JoinSet::new(),
            notices: JoinSet::new(),
            found: Vec::new(),
            show_at: None,
            unwritten: BTreeSet::new(),
            write_at: None,
            touched: BTreeSet::new(),
            counted: false,
            save_at: None,
            saving: false,
            own_file: plan::this_program().ok().and_then(|file| plan::stamp(&file)),
            own_stale: false,
            began: Instant::now(),
            looked: None,
            since: now,
            leaving: false,
            yielding: false,
            beating: Vec::new(),
        };
        keeper.touch_all();
        keeper.show();
        Ok((keeper, wishes))
    }

    /// Makes what those need that wait for others, while these begin.
    pub(super) fn prepare(&mut self) {
        let waits = |at: usize| self.engine.unit(at).is_some_and(|unit| unit.phase == Phase::Waiting);
        let plans = self.plans.iter().enumerate().filter(|(at, _)| waits(*at));
        let plans: Vec<_> = plans.map(|(_, plan)| Arc::clone(plan)).collect();
        let cradle = Arc::clone(&self.cradle);
        self.work.spawn(async move {
            tokio::time::sleep(LATER).await;
            let all = move || plans.iter().for_each(|plan| cradle.prepare(plan));
            tokio::task::spawn_blocking(all).await.ok();
        });
    }

    /// Looks for what an earlier supervisor left. What runs as its plan says is kept; the rest is ended first.
    pub(super) async fn find(&mut self) -> Result<(), Failure> {
        spare_the_disk();
        let plans: BTreeMap<&str, &Arc<Plan>> =
            self.plans.iter().map(|plan| (plan.name.as_str(), plan)).collect();
        let runs_as_planned = |process: &Identity| {
            let plan = plans.get(process.name.as_str());
            plan.is_some_and(|plan| plan.signature() == process.plan)
                && sanctum_kernel::process::born(process.pid).as_ref() == Some(&process.born)
        };
        let mut survivors = pids::survivors(&self.shared.paths);
        // Of a supervisor that has replaced itself those that ended meanwhile are still its own to wait for.
        for process in &survivors {
            crate::process::reap_group(process.pid);
        }
        survivors.retain(Identity::lives);
        let (mut found, mut strange): (Vec<_>, Vec<_>) = survivors.into_iter().partition(runs_as_planned);
        // Who ran on without what it requires had nothing of it.
        loop {
            let bereft = |process: &Identity| {
                let requires =
                    plans.get(process.name.as_str()).map(|plan| plan.requires.as_slice()).unwrap_or_default();
                requires.iter().any(|name| {
                    let job = plans.get(name.as_str()).is_some_and(|plan| plan.kind != Kind::Continuous);
                    !job && !found.iter().any(|found| found.name == *name)
                })
            };
            let Some(at) = found.iter().position(bereft) else { break };
            strange.push(found.swap_remove(at));
        }
        // What a service that is kept has itself started in a session of its own is its own affair.
        strange.retain(|process| {
            !process.plan.is_empty() || !found.iter().any(|found| found.name == process.name)
        });
        for process in &found {
            tracing::info!(
                service = process.name,
                pid = process.pid,
                "a process of an earlier supervisor is kept"
            );
        }
        self.found = found;
        match pids::end(&self.shared.paths, strange, SURVIVOR_GRACE).await.first() {
            None => Ok(()),
            Some(left) => Err(format!(
                "`{}` of an earlier house still runs as process {} and cannot be ended",
                left.name, left.pid
            )
            .into()),
        }
    }
}

/// What children need here.
fn cradle(shared: &Shared, config: &Config, wishes: &Wishes) -> Result<Cradle, Failure> {
    Ok(Cradle {
        logs: Logs::open(&shared.paths, &config.log, &shared.clock)?,
        paths: shared.paths.clone(),
        environment: std::sync::Mutex::new(config.environment.clone()),
        leaders: Leaders::default(),
        ears: Ears::default(),
        messages: wishes.clone(),
    })
}

/// Files of state that made no sense.
fn say_aside(shared: &Shared, aside: &[String]) {
    if !aside.is_empty() {
        let detail = format!("what it remembered made no sense and was put aside: {}", aside.join(", "));
        let hint = "what was locked before may run again; look at the files, then restart the house";
        shared.well.set_hint("memory", Status::Degraded, detail, hint);
    }
}

/// No child dumps its memory onto the disk unless its limits say so; what it may at most is left to them.
fn spare_the_disk() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = getrlimit(Resource::Core).maximum;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: most }).ok();
}
