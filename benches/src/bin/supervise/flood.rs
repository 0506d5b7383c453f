//! A child that prints as fast as a disk may not write, beside some that print a little: who waits, and what is lost.

use std::fs;
use std::thread::park_timeout as sleep;
use std::time::Duration;

use sanctum_kernel::Failure;
use serde_json::{Value, json};

use crate::kinds::{Graph, Kind, Places};
use crate::measure::Running;

/// Children that print a little.
const OTHERS: usize = 4;

/// For `seconds` at `rate` MB a second.
pub(crate) fn measure(places: &Places, seconds: u64, rate: u64) -> Result<Value, Failure> {
    let child = places.child.display().to_string();
    let dir = tempfile::tempdir()?;
    let mut more = String::from("[supervise.log]\nsize = \"8MiB\"\nkeep = 3\n");
    let service = |name: &str, words: &[String], sock: &str| {
        format!(
            "\n[service.{name}.run]\ncommand = {words:?}\nnotify = true\n[service.{name}.run.environment]\nBENCH_SOCK = {sock:?}\n"
        )
    };
    // The place of the socket is known when the bench has begun: a fixed name beside it.
    let sock = dir.path().join("link").display().to_string();
    more += &service(
        "flood",
        &[child.clone(), "--flood".into(), "flood".into(), seconds.to_string(), rate.to_string()],
        &sock,
    );
    for at in 0..OTHERS {
        let name = format!("steady{at}");
        more += &service(&name, &[child.clone(), "--steady".into(), name.clone(), "200".into()], &sock);
    }
    let book = crate::book::Book::open(dir.path())?;
    fs::hard_link(&book.path, dir.path().join("link"))?;
    let running = Running::start(Kind::Ours, places, &Graph::new(0, 1, 0), &more)?;
    let flood = ["flood".to_owned()];
    let mut most = 0.0_f64;
    let mut said = None;
    for _ in 0..(seconds + 30) * 20 {
        most = most.max(resident(running.child.id()));
        said = book.first("flood", 'F', 0);
        if said.is_some() {
            break;
        }
        sleep(Duration::from_millis(50));
    }
    let said = said
        .or_else(|| book.wait(&flood, 'F', 0, Duration::from_millis(1))?.pop())
        .ok_or("the flood did not end")?;
    let numbers: Vec<u64> = said.more.split(' ').filter_map(|word| word.parse().ok()).collect();
    let at = |at: usize| numbers.get(at).copied().unwrap_or(0);
    sleep(Duration::from_secs(1));
    let lost: u64 = (0..OTHERS).map(|at| gaps(running.dir.path(), &format!("steady{at}"))).sum();
    let kept = fs::read_dir(running.dir.path().join("logs"))?
        .flatten()
        .filter(|file| file.file_name().to_string_lossy().starts_with("flood.log"));
    let kept: u64 = kept.filter_map(|file| Some(file.metadata().ok()?.len())).sum();
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let real = |number: u64| number as f64;
    Ok(json!({
        "asked_mb_s": rate,
        "printed_mb_s": at(2) / at(3).max(1),
        "longest_wait_ms": real(at(0)) / 1000.0,
        "waited_share": real(at(1)) / real(at(3).max(1)),
        "lines_of_others_lost": lost,
        "kept_mb": real(kept) / 1e6,
        "most_mb": most,
    }))
}

/// Resident memory in MB.
fn resident(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<f64>().ok()).unwrap_or(0.0)
        / 1024.0
}

/// Numbers that are missing in a log.
fn gaps(home: &std::path::Path, name: &str) -> u64 {
    let text = fs::read_to_string(home.join(format!("logs/{name}.log"))).unwrap_or_default();
    let numbers: Vec<u64> =
        text.lines().filter_map(|line| line.split_once("steady ")?.1.parse().ok()).collect();
    let expected = numbers.last().map_or(u64::MAX, |last| last + 1);
    expected.saturating_sub(u64::try_from(numbers.len()).unwrap_or(0))
}
