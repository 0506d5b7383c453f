//! Noticing that the file has changed, and keeping the old house when the new file is bad.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::SystemTime;

use sanctum_kernel::{Catalogue, Status};
use sanctum_settings::{Loaded, load};

use crate::instance::Instance;

/// The file as it is in force, and the stamp of the one that was last looked at.
#[derive(Debug)]
pub(crate) struct Watch {
    loaded: Loaded,
    seen: Option<(SystemTime, u64)>,
    /// The addresses that were in the file when the sockets were bound.
    bound: BTreeMap<String, SocketAddr>,
}

impl Watch {
    pub(crate) fn new(loaded: Loaded) -> Self {
        let (seen, bound) = (stamp(&loaded), loaded.addresses());
        Self { loaded, seen, bound }
    }

    pub(crate) const fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// A new file that is good and differs; a bad one is complained of and left.
    pub(crate) fn look(
        &mut self,
        catalogue: &Catalogue,
        asked: bool,
        instances: &[Instance],
    ) -> Option<Loaded> {
        let now = stamp(&self.loaded);
        if !asked && now == self.seen {
            return None;
        }
        self.seen = now;
        match load(&self.loaded.path, catalogue) {
            Ok(next) if next.source() == self.loaded.source() => {
                Self::clear(instances);
                None
            }
            Ok(next) => Some(next),
            Err(problems) => {
                tracing::error!(problems = %problems, "the new configuration is bad: the old one stays");
                let first = problems.all.first();
                let place = first.and_then(|problem| problems.position(problem));
                let place = place
                    .map(|(line, column)| format!(" (line {line}, column {column})"))
                    .unwrap_or_default();
                let message = first.map(|problem| problem.message.clone()).unwrap_or_default();
                Self::complain(instances, &format!("{message}{place}"));
                None
            }
        }
    }

    /// The new file is in force.
    pub(crate) fn accept(&mut self, next: Loaded, instances: &[Instance]) {
        let moved = next.addresses() != self.bound;
        self.loaded = next;
        Self::clear(instances);
        for instance in instances {
            let well = &instance.shared.well;
            if moved {
                let detail =
                    "addresses in `[listen]` have changed; sockets stay where they are until the next start";
                well.set_hint("listen", Status::Degraded, detail, "`sanctum down`, then `sanctum up`");
            } else {
                well.clear("listen");
            }
        }
    }

    /// Every service says that it runs with an older file.
    pub(crate) fn complain(instances: &[Instance], what: &str) {
        for instance in instances {
            let hint = "mend sanctum.toml; `sanctum config check` shows every complaint";
            let detail = format!("the changed file is not in force: {what}");
            instance.shared.well.set_hint("configuration", Status::Degraded, detail, hint);
        }
    }

    fn clear(instances: &[Instance]) {
        for instance in instances {
            instance.shared.well.clear("configuration");
        }
    }
}

fn stamp(loaded: &Loaded) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(&loaded.path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
