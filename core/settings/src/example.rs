//! The file as documentation: an example, explanations and the reference page, all from the types.

use std::fmt::Write as _;

use sanctum_kernel::{Catalogue, House};
use serde_json::Value;

/// One key of the file.
#[derive(Debug)]
struct Key {
    /// `notify.quiet-hours.from`; `NAME` stands for a name of the owner's choosing.
    path: String,
    kind: String,
    default: Option<String>,
    allowed: Option<String>,
    about: String,
}

/// Every key with its default, commented out, with what it means.
pub fn example(catalogue: &Catalogue) -> String {
    let mut text = String::from(
        "# Every setting with its default. Uncomment what you change; unknown keys are refused.\n\
         # Lengths of time carry a unit: 250ms, 30s, 5m, 2h, 7d. A secret is a reference: file:NAME is the file NAME in secrets/.\n",
    );
    let mut section = String::new();
    for key in keys(catalogue) {
        let (place, name) = key.path.rsplit_once('.').unwrap_or(("", &key.path));
        if place != section {
            place.clone_into(&mut section);
            write!(text, "\n# [{section}]\n").ok();
        }
        let value = key.default.clone().unwrap_or_else(|| format!("<{}>", key.kind));
        for line in key.about.lines() {
            writeln!(text, "#   {line}").ok();
        }
        if let Some(allowed) = &key.allowed {
            writeln!(text, "#   One of {allowed}.").ok();
        }
        writeln!(text, "# {name} = {value}").ok();
    }
    text
}

/// What a key means, what it takes and what it is if unset; `None` if there is no such key. A section lists its keys.
pub fn explain(catalogue: &Catalogue, path: &str) -> Option<String> {
    let keys = keys(catalogue);
    let generic = |key: &Key| key.path == path || matches(&key.path, path);
    let mut text = String::new();
    if let Some(key) = keys.iter().find(|key| generic(key)) {
        write!(text, "{}\n\n{}\n\n  takes    {}\n", key.path, key.about, key.kind).ok();
        if let Some(allowed) = &key.allowed {
            writeln!(text, "  allowed  {allowed}").ok();
        }
        writeln!(text, "  default  {}", key.default.as_deref().unwrap_or("none: it must be given")).ok();
        return Some(text);
    }
    for key in keys.iter().filter(|key| key.path.starts_with(&format!("{path}."))) {
        let about = key.about.lines().next().unwrap_or_default();
        if writeln!(text, "{:<44} {:<22} {about}", key.path, key.default.as_deref().unwrap_or("(required)"))
            .is_err()
        {}
    }
    (!text.is_empty()).then_some(text)
}

/// `pattern` has `NAME` where `path` may have anything.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('.').collect(), path.split('.').collect());
    pattern.len() == path.len() && pattern.iter().zip(&path).all(|(p, q)| *p == "NAME" || p == q)
}

/// The reference page: a table for every section, in Markdown.
pub fn reference(catalogue: &Catalogue) -> String {
    let mut text = String::from(
        "# `sanctum.toml`\n\nGenerated from the types that read it; `cargo run -p xtask -- bless` renews it.\n",
    );
    let mut section = String::new();
    for key in keys(catalogue) {
        let (place, name) = key.path.rsplit_once('.').unwrap_or(("", &key.path));
        if place != section {
            place.clone_into(&mut section);
            if write!(
                text,
                "\n## `[{section}]`\n\n| key | takes | default | what it is |\n|---|---|---|---|\n"
            )
            .is_err()
            {}
        }
        let default =
            key.default.as_ref().map_or_else(|| "required".to_owned(), |value| format!("`{value}`"));
        let allowed = key.allowed.as_ref().map(|allowed| format!(" ({allowed})")).unwrap_or_default();
        let about = key.about.replace('\n', " ").replace('|', "\\|");
        let default = default.replace('|', "\\|");
        if writeln!(text, "| `{name}` | {}{} | {default} | {about} |", key.kind, allowed.replace('|', "\\|"))
            .is_err()
        {}
    }
    text
}

fn keys(catalogue: &Catalogue) -> Vec<Key> {
    let mut keys = Vec::new();
    let house = schemars::schema_for!(House).to_value();
    collect(&house, &house, "", None, &mut keys);
    for entry in catalogue {
        for listen in entry.spec.listen {
            keys.push(Key {
                path: format!("listen.{}", crate::listen::key(entry.spec.name, listen.name)),
                kind: "an address and a port".to_owned(),
                default: Some(format!("\"127.0.0.1:{}\"", listen.port)),
                allowed: None,
                about: format!("Where {} listens ({}).", entry.spec.house_name, listen.lore),
            });
        }
    }
    for entry in catalogue {
        let schema = (entry.schema)().to_value();
        collect(&schema, &schema, entry.spec.name, None, &mut keys);
    }
    keys.sort_by_key(|a| section_order(&a.path, catalogue));
    keys
}

/// Sections in the order of the catalogue, keys of a section before those of the sections inside it.
fn section_order(path: &str, catalogue: &Catalogue) -> (usize, String, bool, String) {
    let first = path.split('.').next().unwrap_or_default();
    let fixed = ["house", "person", "device", "service", "listen"].iter().position(|name| *name == first);
    let service =
        || catalogue.iter().position(|entry| entry.spec.name == first).map_or(usize::MAX, |at| at + 5);
    let (place, name) = path.rsplit_once('.').unwrap_or(("", path));
    (fixed.unwrap_or_else(service), place.to_owned(), false, name.to_owned())
}

fn collect(root: &Value, schema: &Value, path: &str, default: Option<&Value>, keys: &mut Vec<Key>) {
    let schema = resolve(root, schema);
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        if let Some(inner) = schema.get("additionalProperties").filter(|inner| inner.is_object()) {
            let inner = resolve(root, inner);
            if inner.get("properties").is_some() {
                return collect(root, inner, &format!("{path}.NAME"), None, keys);
            }
        }
        return;
    };
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for (name, property) in properties {
        let target = resolve(root, property);
        let about = about(property).or_else(|| about(target)).unwrap_or_default();
        let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let given = property.get("default").or_else(|| default?.get(name));
        let table = target.get("properties").is_some() || nested_map(root, target);
        if table {
            collect(root, target, &here, given, keys);
            continue;
        }
        let default = match given {
            Some(Value::Null) => Some("(unset)".to_owned()),
            Some(value) => Some(toml_text(value)),
            None if required.contains(&name.as_str()) => None,
            None => Some("(unset)".to_owned()),
        };
        keys.push(Key {
            path: here,
            kind: kind(root, property),
            default,
            allowed: allowed(root, target),
            about,
        });
    }
}

fn nested_map(root: &Value, schema: &Value) -> bool {
    schema
        .get("additionalProperties")
        .is_some_and(|inner| inner.is_object() && resolve(root, inner).get("properties").is_some())
}

fn resolve<'v>(root: &'v Value, schema: &'v Value) -> &'v Value {
    let reference = schema.get("$ref").and_then(Value::as_str);
    let target = reference.and_then(|reference| root.pointer(reference.strip_prefix('#')?));
    if let Some(target) = target {
        resolve(root, target)
    } else {
        // An optional type: the branch that is not null.
        let branches = schema.get("anyOf").and_then(Value::as_array);
        let inner = branches.and_then(|all| {
            all.iter().find(|branch| branch.get("type").and_then(Value::as_str) != Some("null"))
        });
        inner.map_or(schema, |inner| resolve(root, inner))
    }
}

fn about(schema: &Value) -> Option<String> {
    schema.get("description").and_then(Value::as_str).map(str::to_owned)
}

fn kind(root: &Value, schema: &Value) -> String {
    let target = resolve(root, schema);
    if !words(target).is_empty() {
        return "a word".to_owned();
    }
    match target
        .get("type")
        .map(|kind| kind.as_array().and_then(|kinds| kinds.first()).unwrap_or(kind))
        .and_then(Value::as_str)
    {
        Some("string") => {
            target.get("title").and_then(Value::as_str).map_or_else(|| "text".to_owned(), str::to_owned)
        }
        Some("integer") => "a whole number".to_owned(),
        Some("number") => "a number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => format!(
            "a list: {}",
            target.get("items").map_or_else(|| "values".to_owned(), |items| kind(root, items))
        ),
        Some("object") => "a table".to_owned(),
        _ => "a value".to_owned(),
    }
}

fn words(schema: &Value) -> Vec<String> {
    let plain = schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let described = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let described = described.filter_map(|one| one.get("const").and_then(Value::as_str));
    plain.chain(described).map(|word| format!("`{word}`")).collect()
}

fn allowed(root: &Value, schema: &Value) -> Option<String> {
    let items = schema.get("items").map(|items| resolve(root, items));
    let words = [words(schema), items.map(words).unwrap_or_default()].concat();
    (!words.is_empty()).then(|| words.join(", "))
}

fn toml_text(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let pairs: Vec<String> = map
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| format!("{key} = {}", toml_text(value)))
                .collect();
            if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
        }
        Value::Array(all) => format!("[{}]", all.iter().map(toml_text).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}
