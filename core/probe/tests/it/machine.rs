//! Processes, files, disks and memory of this machine.

use jiff::SignedDuration;
use sanctum_kernel::files;
use sanctum_probe::Finding::{Drift, Fail, Pass, Unknown};

use super::{expect, eyes};

#[tokio::test]
async fn a_process_is_found_by_its_name_and_by_its_number() {
    let mut child = std::process::Command::new("/bin/sleep").arg("60").spawn().unwrap();
    let eyes = eyes();
    let file = eyes.home.path().join("pid");
    files::replace(&file, format!("{}\n", child.id()).as_bytes(), 0o600).unwrap();
    let by_file = |more: &str| format!("process = {{ pid-file = {file:?}{more} }}");
    for (check, finding) in [
        (by_file(""), Pass),
        (by_file(", name = \"sleep\""), Pass),
        (by_file(", name = \"nginx\""), Fail),
        (by_file(", max-memory = \"1KiB\""), Drift),
        (by_file(", max-memory = \"1GiB\""), Pass),
        ("process = { name = \"sleep\" }".to_owned(), Pass),
        ("process = { name = \"no-such-program\" }".to_owned(), Fail),
    ] {
        let answer = eyes.ask(&check).await;
        assert_eq!(answer.finding, finding, "{check}: {}", answer.detail);
    }
    child.kill().unwrap();
    // Not waited for: what is dead is dead, also while somebody has not heard of it.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while eyes.ask(&by_file("")).await.finding != Fail {
        assert!(std::time::Instant::now() < deadline, "it is dead");
    }
    child.wait().unwrap();
    files::replace(&file, b"nonsense", 0o600).unwrap();
    assert_eq!(eyes.ask(&by_file("")).await.finding, Fail);
    expect("process = { pid-file = \"/no/such/file\" }", Fail, "no such file").await;
}

#[tokio::test]
async fn a_file_is_there_fresh_and_of_its_size() {
    let eyes = eyes();
    let file = eyes.home.path().join("backup");
    let at = |more: &str| format!("file = {{ path = {file:?}{more} }}");
    assert!(eyes.ask(&at("")).await.detail.contains("is not there"));
    files::replace(&file, &[7; 2048], 0o600).unwrap();
    for (more, finding) in [
        ("", Pass),
        (", max-age = \"1h\"", Pass),
        (", min-size = \"2KiB\", max-size = \"2KiB\"", Pass),
        (", max-size = \"1KiB\"", Fail),
        (", min-size = \"1MiB\"", Fail),
    ] {
        let answer = eyes.ask(&at(more)).await;
        assert_eq!(answer.finding, finding, "{more}: {}", answer.detail);
    }
    eyes.clock.step(SignedDuration::from_hours(26));
    let old = eyes.ask(&at(", max-age = \"1d\"")).await;
    assert_eq!(old.finding, Fail, "{}", old.detail);
    assert!(old.detail.contains("26 h old; older than 1d"), "{}", old.detail);
    assert!(old.value.unwrap() > 90_000.0);
    // A clock that went back a year: nothing that is seen of ages can be believed.
    eyes.clock.step(SignedDuration::from_hours(-24 * 365));
    assert_eq!(eyes.ask(&at(", max-age = \"1d\"")).await.finding, Drift);
}

#[tokio::test]
async fn a_disk_has_room() {
    let answer = super::ask("disk = { path = \"/\", max-used = 100 }").await;
    assert!(matches!(answer.finding, Pass | Drift), "{}", answer.detail);
    assert!((0.0..=100.0).contains(&answer.value.unwrap()), "{answer:?}");
    expect("disk = { path = \"/\", min-free = \"900000000GiB\" }", Fail, "should be").await;
    expect("disk = { path = \"/no/such/place\" }", Fail, "could not be looked at").await;
    expect("disk = { path = \"/proc\" }", Unknown, "without a size").await;
}

#[tokio::test]
async fn memory_is_left() {
    expect("memory = { min-available = \"1MiB\" }", Pass, "available").await;
    expect("memory = { min-available = \"900000GiB\" }", Fail, "should be").await;
    let pressed = super::ask("memory = { max-pressure = 100 }").await;
    assert!(matches!(pressed.finding, Pass | Unknown), "{}", pressed.detail);
}
