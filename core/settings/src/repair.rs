//! Finding every fault of a section: note the first, take out what caused it, look again.

use std::collections::BTreeSet;
use std::ops::Range;

use sanctum_kernel::section::{Fault, Section};
use toml::de::{DeArray, DeTable, DeValue};

use crate::Problem;

/// A file with more faults than this has one: it is another kind of file.
const MOST: usize = 50;

/// Every fault that `shape` finds, one after the other.
pub(crate) fn faults(
    mut section: Section<'_>,
    shape: impl Fn(&Section<'_>) -> Result<(), Fault>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut removed = BTreeSet::new();
    while let Err(fault) = shape(&section) {
        let missing = fault.message.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        // What was taken out a moment ago is missing because of us, not because of the file.
        if missing.is_none_or(|name| !removed.contains(name)) {
            problems.push(Problem {
                message: sentence(&fault.message),
                span: fault.span.clone(),
                hint: None,
            });
        }
        let Some((span, table)) = fault.span.zip(section.table_mut()) else { break };
        match remove(table.get_mut(), &span) {
            Some(key) => removed.insert(key),
            None => break,
        };
        if problems.len() >= MOST {
            break;
        }
    }
    problems
}

/// Serde lists alternatives its own way; everything else is already a fragment.
fn sentence(message: &str) -> String {
    message.trim_end_matches('.').trim_end().to_owned()
}

/// Takes out the entry the span belongs to; returns its key.
fn remove(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<String> {
    let direct = table.iter().find(|(key, value)| key.span() == *span || value.span() == *span);
    if let Some(key) = direct.map(|(key, _)| key.get_ref().to_string()) {
        table.remove(key.as_str());
        return Some(key);
    }
    let inside = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    for (_, value) in table.iter_mut() {
        let within = inside(value.span());
        let found = match value.get_mut() {
            // The span of a table is only its header; entries written below it lie outside.
            DeValue::Table(table) => remove(table, span),
            DeValue::Array(array) => remove_element(array, span),
            _ => None,
        };
        if found.is_some() {
            return found;
        }
        if within {
            break;
        }
    }
    let holder =
        table.iter().find(|(_, value)| inside(value.span())).map(|(key, _)| key.get_ref().to_string())?;
    table.remove(holder.as_str());
    Some(holder)
}

fn remove_element(array: &mut DeArray<'_>, span: &Range<usize>) -> Option<String> {
    if let Some(at) = array.iter().position(|element| element.span() == *span) {
        *array =
            array.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, element)| element.clone()).collect();
        return Some(format!("[{at}]"));
    }
    array.iter_mut().find_map(|element| match element.get_mut() {
        DeValue::Table(table) => remove(table, span),
        DeValue::Array(array) => remove_element(array, span),
        _ => None,
    })
}
