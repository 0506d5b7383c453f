//! Reading recipes: the shipped ones, and the owner's, strictly and with every complaint at once.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use toml::{Table, Value};

use super::shipped::SHIPPED;
use super::{Recipe, Remedy, Script};

/// A longer file is no recipe.
const LARGEST: u64 = 64 * 1024;
/// More recipes than this are not read.
const MOST: usize = 500;
/// A file with more faults than this is another kind of file.
const FAULTS: usize = 20;

/// Every recipe there is, by id, and what was wrong with those that are not.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book {
    pub(crate) recipes: BTreeMap<String, Recipe>,
    /// `backup.toml: action.script.file: …`.
    pub(crate) complaints: Vec<String>,
}

/// The shipped recipes, and the owner's in `dir`; one with the id of a shipped recipe takes its place. A file with a fault gives
/// no recipe; it also takes none away.
pub(crate) fn load(dir: &Path) -> Book {
    let mut book = Book::default();
    for (name, text) in SHIPPED {
        match parse(text) {
            Ok(recipe) => drop(book.recipes.insert(recipe.id.clone(), recipe)),
            Err(faults) => book.complaints.extend(faults.into_iter().map(|fault| format!("{name}: {fault}"))),
        }
    }
    let mut files = match fs::read_dir(dir) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect::<Vec<_>>(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            book.complaints.push(format!("`{}` cannot be read: {error}", dir.display()));
            Vec::new()
        }
    };
    files.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    files.sort();
    if files.len() > MOST {
        book.complaints
            .push(format!("`{}` holds more than {MOST} recipes; the rest is not read", dir.display()));
    }
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    for path in files.iter().take(MOST) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let parsed = read(path).map_err(|fault| vec![fault]).and_then(|text| parse(&text));
        match parsed {
            Ok(recipe) => match owners.insert(recipe.id.clone(), name.clone()) {
                Some(other) => {
                    book.complaints.push(format!("{name}: id: `{}` is already that of {other}", recipe.id));
                }
                None => drop(book.recipes.insert(recipe.id.clone(), recipe)),
            },
            Err(faults) => book.complaints.extend(faults.into_iter().map(|fault| format!("{name}: {fault}"))),
        }
    }
    book
}

fn read(path: &Path) -> Result<String, String> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(no_follow.bits()).unwrap_or_default();
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| format!("cannot be opened (a link is not followed): {error}"))?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("is no file".to_owned());
    }
    if metadata.len() > LARGEST {
        return Err(format!("is larger than {} KiB", LARGEST / 1024));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    String::from_utf8(bytes)
        .map_err(|error| format!("is not UTF-8: a byte that is none at {}", error.utf8_error().valid_up_to()))
}

/// One recipe, or everything that is wrong with it, each with its field.
fn parse(text: &str) -> Result<Recipe, Vec<String>> {
    let mut table: Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return Err(vec![syntax(text, &error)]),
    };
    let mut faults = Vec::new();
    let mut removed: Vec<String> = Vec::new();
    loop {
        let tried: Result<Recipe, _> = serde_path_to_error::deserialize(Value::Table(table.clone()));
        let error = match tried {
            Ok(recipe) if faults.is_empty() => {
                let faults = rules(&recipe);
                return if faults.is_empty() { Ok(recipe) } else { Err(faults) };
            }
            Ok(recipe) => {
                faults.extend(rules(&recipe));
                return Err(faults);
            }
            Err(error) => error,
        };
        let path: Vec<String> =
            error.path().to_string().split('.').map(str::to_owned).filter(|part| part != ".").collect();
        let message = error.inner().message().trim_end_matches('\n').to_owned();
        // What was taken out a moment ago is missing because of us.
        let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        if let Some(missing) = missing {
            if !removed.iter().any(|gone| gone == missing) {
                faults.push(place(&path, &message));
            }
            // Nothing can be put in its place; whatever else is wrong is said when it is there.
            return Err(faults);
        }
        faults.push(place(&path, &message));
        if faults.len() >= FAULTS || !take_out(&mut table, &path, &message, &mut removed) {
            return Err(faults);
        }
    }
}

fn syntax(text: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |span| span.start);
    let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
    format!("line {line}: {}", error.message())
}

fn place(path: &[String], message: &str) -> String {
    let path = path.join(".");
    if path.is_empty() { message.to_owned() } else { format!("{path}: {message}") }
}

/// Takes out the entry the fault lies in, so that the next one can be seen.
fn take_out(table: &mut Table, path: &[String], message: &str, removed: &mut Vec<String>) -> bool {
    let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    let mut keys: Vec<&str> = path.iter().map(String::as_str).collect();
    if let Some(unknown) = unknown
        && keys.last() != Some(&unknown)
    {
        keys.push(unknown);
    }
    // An element of a list takes the whole list with it.
    let list = keys.iter().position(|key| key.contains('['));
    if let Some(at) = list {
        keys.truncate(at + 1);
    }
    let Some((last, parents)) = keys.split_last() else { return false };
    let last = last.split('[').next().unwrap_or_default();
    let mut at = table;
    for key in parents {
        match at.get_mut(*key) {
            Some(Value::Table(inner)) => at = inner,
            _ => return false,
        }
    }
    removed.push(last.to_owned());
    at.remove(last).is_some()
}

/// What no type can express.
fn rules(recipe: &Recipe) -> Vec<String> {
    let mut faults = Vec::new();
    if !is_id(&recipe.id) {
        faults.push(format!(
            "id: `{}` is no id: 1 to 40 lower-case letters, digits and dashes, such as `full-log-disk`",
            recipe.id
        ));
    }
    for (field, text) in [("summary", &recipe.summary), ("trigger", &recipe.trigger)] {
        if text.trim().is_empty() || text.len() > 200 || text.contains('\n') {
            faults.push(format!("{field}: must be one line of 1 to 200 letters"));
        }
    }
    if recipe.reversible && !recipe.action.is_reversible() {
        faults.push("reversible: nothing of what this action does can be undone; write `false`".to_owned());
    }
    let mut scripts: Vec<(&str, &Script)> = Vec::new();
    scripts.extend(recipe.detector.script.as_ref().map(|script| ("detector.script", script)));
    if let Remedy::Script(script) = &recipe.action {
        scripts.push(("action.script", script));
    }
    for (place, script) in scripts {
        for name in [Some(&script.file), script.undo.as_ref()].into_iter().flatten() {
            if let Err(why) = is_plain_name(name) {
                faults.push(format!("{place}.file: {why}"));
            }
        }
        if script.processes == 0 || script.processes > 256 {
            faults.push(format!("{place}.processes: must be between 1 and 256"));
        }
    }
    if let Remedy::StepClock(clock) = &recipe.action
        && (clock.servers.is_empty() || clock.command.is_empty())
    {
        faults.push("action.step-clock: needs at least one server, and a command".to_owned());
    }
    faults
}

/// Whether it may be the id of a recipe: nothing in it can lead anywhere.
pub(crate) fn is_id(id: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=40).contains(&id.len()) && id.bytes().all(letters) && !id.starts_with('-')
}

/// A name of a file and nothing else.
pub(crate) fn is_plain_name(name: &str) -> Result<(), String> {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if (1..=64).contains(&name.len()) && name.bytes().all(letters) && !name.starts_with('.') {
        return Ok(());
    }
    Err(format!(
        "`{}` is not the name of a file in `recipes/scripts`: letters, digits, `-`, `_` and `.`, no path",
        name.escape_default().take(80).collect::<String>()
    ))
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
