//! The whole file: every section read by whoever it belongs to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sanctum_kernel::inventory::lint;
use sanctum_kernel::section::{Fault, Section};
use sanctum_kernel::service::Revision;
use sanctum_kernel::{Catalogue, Complaint, Entry, House, Inventory, inventory};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::listen::{self, Addresses};
use crate::places::place;
use crate::{Problem, Problems, repair};

/// Sections of the house itself.
pub(crate) const HOUSE: [&str; 4] = ["house", "person", "device", "service"];

/// A file that has been checked whole.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub path: PathBuf,
    source: Arc<str>,
    pub house: Arc<House>,
    addresses: Addresses,
}

impl Loaded {
    /// The address configured for a listener of a service.
    pub fn address(&self, service: &str, listener: &str) -> Option<SocketAddr> {
        self.addresses.get(&listen::key(service, listener)).copied()
    }

    /// The addresses of every service's listener `http`.
    pub fn addresses(&self) -> BTreeMap<String, SocketAddr> {
        listening(&self.addresses)
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    /// Hands a service's section to `work`.
    pub fn with_section<T>(&self, service: &str, work: impl FnOnce(&Section<'_>) -> T) -> T {
        match DeTable::parse(&self.source) {
            Ok(root) => work(&section(root.get_ref(), service)),
            // It parsed when it was checked.
            Err(_) => work(&Section::absent()),
        }
    }

    /// The service's configuration in `other`, if a running instance takes the change over by itself.
    pub fn revision(&self, other: &Self, entry: &Entry) -> Option<Revision> {
        if entry.spec.reads_house && !self.house.is_same_family(&other.house) {
            return None;
        }
        let name = entry.spec.name;
        let config =
            self.with_section(name, |old| other.with_section(name, |new| (entry.revise)(old, new)))?;
        Some(Revision { config, house: Arc::clone(&other.house) })
    }

    /// Whether foreign services, or the clock on the wall that their schedules go by, are others in `other`.
    fn declares_otherwise(&self, other: &Self) -> bool {
        self.house.service != other.house.service || self.house.house.timezone != other.house.house.timezone
    }

    /// Whether anything a service reads differs in `other`: its section, or the house.
    pub fn differs_for(&self, other: &Self, entry: &Entry) -> bool {
        let name = entry.spec.name;
        let text = |loaded: &Self| {
            loaded.with_section(name, |section| section.table().map(|table| without_spans(table.get_ref())))
        };
        (entry.spec.reads_house && !self.house.is_same_family(&other.house))
            || (entry.spec.reads_services && self.declares_otherwise(other))
            || text(self) != text(other)
    }
}

/// The addresses of the listeners `http` alone.
fn listening(addresses: &Addresses) -> BTreeMap<String, SocketAddr> {
    let http = addresses.iter().filter(|(name, _)| !name.contains('.'));
    http.map(|(name, addr)| (name.clone(), *addr)).collect()
}

/// The values of a table, without the places they were written at.
fn without_spans(table: &DeTable<'_>) -> String {
    let value = Spanned::new(0..0, DeValue::Table(table.clone()));
    let plain: Result<toml::Value, _> =
        serde::Deserialize::deserialize(toml::de::ValueDeserializer::from(value));
    plain.map(|value| value.to_string()).unwrap_or_default()
}

/// Reads and checks the file; a file that is not there is an empty one if `optional`.
pub fn load(path: &Path, catalogue: &Catalogue) -> Result<Loaded, Problems> {
    match std::fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(source) => check(path, &source, catalogue),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let source = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let problem = Problem::at(at..at + 1, "the file is not UTF-8 from here on");
                Err(Problems { path: path.to_owned(), source, all: vec![problem] })
            }
        },
        Err(error) => {
            let message = format!("could not read `{}`: {error}", path.display());
            let hint = (error.kind() == std::io::ErrorKind::NotFound)
                .then(|| "`sanctum init` writes one".to_owned());
            Err(Problems {
                path: path.to_owned(),
                source: String::new(),
                all: vec![Problem { message, span: None, hint }],
            })
        }
    }
}

/// Checks a file's text whole: syntax, the house, addresses, every service's section and its rules.
pub fn check(path: &Path, source: &str, catalogue: &Catalogue) -> Result<Loaded, Problems> {
    let (root, errors) = DeTable::parse_recoverable(source);
    let syntax = errors.iter().map(|error| Problem {
        message: error.message().trim_end_matches('.').to_owned(),
        span: error.span(),
        hint: None,
    });
    let mut all: Vec<Problem> = syntax.collect();
    if !all.is_empty() {
        // What a parser guesses behind a broken line would only be complained of wrongly.
        return Err(Problems { path: path.to_owned(), source: source.to_owned(), all });
    }
    let root = root.get_ref();
    let (addresses, complaints) = listen::addresses(root.get("listen"), catalogue);
    all.extend(complaints);
    let (house, complaints) = house(root, catalogue, &addresses);
    all.extend(complaints);
    all.extend(unknown_sections(root, catalogue));
    for entry in catalogue {
        let section = section(root, entry.spec.name);
        let faults = repair::faults(section.clone(), entry.shape);
        if faults.is_empty() {
            all.extend(
                (entry.rules)(&section, &house)
                    .into_iter()
                    .map(|complaint| placed(root, Some(entry.spec.name), complaint)),
            );
        }
        all.extend(faults);
    }
    if all.is_empty() {
        return Ok(Loaded {
            path: path.to_owned(),
            source: source.into(),
            house: Arc::new(house),
            addresses,
        });
    }
    all.sort_by_key(|problem| problem.span.as_ref().map_or(usize::MAX, |span| span.start));
    all.dedup();
    Err(Problems { path: path.to_owned(), source: source.to_owned(), all })
}

fn section<'i>(root: &DeTable<'i>, name: &str) -> Section<'i> {
    match root.get(name) {
        Some(value) => match value.get_ref() {
            DeValue::Table(table) => Section::of(Spanned::new(value.span(), table.clone())),
            // `notify = 3` is reported by `unknown_sections`.
            _ => Section::absent(),
        },
        None => Section::absent(),
    }
}

fn house(root: &DeTable<'_>, catalogue: &Catalogue, addresses: &Addresses) -> (House, Vec<Problem>) {
    let mut table = DeTable::new();
    for (key, value) in root.iter().filter(|(key, _)| HOUSE.contains(&key.get_ref().as_ref())) {
        table.insert(key.clone(), value.clone());
    }
    let section = Section::of(Spanned::new(0..0, table));
    let shape = |section: &Section<'_>| -> Result<(), Fault> { section.parse::<House>().map(drop) };
    let mut problems = repair::faults(section.clone(), shape);
    let house = section.parse::<House>().unwrap_or_default();
    if problems.is_empty() {
        let whole = Inventory::of(catalogue, &house, &listening(addresses), &[]);
        let declared = inventory::check(catalogue, &house).into_iter().chain(lint::complaints(&whole, None));
        let complaints = house.check().into_iter().chain(declared);
        problems.extend(complaints.map(|complaint| placed(root, None, complaint)));
    }
    (house, problems)
}

fn placed(root: &DeTable<'_>, section: Option<&str>, complaint: Complaint) -> Problem {
    let path: Vec<String> = section.map(str::to_owned).into_iter().chain(complaint.path).collect();
    let span = place(root, &path);
    let message =
        if span.is_some() { complaint.message } else { format!("{}: {}", path.join("."), complaint.message) };
    Problem { message, span, hint: complaint.hint }
}

fn unknown_sections(root: &DeTable<'_>, catalogue: &Catalogue) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (key, value) in root {
        let name = key.get_ref().as_ref();
        let service = catalogue.iter().any(|entry| entry.spec.name == name);
        if !service && !HOUSE.contains(&name) && name != "listen" {
            let alias = catalogue
                .find(name)
                .map(|entry| format!("write `{}`: house names are not keys", entry.spec.name));
            let known: Vec<String> = catalogue.iter().map(|entry| format!("`{}`", entry.spec.name)).collect();
            let hint = alias.unwrap_or_else(|| {
                format!(
                    "the sections are `house`, `person`, `device`, `service`, `listen`, {}",
                    known.join(", ")
                )
            });
            problems.push(Problem::at(key.span(), format!("there is no section `{name}`")).hint(hint));
        } else if service && !value.get_ref().is_table() {
            problems.push(Problem::at(value.span(), format!("`{name}` is a section: `[{name}]`")));
        }
    }
    problems
}
