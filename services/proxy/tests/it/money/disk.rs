//! A full disk: nothing that costs is given out, nothing that was given out is forgotten, and it is said.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sanctum_kernel::Status;
use sanctum_proxy::budget::Spent;
use sanctum_proxy::kinds::Nano;
use sanctum_proxy::usage::{Finish, Line};

use super::{NOON, cents, clock, ledger, spent, trace, usage};

/// A small file system in memory, gone with this value.
struct Small(PathBuf);

impl Small {
    fn mount(path: &Path) -> Self {
        run(&["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "none", &path.display().to_string()]);
        Self(path.to_owned())
    }

    /// Fills it to the last byte; room again when the file is removed.
    fn fill(&self) -> PathBuf {
        let filler = self.0.join("filler");
        let mut file = File::create(&filler).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        while file.write_all(&[0]).is_ok() {}
        filler
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        run(&["umount", "-l", &self.0.display().to_string()]);
    }
}

fn run(words: &[&str]) {
    let output = Command::new(words[0])
        .args(&words[1..])
        .output()
        .unwrap_or_else(|error| panic!("`{}` is needed: {error}", words[0]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "this test needs root: {words:?}: {said}");
}

/// Reserves until the last page of the journal is full and the disk has no other.
fn until_refused(ledger: &sanctum_proxy::budget::Ledger) -> (u64, Spent) {
    for number in 0..10_000 {
        match ledger.reserve("free", trace(), Nano(1)) {
            Ok(reservation) => drop(reservation),
            Err(refused) => return (number, refused),
        }
    }
    panic!("a full disk was not noticed");
}

#[test]
fn on_a_full_disk_nothing_is_spent_and_what_was_under_way_is_settled_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let small = Small::mount(dir.path());
    let kept = ledger(dir.path(), NOON);
    let mut under_way = kept.reserve("windu", trace(), cents(90)).unwrap();
    let filler = small.fill();
    let (free, refused) = until_refused(&kept);
    assert!(
        matches!(&refused, Spent::Unkept(why) if why.contains("budget.journal") && why.contains("No space left")),
        "{refused}"
    );
    // A shorter line may still fit behind the last.
    let more = (0..100).find(|_| under_way.extend(Nano(1)).is_err());
    assert!(more.is_some(), "also not a little more");
    let costless = kept.reserve("free", trace(), Nano(0)).expect("what costs nothing goes on");
    under_way.settle(cents(35));
    drop(costless);
    assert!(kept.trouble().is_some());
    assert_eq!(spent(&kept, "windu"), (cents(35).0, 0));
    assert_eq!(spent(&kept, "free"), (free, 0), "what was refused is not counted");
    fs::remove_file(&filler).unwrap();
    kept.tend();
    assert_eq!(kept.trouble(), None);
    // What a dead process would leave now.
    let copy = tempfile::tempdir().unwrap();
    fs::copy(dir.path().join("budget.journal"), copy.path().join("budget.journal")).unwrap();
    let reopened = ledger(copy.path(), NOON);
    assert_eq!((spent(&reopened, "windu").0, spent(&reopened, "free").0), (cents(35).0, free));
    kept.reserve("windu", trace(), cents(1)).unwrap();
}

#[test]
fn a_start_on_a_full_disk_still_knows_what_was_spent() {
    let dir = tempfile::tempdir().unwrap();
    let small = Small::mount(dir.path());
    let before = ledger(dir.path(), NOON);
    before.reserve("windu", trace(), cents(90)).unwrap().settle(cents(70));
    drop(before);
    let filler = small.fill();
    let after = ledger(dir.path(), NOON);
    assert_eq!(spent(&after, "windu"), (cents(70).0, 0));
    assert!(after.trouble().unwrap().contains("No space left"));
    fs::remove_file(&filler).unwrap();
    after.reserve("windu", trace(), cents(130)).unwrap();
}

#[test]
fn lines_wait_for_room_and_none_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let small = Small::mount(dir.path());
    let clock = clock(NOON);
    let (_ledger, log, well) = usage::open(dir.path(), &clock);
    let say = |number: u32| {
        let mut line = Line::new(clock.now(), trace(), "windu");
        (line.asked, line.finish, line.status) = (format!("m{number}"), Finish::Refused, 402);
        log.write(line);
    };
    (0..10).for_each(say);
    assert!(log.flush(Duration::from_secs(30)));
    let filler = small.fill();
    // More than the rest of the last page takes.
    (10..60).for_each(say);
    assert!(!log.flush(Duration::from_millis(300)));
    let (status, parts) = well.look();
    assert_eq!(status, Status::Unwell);
    assert!(parts["usage"].detail.contains("No space left") && parts["usage"].hint.is_some(), "{parts:?}");
    fs::remove_file(&filler).unwrap();
    assert!(log.flush(Duration::from_secs(30)));
    let lines = usage::read(&dir.path().join("usage/2026-11-22.jsonl"));
    let asked: Vec<String> = lines.into_iter().map(|line| line.asked).collect();
    assert_eq!(asked, (0..60).map(|number| format!("m{number}")).collect::<Vec<_>>());
    assert_eq!(well.look().1["usage"].status, Status::Well);
}
