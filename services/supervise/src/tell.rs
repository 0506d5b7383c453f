//! What people are told of a service that is locked, and of its end.

use sanctum_api::notify::{Notice, Severity};
use sanctum_api::supervise::Locked;

/// The notice of a lock, and of its end: both carry one key.
pub(crate) fn locked(name: &str, house_name: &str, locked: &Locked) -> Notice {
    let mut message = format!("{}. It stays down until someone says: sanctum unlock {name}", locked.reason);
    if !locked.last_lines.is_empty() {
        message.push_str("\nIts last lines:\n");
        message.push_str(&locked.last_lines.join("\n"));
    }
    notice(name, Severity::Critical, format!("{house_name} is locked"), message)
}

pub(crate) fn back(name: &str, house_name: &str) -> Notice {
    let message = "It was unlocked and is ready again.".to_owned();
    Notice { resolved: true, ..notice(name, Severity::Info, format!("{house_name} is back"), message) }
}

fn notice(name: &str, severity: Severity, title: String, message: String) -> Notice {
    Notice {
        labels: [("service".to_owned(), name.to_owned())].into(),
        dedup_key: Some(format!("supervise.locked.{name}")),
        ..Notice::plain("supervise", severity, title, message)
    }
}
