//! The configuration, from nothing to a house.

use crate::program::Program;

#[test]
fn init_writes_a_file_that_the_house_accepts() {
    let program = Program::new();
    program.ok(&[
        "init",
        "--yes",
        "--timezone",
        "America/Toronto",
        "--child",
        "Ava",
        "--curfew",
        "20:45",
        "--router",
        "simulated",
    ]);
    insta::assert_snapshot!(std::fs::read_to_string(program.home().join("sanctum.toml")).unwrap());
    assert!(program.ok(&["config", "check"]).starts_with("good:"));
}

#[test]
fn init_never_overwrites_without_being_told_and_keeps_a_copy() {
    let program = Program::new();
    program.write("# mine\n");
    let ran = program.run(&["init", "--yes"]);
    assert_eq!(ran.code, 73, "{}", ran.err);
    program.ok(&["init", "--yes", "--force"]);
    assert_eq!(std::fs::read_to_string(program.home().join("sanctum.toml.before")).unwrap(), "# mine\n");
}

#[test]
fn init_without_a_terminal_says_what_to_do() {
    let ran = Program::new().run(&["init"]);
    assert_eq!(ran.code, 64);
    assert!(ran.err.contains("--yes"), "{}", ran.err);
}

#[test]
fn check_shows_every_complaint_and_its_exit_code_says_which_kind_it_is() {
    let program = Program::new();
    assert_eq!(program.run(&["config", "check"]).code, 66);
    program.write(
        "[house]\ntimezone = \"Paris\"\n\n[notify]\ndedup = 120\n\n[screen.schedule]\nweekday = \"9pm\"\n",
    );
    let ran = program.run(&["config", "check"]);
    assert_eq!(ran.code, 78);
    let shown = ran.out.replace(&program.home().display().to_string(), "HOME");
    insta::assert_snapshot!(shown);
    let report = program.json(&["config", "check"]);
    let lines: Vec<_> = report["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [2, 5, 8]);
}

#[test]
fn every_verb_that_needs_the_file_says_so_when_it_is_missing() {
    for words in [&["run", "notify"][..], &["notify", "hello"], &["devices"]] {
        let ran = Program::new().run(words);
        assert!(
            ran.code != 0 && (ran.err.contains("sanctum init") || ran.err.contains("is kept in")),
            "{words:?}: {ran:?}"
        );
    }
}

#[test]
fn a_key_can_be_explained_and_an_unknown_one_is_said_to_be_unknown() {
    let program = Program::new();
    assert!(program.ok(&["config", "explain", "house.timezone"]).contains("IANA"));
    assert!(program.ok(&["config", "explain", "device.ava-xbox.tier"]).contains("gaming"));
    assert_eq!(program.run(&["config", "explain", "house.colour"]).code, 1);
}

#[test]
fn the_example_is_the_defaults_and_nothing_else() {
    let program = Program::new();
    let example = program.ok(&["config", "example"]);
    program.write(&example);
    program.ok(&["config", "check"]);
    for section in ["house", "listen", "notify", "firewall", "screen", "dashboard", "supervise"] {
        assert!(example.contains(&format!("# [{section}")), "{section}");
    }
}

#[test]
fn a_recipe_that_is_not_there_is_named_with_those_that_are() {
    let program = Program::new();
    let declared = |recipe: &str| {
        program.write(&format!(
            "[service.web]\nheal = [\"restart\", \"recipe:{recipe}\"]\nrun.command = [\"/bin/true\"]\n"
        ));
        program.run(&["catalogue", "lint"])
    };
    let ran = declared("stale-indx");
    assert_eq!(ran.code, 1, "{}", ran.err);
    let parts = [
        "error  service.web.heal.1  there is no recipe `stale-indx`",
        "did you mean `recipe:stale-index`? The recipes are ",
        "`full-log-disk`",
    ];
    for part in parts {
        assert!(ran.out.contains(part), "`{part}` is not in:\n{}", ran.out);
    }
    assert_eq!(declared("stale-index").code, 0);
    // The owner's own are as good.
    assert_eq!(declared("my-own").code, 1);
    let recipes = program.home().join("recipes");
    std::fs::create_dir_all(&recipes).unwrap();
    let text = "id = \"my-own\"\nsummary = \"starts it again\"\ntrigger = \"it sulks\"\nseverity = \"low\"\n\
                cool-down = \"1m\"\nreversible = false\n[action.restart]\n";
    sanctum_kernel::files::replace(&recipes.join("my-own.toml"), text.as_bytes(), 0o600).unwrap();
    let ran = declared("my-own");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}
