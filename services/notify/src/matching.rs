//! Matchers on source, severity and labels, as silences and inhibition rules have them.

use std::collections::BTreeMap;

use sanctum_api::notify::{Notice, Severity};

/// Field to value; a value that ends in `*` matches a prefix. All must hold.
pub(crate) type Matchers = BTreeMap<String, String>;

/// What a matcher can look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) source: &'a str,
    pub(crate) severity: Severity,
    pub(crate) labels: &'a BTreeMap<String, String>,
}

impl<'a> Subject<'a> {
    pub(crate) fn of(notice: &'a Notice) -> Self {
        Self { source: &notice.source, severity: notice.severity, labels: &notice.labels }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&'a str> {
        match name {
            "source" => Some(self.source),
            "severity" => Some(self.severity.word()),
            label => self.labels.get(label).map(String::as_str),
        }
    }

    pub(crate) fn has(&self, matchers: &Matchers) -> bool {
        matchers.iter().all(|(name, wanted)| {
            self.field(name).is_some_and(|value| match wanted.strip_suffix('*') {
                Some(prefix) => value.starts_with(prefix),
                None => value == wanted,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_matcher_must_hold() {
        let labels = BTreeMap::from([("host".to_owned(), "nas-1".to_owned())]);
        let subject = Subject { source: "backup", severity: Severity::Warn, labels: &labels };
        let cases: &[(&[(&str, &str)], bool)] = &[
            (&[], true),
            (&[("source", "backup")], true),
            (&[("source", "back*")], true),
            (&[("source", "other")], false),
            (&[("severity", "warn"), ("host", "nas-*")], true),
            (&[("severity", "error"), ("host", "nas-1")], false),
            (&[("room", "*")], false),
        ];
        for (matchers, expected) in cases {
            let matchers = matchers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            assert_eq!(subject.has(&matchers), *expected, "{matchers:?}");
        }
    }
}
