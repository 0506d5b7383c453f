//! What no type can express of `[service.NAME]`: names, and what goes together; how they lean on each other is the matter of `lint`.

use super::check::Check;
use super::{Declared, Kind, Plane, Run};
use crate::{Catalogue, Complaint, House};

/// Everything wrong with the declared services of a house; paths begin at the root of the file.
pub fn check(catalogue: &Catalogue, house: &House) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (name, declared) in &house.service {
        complaints.extend(named(catalogue, name));
        complaints.extend(bonds(house, name, declared));
        complaints.extend(kind(name, declared));
        if let Some(run) = &declared.run {
            complaints.extend(runs(name, declared, run));
        }
        for (word, check) in &declared.check {
            complaints.extend(asks(&["service", name, "check", word], check));
        }
    }
    complaints
}

/// The name is part of file names, of unit names and of addresses, and nobody else's.
fn named(catalogue: &Catalogue, name: &str) -> Option<Complaint> {
    let path = ["service", name];
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if !first || name.len() > 48 || !name.bytes().all(plain) {
        let hint = "lower-case letters, digits and hyphens, such as `home-assistant`; `name` may say what people call it";
        return Some(
            Complaint::new(&path, format!("`{name}` cannot be the short name of a service")).hint(hint),
        );
    }
    let ours = catalogue.iter().find(|entry| entry.spec.answers_to(name))?;
    let message = format!("`{name}` is a service of this binary: {}", ours.spec.house_name);
    Some(Complaint::new(&path, message).hint(format!("write its settings into `[{}]`", ours.spec.name)))
}

/// The three lists of those it leans on, with their keys.
fn lists(declared: &Declared) -> [(&'static str, &Vec<String>); 3] {
    [("requires", &declared.requires), ("wants", &declared.wants), ("after", &declared.after)]
}

/// Nothing can wait for what runs at a time of day; names and circles are the matter of `lint`.
fn bonds(house: &House, name: &str, declared: &Declared) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (key, list) in lists(declared) {
        for (at, other) in list.iter().enumerate() {
            let scheduled = |theirs: &Declared| theirs.kind == Kind::Scheduled && theirs.run.is_some();
            if house.service.get(other).is_some_and(scheduled) {
                let message = format!("`{other}` runs at the times of its schedule: nothing can wait for it");
                complaints.push(Complaint::new(&["service", name, key, &at.to_string()], message));
            }
        }
    }
    complaints
}

fn kind(name: &str, declared: &Declared) -> Option<Complaint> {
    let run = declared.run.as_ref()?;
    match (declared.kind, &run.schedule) {
        (Kind::Scheduled, None) => {
            let complaint = Complaint::new(&["service", name, "run"], "it does not say when it runs");
            Some(complaint.hint("add `schedule = { cron = \"30 3 * * *\" }`"))
        }
        (Kind::Continuous | Kind::OneShot, Some(_)) => {
            let complaint = Complaint::new(
                &["service", name, "run", "schedule"],
                "only a scheduled service has a schedule",
            );
            Some(complaint.hint("write `kind = \"scheduled\"`"))
        }
        _ => None,
    }
}

/// A rule of `run` that is not kept.
fn rule(name: &str, key: &[&str], message: &str, hint: &str) -> Complaint {
    let path: Vec<&str> = ["service", name, "run"].into_iter().chain(key.iter().copied()).collect();
    Complaint::new(&path, message).hint(hint)
}

fn runs(name: &str, declared: &Declared, run: &Run) -> Vec<Complaint> {
    let mut complaints = bounds(name, run);
    let mut need = |ok: bool, key: &[&str], message: &str, hint: &str| {
        if !ok {
            complaints.push(rule(name, key, message, hint));
        }
    };
    let program = run.command.first().map_or("", String::as_str);
    need(
        !program.is_empty(),
        &["command"],
        "there is no program to run",
        "write `command = [\"/usr/bin/program\", \"argument\"]`",
    );
    need(
        declared.plane == Plane::Host,
        &[],
        "only what lives on this machine can be run here",
        "remove `run`, or write `plane = \"host\"`",
    );
    let absolute = |path: &std::path::Path| path.is_absolute();
    need(
        run.directory.as_deref().is_none_or(absolute),
        &["directory"],
        "a directory is an absolute path",
        "begin it with `/`",
    );
    let ready = declared.kind == Kind::Continuous || (run.ready.is_none() && !run.notify);
    need(ready, &["ready"], "a job is ready when it has ended well", "remove `ready` and `notify`");
    for variable in run.environment.keys() {
        let plain = !variable.is_empty() && !variable.contains(['=', '\0']);
        need(plain, &["environment", variable], "no variable has such a name", "letters, digits and `_`");
    }
    if let Some(check) = &run.ready {
        complaints.extend(asks(&["service", name, "run", "ready"], check));
    }
    complaints
}

/// Numbers and times of `run`.
fn bounds(name: &str, run: &Run) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut need = |ok: bool, key: &[&str], message: &str, hint: &str| {
        if !ok {
            complaints.push(rule(name, key, message, hint));
        }
    };
    need(
        run.oom_score.is_none_or(|score| (-1000..=1000).contains(&score)),
        &["oom-score"],
        "from -1000 (never) to 1000 (first)",
        "write `0` for the usual",
    );
    need(
        run.nice.is_none_or(|nice| (-20..=19).contains(&nice)),
        &["nice"],
        "from -20 (most) to 19 (least)",
        "write `0` for the usual",
    );
    let positive = |period: Option<crate::Period>| period.is_none_or(|period| !period.0.is_zero());
    need(positive(run.start_within), &["start-within"], "nothing is ready in no time", "write `60s`");
    need(
        run.limits.processes != Some(0),
        &["limits", "processes"],
        "it could not even begin",
        "write at least `1`",
    );
    need(
        run.limits.files.is_none_or(|files| files >= 4),
        &["limits", "files"],
        "it could not even begin",
        "write at least `4`",
    );
    if let Some(schedule) = &run.schedule {
        need(
            positive(schedule.timeout),
            &["schedule", "timeout"],
            "every run would be ended at once",
            "write `1h`",
        );
    }
    complaints
}

/// What a check may ask, with paths from the root of the file.
fn asks(path: &[&str], check: &Check) -> Vec<Complaint> {
    let mut complaints = check.complaints();
    for complaint in &mut complaints {
        complaint.path.splice(0..0, path.iter().map(|&key| key.to_owned()));
    }
    complaints
}
