//! Whether the secrets that a file refers to are there: a look at the disk, which `check` never takes.

use std::ops::Range;

use sanctum_kernel::chain::Chain;
use sanctum_kernel::{Paths, SecretRef, hint};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::document::HOUSE;
use crate::{Loaded, Problem, Problems};

/// Every reference to a secret that cannot be read, with its place; `None` if all can.
pub fn secrets(loaded: &Loaded, paths: &Paths) -> Option<Problems> {
    let mut found = Vec::new();
    if let Ok(root) = DeTable::parse(loaded.source()) {
        let sections = root.get_ref().iter();
        // What is declared of foreign services refers to secrets as well: their environment, the tokens of checks.
        let may = |key: &str| key == "service" || !HOUSE.contains(&key);
        let services = sections.filter(|(key, _)| may(key.get_ref().as_ref()));
        services.for_each(|(_, value)| references(value, &mut found));
    }
    let all: Vec<Problem> =
        found.into_iter().filter_map(|(span, secret)| unread(span, &secret, paths)).collect();
    let problems = Problems { path: loaded.path.clone(), source: loaded.source().to_owned(), all };
    (!problems.all.is_empty()).then_some(problems)
}

/// A path or an address that happens to begin with `file:` is no reference: it has a slash.
fn references(value: &Spanned<DeValue<'_>>, found: &mut Vec<(Range<usize>, SecretRef)>) {
    match value.get_ref() {
        DeValue::String(text) => found.extend(text.parse().ok().map(|secret| (value.span(), secret))),
        DeValue::Array(array) => array.iter().for_each(|value| references(value, found)),
        DeValue::Table(table) => table.iter().for_each(|(_, value)| references(value, found)),
        _ => {}
    }
}

fn unread(span: Range<usize>, secret: &SecretRef, paths: &Paths) -> Option<Problem> {
    let error = secret.resolve(paths).err()?;
    let way = hint(&error).map_or(
        "write the secret into that file of `secrets/`, readable by nobody else (`chmod 600`)",
        |(hint, _)| hint,
    );
    Some(Problem::at(span, Chain(&error).to_string()).hint(way.to_owned()))
}
