//! One trouble: as a banner over the picture, and as a page with its timeline and the post-mortem.

use maud::{Markup, html};
use sanctum_api::watch::{Incident, PostMortem, Stage, Tried};

use crate::pages::layout::{Frame, page as frame};
use crate::pages::{Cx, icons, unknown};
use crate::{Asked, words};

const fn tint(stage: Stage) -> &'static str {
    match stage {
        Stage::Healing => "degraded",
        Stage::Escalated => "alarm",
        Stage::Resolved => "well",
    }
}

const fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Healing => "being healed",
        Stage::Escalated => "needs a person",
        Stage::Resolved => "over",
    }
}

/// Over the picture: what it is, what it takes with it, what was tried, what to do.
pub(super) fn banner(cx: &Cx<'_>, incident: &Incident) -> Markup {
    html! {
        article.incident #{ "incident-" (incident.id) } data-stage=(incident.stage.word()) aria-labelledby={ "incident-" (incident.id) "-title" } {
            div.service-head {
                h2 #{ "incident-" (incident.id) "-title" } { (incident.title) }
                span.pill data-state=(tint(incident.stage)) { (word(incident.stage)) }
            }
            (about(cx, incident))
            p { a.link #{ "incident-" (incident.id) "-more" } href={ "/incidents/" (incident.id) } { "Incident " (incident.id) ": minute by minute" } }
        }
    }
}

fn about(cx: &Cx<'_>, incident: &Incident) -> Markup {
    html! {
        p.detail {
            "since " (cx.time(incident.began))
            @if let Some(end) = incident.resolved { ", over after " (words::lapse(crate::story::after(incident.began, end))) }
            @if !incident.symptoms.is_empty() { " · takes with it " strong { (words::list(&incident.symptoms)) } }
        }
        @if let Some(memory) = &incident.memory { p.detail { (memory) } }
        @if incident.tried.is_empty() {
            p.detail.dim { "Nothing was tried yet." }
        } @else {
            ol.steps role="list" { @for tried in &incident.tried { (step(cx, tried)) } }
        }
        @if let Some(advice) = &incident.advice { p.advice { "→ " (advice) } }
    }
}

fn step(cx: &Cx<'_>, tried: &Tried) -> Markup {
    let (state, said) = match (tried.rehearsal, tried.helped) {
        (true, _) => ("unknown", "rehearsed"),
        (_, Some(true)) => ("well", "helped"),
        (_, Some(false)) => ("alarm", "did not help"),
        (_, None) => ("degraded", "under way"),
    };
    html! {
        li { (cx.time(tried.at)) " " strong { (tried.action) } " " span.pill data-state=(state) { (said) }
            @if !tried.detail.is_empty() { " " span.dim { (tried.detail) } }
            @if let Some(undo) = &tried.undo { " " span.dim { "(undone by: " (undo) ")" } }
        }
    }
}

pub(crate) fn page(cx: &Cx<'_>, id: i64, incident: &Asked<Incident>, written: &Asked<PostMortem>) -> Markup {
    let now = Some((cx.now, cx.house.house.timezone.to_string(), words::clock(cx.now, cx.now, &cx.tz)));
    let title = format!("Incident {id} · Command Center");
    let main = html! {
        p.back { a.link href="/body" { "← The body" } }
        div #story { @match incident {
            Asked::Known(incident) => (whole(cx, incident, written)),
            Asked::Unknown(reason) => (unknown("watch", reason)),
        } }
    };
    frame(&Frame { title: &title, house: &cx.house.house.name, live: Some("incident"), now }, &main)
}

fn whole(cx: &Cx<'_>, incident: &Incident, written: &Asked<PostMortem>) -> Markup {
    let first = incident.timeline.first();
    let tone = if incident.stage == Stage::Resolved { "well" } else { "needs" };
    html! {
        h1.sentence data-tone=(tone) { span.sentence-head { (incident.title) } " " span.sentence-rest { (word(incident.stage)) "." } }
        (about(cx, incident))
        section.section aria-labelledby="timeline-title" {
            h2 #timeline-title { "Minute by minute" }
            @if incident.timeline.is_empty() { p.nothing { "Nothing was written down." } }
            ol.moments role="list" {
                @for entry in &incident.timeline {
                    li.moment {
                        span.plus { "+" (words::lapse(first.map_or(0, |first| crate::story::after(first.at, entry.at)))) }
                        div {
                            p { strong { (entry.what) } " " span.dim { time datetime=(entry.at) { (words::precise(entry.at, &cx.tz)) } } }
                            p { (entry.detail) }
                        }
                    }
                }
            }
        }
        section.section aria-labelledby="post-mortem-title" {
            h2 #post-mortem-title { "Post-mortem" }
            @match written {
                Asked::Known(page) => {
                    p.section-note { "A page to be written on: " code { "sanctum incidents " (incident.id) " --post-mortem > post-mortem.md" } }
                    details #post-mortem { summary { (icons::dash()) " Read it" } pre tabindex="0" { (page.text) } }
                }
                Asked::Unknown(reason) => (unknown("watch", reason)),
            }
        }
    }
}
