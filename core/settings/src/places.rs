//! From a path of keys to its place in the file.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The place of the value at `path`, or of the nearest thing around it that the file mentions.
pub(crate) fn place(root: &DeTable<'_>, path: &[String]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    let (key, value) = root.get_key_value(first.as_str())?;
    let inner = within(value, rest);
    Some(inner.unwrap_or_else(|| if value.get_ref().is_table() { key.span() } else { value.span() }))
}

fn within(value: &Spanned<DeValue<'_>>, path: &[String]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    match value.get_ref() {
        DeValue::Table(table) => place(table, path),
        DeValue::Array(array) => {
            let element = array.get(first.parse::<usize>().ok()?)?;
            Some(within(element, rest).unwrap_or_else(|| element.span()))
        }
        _ => None,
    }
}
