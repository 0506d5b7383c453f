//! `docs/reference`: computed from the catalogue, the config types, the command line and the running services.

use std::fmt::Write as _;
use std::path::PathBuf;

use sanctum_cli::CATALOGUE;
use sanctum_kernel::{Probe, exit};

use crate::tidy::root;

fn dir() -> PathBuf {
    root().join("docs/reference")
}

/// Every page: its name and its text.
fn pages() -> Vec<(String, String)> {
    let mut pages = vec![
        ("config.md".to_owned(), sanctum_settings::reference(&CATALOGUE)),
        ("services.md".to_owned(), services()),
        ("cli.md".to_owned(), cli()),
    ];
    pages.extend(openapi());
    pages
}

/// Writes every page; returns what could not be written.
pub(crate) fn bless() -> Vec<String> {
    let write = |(name, text): (String, String)| {
        let path = dir().join(name);
        let replaced = sanctum_kernel::files::replace(&path, text.as_bytes(), 0o644);
        replaced.err().map(|error| sanctum_kernel::Chain(&error).to_string())
    };
    pages().into_iter().filter_map(write).collect()
}

/// Pages that differ from what stands in the repository.
#[cfg(test)]
pub(crate) fn stale() -> Vec<String> {
    let differs = |(name, text): &(String, String)| {
        std::fs::read_to_string(dir().join(name)).ok().as_ref() != Some(text)
    };
    pages().into_iter().filter(differs).map(|(name, _)| name).collect()
}

const GENERATED: &str = "Generated; `make bless` renews it.";

fn services() -> String {
    let mut text = format!(
        "# Services\n\n{GENERATED}\n\n| service | house name | port | why | needs | calls | what it does |\n|---|---|---|---|---|---|---|\n"
    );
    for spec in CATALOGUE.iter().map(|entry| entry.spec) {
        let ports: Vec<String> = spec.listen.iter().map(|listen| listen.port.to_string()).collect();
        let lore: Vec<&str> = spec.listen.iter().map(|listen| listen.lore).collect();
        let calls: Vec<String> =
            spec.calls.iter().map(|call| format!("{} ({:?})", call.to, call.right).to_lowercase()).collect();
        let dash = |list: String| if list.is_empty() { "–".to_owned() } else { list };
        let row = [
            spec.name.to_owned(),
            spec.house_name.to_owned(),
            dash(ports.join(", ")),
            dash(lore.join("; ")),
            dash(spec.needs.join(", ")),
            dash(calls.join(", ")),
            spec.summary.to_owned(),
        ];
        writeln!(text, "| {} |", row.join(" | ")).ok();
    }
    text.push_str(
        "\n## Probes\n\n| service | request | its body shows | tier | grace |\n|---|---|---|---|---|\n",
    );
    for spec in CATALOGUE.iter().map(|entry| entry.spec) {
        let (request, expect) = match spec.probe {
            Probe::Process => ("the process", "–"),
            Probe::Http { path, expect, .. } => (path, expect),
        };
        if writeln!(
            text,
            "| {} | `{request}` | `{expect}` | {:?} | {} s |",
            spec.name,
            spec.tier,
            spec.grace.as_secs()
        )
        .is_err()
        {}
    }
    text
}

fn cli() -> String {
    let mut text =
        format!("# Command line\n\n{GENERATED}\n\n## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for (code, meaning) in exit::ALL {
        writeln!(text, "| {code} | {meaning} |").ok();
    }
    let mut command = sanctum_cli::command().term_width(100);
    command.build();
    help(&mut command, "sanctum", &mut text);
    text
}

fn help(command: &mut clap::Command, name: &str, text: &mut String) {
    let long = command.render_long_help().to_string();
    let long = long.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    write!(text, "\n## `{name}`\n\n```text\n{}\n```\n", long.trim_end()).ok();
    for inner in command.get_subcommands_mut().filter(|inner| inner.get_name() != "help") {
        let name = format!("{name} {}", inner.get_name());
        help(inner, &name, text);
    }
}

/// The description every service gives of itself, asked of a house that runs.
fn openapi() -> Vec<(String, String)> {
    let Ok(runtime) = tokio::runtime::Runtime::new() else { return Vec::new() };
    runtime.block_on(async {
        let names: Vec<&'static str> = CATALOGUE.iter().map(|entry| entry.spec.name).collect();
        // The supervisor is asked too, but keeps nothing here.
        let kept = names.iter().filter(|name| **name != "supervise").map(|name| format!("{name:?}"));
        let kept = kept.collect::<Vec<_>>().join(", ");
        let config = format!("[firewall]\nbackend = \"simulated\"\n\n[supervise]\ndisabled = [{kept}]\n");
        let house = sanctum_testkit::House::new(&CATALOGUE).config(&config).start().await;
        let mut pages = Vec::new();
        for name in names {
            let (_, document) = house.get(name, "/openapi.json").await;
            let text = serde_json::to_string_pretty(&document).unwrap_or_default();
            pages.push((format!("{name}.openapi.json"), format!("{text}\n")));
        }
        house.stop().await;
        pages
    })
}
