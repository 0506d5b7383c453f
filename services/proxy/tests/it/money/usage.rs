//! The usage log: one line for every request, whatever happens.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sanctum_kernel::{Clock, Well};
use sanctum_proxy::budget::Ledger;
use sanctum_proxy::usage::{Config, Finish, Line, Log, Parts, Source, rows};

use super::{NOON, caps, cents, clock, toronto, trace};

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn open(dir: &Path, clock: &Clock) -> (Ledger, Log, Well) {
    let ledger = Ledger::open(dir, clock.clone(), toronto(), caps(None)).unwrap();
    let well = Well::default();
    let parts = Parts {
        dir: dir.join("usage"),
        clock: clock.clone(),
        zone: toronto(),
        ledger: ledger.clone(),
        config: Config::default(),
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

#[test]
fn lines_are_in_their_file_in_their_order_and_are_summed() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock(NOON);
    let (ledger, log, _) = open(dir.path(), &clock);
    let mut written = Vec::new();
    for number in 0..50_u64 {
        let reservation = ledger.reserve("windu", trace(), cents(1)).unwrap();
        let mut line = Line::new(clock.now(), trace(), "windu");
        line.of(&reservation);
        line.cost_usd = sanctum_proxy::kinds::Nano(number * 1_001);
        (line.provider, line.model) = (Some("p".to_owned()), Some("m".to_owned()));
        (line.finish, line.status, line.source) = (Finish::Stop, 200, Source::Reported);
        (line.tokens.input, line.tokens.output, line.tokens.cached) = (100, 7, 40);
        reservation.settle(line.cost_usd);
        log.write(line.clone());
        written.push(line);
    }
    assert!(log.flush(PATIENCE));
    assert_eq!(read(&dir.path().join("usage/2026-11-22.jsonl")), written);
    let [row] = rows(&log, "agent", 7).unwrap().try_into().unwrap();
    assert_eq!((row.key.as_str(), row.requests, row.failed, row.estimated), ("windu", 50, 0, 0));
    assert_eq!((row.tokens_in, row.tokens_cached, row.tokens_out), (5000, 2000, 350));
    assert_eq!((row.daily_usd.len(), row.daily_usd[6]), (7, row.cost_usd));
    assert!((row.cost_usd - 1_225.0 * 1_001.0 / 1e9).abs() < 1e-15);
    assert!(ledger.stranded().is_empty());
}
