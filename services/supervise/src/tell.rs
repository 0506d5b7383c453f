//! What people are told of a service that is locked, of a job that failed, and of the end of both.

use sanctum_api::notify::{Notice, Severity};
use sanctum_api::supervise::Locked;
use sanctum_kernel::inventory::Kind;

use crate::Plan;

/// The notice of a lock, and of its end: both carry one key.
pub(crate) fn locked(name: &str, house_name: &str, locked: &Locked) -> Notice {
    let mut message = format!("{}. It stays down until someone says: sanctum unlock {name}", locked.reason);
    if !locked.last_lines.is_empty() {
        message.push_str("\nIts last lines:\n");
        message.push_str(&locked.last_lines.join("\n"));
    }
    notice(name, Severity::Critical, format!("{house_name} is locked"), message)
}

/// Its end: it is ready again, or declared no more.
pub(crate) fn back(name: &str, house_name: &str, gone: bool) -> Notice {
    let (title, message) = if gone {
        ("is no more", "It was locked, and is not declared any more.")
    } else {
        ("is back", "It was unlocked and is ready again.")
    };
    let title = format!("{house_name} {title}");
    Notice { resolved: true, ..notice(name, Severity::Info, title, message.to_owned()) }
}

/// A job that failed; it is started again by its schedule, or by a person.
pub(crate) fn failed(plan: &Plan, exit: &str, lines: &[String]) -> Notice {
    let again = match plan.kind {
        Kind::Scheduled => "It runs again at its next time",
        _ => "Nobody starts it again by itself",
    };
    let mut message =
        format!("It ended with {exit}. {again}; now, if someone says: sanctum start {}", plan.name);
    if !lines.is_empty() {
        message.push_str("\nIts last lines:\n");
        message.push_str(&lines.join("\n"));
    }
    let title = format!("{} has failed", plan.house_name);
    Notice { dedup_key: Some(failed_key(plan)), ..notice(&plan.name, Severity::Warn, title, message) }
}

pub(crate) fn well_again(plan: &Plan) -> Notice {
    let title = format!("{} has run well again", plan.house_name);
    let message = "Its last run ended as it should.".to_owned();
    Notice {
        resolved: true,
        dedup_key: Some(failed_key(plan)),
        ..notice(&plan.name, Severity::Info, title, message)
    }
}

fn failed_key(plan: &Plan) -> String {
    format!("supervise.failed.{}", plan.name)
}

fn notice(name: &str, severity: Severity, title: String, message: String) -> Notice {
    Notice {
        labels: [("service".to_owned(), name.to_owned())].into(),
        dedup_key: Some(format!("supervise.locked.{name}")),
        ..Notice::plain("supervise", severity, title, message)
    }
}
