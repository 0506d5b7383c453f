//! SIGKILL at any instant: what was given out counts, and every request has exactly one line.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use sanctum_kernel::{Clock, Well};
use sanctum_proxy::budget::{Caps, Ledger};
use sanctum_proxy::kinds::Nano;
use sanctum_proxy::usage::{Config, Finish, Line, Log, Parts};

use super::{cents, nanos, trace, usage};

/// Where the child finds its directory; only set for the child.
const MARK: &str = "SANCTUM_PROXY_MONEY_CHILD";
const ROUNDS: u32 = 16;
const THREADS: u64 = 4;

fn open(dir: &Path) -> (Ledger, Log) {
    let clock = Clock::system();
    let caps = Caps { agents: [("tight".to_owned(), Some(cents(500)))].into(), ..Caps::default() };
    let zone = jiff::tz::TimeZone::UTC;
    let ledger = Ledger::open(dir, clock.clone(), zone.clone(), caps).unwrap();
    let parts = Parts {
        dir: dir.join("usage"),
        clock,
        zone,
        ledger: ledger.clone(),
        config: Config::default(),
        well: Well::default(),
    };
    (ledger, Log::open(parts).unwrap())
}

/// Spends until it is killed, when this binary is run again as the child; nothing otherwise. What it knows for certain
/// it writes down after it is so (`r` reserved, `d` settled), what it is about to do before it does it (`s`).
#[test]
fn child() {
    let Ok(dir) = std::env::var(MARK) else { return };
    let dir = Path::new(&dir);
    let (ledger, log) = open(dir);
    let diary = OpenOptions::new().create(true).append(true).open(dir.join("diary")).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (ledger, log, mut diary) = (ledger.clone(), log.clone(), diary.try_clone().unwrap());
            scope.spawn(move || {
                let mut say = |text: String| diary.write_all(text.as_bytes()).unwrap();
                for number in 0_u64.. {
                    let agent = if thread == 0 { "tight" } else { "wide" };
                    let mut amount = 1_000_000 + number % 977;
                    let Ok(mut held) = ledger.reserve(agent, trace(), Nano(amount)) else { continue };
                    let id = held.id();
                    say(format!("r {id} {amount}\n"));
                    if number.is_multiple_of(3) && held.extend(Nano(500)).is_ok() {
                        amount += 500;
                        say(format!("r {id} {amount}\n"));
                    }
                    let mut line = Line::new(Clock::system().now(), trace(), agent);
                    line.of(&held);
                    line.finish = Finish::Stop;
                    line.status = 200;
                    line.cost_usd = Nano(amount - number % 1000);
                    say(format!("s {id} {}\n", line.cost_usd.0));
                    held.settle(line.cost_usd);
                    say(format!("d {id}\n"));
                    log.write(line);
                }
            });
        }
    });
}

/// What the child knew of one request.
#[derive(Default)]
struct Known {
    reserved: Vec<u64>,
    about: Option<u64>,
    settled: bool,
}

fn diary(dir: &Path) -> HashMap<u64, Known> {
    let mut known: HashMap<u64, Known> = HashMap::new();
    let text = fs::read_to_string(dir.join("diary")).unwrap_or_default();
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let words: Vec<&str> = line.split(' ').collect();
        let request = known.entry(words[1].parse().unwrap()).or_default();
        match words[0] {
            "r" => request.reserved.push(words[2].parse().unwrap()),
            "s" => request.about = Some(words[2].parse().unwrap()),
            _ => request.settled = true,
        }
    }
    known
}

fn check(dir: &Path, round: u32) -> usize {
    let (ledger, log) = open(dir);
    assert!(log.flush(Duration::from_secs(30)));
    assert_eq!(ledger.stranded(), [], "round {round}: every one has its line now");
    let mut lines: BTreeMap<u64, Line> = BTreeMap::new();
    let mut files: Vec<_> =
        fs::read_dir(dir.join("usage")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
    for line in files.iter().flat_map(|path| usage::read(path)) {
        let id = line.reservation.unwrap();
        assert!(lines.insert(id, line).is_none(), "round {round}: request {id} has two lines");
    }
    let known = diary(dir);
    for (id, request) in &known {
        let Some(line) = lines.get(id) else { panic!("round {round}: request {id} has no line") };
        let cost = line.cost_usd.0;
        match request.about {
            Some(real) if request.settled => assert_eq!(cost, real, "round {round}: {id} was settled"),
            Some(real) => {
                assert!(cost == real || request.reserved.last() == Some(&cost), "round {round}: {id}");
            }
            None => {
                // It may have been extended without having been able to say so.
                let last = *request.reserved.last().unwrap();
                assert!([last, last + 500].contains(&cost), "round {round}: {id} counts at its reservation");
                assert_eq!(line.finish, Finish::Lost);
            }
        }
    }
    let unknown = lines.keys().filter(|id| !known.contains_key(id)).count();
    assert!(
        unknown as u64 <= THREADS * u64::from(round + 1),
        "round {round}: {unknown} lines nobody asked for"
    );
    for agent in ["tight", "wide"] {
        let sum: u64 = lines.values().filter(|line| line.agent == agent).map(|line| line.cost_usd.0).sum();
        let spends = ledger.spends();
        let own = spends.iter().find(|spend| spend.agent == agent).cloned().unwrap_or_default();
        assert_eq!((nanos(own.settled_usd), nanos(own.reserved_usd)), (sum, 0), "round {round}: {agent}");
        assert!(agent == "wide" || sum <= cents(500).0, "round {round}: overspent");
    }
    lines.len()
}

#[test]
fn killed_at_any_moment_the_money_is_right_and_every_request_has_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut count = 0;
    for round in 0..ROUNDS {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["money::crash::child", "--exact", "--nocapture"]).env(MARK, dir.path());
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let [chance] = sanctum_kernel::trace::random::<1>();
        // Some die while they start.
        let life = Duration::from_millis(u64::from(chance) / 2);
        std::thread::park_timeout(life);
        child.kill().unwrap();
        child.wait().unwrap();
        count = check(dir.path(), round);
    }
    assert!(count > 100, "there was a load: {count} requests");
}
