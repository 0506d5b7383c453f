//! The ledger: caps hold under any concurrency, on days as the house lives them, and across a restart.

use std::fs;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use sanctum_proxy::budget::{Caps, Ledger, Level, Spent};
use sanctum_proxy::kinds::Nano;

use super::{NOON, caps, cents, clock, ledger, spent, toronto, trace};

#[test]
fn two_hundred_at_once_against_a_cap_that_fits_fifty() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path(), NOON);
    let (granted, barrier) = (AtomicU64::new(0), Barrier::new(200));
    std::thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| {
                barrier.wait();
                if let Ok(reservation) = ledger.reserve("windu", trace(), cents(4)) {
                    granted.fetch_add(1, Ordering::Relaxed);
                    barrier.wait();
                    reservation.settle(cents(4));
                } else {
                    barrier.wait();
                }
            });
        }
    });
    assert_eq!(granted.into_inner(), 50);
    assert_eq!(spent(&ledger, "windu"), (cents(200).0, 0));
    assert_eq!(ledger.room("windu"), Nano(0));
    let refused = ledger.reserve("windu", trace(), Nano(1)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "agent `windu` has $0.00 of its $2.00 left today, and $0.000000001 is needed"
    );
    ledger.reserve("windu", trace(), Nano(0)).expect("what costs nothing is always given");
}

#[test]
fn the_cap_of_the_house_holds_for_everybody_together() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), clock(NOON), toronto(), caps(Some(100))).unwrap();
    let one = ledger.reserve("free", trace(), cents(60)).unwrap();
    assert_eq!(
        (ledger.room("windu"), ledger.room("guest"), ledger.room("free")),
        (cents(40), cents(40), cents(40))
    );
    let refused = ledger.reserve("windu", trace(), cents(41)).unwrap_err();
    assert_eq!(refused, Spent::House { cap: cents(100), left: cents(40), needed: cents(41) });
    one.settle(cents(10));
    ledger.reserve("windu", trace(), cents(90)).unwrap();
}

#[test]
fn what_is_not_settled_counts_whole_and_what_is_extended_counts_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path(), NOON);
    let mut reservation = ledger.reserve("windu", trace(), cents(100)).unwrap();
    reservation.extend(cents(50)).unwrap();
    assert!(matches!(reservation.extend(cents(51)), Err(Spent::Agent { .. })));
    assert_eq!((reservation.amount(), spent(&ledger, "windu")), (cents(150), (0, cents(150).0)));
    reservation.change_to(cents(20)).unwrap();
    assert_eq!(ledger.room("windu"), cents(180));
    drop(reservation);
    assert_eq!(spent(&ledger, "windu"), (cents(20).0, 0));
}

#[test]
fn a_request_that_began_before_midnight_settles_into_its_own_day() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock("2026-11-22T23:59:00-05:00");
    let ledger = Ledger::open(dir.path(), clock.clone(), toronto(), caps(None)).unwrap();
    let mut late = ledger.reserve("windu", trace(), cents(150)).unwrap();
    clock.step(SignedDuration::from_mins(2));
    assert_eq!(spent(&ledger, "windu"), (0, 0), "a new day");
    let early = ledger.reserve("windu", trace(), cents(200)).unwrap();
    late.extend(cents(50)).expect("yesterday has room for it");
    assert!(late.extend(Nano(1)).is_err(), "and no more than that");
    late.settle(cents(120));
    assert_eq!(spent(&ledger, "windu"), (0, cents(200).0));
    clock.step(SignedDuration::from_mins(-2));
    assert_eq!(spent(&ledger, "windu"), (cents(120).0, 0), "a clock that steps back finds what was spent");
    early.settle(cents(1));
    assert_eq!(ledger.room("windu"), cents(80));
}

#[test]
fn a_day_of_twenty_five_hours_has_the_money_of_one() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock("2026-11-01T00:00:00-04:00");
    let ledger = Ledger::open(dir.path(), clock.clone(), toronto(), caps(None)).unwrap();
    for hour in 0..25 {
        assert_eq!(ledger.room("windu"), Nano(cents(200).0 - hour * cents(8).0), "hour {hour}");
        ledger.reserve("windu", trace(), cents(8)).unwrap();
        clock.step(SignedDuration::from_hours(1));
    }
    assert_eq!(ledger.day().0.to_string(), "2026-11-02");
    assert_eq!(ledger.room("windu"), cents(200));
}

#[test]
fn after_a_change_of_zone_money_is_found_in_the_day_it_now_belongs_to() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock("2026-11-22T22:30:00-05:00");
    let ledger = Ledger::open(dir.path(), clock.clone(), toronto(), caps(None)).unwrap();
    ledger.reserve("windu", trace(), cents(30)).unwrap();
    clock.step(SignedDuration::from_mins(60));
    ledger.reserve("windu", trace(), cents(7)).unwrap();
    // In Halifax it is half past midnight: only the second was spent today.
    ledger.set_zone(TimeZone::get("America/Halifax").unwrap());
    assert_eq!(
        (ledger.day().0.to_string().as_str(), spent(&ledger, "windu")),
        ("2026-11-23", (cents(7).0, 0))
    );
    ledger.set_zone(toronto());
    assert_eq!(spent(&ledger, "windu"), (cents(37).0, 0));
}

#[test]
fn caps_change_for_the_next_reservation() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(dir.path(), NOON);
    ledger.reserve("windu", trace(), cents(150)).unwrap();
    ledger.set_caps(Caps { agents: [("windu".to_owned(), Some(cents(100)))].into(), ..Caps::default() });
    assert_eq!(ledger.room("windu"), Nano(0));
    assert_eq!(ledger.room("anybody"), Nano(u64::MAX));
    ledger.set_caps(caps(None));
    assert_eq!(ledger.room("windu"), cents(50));
}

#[test]
fn what_was_spent_and_what_was_reserved_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let first = ledger(dir.path(), NOON);
    let lost = first.reserve("windu", trace(), cents(30)).unwrap();
    first.reserve("windu", trace(), cents(20)).unwrap().settle(cents(5));
    let again = Ledger::open(dir.path(), clock(NOON), toronto(), caps(Some(40))).unwrap();
    assert_eq!(again.room("windu"), cents(5), "in one process it is the same ledger, with the new caps");
    // A copy of the directory is what a dead process leaves.
    let copy = tempfile::tempdir().unwrap();
    fs::copy(dir.path().join("budget.journal"), copy.path().join("budget.journal")).unwrap();
    drop((lost, first, again));
    let reopened = ledger(copy.path(), NOON);
    assert_eq!(spent(&reopened, "windu"), (cents(35).0, 0), "what was under way counts at its reservation");
    let stranded = reopened.stranded();
    assert_eq!(stranded.iter().map(|left| left.cost).collect::<Vec<_>>(), [cents(30), cents(5)]);
    assert_eq!(stranded[0].day.to_string(), "2026-11-22");
    let cleanly = ledger(dir.path(), NOON);
    assert_eq!(spent(&cleanly, "windu"), (cents(35).0, 0));
}

#[test]
fn a_torn_last_line_is_as_if_it_had_never_been_begun() {
    let dir = tempfile::tempdir().unwrap();
    let first = ledger(dir.path(), NOON);
    first.reserve("windu", trace(), cents(30)).unwrap().settle(cents(3));
    let whole = fs::read(dir.path().join("budget.journal")).unwrap();
    first.reserve("windu", trace(), cents(40)).unwrap();
    let both = fs::read(dir.path().join("budget.journal")).unwrap();
    for cut in whole.len()..both.len() {
        let copy = tempfile::tempdir().unwrap();
        sanctum_kernel::files::replace(&copy.path().join("budget.journal"), &both[..cut], 0o600).unwrap();
        let reopened = ledger(copy.path(), NOON);
        // Two lines are torn here: the second reservation, and its settlement when it was dropped.
        let expected = [cents(3).0, cents(43).0];
        assert!(expected.contains(&spent(&reopened, "windu").0), "cut at {cut}");
        reopened.reserve("windu", trace(), cents(1)).unwrap();
        drop(reopened);
        assert_eq!(
            spent(&ledger(copy.path(), NOON), "windu").0 % cents(10).0,
            cents(4).0,
            "and it can be written on"
        );
    }
}

#[test]
fn people_are_told_once_a_day_at_four_fifths_and_once_when_it_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock(NOON);
    let ledger = Ledger::open(dir.path(), clock.clone(), toronto(), caps(Some(1000))).unwrap();
    let spend = |part| ledger.reserve("windu", trace(), cents(part)).unwrap().settle(cents(part));
    spend(159);
    assert_eq!(ledger.warnings(), []);
    spend(1);
    let [near] = ledger.warnings().try_into().unwrap();
    assert_eq!(
        (near.agent.as_str(), near.level, near.settled, near.cap),
        ("windu", Level::Near, cents(160), cents(200))
    );
    insta::assert_snapshot!(format!("{}\n{}\n{}", near.title(), near.message(), near.dedup_key()));
    assert_eq!(ledger.warnings().len(), 1, "until somebody says that it was told");
    ledger.told(&near);
    assert_eq!(ledger.warnings(), []);
    spend(35);
    assert!(ledger.reserve("windu", trace(), cents(6)).is_err());
    let [gone] = ledger.warnings().try_into().unwrap();
    assert_eq!((gone.level, gone.settled), (Level::Gone, cents(195)), "the last cents fit no request");
    ledger.told(&gone);
    drop(ledger);
    let ledger = Ledger::open(dir.path(), clock.clone(), toronto(), caps(Some(1000))).unwrap();
    assert_eq!(ledger.warnings(), [], "also after a restart");
    clock.step(SignedDuration::from_hours(24));
    ledger.reserve("windu", trace(), cents(170)).unwrap().settle(cents(170));
    assert_eq!(ledger.warnings().len(), 1, "the next day is another");
}

#[test]
fn the_journal_is_written_anew_at_a_new_day_and_when_it_was_taken_away() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock(NOON);
    let path = dir.path().join("budget.journal");
    let ledger = Ledger::open(dir.path(), clock.clone(), toronto(), caps(None)).unwrap();
    let held = ledger.reserve("windu", trace(), cents(9)).unwrap();
    for _ in 0..200 {
        ledger.reserve("free", trace(), cents(1)).unwrap().settle(cents(1));
    }
    let long = fs::metadata(&path).unwrap().len();
    ledger.tend();
    assert_eq!(fs::metadata(&path).unwrap().len(), long, "nothing to do");
    fs::remove_file(&path).unwrap();
    ledger.tend();
    assert!(path.exists());
    clock.step(SignedDuration::from_hours(24));
    ledger.reserve("free", trace(), cents(2)).unwrap().settle(cents(2));
    ledger.tend();
    let copy = tempfile::tempdir().unwrap();
    fs::copy(&path, copy.path().join("budget.journal")).unwrap();
    held.settle(cents(4));
    let yesterday = super::ledger(copy.path(), NOON);
    assert_eq!((spent(&yesterday, "free").0, spent(&yesterday, "windu").0), (cents(200).0, cents(9).0));
}

#[test]
fn another_process_is_kept_out() {
    let dir = tempfile::tempdir().unwrap();
    let held = fs::File::create(dir.path().join("budget.lock")).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let refused = Ledger::open(dir.path(), clock(NOON), toronto(), caps(None)).unwrap_err();
    assert!(refused.to_string().ends_with("budget.lock` is in use by another process"), "{refused}");
}

#[test]
fn a_journal_of_a_newer_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("budget.journal");
    // FNV-1a of `sanctum-budget 2`.
    let newer = b"sanctum-budget 2 *97c9c7ec\n";
    sanctum_kernel::files::replace(&path, newer, 0o600).unwrap();
    let refused = Ledger::open(dir.path(), clock(NOON), toronto(), caps(None)).unwrap_err();
    assert!(refused.to_string().ends_with("was written by a newer version"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), newer);
}
