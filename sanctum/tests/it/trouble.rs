//! What a command says when it fails: words for people, one shape of JSON for scripts.

use sanctum_testkit::kernel::files::replace;

use crate::program::Program;

#[test]
fn every_failure_is_one_json_problem_on_standard_output() {
    let house = Program::with_house();
    let bare = Program::new();
    for (program, words, code, kind) in [
        (&bare, &["devices"][..], 66, "urn:sanctum:file-missing"),
        (&bare, &["up"], 66, "urn:sanctum:file-missing"),
        (&bare, &["init"], 64, "urn:sanctum:usage"),
        (&bare, &["no-such-verb"], 64, "urn:sanctum:usage"),
        (&house, &["devices"], 69, "urn:sanctum:unavailable"),
        (&house, &["firewall", "status"], 69, "urn:sanctum:unavailable"),
        (&house, &["screen"], 69, "urn:sanctum:unavailable"),
        (&house, &["status", "--url"], 69, "urn:sanctum:unavailable"),
        (&house, &["firewall", "import", "/nowhere.json"], 66, "urn:sanctum:file-missing"),
        (&house, &["config", "explain", "house.colour"], 1, "urn:sanctum:no"),
    ] {
        let said = program.json(words);
        assert_eq!(
            (said["exit_code"].as_i64(), said["type"].as_str()),
            (Some(code), Some(kind)),
            "{words:?}: {said:#}"
        );
        assert!(said["title"].as_str().is_some_and(|title| !title.is_empty()), "{words:?}: {said:#}");
        assert!(said["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{words:?}: {said:#}");
    }
    let wrong = Program::new();
    wrong.write("[house]\ntimezone = \"Paris\"\n");
    let said = wrong.json(&["up"]);
    assert_eq!(said["type"], "urn:sanctum:bad-configuration", "{said:#}");
    assert!(said["detail"].as_str().unwrap().contains("Paris"), "{said:#}");
}

#[test]
fn what_a_service_refuses_keeps_its_field_its_value_and_what_is_allowed() {
    let program = Program::with_house();
    program.ok(&["up", "--detach"]);
    let said = program.json(&["devices", "show", "toaster"]);
    assert_eq!((said["status"].as_i64(), said["value"].as_str()), (Some(404), Some("toaster")), "{said:#}");
    assert_eq!((said["type"].as_str(), said["exit_code"].as_i64()), (Some("urn:sanctum:not-found"), Some(1)));
    program.ok(&["down"]);
    let said = program.json(&["devices"]);
    assert_eq!(
        (said["title"].as_str(), said["hint"].as_str()),
        (Some("the house is not running"), Some("`sanctum up` starts it"))
    );
}

#[test]
fn a_simulated_router_is_switched_off_without_touching_this_machine() {
    let program = Program::with_house();
    let tools = tempfile::tempdir().unwrap();
    let (nft, ran) = (tools.path().join("nft"), tools.path().join("ran"));
    replace(&nft, format!("#!/bin/sh\ntouch {}\n", ran.display()).as_bytes(), 0o755).unwrap();
    let path = format!("{}:{}", tools.path().display(), std::env::var("PATH").unwrap());
    let off = || program.command(&["firewall", "off"]).env("PATH", &path).output().unwrap();
    let down = off();
    assert!(
        down.status.success() && String::from_utf8_lossy(&down.stdout).contains("nothing to take away"),
        "{down:?}"
    );
    program.ok(&["up", "--detach"]);
    let up = off();
    assert!(up.status.success() && String::from_utf8_lossy(&up.stdout).contains("simulated"), "{up:?}");
    assert!(!ran.exists(), "nft was run on this machine");
    let router = program.json(&["firewall", "status"]);
    assert_eq!(router["off"], true, "{router:#}");
    program.ok(&["firewall", "on"]);
    program.ok(&["down"]);
}

#[test]
fn a_secret_that_cannot_be_read_is_named_with_its_place() {
    let program = Program::with_house();
    let house = std::fs::read_to_string(program.home().join("sanctum.toml")).unwrap();
    let channel =
        "[notify.channel.webhook.hook]\nurl = \"https://example.org/hook\"\nsecret = \"file:hook-key\"\n";
    let at = house.lines().count() as u64 + 4;
    program.write(&format!("{house}\n{channel}"));
    let ran = program.run(&["config", "check"]);
    assert_eq!(ran.code, 78, "{ran:?}");
    assert!(
        ran.out.contains("could not read the secret `file:hook-key`") && ran.out.contains("^^^"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("chmod 600"), "{}", ran.out);
    let report = program.json(&["config", "check"]);
    assert_eq!(
        (&report["ok"], report["problems"][0]["line"].as_u64()),
        (&false.into(), Some(at)),
        "{report:#}"
    );
    assert!(program.run(&["doctor"]).out.contains("1 secret cannot be read"));
    let secrets = program.home().join("secrets");
    std::fs::create_dir_all(&secrets).unwrap();
    replace(&secrets.join("hook-key"), b"", 0o600).unwrap();
    assert!(program.run(&["config", "check"]).out.contains("is empty"));
    replace(&secrets.join("hook-key"), b"0123456789abcdef0123456789abcdef", 0o600).unwrap();
    assert!(program.ok(&["config", "check"]).starts_with("good:"));
}

#[test]
fn who_lifts_a_block_of_the_rules_is_told_that_it_comes_back_and_what_to_do() {
    let program = Program::with_house();
    let house = std::fs::read_to_string(program.home().join("sanctum.toml")).unwrap();
    let family = "[person.ava]\nrole = \"child\"\n[device.xbox]\nmac = [\"60:45:bd:12:34:56\"]\nowner = \"ava\"\ntier = \"gaming\"\n";
    program.write(&format!("{house}\n{family}"));
    program.ok(&["up", "--detach"]);
    program.ok(&["screen", "curfew", "--for", "ava"]);
    let ran = program.run(&["devices", "unblock", "xbox"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.contains("block it again (") && ran.out.contains("sanctum screen clear"), "{ran:?}");
    let way = ran.out.split("Instead: sanctum ").nth(1).unwrap().trim().to_owned();
    let words: Vec<&str> = way.split(' ').collect();
    program.ok(&words);
    program.ok(&["devices", "unblock", "xbox"]);
    assert!(!ran.out.contains('T') || !ran.out.contains("Z "), "no instants for people: {}", ran.out);
    program.ok(&["down"]);
}
