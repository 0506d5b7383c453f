//! The services: live, ready and well are three answers.

use maud::{Markup, html};
use sanctum_api::supervise::Phase;
use sanctum_api::transport::escape;
use sanctum_kernel::Status;

use super::{Cx, icons};
use crate::overview::{Tile, Watched, Watcher};

pub(crate) fn body(cx: &Cx<'_>, services: &Watched) -> Markup {
    html! {
        p.section-note {
            @match &services.by {
                Watcher::Supervise => "watched by Castellan",
                Watcher::Dashboard { because } => { "asked directly — Castellan could not be asked: " (because) }
            }
        }
        ul.services role="list" { @for shown in &services.tiles { (tile(cx, shown)) } }
    }
}

fn tile(cx: &Cx<'_>, tile: &Tile) -> Markup {
    let state = match (tile.phase, tile.well) {
        (Some(Phase::Locked | Phase::BackingOff | Phase::Failed), _) | (_, Some(Status::Unwell)) => "alarm",
        (Some(Phase::Stopped | Phase::Stopping | Phase::Waiting | Phase::Starting), _)
        | (_, Some(Status::Degraded)) => "degraded",
        (Some(Phase::Running | Phase::Done | Phase::Scheduled), _) => "well",
        (_, None) => "unknown",
        _ if !tile.ready => "degraded",
        _ => "well",
    };
    html! {
        li.service data-state=(state) data-service=(tile.name) {
            div.service-head {
                h3 { (tile.house_name) " " span.plain { (tile.name) } }
                @if let Some(phase) = phase(tile.phase) { span.pill data-state=(state) { (phase) } }
            }
            p.dim.summary { (tile.summary) }
            ul.answers role="list" {
                li { (answer("live", Some(tile.live))) }
                li { (answer("ready", Some(tile.ready))) }
                li { (answer(well_word(tile.well), tile.well.map(|status| status == Status::Well))) }
            }
            @if tile.restarts > 0 { p.detail { "restarted " (tile.restarts) "× lately" } }
            @for detail in &tile.details { p.detail { (detail) } }
            @if let Some(locked) = &tile.locked {
                p.detail { "locked at " (cx.time(locked.at)) ": " (locked.reason) }
                @if !locked.last_lines.is_empty() {
                    details #{ "lines-" (tile.name) } { summary { "Its last lines" } pre tabindex="0" { (locked.last_lines.join("\n")) } }
                }
                form method="post" action={ "/services/" (escape(&tile.name)) "/unlock" } data-live {
                    button.act #{ "unlock-" (tile.name) } { "Let it try again" span.vh { ": " (tile.house_name) } }
                }
            }
        }
    }
}

/// What is usual goes without saying.
const fn phase(phase: Option<Phase>) -> Option<&'static str> {
    match phase {
        None | Some(Phase::Ready) => None,
        Some(Phase::Waiting) => Some("waiting"),
        Some(Phase::Starting) => Some("starting"),
        Some(Phase::BackingOff) => Some("backing off"),
        Some(Phase::Stopping) => Some("stopping"),
        Some(Phase::Stopped) => Some("stopped"),
        Some(Phase::Locked) => Some("LOCKED"),
        Some(Phase::Running) => Some("running"),
        Some(Phase::Done) => Some("done"),
        Some(Phase::Failed) => Some("failed"),
        Some(Phase::Scheduled) => Some("scheduled"),
    }
}

const fn well_word(status: Option<Status>) -> &'static str {
    match status {
        None | Some(Status::Well) => "well",
        Some(Status::Degraded) => "degraded",
        Some(Status::Unwell) => "unwell",
    }
}

fn answer(word: &str, yes: Option<bool>) -> Markup {
    let (state, said, sign) = match (word, yes) {
        (_, Some(true)) => ("yes", word.to_owned(), icons::check()),
        ("degraded" | "unwell", Some(false)) => (word, word.to_owned(), icons::cross()),
        (_, Some(false)) => ("no", format!("not {word}"), icons::cross()),
        (_, None) => ("unknown", format!("{word}: unknown"), icons::dash()),
    };
    html! { span.answer data-answer=(state) { (sign) (said) } }
}
