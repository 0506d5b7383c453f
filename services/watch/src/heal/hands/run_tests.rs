//! Programs that do not behave, within their bounds.

use super::*;

const BOUNDS: Bounds =
    Bounds { time: Duration::from_secs(20), output: 4096, memory: 512 << 20, processes: 24 };

async fn sh(script: &str, bounds: Bounds) -> Result<Ran, RunError> {
    let arguments = ["-c", script].map(OsString::from);
    run(Path::new("/bin/sh"), &arguments, Path::new("/"), bounds).await
}

/// Nobody who printed its number lives.
fn nobody_lives(output: &str) {
    for pid in output.split_ascii_whitespace().filter_map(|word| word.parse::<u32>().ok()) {
        assert_eq!(sanctum_kernel::process::born(pid), None, "{pid} still lives");
    }
}

#[tokio::test]
async fn what_it_says_and_how_it_ends_is_told() {
    let ran = sh("echo one; echo two >&2; exit 3", BOUNDS).await.unwrap();
    assert_eq!(ran.code, Some(3));
    assert!(ran.output.contains("one\n") && ran.output.contains("two\n"), "{}", ran.output);
    assert!(matches!(
        run(Path::new("/nonexistent/x"), &[], Path::new("/"), BOUNDS).await,
        Err(RunError::NotStarted(..))
    ));
}

#[tokio::test]
async fn it_sees_nothing_of_our_environment() {
    let ran = sh("env", BOUNDS).await.unwrap();
    let mut names: Vec<&str> =
        ran.output.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    names.retain(|name| !matches!(*name, "PWD" | "OLDPWD" | "SHLVL" | "_"));
    names.sort_unstable();
    assert_eq!(names, ["LC_ALL", "PATH", "SANCTUM_HEAL", "SANCTUM_HOME"]);
}

#[tokio::test]
async fn one_that_never_returns_is_ended_with_all_it_started() {
    let bounds = Bounds { time: Duration::from_millis(600), ..BOUNDS };
    let file = tempfile::NamedTempFile::new().unwrap();
    let script = format!(
        "trap '' TERM HUP INT; exec 3>{}; echo $$ >&3; (setsid sh -c 'echo $$ >&3; exec sleep 1000') & \
         (sh -c 'echo $$ >&3; exec sleep 1000') & sleep 1000",
        file.path().display()
    );
    assert!(matches!(sh(&script, bounds).await, Err(RunError::Slow(_))));
    let pids = std::fs::read_to_string(file.path()).unwrap();
    assert_eq!(pids.split_ascii_whitespace().count(), 3, "{pids}");
    nobody_lives(&pids);
}

#[tokio::test]
async fn what_it_leaves_behind_is_ended_when_it_ends_well() {
    let ran = sh("(setsid sleep 1000 >/dev/null 2>&1 & echo $!); exit 0", BOUNDS).await.unwrap();
    assert_eq!(ran.code, Some(0));
    nobody_lives(&ran.output);
}

#[tokio::test]
async fn a_flood_of_output_is_cut_and_does_not_block() {
    let ran = sh("yes 0123456789 | head -c 30000000; echo done >&2; exit 0", BOUNDS).await.unwrap();
    assert_eq!(ran.code, Some(0));
    assert!(ran.cut && ran.output.len() == 4096, "{}", ran.output.len());
    assert!(ran.words().ends_with("(and more than is kept)"));
}

#[tokio::test]
async fn one_that_multiplies_is_ended_whole() {
    // It stops by itself at 120, so that a broken bound does not take the machine with it.
    let script =
        "i=0; while [ $i -lt 120 ]; do setsid sh -c 'exec sleep 1000' & i=$((i+1)); done; sleep 1000";
    let ran = sh(script, BOUNDS).await;
    assert!(matches!(ran, Err(RunError::TooMany(24) | RunError::Slow(_)) | Ok(_)), "{ran:?}");
    if rustix::process::geteuid().is_root() {
        assert!(matches!(ran, Err(RunError::TooMany(24))), "{ran:?}");
    }
    let left = process::all().into_iter().filter(|process| process.name == "sleep" && process.parent == 1);
    let left: Vec<u32> = left
        .map(|process| process.pid)
        .filter(|pid| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.windows(13).any(|window| window == b"SANCTUM_HEAL=")
        })
        .collect();
    assert_eq!(left, Vec::<u32>::new());
}

#[tokio::test]
async fn memory_and_files_have_their_limits() {
    let bounds = Bounds { memory: 64 << 20, ..BOUNDS };
    let ran = sh("ulimit -v; ulimit -n; ulimit -c; ulimit -f", bounds).await.unwrap();
    let lines: Vec<&str> = ran.output.lines().collect();
    assert_eq!(lines, ["65536", "256", "0", "131072"]);
    let ran = sh("head -c 200000000 /dev/zero | tail", bounds).await.unwrap();
    assert_ne!(ran.output.len(), 200_000_000);
}
