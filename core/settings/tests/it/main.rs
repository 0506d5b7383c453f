//! The file as people get it wrong.

use std::path::Path;

use sanctum_kernel::{
    Catalogue, Complaint, Context, Entry, Failure, House, Listen, Period, Service, Spec, Stop, Wall,
};
use sanctum_settings::{check, example, explain};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct Config {
    /// How long to wait.
    patience: Period,
    /// When the day ends.
    bedtime: Wall,
    /// Names of rooms.
    rooms: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self { patience: Period::secs(30), bedtime: Wall::new(21, 30), rooms: Vec::new() }
    }
}

struct Bell;

impl Service for Bell {
    const SPEC: Spec = Spec {
        name: "bell",
        house_name: "Town Crier",
        summary: "rings",
        listen: &[Listen { name: "http", port: 4077, lore: "because" }],
        ..Spec::DEFAULT
    };
    type Config = Config;

    fn check(config: &Config, _: &House) -> Vec<Complaint> {
        let empty = config.rooms.iter().position(String::is_empty);
        empty
            .map(|at| Complaint::new(&["rooms", &at.to_string()], "a room needs a name"))
            .into_iter()
            .collect()
    }

    async fn build(_: Context<Config>) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        stop.requested().await;
        Ok(())
    }
}

struct Door;

impl Service for Door {
    const SPEC: Spec = Spec {
        name: "door",
        house_name: "Porter",
        summary: "opens",
        listen: &[Listen { name: "http", port: 4078, lore: "because" }],
        ..Spec::DEFAULT
    };
    type Config = Config;

    async fn build(_: Context<Config>) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        stop.requested().await;
        Ok(())
    }
}

static CATALOGUE: Catalogue = const { Catalogue::new(const { &[Entry::of::<Bell>(), Entry::of::<Door>()] }) };

fn complaints(source: &str) -> String {
    check(Path::new("sanctum.toml"), source, &CATALOGUE)
        .map_or_else(|problems| problems.to_string(), |_| "good".to_owned())
}

#[test]
fn every_complaint_comes_at_once_with_its_line_and_caret() {
    insta::assert_snapshot!(complaints(
        r#"
[house]
timezone = "Mars/Olympus"
colour = "red"

[device.xbox]
mac = ["60:45:bd:12:34:56", "not a mac"]
tier = "gaming"
owner = "ava"

[bell]
patience = 30
bed-time = "21:30"
bedtime = "25:00"

[crier]
x = 1
"#
    ));
}

#[test]
fn rules_that_no_type_can_express_are_placed_too() {
    insta::assert_snapshot!(complaints(
        r#"
[listen]
bell = "127.0.0.1:4078"
tower = "127.0.0.1:1"

[person.ava]
role = "child"

[device.a]
mac = ["60:45:bd:12:34:56"]
owner = "eva"
tier = "gaming"

[device.b]
mac = ["60:45:BD:12:34:56"]
tier = "screen"

[bell]
rooms = ["kitchen", ""]
"#
    ));
}

#[test]
fn broken_syntax_is_shown_where_it_breaks() {
    insta::assert_snapshot!(complaints("[house\nname = \"Home\"\n[bell]\npatience = = 3\n"));
}

#[test]
fn a_good_file_is_good() {
    assert_eq!(complaints("[house]\ntimezone = \"Europe/Paris\"\n[bell]\npatience = \"5m\"\n"), "good");
}

#[test]
fn one_sin_never_hides_another() {
    let sins = ["patience = 30", "bedtime = \"25:00\"", "rooms = \"kitchen\"", "colour = 1"];
    for count in 1..=sins.len() {
        let source = format!("[bell]\n{}\n", sins[..count].join("\n"));
        let problems = check(Path::new("sanctum.toml"), &source, &CATALOGUE).unwrap_err();
        assert_eq!(problems.all.len(), count, "{problems}");
        assert!(problems.all.iter().all(|problem| problem.span.is_some()), "{problems}");
    }
}

#[test]
fn only_what_a_service_reads_makes_it_different() {
    let load = |source: &str| check(Path::new("sanctum.toml"), source, &CATALOGUE).unwrap();
    let before = load("[bell]\npatience = \"5m\"\n");
    let moved = load("# a comment\n\n[bell]\npatience = \"5m\" # the same\n");
    let other = load("[bell]\npatience = \"6m\"\n");
    let bell = CATALOGUE.find("bell").unwrap();
    let door = CATALOGUE.find("door").unwrap();
    assert!(!before.differs_for(&moved, bell));
    assert!(before.differs_for(&other, bell));
    assert!(!before.differs_for(&other, door));
}

#[test]
fn every_key_can_be_explained_and_the_example_holds_them_all() {
    insta::assert_snapshot!(explain(&CATALOGUE, "bell.patience").unwrap());
    let text = example(&CATALOGUE);
    for key in ["timezone", "patience", "bedtime", "rooms", "tier"] {
        assert!(text.contains(&format!("# {key} = ")), "{key}\n{text}");
    }
}

#[test]
fn a_file_that_is_not_utf8_is_drawn_with_its_place() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("sanctum.toml");
    for bytes in [&b"[person.\"\xe9\"]\n"[..], b"\xff\xfe[\0h\0", b"# caf\xe9"] {
        sanctum_kernel::files::replace(&path, bytes, 0o600).unwrap();
        let problems = sanctum_settings::load(&path, &CATALOGUE).unwrap_err();
        assert!(problems.to_string().contains("the file is not UTF-8 from here on"), "{problems}");
    }
}

#[test]
fn foreign_services_name_who_is_there_and_go_in_no_circle() {
    insta::assert_snapshot!(complaints(
        r#"
[service.a]
requires = ["b"]
run.command = ["/bin/a"]

[service.b]
wants = ["bell"]
after = ["c", "d"]

[service.c]
requires = ["a", "nobody", "Porter"]
run = { command = [], nice = 40 }

[service.d]
requires = ["backup", "d"]
check.web = { tcp = { address = "127.0.0.1:1" }, dns = { name = "x" } }

[service.backup]
kind = "scheduled"
run = { command = ["/bin/true"], schedule = { cron = "30 3 * * *" } }

[service.other]
kind = "scheduled"
run = { command = ["/bin/true"] }

[service.door]
plane = "guest"
run = { command = ["/bin/true"], stop-signal = "INT" }

[service.Big]
"#
    ));
    insta::assert_snapshot!(complaints(
        "[service.job]\nkind = \"scheduled\"\n[service.job.run]\ncommand = [\"x\"]\nstop-signal = \"KILL\"\nschedule = { cron = \"30 25 * * *\" }\n"
    ));
}

#[test]
fn one_port_is_one_services_and_what_can_be_tried_has_a_name() {
    insta::assert_snapshot!(complaints(
        "[listen]\nbell = \"127.0.0.1:4100\"\n\n[service.thief]\nport = 4100\nheal = [\"reboot\"]\n\n[service.first]\nport = 53\nplane = \"guest\"\n\n[service.second]\nplane = \"guest\"\nport = 53\nrequires = [\"frist\"]\n"
    ));
}
