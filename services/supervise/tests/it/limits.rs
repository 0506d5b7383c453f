//! Users, limits, and everything else a process is born with. These tests need root.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use sanctum_api::supervise::Phase;
use sanctum_testkit::eventually;

use crate::house::{SOON, client, file, log, new, of, phase, script, written};

fn root() {
    assert!(rustix::process::geteuid().is_root(), "this test starts processes of other users: it needs root");
}

#[tokio::test]
async fn a_process_is_born_as_it_is_declared() {
    root();
    let script = script(
        "app",
        "trap 'echo asked to end; exit 0' USR1; echo who=$(id -un):$(id -gn) home=$HOME; echo files=$(ulimit -n) core=$(ulimit -c) cpu=$(ulimit -t); \
         echo nice=$(cut -d' ' -f19 /proc/self/stat) oom=$(cat /proc/self/oom_score_adj) in=$PWD; \
         echo plain=$PLAIN secret=$SECRET; while :; do sleep 0.05; done",
        "run.user = \"nobody\"\nrun.directory = \"/var\"\nrun.nice = 5\nrun.oom-score = 500\nrun.stop-signal = \"USR1\"\n\
         run.limits = { files = 123, cpu = \"1h\" }\nrun.environment = { PLAIN = \"a b\", SECRET = \"file:key\" }",
    );
    let stopped = new(Vec::new()).config(&file(&[script]));
    stopped.paths().prepare().unwrap();
    sanctum_kernel::files::replace(&stopped.paths().secrets().join("key"), b"hunter2\n", 0o600).unwrap();
    let house = stopped.start().await;
    phase(&house, "app", Phase::Ready).await;
    let paths = house.paths().clone();
    let said = eventually("its words", SOON, async || {
        let log = log(&paths, "app");
        log.contains("secret=").then_some(log)
    })
    .await;
    for part in [
        "who=nobody:nogroup home=/nonexistent",
        "files=123 core=0 cpu=3600",
        "nice=5 oom=500 in=/var",
        "plain=a b secret=hunter2",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    client(&house).act("app", "stop").await.unwrap();
    phase(&house, "app", Phase::Stopped).await;
    written(&paths, "app", "--- ended", 1).await;
    let log = log(&paths, "app");
    assert!(log.contains("asked to end"), "by the signal it asked for: {log}");
    house.stop().await;
}

#[tokio::test]
async fn one_that_becomes_somebody_else_while_it_waits_is_heard() {
    root();
    // Where another user can come to it.
    let place = tempfile::tempdir().unwrap();
    std::fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    let program = place.path().join("misbehave");
    std::fs::copy(env!("CARGO_BIN_EXE_misbehave"), &program).unwrap();
    let gate = place.path().join("gate");
    let first = script("first", "while ! test -e $GATE; do sleep 0.02; done", "kind = \"one-shot\"");
    let first = format!("{first}run.environment = {{ GATE = {gate:?} }}\n");
    let second = |more: &str| {
        format!(
            "[service.second]\nrun.command = [{program:?}, \"--notify\", \"0\"]\nrun.notify = true\nrequires = [\"first\"]\n{more}"
        )
    };
    let mut house = of(&[first.clone(), second("")]).await;
    phase(&house, "second", Phase::Waiting).await;
    house.reconfigure(&file(&[first, second("run.user = \"nobody\"\n")])).await;
    std::fs::File::create(&gate).unwrap();
    phase(&house, "second", Phase::Ready).await;
    house.stop().await;
}

#[tokio::test]
async fn what_a_person_must_change_first_locks_at_once_and_says_what() {
    let services = [
        script("a", "true", "run.user = \"nobody-of-that-name\""),
        script("b", "true", "run.directory = \"/nowhere/at/all\""),
        script("c", "true", "run.environment = { KEY = \"file:no-such-key\" }"),
    ];
    let house = of(&services).await;
    for (name, part) in [
        ("a", "there is no user `nobody-of-that-name`"),
        ("b", "`/nowhere/at/all` is not there"),
        ("c", "file:no-such-key"),
    ] {
        let locked = phase(&house, name, Phase::Locked).await.locked.unwrap();
        assert!(locked.reason.contains(part), "{}", locked.reason);
    }
    house.stop().await;
}

#[tokio::test]
async fn a_fork_bomb_ends_at_its_limits_and_whole() {
    root();
    let bomb = script(
        "bomb",
        "bomb() { sleep 100 & bomb & bomb & wait; }; bomb 2>/dev/null & exec sleep 1000",
        "run.user = \"games\"\nrun.grace = \"300ms\"\nrun.limits = { processes = 40, cpu = \"1m\" }",
    );
    let house = of(&[bomb]).await;
    phase(&house, "bomb", Phase::Ready).await;
    let of_games = || {
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter(|entry| {
                let status = std::fs::read_to_string(entry.path().join("status")).unwrap_or_default();
                status
                    .lines()
                    .any(|line| line.starts_with("Uid:") && line.split_ascii_whitespace().nth(1) == Some("5"))
                    && !status.contains("State:\tZ")
            })
            .count()
    };
    eventually("it to have gone off", SOON, async || (of_games() > 20).then_some(())).await;
    assert!(of_games() <= 41, "it is bounded");
    client(&house).act("bomb", "stop").await.unwrap();
    phase(&house, "bomb", Phase::Stopped).await;
    eventually("nothing to be left", SOON, async || (of_games() == 0).then_some(())).await;
    house.stop().await;
}
