//! What several dialects' tests share.

use std::fmt::Debug;

/// Two neutral forms are the same; the first line that differs is told, with a few before it.
pub(crate) fn same(left: &impl Debug, right: &impl Debug) {
    let (left, right) = (format!("{left:#?}"), format!("{right:#?}"));
    let (left, right): (Vec<_>, Vec<_>) = (left.lines().collect(), right.lines().collect());
    if let Some(at) = (0..left.len().max(right.len())).find(|at| left.get(*at) != right.get(*at)) {
        let before = left[at.saturating_sub(12)..at].join("\n");
        panic!("after\n{before}\nthere is {:?} here and {:?} there", left.get(at), right.get(at));
    }
}
