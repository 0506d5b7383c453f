//! Round after round: hurt, see, lift, see that all is calm, judge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use rustix::process::Signal;
use sanctum_api::watch::{Incident, Stage};
use sanctum_http::{Outbound, Outgoing};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Clock, Failure, exit};

use super::house::{House, Look, signal};
use super::hurt::{hurt, lift};
use super::plan::{How, Hurt, Plan, Whom};
use super::score::{Outcome, Score};
use crate::cli::asked_to_end;
use crate::paint::Paint;

/// How long something may take to be mended, or to be given to a person: all tries with their waits.
const SETTLE: Duration = Duration::from_mins(5);
/// How long the house may take to be calm again once nothing is hurt any more.
const CALM: Duration = Duration::from_mins(4);
/// How long a watch that was stopped stays so.
const PAUSE: Duration = Duration::from_secs(8);

type Say<'a> = &'a dyn Fn(&str) -> Result<(), Failure>;

pub(super) async fn run(plan: &Plan, keep: bool, verbose: bool, say: Say<'_>) -> Result<Score, Failure> {
    let house = House::raise(plan, verbose)?;
    let mut score = Score { seed: plan.seed, ..Score::default() };
    let outcome = tokio::select! {
        outcome = all(&house, plan, &mut score, say) => Some(outcome),
        () = asked_to_end() => None,
    };
    let failed = outcome.as_ref().is_some_and(|outcome| outcome.is_err() || !score.is_clean());
    if let Some(kept) = house.end(keep || failed).await? {
        say(&format!("  the house's directory is kept: {}", kept.display()))?;
    }
    match outcome {
        Some(outcome) => outcome.map(|()| score),
        None => Err(Hinted::new(exit::NO, "it was asked to end before it was done", "the house it hurt is down").into()),
    }
}

async fn all(house: &House, plan: &Plan, score: &mut Score, say: Say<'_>) -> Result<(), Failure> {
    house.settled().await?;
    let crowd = Crowd::begin(house, plan);
    let mut outcome = Ok(());
    for (number, hurts) in plan.rounds.iter().enumerate() {
        outcome = round(house, plan, number, hurts, score, say).await;
        if outcome.is_err() {
            break;
        }
    }
    score.asked = crowd.end();
    outcome
}

async fn round(
    house: &House,
    plan: &Plan,
    number: usize,
    hurts: &[Hurt],
    score: &mut Score,
    say: Say<'_>,
) -> Result<(), Failure> {
    let before = house.look().await?;
    let known: BTreeSet<i64> = before.incidents.iter().map(|incident| incident.id).collect();
    let clock = Clock::system();
    let mut struck = Vec::new();
    for one in hurts {
        let at = clock.now();
        struck.push(Struck { hurt: one, at, pid: hurt(house, plan, one).await? });
    }
    let mut outcomes = Vec::new();
    for one in &struck {
        let mut outcome = Outcome::of(plan, number, one.hurt);
        if !is_symptom(plan, one.hurt, hurts) {
            follow(house, plan, one, &known, &mut outcome).await;
        }
        outcomes.push(outcome);
    }
    for one in hurts.iter().filter(|hurt| hurt.how.lasts()) {
        lift(house, plan, one).await?;
    }
    let after = house.until("all is calm again", CALM, |look| look.is_calm().then(|| look.clone())).await?;
    judge(plan, number, &before, &after, score);
    let paint = Paint::stdout();
    for outcome in outcomes {
        let verdict = if outcome.wrong.is_empty() { paint.green("✓") } else { paint.red("✗") };
        let seen = outcome.detected.map(|seconds| format!("believed {seconds:.1} s")).unwrap_or_default();
        let settled = outcome.settled.map(|seconds| format!("settled {seconds:.1} s"));
        let settled = settled.unwrap_or_else(|| "with what it leans on".to_owned());
        say(&format!(
            "  {:>3} {verdict} {:<10} {:<18} {:<16} {settled}  {}",
            number + 1,
            outcome.whom,
            outcome.how,
            paint.dim(seen),
            paint.red(outcome.wrong.join("; "))
        ))?;
        score.outcomes.push(outcome);
    }
    Ok(())
}

/// A hurt that was done.
#[derive(Debug, Clone, Copy)]
struct Struck<'p> {
    hurt: &'p Hurt,
    at: Timestamp,
    /// The process it was done to.
    pid: Option<u32>,
}

/// Whether what it leans on is hurt as well: then its own trouble is a symptom, and mended or found after that one is.
fn is_symptom(plan: &Plan, hurt: &Hurt, all: &[Hurt]) -> bool {
    let Whom::Service(at) = hurt.whom else { return false };
    let leans = |other: &Hurt| matches!(other.whom, Whom::Service(other) if plan.leans_on(at, other));
    hurt.how != How::Kill && all.iter().any(|other| other.how != How::Kill && leans(other))
}

/// Follows one hurt until it is mended or a person was asked.
async fn follow(house: &House, plan: &Plan, struck: &Struck<'_>, known: &BTreeSet<i64>, outcome: &mut Outcome) {
    let Struck { hurt, at, pid } = *struck;
    let name = plan.name(hurt.whom);
    let now = || seconds(at, Clock::system().now());
    let waited = match (hurt.whom, hurt.how) {
        (Whom::Own("watch"), How::Stop) => {
            tokio::time::sleep(PAUSE).await;
            if let Some(pid) = pid {
                signal(pid, Signal::CONT);
            }
            Ok(())
        }
        (Whom::Own("supervise"), _) => house
            .until("another supervisor", SETTLE, |_| {
                sanctum_supervise::holder(&house.cli.paths).filter(|holder| Some(holder.pid) != pid).map(drop)
            })
            .await,
        (_, How::Kill) | (Whom::Own(_), _) => house
            .until("another process", SETTLE, |look| {
                look.pids().get(name).filter(|found| Some(**found) != pid).map(drop)
            })
            .await,
        (Whom::Service(_), how) => {
            let end = if how.lasts() { Stage::Escalated } else { Stage::Resolved };
            let what = format!("an incident of {name} that is {}", end.word());
            let found = house
                .until(&what, SETTLE, |look| own(look, name, known).find(|incident| incident.stage == end).cloned())
                .await;
            found.map(|incident| outcome.detected = Some(seconds(at, incident.detected)))
        }
    };
    match waited {
        Ok(()) => outcome.settled = Some(now()),
        Err(error) => outcome.wrong.push(error.to_string()),
    }
}

fn own<'a>(look: &'a Look, name: &'a str, known: &'a BTreeSet<i64>) -> impl Iterator<Item = &'a Incident> {
    look.incidents.iter().filter(move |incident| incident.root == name && !known.contains(&incident.id))
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// What happened beside the hurts themselves.
fn judge(plan: &Plan, round: usize, before: &Look, after: &Look, score: &mut Score) {
    let hurts = plan.rounds.get(round).map_or(&[][..], Vec::as_slice);
    let known: BTreeSet<i64> = before.incidents.iter().map(|incident| incident.id).collect();
    let hurt = |name: &str| hurts.iter().any(|hurt| plan.name(hurt.whom) == name);
    let mut of_each: BTreeMap<&str, usize> = BTreeMap::new();
    for incident in after.incidents.iter().filter(|incident| !known.contains(&incident.id)) {
        let told = incident.timeline.iter().any(|entry| entry.what == "told") || incident.stage == Stage::Escalated;
        *of_each.entry(&incident.root).or_default() += 1;
        if !hurt(&incident.root) {
            let words = format!("round {}: {} was taken for a root ({})", round + 1, incident.root, incident.title);
            score.wrong_roots.push(words.clone());
            if told {
                score.false_alarms.push(words);
            }
        }
    }
    for (root, count) in of_each.into_iter().filter(|(_, count)| *count > 1) {
        score.false_alarms.push(format!("round {}: {count} incidents of {root}", round + 1));
    }
    let (old, new) = (before.pids(), after.pids());
    for (at, service) in plan.services.iter().enumerate() {
        let concerned = hurts.iter().any(|hurt| match hurt.whom {
            // Those that lean on it are started again with it; the ladder may start again what it leans on.
            Whom::Service(whom) => whom == at || plan.leans_on(at, whom) || (hurt.how.lasts() && related(plan, whom, at)),
            Whom::Own(_) => false,
        });
        if !concerned && old.get(&service.name) != new.get(&service.name) {
            score.innocents.push(format!("round {}: {} was started again", round + 1, service.name));
        }
    }
}

/// Whether the last step of the ladder for `whom`, its requirements with all that lean on them, may touch `at`.
fn related(plan: &Plan, whom: usize, at: usize) -> bool {
    plan.leans_on(whom, at)
        || (0..plan.services.len()).any(|need| plan.leans_on(whom, need) && plan.leans_on(at, need))
}

/// Others who ask all the time.
struct Crowd {
    over: Arc<AtomicBool>,
    counts: Arc<(AtomicU64, AtomicU64)>,
    asking: tokio::task::JoinSet<()>,
}

impl Crowd {
    fn begin(house: &House, plan: &Plan) -> Self {
        let (over, counts) = (Arc::new(AtomicBool::new(false)), Arc::<(AtomicU64, AtomicU64)>::default());
        let mut asking = tokio::task::JoinSet::new();
        for port in (0..plan.services.len()).filter_map(|at| house.port(at)) {
            let (over, counts) = (Arc::clone(&over), Arc::clone(&counts));
            asking.spawn(async move {
                let outbound = Outbound::default();
                while !over.load(Ordering::Relaxed) {
                    let url = format!("http://127.0.0.1:{port}/health");
                    let ask = Outgoing { method: "GET", url, headers: Vec::new(), body: Vec::new(), timeout: Duration::from_secs(1) };
                    counts.0.fetch_add(1, Ordering::Relaxed);
                    if outbound.send(ask).await.is_err() {
                        counts.1.fetch_add(1, Ordering::Relaxed);
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            });
        }
        Self { over, counts, asking }
    }

    fn end(mut self) -> (u64, u64) {
        self.over.store(true, Ordering::Relaxed);
        self.asking.abort_all();
        (self.counts.0.load(Ordering::Relaxed), self.counts.1.load(Ordering::Relaxed))
    }
}
