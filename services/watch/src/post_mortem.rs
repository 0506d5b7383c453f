//! A page to be written on after an incident: what is known stands there already.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sanctum_api::watch::{Incident, Tried};

use crate::notices::how;
use crate::view::REFUSED;
use crate::words;

/// Markdown, with times of the house.
pub(crate) fn write(incident: &Incident, zone: &TimeZone, now: Timestamp) -> String {
    let at = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let span = |from: Timestamp, to: Timestamp| words::span(words::between(from, to));
    let mut page = format!("# Incident {}: {}\n\n", incident.id, incident.title);
    let end = incident.resolved.unwrap_or(now);
    let state = if incident.resolved.is_some() { "over" } else { incident.stage.word() };
    let rows = [
        ("Root", incident.root.clone()),
        (
            "Took with it",
            if incident.symptoms.is_empty() { "nothing".to_owned() } else { words::list(&incident.symptoms) },
        ),
        ("Began", at(incident.began)),
        (
            "Detected",
            format!("{} (after {})", at(incident.detected), span(incident.began, incident.detected)),
        ),
        (
            "Over",
            incident.resolved.map_or_else(
                || format!("not yet ({})", incident.stage.word()),
                |end| format!("{} (healed {} after it was detected)", at(end), span(incident.detected, end)),
            ),
        ),
        ("Lasted", span(incident.began, end)),
        ("How it ended", if incident.resolved.is_some() { how(incident) } else { "not yet".to_owned() }),
        ("Before", incident.memory.clone().unwrap_or_else(|| "not seen before".to_owned())),
        ("State", state.to_owned()),
        ("Fingerprint", format!("`{}`", incident.fingerprint)),
    ];
    page.push_str("| | |\n|---|---|\n");
    for (name, value) in rows {
        writeln!(page, "| {name} | {} |", value.replace('|', "\\|").replace('\n', " ")).ok();
    }
    page.push_str("\n## What was tried\n\n");
    if incident.tried.is_empty() {
        page.push_str("Nothing.\n");
    }
    for (number, tried) in (1..).zip(&incident.tried) {
        writeln!(page, "{number}. {} {}: {}", at(tried.at), tried.action, became(tried)).ok();
    }
    page.push_str("\n## Timeline\n\n");
    for entry in &incident.timeline {
        let after = span(incident.began, entry.at);
        writeln!(
            page,
            "- {} (+{after}) **{}** {}",
            at(entry.at),
            entry.what,
            entry.detail.replace('\n', " ")
        )
        .ok();
    }
    page.push_str(
        "\n## What happened, in words\n\n_To be written._\n\n## Why it could happen\n\n_To be written._\n\n\
         ## What went well, what did not\n\n_To be written._\n\n## What will be done, by whom, until when\n\n- [ ] \n",
    );
    page
}

fn became(tried: &Tried) -> String {
    if let Some(why) = tried.detail.strip_prefix(REFUSED) {
        return format!("nothing was done ({why})");
    }
    let word = match (tried.rehearsal, tried.helped) {
        (true, _) => "rehearsed",
        (false, Some(true)) => "it helped",
        (false, Some(false)) => "it did not help",
        (false, None) => "not known",
    };
    let undo = tried.undo.as_ref().map(|undo| format!("; undone by {undo}")).unwrap_or_default();
    if tried.detail.is_empty() { format!("{word}{undo}") } else { format!("{word} ({}){undo}", tried.detail) }
}
