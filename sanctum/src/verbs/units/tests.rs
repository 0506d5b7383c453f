//! Unit files as people get them, and as their readers take them.

use std::process::Command;

use super::*;

fn text(platform: Platform, name: &str) -> String {
    let spec = CATALOGUE.find(name).expect("a service").spec;
    let place = Place { binary: Path::new("/usr/bin/sanctum"), home: Path::new("/var/lib/sanctum") };
    platform.unit(spec, &place).text
}

#[test]
fn systemd_units() {
    for name in ["notify", "firewall", "screen", "supervise"] {
        insta::assert_snapshot!(format!("systemd-{name}"), text(Platform::Systemd, name));
    }
}

#[test]
fn launchd_lists() {
    for name in ["notify", "supervise"] {
        insta::assert_snapshot!(format!("launchd-{name}"), text(Platform::Launchd, name));
    }
}

#[test]
fn every_list_is_xml_and_says_what_launchd_needs() {
    for entry in &CATALOGUE {
        let strange = Place { binary: Path::new("/opt/a & b/<sanctum>"), home: Path::new("/Users/ann & bob/.sanctum") };
        let unit = Platform::Launchd.unit(entry.spec, &strange);
        let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
        let document = roxmltree::Document::parse_with_options(&unit.text, options).unwrap_or_else(|error| panic!("{error}\n{}", unit.text));
        let text_after = |key: &str| {
            let key = document.descendants().find(|node| node.has_tag_name("key") && node.text() == Some(key)).expect("the key");
            key.next_sibling_element().expect("a value")
        };
        assert_eq!(text_after("Label").text(), Some(format!("dev.sanctum.{}", entry.spec.name)).as_deref());
        assert!(text_after("KeepAlive").has_tag_name("true"));
        assert_eq!(text_after("ThrottleInterval").text(), Some("10"));
        assert_eq!(text_after("ExitTimeOut").text(), Some((entry.spec.grace.as_secs() + 5).to_string()).as_deref());
        assert_eq!(text_after("SANCTUM_HOME").text(), Some("/Users/ann & bob/.sanctum"));
        let words: Vec<_> = text_after("ProgramArguments").children().filter_map(|word| word.text()).map(str::trim).filter(|word| !word.is_empty()).collect();
        assert_eq!(words.first(), Some(&"/opt/a & b/<sanctum>"));
    }
}

#[test]
fn every_unit_waits_for_what_it_needs() {
    for entry in &CATALOGUE {
        let text = text(Platform::Systemd, entry.spec.name);
        for need in entry.spec.needs {
            let unit = format!("sanctum-{need}.service");
            let has = |key: &str| text.lines().any(|line| line.starts_with(key) && line.split(['=', ' ']).any(|word| word == unit));
            assert!(has("After=") && has("Wants="), "{text}");
        }
        let kind = if entry.spec.name == "supervise" { "Type=notify\n" } else { "Type=exec\n" };
        assert!(text.contains(kind) && text.contains("StartLimitIntervalSec=0\n") && text.contains("RestartPreventExitStatus=64 66 78\n"), "{text}");
        assert_eq!(text.contains("CAP_NET_ADMIN"), matches!(entry.spec.name, "firewall" | "supervise"), "{text}");
    }
}

fn house() -> House {
    let text = r#"
        [house]
        timezone = "Europe/Paris"
        [service.broker]
        run = { command = ["/usr/bin/broker", "--data", "/var/lib/100% sure"], user = "broker", stop-signal = "INT", notify = true, limits = { files = 4096 } }
        [service.home-assistant]
        summary = "lights & scenes"
        requires = ["broker"]
        after = ["notify"]
        run = { command = ["hass"], environment = { TOKEN = "file:hass", MODE = "a b" } }
        [service.backup]
        kind = "scheduled"
        run = { command = ["/bin/backup"], schedule = { cron = "30 3 1 * mon-fri", jitter = "10m", timeout = "2h" } }
    "#;
    toml::from_str(text).expect("a house")
}

#[test]
fn foreign_services_have_units_of_the_same_kind() {
    let house = house();
    let place = Place { binary: Path::new("/usr/bin/sanctum"), home: Path::new("/var/lib/sanctum") };
    let systemd: Vec<Unit> = foreign(&house).flat_map(|foreign| foreign.systemd(&place)).collect();
    let files: Vec<&str> = systemd.iter().map(|unit| unit.file.as_str()).collect();
    assert_eq!(files, ["sanctum-backup.service", "sanctum-backup.timer", "sanctum-broker.service", "sanctum-home-assistant.service"]);
    insta::assert_snapshot!("systemd-foreign", systemd.iter().map(|unit| format!("# {}\n{}", unit.file, unit.text)).collect::<Vec<_>>().join("\n"));
    let launchd: Vec<Unit> = foreign(&house).map(|foreign| foreign.launchd(&place)).collect();
    for unit in &launchd {
        let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
        roxmltree::Document::parse_with_options(&unit.text, options).unwrap_or_else(|error| panic!("{error}\n{}", unit.text));
        assert!(!unit.text.contains("file:hass</string>"), "a secret's place is no value");
    }
    insta::assert_snapshot!("launchd-foreign", launchd.iter().map(|unit| unit.text.clone()).collect::<Vec<_>>().join("\n"));
}

/// C8: whoever keeps the house is itself kept, for ever, and noticed when it hangs.
#[test]
fn c8_the_supervisor_is_kept_by_the_platform() {
    let systemd = text(Platform::Systemd, "supervise");
    for line in ["Restart=always", "StartLimitIntervalSec=0", "Type=notify", "NotifyAccess=main", "WatchdogSec=30", "KillMode=process"] {
        assert!(systemd.lines().any(|said| said == line), "{line}\n{systemd}");
    }
    let launchd = text(Platform::Launchd, "supervise");
    let flat: String = launchd.split_whitespace().collect();
    assert!(flat.contains("<key>KeepAlive</key><true/>") && flat.contains("<key>ThrottleInterval</key><integer>10</integer>"), "{launchd}");
}

/// systemd's own opinion, where systemd is.
#[test]
fn systemd_finds_nothing_wrong() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else { return };
    assert!(version.status.success());
    let dir = tempfile::tempdir().expect("a directory");
    let place = Place { binary: Path::new("/bin/true"), home: Path::new("/tmp") };
    let house = house();
    let ours = CATALOGUE.iter().map(|entry| Platform::Systemd.unit(entry.spec, &place));
    let theirs = foreign(&house).flat_map(|foreign| foreign.systemd(&place));
    let paths: Vec<PathBuf> = ours
        .chain(theirs)
        .map(|unit| {
            let path = dir.path().join(&unit.file);
            files::replace(&path, unit.text.as_bytes(), 0o644).expect("a file");
            path
        })
        .collect();
    let verdict = Command::new("systemd-analyze").arg("verify").arg("--man=no").args(&paths).output().expect("a verdict");
    let said = String::from_utf8_lossy(&verdict.stderr).into_owned();
    // The programs of a file that a test has made up are not on this machine.
    let ours = said.lines().filter(|line| line.contains("sanctum-") && !line.contains("is not executable"));
    let ours: Vec<&str> = ours.collect();
    assert!(ours.is_empty(), "{said}");
}
