//! What review would say again and again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sanctum_cli::CATALOGUE;
use serde_json::Value;

/// No file is longer: it is two files that have not been separated yet.
const LONGEST: usize = 600;

/// Folders in which every file has its line in the table of its `mod.rs`.
const TABLES: &[&str] =
    &["sanctum/src/verbs", "services/notify/src/channels", "services/firewall/src/backend"];

/// Who may name a crate: one owner per tool.
const OWNERS: &[(&str, &[&str])] = &[
    ("axum", &["sanctum-http"]),
    // The bare pass-through that ours is measured against has nothing of ours in it.
    ("hyper", &["sanctum-http", "sanctum-benches"]),
    ("rusqlite", &["sanctum-store"]),
    ("rmcp", &["sanctum-mcp"]),
    ("tracing-subscriber", &["sanctum-host"]),
    ("clap", &["sanctum", "xtask", "sanctum-lab", "sanctum-benches"]),
];

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Everything that is not as it should be.
pub(crate) fn complaints() -> Vec<String> {
    let mut complaints = Vec::new();
    let mut files = Vec::new();
    for dir in ["sanctum", "core", "wire", "services", "testkit", "xtask", "lab", "benches"] {
        sources(&root().join(dir), &mut files);
    }
    for file in &files {
        complaints.extend(file_rules(file));
    }
    complaints.extend(TABLES.iter().flat_map(|table| table_rules(table)));
    complaints.extend(catalogue_rules());
    complaints.extend(manifest_rules());
    complaints
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn file_rules(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let shown = path.strip_prefix(root()).unwrap_or(path).display().to_string();
    let mut complaints = Vec::new();
    if !text.starts_with("//!") {
        complaints.push(format!("{shown}: does not open with a `//!` sentence"));
    }
    let lines = text.lines().count();
    if lines > LONGEST {
        complaints.push(format!("{shown}: {lines} lines; which idea in it wants a room of its own?"));
    }
    // Spelled so that this file does not name them itself.
    for (word, why) in [
        (concat!("#[ign", "ore"), "a test nobody runs proves nothing"),
        (concat!("should_", "panic"), "assert on the error instead"),
    ] {
        if text.contains(word) {
            complaints.push(format!("{shown}: `{word}`: {why}"));
        }
    }
    complaints
}

fn table_rules(table: &str) -> Vec<String> {
    let dir = root().join(table);
    let index = fs::read_to_string(dir.join("mod.rs")).unwrap_or_default();
    let mut complaints = Vec::new();
    for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().trim_end_matches(".rs").to_owned();
        let code =
            entry.path().is_dir() || entry.path().extension().is_some_and(|extension| extension == "rs");
        let named = index.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name);
        if code && name != "mod" && !named {
            complaints.push(format!("{table}/{name}: has no line in the table of mod.rs"));
        }
    }
    complaints
}

fn catalogue_rules() -> Vec<String> {
    let mut complaints = Vec::new();
    for entry in fs::read_dir(root().join("services")).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !CATALOGUE.iter().any(|entry| entry.spec.name == name) {
            complaints.push(format!("services/{name}: is not in the catalogue"));
        }
    }
    for spec in CATALOGUE.iter().map(|entry| entry.spec) {
        if spec.summary.is_empty() || spec.summary.ends_with('.') || spec.house_name.is_empty() {
            complaints.push(format!(
                "{}: its summary or house name is missing, or ends with a full stop",
                spec.name
            ));
        }
    }
    complaints
}

/// Direction, owners, lints and features, from what cargo itself says of the workspace.
fn manifest_rules() -> Vec<String> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output();
    let metadata: Value = match output.map(|output| serde_json::from_slice(&output.stdout)) {
        Ok(Ok(metadata)) => metadata,
        _ => return vec!["cargo metadata could not be read".to_owned()],
    };
    let packages = metadata.get("packages").and_then(Value::as_array).cloned().unwrap_or_default();
    packages.iter().flat_map(package_rules).collect()
}

fn package_rules(package: &Value) -> Vec<String> {
    let name = package.get("name").and_then(Value::as_str).unwrap_or_default();
    let manifest = package.get("manifest_path").and_then(Value::as_str).unwrap_or_default();
    let text = fs::read_to_string(manifest).unwrap_or_default();
    let folder = folder(manifest);
    let mut complaints = Vec::new();
    if !text.contains("[lints]\nworkspace = true") {
        complaints.push(format!("{name}: does not take the workspace's lints"));
    }
    if text.contains("features =") {
        complaints.push(format!("{name}: names features; they belong into the root manifest"));
    }
    for dependency in package.get("dependencies").and_then(Value::as_array).into_iter().flatten() {
        let on = dependency.get("name").and_then(Value::as_str).unwrap_or_default();
        let dev = dependency.get("kind").and_then(Value::as_str) == Some("dev");
        if let Some((_, owners)) = OWNERS.iter().find(|(crate_name, _)| *crate_name == on)
            && !owners.contains(&name)
            && !dev
        {
            complaints.push(format!("{name}: names `{on}`, which belongs to {}", owners.join(" and ")));
        }
        if !dev && !may_depend(folder, name, on) {
            complaints.push(format!("{name}: depends on {on}, against the direction"));
        }
    }
    complaints
}

fn folder(manifest: &str) -> &str {
    ["core", "wire", "services"]
        .into_iter()
        .find(|folder| manifest.contains(&format!("/{folder}/")))
        .unwrap_or("top")
}

/// binary → services → probe → http, store, api, wire → kernel; host → kernel, settings, http.
fn may_depend(folder: &str, name: &str, on: &str) -> bool {
    let Some(on) = on.strip_prefix("sanctum-") else { return true };
    match (folder, name.strip_prefix("sanctum-").unwrap_or(name)) {
        ("services", _) => ["kernel", "api", "http", "store", "probe", "llm", "embed", "mcp"].contains(&on),
        ("wire", _) | ("core", "kernel") => false,
        ("core", "api" | "settings" | "store") => on == "kernel",
        ("core", "http") => ["kernel", "api"].contains(&on),
        ("core", "probe") => ["kernel", "api", "http", "store"].contains(&on),
        ("core", "mcp") => ["kernel", "http"].contains(&on),
        ("core", "host") => ["kernel", "settings", "http", "api"].contains(&on),
        _ => true,
    }
}
