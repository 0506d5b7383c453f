//! What the program says of itself.

use crate::program::Program;

#[test]
fn help_is_something_one_can_learn_from() {
    let help = Program::new().ok(&["--help"]);
    insta::assert_snapshot!(help);
}

#[test]
fn the_exit_codes_in_the_help_are_the_ones_there_are() {
    let help = Program::new().ok(&["--help"]);
    let codes = help.split("Exit codes:").nth(1).unwrap();
    for (code, _) in sanctum_testkit::kernel::exit::ALL {
        assert!(
            codes.split_whitespace().any(|word| word == code.to_string()),
            "{code} is missing in {codes}"
        );
    }
}

#[test]
fn every_verb_explains_itself() {
    for verb in sanctum_cli::command().get_subcommands().filter(|verb| verb.get_name() != "help") {
        let help = Program::new().ok(&[verb.get_name(), "--help"]);
        assert!(help.contains("Usage: sanctum"), "{help}");
        assert!(verb.get_about().is_some(), "{} has no description", verb.get_name());
    }
}

#[test]
fn wrong_words_are_refused_with_a_suggestion() {
    let ran = Program::new().run(&["statsu"]);
    assert_eq!(ran.code, 64);
    assert!(ran.err.contains("status"), "{}", ran.err);
    let ran = Program::with_house().run(&["run", "force-folw"]);
    assert_eq!(ran.code, 64);
    assert!(ran.err.contains("notify"), "{}", ran.err);
}

#[test]
fn completions_are_there_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(Program::new().ok(&["completions", shell]).contains("sanctum"), "{shell}");
    }
}

#[test]
fn the_port_register_is_computed_from_the_catalogue_and_the_file() {
    let program = Program::new();
    insta::assert_snapshot!(program.ok(&["ports"]));
    program.write("[listen]\nnotify = \"127.0.0.1:5077\"\n");
    let ports = program.json(&["ports"]);
    let notify = ports.as_array().unwrap().iter().find(|port| port["service"] == "notify").unwrap();
    assert_eq!(notify["address"], "127.0.0.1:5077");
}

#[test]
fn the_version_lists_its_services() {
    let version = Program::new().json(&["version"]);
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert!(version["services"].as_array().unwrap().iter().any(|name| name == "notify"));
}
