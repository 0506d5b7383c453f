//! The usage log: one line for every request, whatever happens.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use sanctum_kernel::{Clock, Size, Well, files};
use sanctum_proxy::budget::Ledger;
use sanctum_proxy::kinds::{Intent, Nano, Privacy, Tier};
use sanctum_proxy::usage::{Attempt, Config, Finish, Line, Log, Parts, Source, Tokens, rows};

use super::{NOON, caps, cents, clock, nanos, spent, toronto, trace};

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn open(dir: &Path, clock: &Clock) -> (Ledger, Log, Well) {
    with(dir, clock, Config::default())
}

fn with(dir: &Path, clock: &Clock, config: Config) -> (Ledger, Log, Well) {
    let ledger = Ledger::open(dir, clock.clone(), toronto(), caps(None)).unwrap();
    let well = Well::default();
    let parts = Parts {
        dir: dir.join("usage"),
        clock: clock.clone(),
        zone: toronto(),
        ledger: ledger.clone(),
        config,
        well: well.clone(),
    };
    (ledger, Log::open(parts).unwrap(), well)
}

pub(crate) fn read(path: &Path) -> Vec<Line> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// The file of the day of [`NOON`].
fn today(dir: &Path) -> std::path::PathBuf {
    dir.join("usage/2026-11-22.jsonl")
}

/// A copy of the directory: what a process that dies now leaves.
fn dead(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    fs::copy(dir.join("budget.journal"), copy.path().join("budget.journal")).unwrap();
    copy_log(dir, copy.path());
    copy
}

fn copy_log(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("usage")).unwrap();
    for entry in fs::read_dir(from.join("usage")).unwrap() {
        let name = entry.unwrap().file_name();
        fs::copy(from.join("usage").join(&name), to.join("usage").join(&name)).unwrap();
    }
}

fn answered(time: Timestamp, agent: &str, model: &str, cost: u64) -> Line {
    let mut line = Line::new(time, trace(), agent);
    (line.provider, line.model) = (Some("cloud".to_owned()), Some(model.to_owned()));
    (line.finish, line.status, line.source) = (Finish::Stop, 200, Source::Reported);
    line.cost_usd = Nano(cost);
    line.tokens = Tokens { input: 100, output: 7, cached: 40, reasoning: 2, ..Tokens::default() };
    line
}

/// A request from its reservation to its line.
fn request(ledger: &Ledger, log: &Log, time: Timestamp, reserved: u64, real: u64) -> Line {
    let reservation = ledger.reserve("free", trace(), Nano(reserved)).unwrap();
    let mut line = answered(time, "free", "m", real);
    line.of(&reservation);
    reservation.settle(Nano(real));
    log.write(line.clone());
    line
}

#[test]
fn lines_are_in_their_file_in_their_order_and_are_summed() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock(NOON);
    let (ledger, log, _) = open(dir.path(), &clock);
    let written: Vec<Line> =
        (0..50).map(|number| request(&ledger, &log, clock.now(), 1_000_000, number * 1_001)).collect();
    assert!(log.flush(PATIENCE));
    assert_eq!(read(&today(dir.path())), written);
    assert!(ledger.stranded().is_empty());
    let [row] = rows(&log, "agent", 7).unwrap().try_into().unwrap();
    assert_eq!((row.key.as_str(), row.requests, row.failed, row.estimated), ("free", 50, 0, 0));
    assert_eq!(
        (row.tokens_in, row.tokens_cached, row.tokens_out, row.tokens_reasoning),
        (5000, 2000, 350, 100)
    );
    assert_eq!(
        (row.daily_usd.len(), row.daily_usd[6], nanos(row.cost_usd)),
        (7, row.cost_usd, 1_225 * 1_001)
    );
}

#[test]
fn a_line_says_everything_under_names_that_stay() {
    let mut line = answered("2026-11-22T17:00:00.25Z".parse().unwrap(), "windu", "opus", 123_456_789);
    line.reservation = Some(1_763_830_800_000_001);
    line.day = "2026-11-22".parse().unwrap();
    line.trace = "4bf92f3577b34da6a3ce929d0e0e4736".parse().unwrap();
    line.key = Some("key-1".to_owned());
    (line.api, line.rule, line.asked) =
        ("messages".into(), "glob claude-*".into(), "claude-opus-4-5".to_owned());
    (line.privacy, line.privacy_because) = (Privacy::Open, "text: nothing private".into());
    (line.intent, line.intent_because) = (Intent::Code, "tool: edit_file".into());
    (line.tier, line.locality, line.egress) = (Some(Tier::Strong), Some("cloud".into()), true);
    let attempt = |provider: &str, outcome: &'static str, ms| {
        let (provider, model) = (provider.to_owned(), "opus".to_owned());
        Attempt { provider, model, outcome: outcome.into(), ms }
    };
    line.attempts = vec![attempt("first", "429", 12.3456), attempt("cloud", "ok", 880.0)];
    line.tokens.written_5m = 12;
    (line.first_ms, line.total_ms, line.stream) = (Some(210.123_456), f64::NAN, true);
    line.losses = vec!["seed: dropped".to_owned()];
    line.marks = vec!["trimmed".into()];
    let text = serde_json::to_string(&line).unwrap();
    insta::assert_snapshot!(text.replace(",\"", ",\n\""));
    let plain = serde_json::to_string(&Line::new(Timestamp::UNIX_EPOCH, line.trace, "")).unwrap();
    insta::assert_snapshot!(plain);
    assert_eq!(serde_json::from_str::<Line>(&text).unwrap().cost_usd, line.cost_usd);
}

#[test]
fn a_request_that_a_dead_process_had_under_way_gets_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock(NOON);
    let (ledger, log, _) = open(dir.path(), &clock);
    request(&ledger, &log, clock.now(), 10, 5);
    let (paid, free) = (trace(), trace());
    let _paid = ledger.reserve("windu", paid, cents(3)).unwrap();
    let _free = ledger.reserve("windu", free, Nano(0)).unwrap();
    assert!(log.flush(PATIENCE));
    let copy = dead(dir.path());
    for again in [false, true] {
        let (ledger, log, _) = open(copy.path(), &clock);
        assert!(log.flush(PATIENCE));
        assert_eq!(ledger.stranded(), []);
        let lines = read(&today(copy.path()));
        assert_eq!(lines.len(), 3, "also when it is opened again: {again}");
        let lost: Vec<_> =
            lines[1..].iter().map(|line| (line.trace, line.cost_usd, line.finish, line.source)).collect();
        let expected = [(paid, cents(3)), (free, Nano(0))];
        assert_eq!(lost, expected.map(|(trace, cost)| (trace, cost, Finish::Lost, Source::Estimated)));
        assert_eq!(lines[1].agent, "windu");
        assert_eq!(spent(&ledger, "windu"), (cents(3).0, 0));
        let [free, windu] = rows(&log, "agent", 1).unwrap().try_into().unwrap();
        assert_eq!((nanos(windu.cost_usd), windu.failed, nanos(free.cost_usd)), (5, 0, cents(3).0));
    }
}

#[test]
fn a_request_may_be_settled_after_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock(NOON);
    let (ledger, log, _) = open(dir.path(), &clock);
    let held = ledger.reserve("windu", trace(), cents(9)).unwrap();
    let mut line = answered(clock.now(), "windu", "m", cents(2).0);
    line.of(&held);
    log.write(line.clone());
    assert!(log.flush(PATIENCE));
    let unsettled = dead(dir.path());
    held.settle(cents(2));
    let settled = dead(dir.path());
    for copy in [unsettled, settled] {
        let (ledger, log, _) = open(copy.path(), &clock);
        assert_eq!((spent(&ledger, "windu"), ledger.stranded()), ((cents(2).0, 0), vec![]));
        assert!(log.flush(PATIENCE));
        assert_eq!(read(&today(copy.path())), std::slice::from_ref(&line));
    }
}

#[test]
fn a_line_that_is_there_is_not_written_again_and_knows_better_what_was_spent() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock(NOON);
    let (ledger, log, _) = open(dir.path(), &clock);
    let held = ledger.reserve("windu", trace(), cents(9)).unwrap();
    let mut line = answered(clock.now(), "windu", "m", cents(2).0);
    line.of(&held);
    // Neither the settlement nor that the line is there has reached the journal, but the line has reached the log.
    let copy = dead(dir.path());
    held.settle(cents(2));
    log.write(line.clone());
    assert!(log.flush(PATIENCE));
    copy_log(dir.path(), copy.path());
    for without_checkpoint in [true, false] {
        if without_checkpoint {
            assert!(!copy.path().join("usage/checkpoint.json").exists());
        }
        let (ledger, log, _) = open(copy.path(), &clock);
        assert!(log.flush(PATIENCE));
        assert_eq!(read(&today(copy.path())), std::slice::from_ref(&line));
        assert_eq!((spent(&ledger, "windu"), ledger.stranded()), ((cents(2).0, 0), vec![]));
    }
}

#[test]
fn a_torn_last_line_is_cut_off_and_its_request_gets_a_whole_one() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock(NOON);
    let (ledger, log, _) = open(dir.path(), &clock);
    request(&ledger, &log, clock.now(), 10, 5);
    assert!(log.flush(PATIENCE));
    let held = ledger.reserve("free", trace(), Nano(7)).unwrap();
    let copy = dead(dir.path());
    let mut half = answered(clock.now(), "free", "m", 6);
    half.of(&held);
    let half = serde_json::to_vec(&half).unwrap();
    let mut file = OpenOptions::new().append(true).open(today(copy.path())).unwrap();
    file.write_all(&half[..half.len() - 3]).unwrap();
    let (_, log, _) = open(copy.path(), &clock);
    assert!(log.flush(PATIENCE));
    let finishes: Vec<_> =
        read(&today(copy.path())).iter().map(|line| (line.finish, line.cost_usd.0)).collect();
    assert_eq!(finishes, [(Finish::Stop, 5), (Finish::Lost, 7)]);
}

#[test]
fn a_day_has_its_file_and_a_request_is_in_the_file_of_the_day_it_began_on() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock("2026-11-22T23:59:59-05:00");
    let (ledger, log, _) = open(dir.path(), &clock);
    let late = ledger.reserve("free", trace(), Nano(9)).unwrap();
    let mut line = answered(clock.now(), "free", "m", 8);
    line.of(&late);
    clock.step(SignedDuration::from_mins(1));
    request(&ledger, &log, clock.now(), 3, 3);
    assert!(log.flush(PATIENCE));
    late.settle(Nano(8));
    log.write(line);
    // Without a reservation it counts for the day of its beginning.
    log.write(answered("2026-11-22T23:58:00-05:00".parse().unwrap(), "free", "m", 4));
    assert!(log.flush(PATIENCE));
    let costs = |name: &str| {
        read(&dir.path().join("usage").join(name)).iter().map(|line| line.cost_usd.0).collect::<Vec<_>>()
    };
    assert_eq!((costs("2026-11-22.jsonl"), costs("2026-11-23.jsonl")), (vec![8, 4], vec![3]));
    let days = rows(&log, "day", 3).unwrap();
    let shown: Vec<_> =
        days.iter().map(|row| (row.key.as_str(), row.requests, nanos(row.cost_usd))).collect();
    assert_eq!(shown, [("2026-11-21", 0, 0), ("2026-11-22", 2, 12), ("2026-11-23", 1, 3)]);
}

#[test]
fn a_long_day_goes_on_in_another_file_and_old_days_go() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock(NOON);
    let config = Config { keep_days: 3, file_size: Size(4096) };
    let (ledger, log, _) = with(dir.path(), &clock, config.clone());
    for _ in 0..60 {
        request(&ledger, &log, clock.now(), 1, 1);
        assert!(log.flush(PATIENCE));
    }
    let names = || {
        let mut names: Vec<String> = fs::read_dir(dir.path().join("usage"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("2026-"))
            .collect();
        names.sort();
        names
    };
    let parts = names();
    assert!(parts.len() > 3 && parts.contains(&"2026-11-22.2.jsonl".to_owned()), "{parts:?}");
    let lines: usize = parts.iter().map(|name| read(&dir.path().join("usage").join(name)).len()).sum();
    assert_eq!(lines, 60);
    drop((ledger, log));
    clock.step(SignedDuration::from_hours(48));
    let (ledger, log, _) = with(dir.path(), &clock, config.clone());
    request(&ledger, &log, clock.now(), 1, 1);
    assert!(log.flush(PATIENCE));
    assert_eq!(names().len(), parts.len() + 1, "three days are kept");
    assert_eq!(rows(&log, "agent", 30).unwrap()[0].requests, 61);
    drop((ledger, log));
    clock.step(SignedDuration::from_hours(24));
    let (_ledger, log, _) = with(dir.path(), &clock, config);
    assert_eq!(eventually(|| (names().len() == 1).then(|| rows(&log, "agent", 30).unwrap()[0].requests)), 1);
}

/// Waits for what the writer does in its own time.
fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let began = std::time::Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(began.elapsed() < PATIENCE, "it did not come");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn a_file_that_is_taken_away_is_begun_anew_and_no_longer_counted() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock(NOON);
    let (ledger, log, _) = open(dir.path(), &clock);
    request(&ledger, &log, clock.now(), 1, 1);
    assert!(log.flush(PATIENCE));
    fs::rename(today(dir.path()), dir.path().join("elsewhere")).unwrap();
    eventually(|| rows(&log, "agent", 1).unwrap().is_empty().then_some(()));
    request(&ledger, &log, clock.now(), 1, 1);
    assert!(log.flush(PATIENCE));
    assert_eq!(read(&today(dir.path())).len(), 1);
    assert_eq!(rows(&log, "agent", 1).unwrap()[0].requests, 1);
    fs::remove_dir_all(dir.path().join("usage")).unwrap();
    request(&ledger, &log, clock.now(), 1, 1);
    eventually(|| today(dir.path()).exists().then_some(()));
}

#[test]
fn without_its_journal_the_ledger_learns_from_the_log_what_was_spent_today() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock("2026-11-21T23:59:00-05:00");
    let (ledger, log, _) = open(dir.path(), &clock);
    request(&ledger, &log, clock.now(), 100, 90);
    clock.step(SignedDuration::from_hours(12));
    request(&ledger, &log, clock.now(), 100, 50);
    request(&ledger, &log, clock.now(), 100, 3);
    assert!(log.flush(PATIENCE));
    let copy = dead(dir.path());
    fs::remove_file(copy.path().join("budget.journal")).unwrap();
    for _ in 0..2 {
        let (ledger, _log, _) = open(copy.path(), &clock);
        assert_eq!(spent(&ledger, "free"), (53, 0));
    }
    // A scratched journal: whatever line it is, at least what the log knows is counted.
    let journal = fs::read(dir.path().join("budget.journal")).unwrap();
    for at in (0..journal.len()).step_by(17) {
        let copy = dead(dir.path());
        let mut scratched = journal.clone();
        scratched[at] = b'#';
        files::replace(&copy.path().join("budget.journal"), &scratched, 0o600).unwrap();
        let (ledger, _log, _) = open(copy.path(), &clock);
        let settled = spent(&ledger, "free").0;
        assert!((53..=200).contains(&settled), "byte {at}: {settled}");
    }
}

#[test]
fn a_checkpoint_that_is_gone_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock(NOON);
    let checkpoint = dir.path().join("usage/checkpoint.json");
    for round in 0..3 {
        let (ledger, log, _) = open(dir.path(), &clock);
        if round == 0 {
            request(&ledger, &log, clock.now(), 1, 1);
            assert!(log.flush(PATIENCE));
        }
        assert_eq!(rows(&log, "agent", 1).unwrap()[0].requests, 1);
        drop((ledger, log));
        fs::remove_file(&checkpoint).unwrap_or_else(|error| panic!("round {round}: {error}"));
    }
}

#[test]
fn questions_that_cannot_be_answered_name_their_field() {
    let dir = tempfile::tempdir().unwrap();
    let (_ledger, log, _) = open(dir.path(), &clock(NOON));
    let problem = rows(&log, "colour", 7).unwrap_err();
    assert_eq!(
        (problem.field.as_deref(), problem.allowed.as_deref()),
        (Some("by"), Some("`agent`, `model`, `day`"))
    );
    for days in [0, 3661] {
        assert_eq!(rows(&log, "agent", days).unwrap_err().field.as_deref(), Some("days"));
    }
    assert_eq!(rows(&log, "model", 3660).unwrap(), []);
}

#[tokio::test]
async fn requests_wait_for_a_place_and_not_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock(NOON);
    let (_ledger, log, _) = open(dir.path(), &clock);
    let mut places: Vec<_> = std::iter::from_fn(|| log.try_slot()).collect();
    assert!(places.len() > 1000);
    let next = log.slot();
    tokio::pin!(next);
    assert!(tokio::time::timeout(Duration::from_millis(20), &mut next).await.is_err());
    places.pop().unwrap().write(answered(clock.now(), "windu", "m", 1));
    tokio::time::timeout(PATIENCE, next).await.expect("a place is free once its line is written");
    assert_eq!(read(&today(dir.path())).len(), 1);
}

/// Something that happens to the log.
#[derive(Debug, Clone)]
enum Act {
    Write {
        agent: usize,
        model: usize,
        days_ago: i64,
        cost: u64,
        refused: bool,
    },
    /// Restart, after something was done to the files.
    Restart(Harm),
}

#[derive(Debug, Clone, Copy)]
enum Harm {
    None,
    /// The process dies: there is no checkpoint of the end.
    Dies,
    NoCheckpoint,
    BadCheckpoint,
    /// Somebody edits a cost, so that the length stays.
    Edits,
    /// Somebody adds a line that is none.
    Rubbish,
    /// Somebody removes the oldest file.
    Removes,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let write = (0_usize..3, 0_usize..3, 0_i64..4, 1_u64..9, any::<bool>()).prop_map(
        |(agent, model, days_ago, cost, refused)| Act::Write { agent, model, days_ago, cost, refused },
    );
    let harm = prop_oneof![
        Just(Harm::None),
        Just(Harm::Dies),
        Just(Harm::NoCheckpoint),
        Just(Harm::BadCheckpoint),
        Just(Harm::Edits),
        Just(Harm::Rubbish),
        Just(Harm::Removes)
    ];
    proptest::collection::vec(prop_oneof![6 => write, 1 => harm.prop_map(Act::Restart)], 1..40)
}

/// What the files say, read plainly: requests, refusals and cost by day, agent and model.
type Plain = BTreeMap<(String, String, String), (u64, u64, u64)>;

fn plainly(dir: &Path) -> Plain {
    let mut sums = Plain::new();
    for entry in fs::read_dir(dir.join("usage")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "jsonl") {
            continue;
        }
        for line in fs::read_to_string(&path).unwrap().lines().filter(|line| line.starts_with('{')) {
            let line: Line = serde_json::from_str(line).unwrap();
            let model = line
                .provider
                .map_or("none".to_owned(), |provider| format!("{provider}/{}", line.model.unwrap()));
            let sum = sums.entry((line.day.to_string(), line.agent, model)).or_default();
            *sum = (sum.0 + 1, sum.1 + u64::from(line.status >= 400), sum.2 + line.cost_usd.0);
        }
    }
    sums
}

fn agree(log: &Log, plain: &Plain) -> Result<(), TestCaseError> {
    for by in ["agent", "model", "day"] {
        let mut expected: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
        for ((day, agent, model), sum) in plain {
            let key = match by {
                "agent" => agent,
                "model" => model,
                _ => day,
            };
            let all = expected.entry(key.clone()).or_default();
            *all = (all.0 + sum.0, all.1 + sum.1, all.2 + sum.2);
        }
        let mut table = rows(log, by, 10).unwrap();
        table.retain(|row| row.requests > 0);
        for row in &table {
            let daily: u64 = row.daily_usd.iter().map(|usd| nanos(*usd)).sum();
            prop_assert_eq!(daily, nanos(row.cost_usd));
        }
        let found = table.into_iter().map(|row| (row.key, (row.requests, row.failed, nanos(row.cost_usd))));
        prop_assert_eq!(found.collect::<BTreeMap<_, _>>(), expected, "by {}", by);
    }
    Ok(())
}

/// Does it to the files of a log that nobody has open.
fn harm(dir: &Path, harm: Harm) {
    let checkpoint = dir.join("usage/checkpoint.json");
    let mut logs: Vec<_> =
        fs::read_dir(dir.join("usage")).unwrap().map(|entry| entry.unwrap().path()).collect();
    logs.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
    logs.sort();
    match harm {
        Harm::None | Harm::Dies => {}
        Harm::NoCheckpoint => files::remove(&checkpoint).unwrap(),
        Harm::BadCheckpoint => files::replace(&checkpoint, b"{\"version\":1,\"files\":[", 0o600).unwrap(),
        Harm::Edits => {
            let Some(path) = logs.first() else { return };
            let text = fs::read_to_string(path).unwrap();
            let edited = text.replacen("\"status\":200", "\"status\":500", 1);
            assert_eq!(edited.len(), text.len());
            let mut file = OpenOptions::new().write(true).open(path).unwrap();
            file.write_all(edited.as_bytes()).unwrap();
        }
        Harm::Rubbish => {
            let Some(path) = logs.first() else { return };
            OpenOptions::new().append(true).open(path).unwrap().write_all(b"what is this\n").unwrap();
        }
        Harm::Removes => logs.first().into_iter().for_each(|path| fs::remove_file(path).unwrap()),
    }
}

fn run(acts: Vec<Act>) -> Result<(), TestCaseError> {
    let clock = clock(NOON);
    let mut dir = tempfile::tempdir().unwrap();
    let mut opened = open(dir.path(), &clock);
    for act in acts {
        match act {
            Act::Write { agent, model, days_ago, cost, refused } => {
                let time = clock.now() - SignedDuration::from_hours(24 * days_ago);
                let mut line = answered(time, ["windu", "yoda", ""][agent], ["a", "b", "c"][model], cost);
                if refused {
                    (line.provider, line.model, line.status, line.finish) =
                        (None, None, 402, Finish::Refused);
                }
                opened.1.write(line);
            }
            Act::Restart(what) => {
                assert!(opened.1.flush(PATIENCE));
                if matches!(what, Harm::Dies) {
                    dir = dead(dir.path());
                }
                drop(opened);
                harm(dir.path(), what);
                opened = open(dir.path(), &clock);
                agree(&opened.1, &plainly(dir.path()))?;
            }
        }
    }
    assert!(opened.1.flush(PATIENCE));
    agree(&opened.1, &plainly(dir.path()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn sums_are_what_the_files_say_whatever_was_done_to_them(acts in acts()) {
        run(acts)?;
    }
}
