//! The four measurements.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use sanctum_kernel::Failure;
use sanctum_probe::Finding;
use sanctum_watch::sweep::Entry;
use serde_json::{Value, json};

use crate::monit::Monit;
use crate::ours::{Ours, http, tcp};
use crate::targets::Targets;

const TIMEOUT: Duration = Duration::from_secs(10);
/// Endpoints of the house that is measured.
const HTTP: usize = 100;
const TCP: usize = 100;
const HUNG: usize = 10;

/// What was promised, and what was seen.
#[derive(Default)]
pub(crate) struct Bars(Vec<(String, f64, f64, bool)>);

impl Bars {
    fn add(&mut self, what: &str, seen: f64, bar: f64) {
        self.0.push((what.to_owned(), seen, bar, seen <= bar));
    }

    pub(crate) fn print(&self) {
        for (what, seen, bar, held) in &self.0 {
            println!("{} {what}: {seen:.2} (bar {bar:.2})", if *held { "held  " } else { "MISSED" });
        }
    }

    pub(crate) fn as_json(&self) -> Value {
        let rows = self
            .0
            .iter()
            .map(|(what, seen, bar, held)| json!({ "what": what, "seen": seen, "bar": bar, "held": held }));
        rows.collect()
    }
}

fn used() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(used.tv_sec).unwrap_or(0), u32::try_from(used.tv_nsec).unwrap_or(0))
        .as_secs_f64()
        * 1000.0
}

/// Proportional memory of this process, in MB.
fn memory() -> Result<f64, Failure> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).ok_or("no Pss")?;
    let kib: f64 = line.split_ascii_whitespace().next().ok_or("no Pss")?.parse()?;
    Ok(kib * 1024.0 / 1e6)
}

fn house(targets: &Targets, every: Duration) -> Vec<Entry> {
    let pages = targets.http.iter().enumerate();
    let pages = pages.map(|(node, port)| http(node, &format!("127.0.0.1:{port}"), TIMEOUT, every));
    let ports = targets.tcp.iter().enumerate();
    let ports = ports.map(|(at, port)| tcp(HTTP + at, &format!("127.0.0.1:{port}"), TIMEOUT, every));
    pages.chain(ports).collect()
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Processor time of 200 checks: ours and monit in turns, the median of the rounds.
pub(crate) async fn cost(bars: &mut Bars, monit: &Path) -> Result<Value, Failure> {
    let mut targets = Targets::start(HTTP, TCP)?;
    let every = Duration::from_secs(2);
    let (mut ours, mut theirs, mut burst) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..5 {
        let before = used();
        let mut sweep = Ours::start(house(&targets, every))?;
        let mut first = 0;
        while first < HTTP + TCP && sweep.heard.recv().await.is_some() {
            first += 1;
        }
        burst.push(used() - before);
        let (before, mut checks) = (used(), 0.0);
        sweep.listen(Duration::from_secs(10), |_| checks += 1.0).await;
        ours.push((used() - before) / checks * 200.0);
        drop(sweep);
        if monit.is_file() {
            let other = Monit::start(monit, &targets, every)?;
            tokio::time::sleep(Duration::from_secs(3)).await;
            targets.tell("zero")?;
            let before = other.used()?;
            tokio::time::sleep(Duration::from_secs(10)).await;
            let spent = other.used()? - before;
            let checks: f64 = targets.tell("count")?.parse()?;
            theirs.push(spent / checks * 200.0);
        }
    }
    let (ours, theirs, burst) = (median(ours), median(theirs), median(burst));
    println!("200 checks (100 HTTP, 100 TCP), every 2 s, processor time a sweep, median of 5 rounds:");
    println!(
        "  ours {ours:.2} ms spread over the cadence, {burst:.2} ms the first, all at once; monit {theirs:.2} ms ({:.2} times ours)",
        theirs / ours
    );
    bars.add("processor time of a sweep of 200, ms", ours, 10.0);
    Ok(json!({ "ours_ms": ours, "burst_ms": burst, "monit_ms": theirs, "ratio": theirs / ours }))
}

/// How soon the death of one is seen: alone, and while 10 of 100 pages hang.
pub(crate) async fn hung(bars: &mut Bars, monit: &Path) -> Result<Value, Failure> {
    let mut targets = Targets::start(HTTP, TCP)?;
    let every = Duration::from_secs(5);
    let mut seen = BTreeMap::new();
    for hangs in [0, HUNG] {
        let hung: Vec<u16> = targets.http.iter().rev().take(hangs).copied().collect();
        targets.tell_all("hang", &hung)?;
        let mut sweep = Ours::start(house(&targets, every))?;
        sweep.listen(every, |_| {}).await;
        let mut took = Vec::new();
        for victim in [3, 107, 50, 190, 33, 11, 160, 81] {
            took.push(
                death(&mut targets, &mut sweep, &[victim], every * 3).await?.into_iter().fold(0.0, f64::max),
            );
            sweep.listen(every.mul_f64(0.37), |_| {}).await;
        }
        let worst = took.iter().copied().fold(0.0, f64::max);
        println!(
            "a death is seen after {:.2} s (median; worst {worst:.2}) at a cadence of 5 s, {hangs} of 100 pages hung",
            median(took.clone())
        );
        seen.insert(hangs, (median(took), worst));
        targets.tell_all("well", &hung)?;
    }
    let worst = seen.get(&HUNG).map_or(f64::NAN, |(_, worst)| *worst);
    bars.add("a death seen while 10 of 100 hang, worst, s", worst, every.as_secs_f64() + 0.5);
    let mut theirs = BTreeMap::new();
    if monit.is_file() {
        for hangs in [0, HUNG] {
            let other = Monit::start(monit, &targets, every)?;
            tokio::time::sleep(every * 2).await;
            let hung: Vec<u16> = targets.http.iter().rev().take(hangs).copied().collect();
            targets.tell_all("hang", &hung)?;
            tokio::time::sleep(every).await;
            let victim = targets.http.get(4).copied().ok_or("no port")?;
            let since = Instant::now();
            targets.tell_all("refuse", &[victim])?;
            let told = other
                .told(victim, since, Duration::from_mins(4))
                .await
                .map_or(f64::NAN, |told| told.as_secs_f64());
            println!("  monit: {told:.1} s with {hangs} hung");
            theirs.insert(hangs, told);
            targets.tell_all("well", &[victim])?;
            targets.tell_all("well", &hung)?;
        }
    }
    let ours: BTreeMap<usize, f64> = seen.iter().map(|(hangs, (median, _))| (*hangs, *median)).collect();
    Ok(json!({ "ours_median_s": ours, "worst_s": worst, "monit_s": theirs }))
}

/// Lets these die at once; how long until each was found failed, in seconds from before they were told to. NaN: never.
async fn death(
    targets: &mut Targets,
    sweep: &mut Ours,
    nodes: &[usize],
    within: Duration,
) -> Result<Vec<f64>, Failure> {
    let port = |node: &usize| targets.http.iter().chain(&targets.tcp).nth(*node).copied();
    let ports: Vec<u16> = nodes.iter().filter_map(port).collect();
    // What was asked before is not news.
    while sweep.heard.try_recv().is_ok() {}
    let since = Instant::now();
    targets.tell_all("refuse", &ports)?;
    let mut missing: BTreeSet<usize> = nodes.iter().copied().collect();
    let mut took = Vec::new();
    while !missing.is_empty() {
        let Some(left) = within.checked_sub(since.elapsed()) else { break };
        let Ok(Some(answered)) = tokio::time::timeout(left, sweep.heard.recv()).await else { break };
        if answered.answer.finding == Finding::Fail && missing.remove(&answered.node) {
            took.push(since.elapsed().as_secs_f64());
        }
    }
    took.extend(missing.iter().map(|_| f64::INFINITY));
    targets.tell_all("well", &ports)?;
    Ok(took)
}

/// 10,000 checks of which 5 % hang, at the house's own cadence of 30 s.
#[expect(clippy::too_many_lines, reason = "one scene, from its targets to its figures")]
pub(crate) async fn many(bars: &mut Bars) -> Result<Value, Failure> {
    // A hundred ports on a hundred addresses of loopback; five of the ports hang, and they are pages.
    let (pages, ports) = (50, 50);
    let mut targets = Targets::start(pages, ports)?;
    let hung: Vec<u16> = targets.http.iter().take(5).copied().collect();
    targets.tell_all("hang", &hung)?;
    let every = Duration::from_secs(30);
    let mut entries = Vec::new();
    for address in 1..=100 {
        for port in &targets.http {
            entries.push(http(entries.len(), &format!("127.0.1.{address}:{port}"), TIMEOUT, every));
        }
        for port in &targets.tcp {
            entries.push(tcp(entries.len(), &format!("127.0.1.{address}:{port}"), TIMEOUT, every));
        }
    }
    let count = entries.len();
    let began = Instant::now();
    let before = used();
    let mut sweep = Ours::start(entries)?;
    let (mut missing, mut all, mut bad) = (count, Duration::ZERO, 0);
    let mut first = vec![false; count];
    let mut peak = memory()?;
    let mut looked = Instant::now();
    while missing > 0 && began.elapsed() < TIMEOUT * 4 {
        let Some(answered) = sweep.heard.recv().await else { break };
        if let Some(known) = first.get_mut(answered.node).filter(|known| !**known) {
            *known = true;
            missing -= 1;
            all = began.elapsed();
            bad += usize::from(answered.answer.finding != Finding::Pass);
        }
        if looked.elapsed() > Duration::from_millis(200) {
            peak = peak.max(memory()?);
            looked = Instant::now();
        }
    }
    let opening = sweep.progress().latest;
    for _ in 0..65 {
        sweep.listen(Duration::from_secs(1), |_| {}).await;
        peak = peak.max(memory()?);
    }
    let (progress, spent) = (sweep.progress(), used() - before);
    #[expect(clippy::cast_precision_loss, reason = "a count of questions")]
    let per = spent / progress.answered as f64 * 1000.0;
    println!(
        "10,000 checks (5 % hang, time-out 10 s): all answered once in {:.2} s, {bad} of them badly; latest {:.3} s in the first round, {:.3} s in all; {peak:.1} MB; {per:.0} µs of processor a check",
        all.as_secs_f64(),
        opening.as_secs_f64(),
        progress.latest.as_secs_f64()
    );
    bars.add(
        "10,000 checks answered once, s",
        if missing == 0 { all.as_secs_f64() } else { f64::INFINITY },
        2.0 * TIMEOUT.as_secs_f64(),
    );
    bars.add("the latest of them, s", progress.latest.as_secs_f64(), 1.0);
    bars.add("memory with 10,000 checks, MB", peak, 150.0);
    Ok(
        json!({ "all_s": all.as_secs_f64(), "bad": bad, "latest_s": progress.latest.as_secs_f64(), "pss_mb": peak, "us_a_check": per }),
    )
}

/// A thousand deaths, at a cadence of 2 s instead of 30, while 10 of 100 pages hang.
pub(crate) async fn deaths(bars: &mut Bars) -> Result<Value, Failure> {
    let mut targets = Targets::start(HTTP, TCP)?;
    let hung: Vec<u16> = targets.http.iter().rev().take(HUNG).copied().collect();
    targets.tell_all("hang", &hung)?;
    let every = Duration::from_secs(2);
    let mut sweep = Ours::start(house(&targets, every))?;
    sweep.listen(every * 2, |_| {}).await;
    let mut took = Vec::new();
    for round in 0..20_usize {
        // Fifty of those that do not hang, others each time, at a time that is in step with nothing.
        let nodes: Vec<usize> = (0..50)
            .map(|at| (round * 37 + at * 3) % (HTTP + TCP))
            .filter(|node| !(HTTP - HUNG..HTTP).contains(node))
            .collect();
        took.extend(death(&mut targets, &mut sweep, &nodes, every * 5).await?);
        sweep.listen(Duration::from_millis(2_300 + u64::try_from(round)? * 97), |_| {}).await;
    }
    while took.len() < 1000 {
        let nodes: Vec<usize> = (0..(1000 - took.len()).min(50))
            .map(|at| at * 4 % 90)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        took.extend(death(&mut targets, &mut sweep, &nodes, every * 5).await?);
        sweep.listen(Duration::from_millis(2_750), |_| {}).await;
    }
    let late = took.iter().filter(|took| **took > every.as_secs_f64() + 1.0).count();
    let worst = took.iter().copied().fold(0.0, f64::max);
    println!(
        "{} deaths at a cadence of 2 s, 10 pages hung: seen after {:.2} s (median), {worst:.2} s (worst); {late} later than the cadence and a second",
        took.len(),
        median(took.clone())
    );
    #[expect(clippy::cast_precision_loss, reason = "a count of a thousand")]
    let missed = late as f64;
    bars.add("deaths seen later than the cadence and a second, of 1,000", missed, 0.0);
    Ok(json!({ "deaths": took.len(), "late": late, "median_s": median(took), "worst_s": worst }))
}
