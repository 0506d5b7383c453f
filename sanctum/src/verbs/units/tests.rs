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
        assert!(text.contains("Type=exec\n") && text.contains("StartLimitIntervalSec=0\n") && text.contains("RestartPreventExitStatus=64 66 78\n"), "{text}");
        assert_eq!(text.contains("CAP_NET_ADMIN"), matches!(entry.spec.name, "firewall" | "supervise"), "{text}");
    }
}

/// systemd's own opinion, where systemd is.
#[test]
fn systemd_finds_nothing_wrong() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else { return };
    assert!(version.status.success());
    let dir = tempfile::tempdir().expect("a directory");
    let place = Place { binary: Path::new("/bin/true"), home: Path::new("/tmp") };
    let paths: Vec<PathBuf> = CATALOGUE
        .iter()
        .map(|entry| {
            let unit = Platform::Systemd.unit(entry.spec, &place);
            let path = dir.path().join(&unit.file);
            files::replace(&path, unit.text.as_bytes(), 0o644).expect("a file");
            path
        })
        .collect();
    let verdict = Command::new("systemd-analyze").arg("verify").arg("--man=no").args(&paths).output().expect("a verdict");
    let said = String::from_utf8_lossy(&verdict.stderr).into_owned();
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("sanctum-")).collect();
    assert!(ours.is_empty(), "{said}");
}
