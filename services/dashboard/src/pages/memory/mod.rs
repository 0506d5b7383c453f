//! The memory of the house: a search, a note, the notes as a picture, and what the last passes over them did.

mod graph;
mod note;

use maud::{Markup, html};
use sanctum_api::memory::{Class, Found, Hit, Report, State};

pub(crate) use self::note::page as note_page;
use super::layout::{Frame, page as frame};
use super::{Cx, icons, unknown};
use crate::memory::Seen;
use crate::{Asked, words};

/// Steps of a pass that are shown; the rest is counted.
const STEPS: usize = 12;
/// Passes that are shown.
const PASSES: usize = 3;

/// `found` is there where something was searched for.
pub(crate) fn page(cx: &Cx<'_>, seen: &Seen, query: &str, found: Option<&Asked<Found>>) -> Markup {
    let now = Some((cx.now, cx.house.house.timezone.to_string(), words::clock(cx.now, cx.now, &cx.tz)));
    let main = html! {
        (form(query))
        @if let Some(found) = found { (results(cx, query, found)) }
        div data-part="memory" { (body(cx, seen)) }
        noscript { p.section-note { "This page looks again every 30 seconds. With JavaScript it would be live." } }
    };
    let title =
        if query.is_empty() { "Memory · Command Center".to_owned() } else { format!("{query} · Memory") };
    frame(&Frame { title: &title, house: &cx.house.house.name, live: Some("memory"), now }, &main)
}

fn form(query: &str) -> Markup {
    html! {
        form.search action="/memory" method="get" role="search" {
            label.vh for="q" { "Search the memory" }
            input #q type="search" name="q" value=(query) placeholder="What does the house remember of …" autocomplete="off";
            button.act type="submit" { "Search" }
        }
    }
}

fn results(cx: &Cx<'_>, query: &str, found: &Asked<Found>) -> Markup {
    html! {
        section.section #results aria-labelledby="results-title" {
            h2 #results-title tabindex="-1" { "Found for “" (query) "”" }
            @match found {
                Asked::Unknown(reason) => (unknown("memory", reason)),
                Asked::Known(found) => {
                    @if let Some(degraded) = &found.degraded { p.section-note { (icons::question()) " Less than everything was searched: " (degraded) } }
                    @if found.results.is_empty() { p.nothing { "Nothing is remembered of that." } }
                    ol.services role="list" { @for hit in &found.results { (result(cx, hit)) } }
                }
            }
        }
    }
}

fn result(cx: &Cx<'_>, hit: &Hit) -> Markup {
    html! {
        li.service data-note=(hit.id) {
            div.service-head {
                h3 { a.link href={ "/memory/" (hit.id) } { (hit.title) } }
                @if hit.class != Class::General { span.pill data-state="blocked" { (said(hit.class)) } }
                @if hit.superseded_by.is_some() { span.pill data-state="degraded" { "superseded" } }
            }
            p.detail.passage { (hit.text) }
            p.detail.dim {
                (hit.path) " · " (cx.time(hit.updated))
                @if let Some(until) = hit.valid_until { " · held until " (cx.time(until)) }
                " · " (why(hit))
            }
        }
    }
}

/// The two parts that added most, in words.
fn why(hit: &Hit) -> String {
    let w = &hit.why;
    let mut parts = [
        (w.words, "its words"),
        (w.meaning, "its meaning"),
        (w.neighbours, "what stands beside it"),
        (w.session, "its conversation"),
        (w.links, "its links"),
        (w.time, "its time"),
    ];
    parts.sort_by(|a, b| b.0.total_cmp(&a.0));
    let two: Vec<String> =
        parts.iter().take(2).filter(|(part, _)| *part > 0.0).map(|(_, said)| (*said).to_owned()).collect();
    if two.is_empty() { "found".to_owned() } else { format!("for {}", words::list(&two)) }
}

/// A word of the wire, for people.
fn said<T: serde::Serialize>(word: T) -> String {
    let word = serde_json::to_value(word).ok().and_then(|word| word.as_str().map(str::to_owned));
    word.unwrap_or_default().replace('_', " ")
}

/// Everything that changes.
pub(crate) fn body(cx: &Cx<'_>, seen: &Seen) -> Markup {
    let state = match &seen.state {
        Asked::Known(state) => state,
        Asked::Unknown(reason) => {
            return html! {
                h1.sentence data-tone="unknown" { span.sentence-head { "Nobody knows what the house remembers" } " while the memory cannot be asked." }
                div.section { (unknown("memory", reason)) }
            };
        }
    };
    html! {
        (sentence(state))
        @for trouble in &state.troubles { p.section-note { (icons::question()) " " (trouble) } }
        section.section #graph aria-labelledby="graph-title" {
            h2 #graph-title tabindex="-1" { "What is linked with what" }
            @match &seen.graph {
                Asked::Known(graph) => (graph::picture(graph)),
                Asked::Unknown(reason) => (unknown("memory", reason)),
            }
        }
        section.section #passes aria-labelledby="passes-title" {
            h2 #passes-title tabindex="-1" { "Put in order" }
            @match &seen.reports {
                Asked::Known(reports) => (passes(cx, reports)),
                Asked::Unknown(reason) => (unknown("memory", reason)),
            }
        }
    }
}

/// `The house remembers 120 notes: all of them are found by words and by meaning.`
fn sentence(state: &State) -> Markup {
    let meaning = state.model.is_some() && state.vectors >= state.passages;
    let rest = match (&state.degraded, meaning) {
        (Some(degraded), _) => degraded.clone(),
        (None, true) => "all of it is found by words and by meaning".to_owned(),
        (None, false) => {
            format!("{} of {} passages are found by meaning so far", state.vectors, state.passages)
        }
    };
    let tone = if state.degraded.is_some() || !state.troubles.is_empty() { "quiet" } else { "well" };
    html! {
        h1.sentence data-tone=(tone) data-notes=(state.notes) {
            span.sentence-head { "The house remembers " (words::count(usize::try_from(state.notes).unwrap_or(usize::MAX), "note")) ":" }
            " " span.sentence-rest { (rest) "." }
        }
        @if state.queued > 0 { p.section-note { (words::count(usize::try_from(state.queued).unwrap_or(usize::MAX), "exchange")) " with models waits to be read into notes." } }
    }
}

fn passes(cx: &Cx<'_>, reports: &[Report]) -> Markup {
    html! {
        @if reports.is_empty() { p.nothing { "No pass has gone over the notes yet." } }
        @for report in reports.iter().take(PASSES) { (pass(cx, report)) }
    }
}

fn pass(cx: &Cx<'_>, report: &Report) -> Markup {
    let state = if report.troubles.is_empty() { "well" } else { "degraded" };
    html! {
        article.service #{ "run-" (report.run) } data-run=(report.run) {
            div.service-head {
                h3 { (counted(report)) }
                span.pill data-state=(state) { @if report.dry_run { "only looked" } @else { "done" } }
            }
            p.detail.dim {
                @if let Some(began) = report.began { (cx.time(began)) " · " }
                (words::count(usize::try_from(report.scanned).unwrap_or(usize::MAX), "note")) " looked at"
                @if report.resumed { " · took up a pass that was interrupted" }
                @if !report.dry_run && !report.steps.is_empty() { " · taken back by " code { "sanctum memory undo " (report.run) } }
            }
            @for trouble in &report.troubles { p.detail { (icons::question()) " " (trouble) } }
            @if !report.steps.is_empty() {
                details #{ "steps-" (report.run) } {
                    summary { (words::count(report.steps.len(), "step")) }
                    ul.checks role="list" {
                        @for step in report.steps.iter().take(STEPS) {
                            li { span.tag { (step.what) } " " a.link href={ "/memory/" (step.id) } { (step.path) } @if let Some(to) = &step.to { " → " (to) } " " span.dim { (step.why) } }
                        }
                        @if report.steps.len() > STEPS { li.dim { "and " (report.steps.len() - STEPS) " more" } }
                    }
                }
            }
        }
    }
}

/// `2 merge, 1 promote`, or that there was nothing to do.
fn counted(report: &Report) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for step in &report.steps {
        match kinds.iter_mut().find(|(what, _)| *what == step.what) {
            Some((_, n)) => *n += 1,
            None => kinds.push((&step.what, 1)),
        }
    }
    let said: Vec<String> = kinds.iter().map(|(what, n)| format!("{n} {what}")).collect();
    if said.is_empty() { "Nothing had to be done".to_owned() } else { words::list(&said) }
}
