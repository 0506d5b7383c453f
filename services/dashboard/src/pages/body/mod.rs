//! The body of the house: what stands on what, how each part is, the root of a trouble, what is done about it.

pub(crate) mod incident;
mod picture;

use maud::{Markup, html};
use sanctum_api::watch::{Body, Light, Node, Posture, Stage, State, Verdict};

use super::layout::{Frame, page as frame};
use super::{Cx, icons, unknown};
use crate::{Asked, words};

pub(crate) fn page(cx: &Cx<'_>, body: &Asked<Body>) -> Markup {
    let now = Some((cx.now, cx.house.house.timezone.to_string(), words::clock(cx.now, cx.now, &cx.tz)));
    let main = html! {
        div data-part="body" { (self::body(cx, body)) }
        noscript { p.section-note { "This page looks again every 30 seconds. With JavaScript it would be live." } }
    };
    let title = "Body · Command Center";
    frame(&Frame { title, house: &cx.house.house.name, live: Some("body"), now }, &main)
}

/// Everything that changes.
pub(crate) fn body(cx: &Cx<'_>, body: &Asked<Body>) -> Markup {
    let body = match body {
        Asked::Known(body) => body,
        Asked::Unknown(reason) => {
            return html! {
                h1.sentence data-tone="unknown" { span.sentence-head { "Nobody knows how the house is" } " while the watch cannot be asked." }
                div.section { (unknown("watch", reason)) }
            };
        }
    };
    let open = body.incidents.iter().filter(|incident| incident.stage != Stage::Resolved);
    html! {
        (sentence(cx, body))
        @for incident in open { (incident::banner(cx, incident)) }
        section.section #picture aria-labelledby="picture-title" {
            h2 #picture-title tabindex="-1" { "What stands on what" }
            (picture::picture(cx, body))
        }
        div.columns {
            (parts(cx, &body.nodes))
            (lights(cx, &body.sentinels))
        }
        @if !body.drift.is_empty() { (drift(&body.drift)) }
    }
}

/// `The house is poised: all 12 do their work.`
fn sentence(cx: &Cx<'_>, body: &Body) -> Markup {
    let tone = match (body.posture, body.blind.is_some()) {
        (_, true) => "unknown",
        (Posture::Poised, _) => "well",
        (Posture::Cautious | Posture::Conserving, _) => "quiet",
        (Posture::Alert | Posture::Healing, _) => "needs",
    };
    html! {
        h1.sentence data-tone=(tone) data-posture=(body.posture.word()) {
            span.sentence-head { "The house is " (body.posture.word()) ":" } " " span.sentence-rest { (counted(&body.nodes)) "." }
        }
        @if let Some(blind) = &body.blind {
            div.unknown { p.unknown-head { (icons::question()) "nothing that was seen can be believed now" } p.unknown-why { (blind) } }
        }
        @if let Some(attention) = &body.attention {
            p.section-note { "It heeds " strong { (attention.word) } " until " (cx.time(attention.until)) ", as " (attention.by) " asked." }
        }
    }
}

fn counted(nodes: &[Node]) -> String {
    let of = |state: State| nodes.iter().filter(|node| node.state == state).count();
    if nodes.is_empty() {
        return "nothing is watched yet".to_owned();
    }
    if of(State::Healthy) == nodes.len() {
        return format!("all {} do their work", nodes.len());
    }
    let rest = [State::Blocked, State::Failed, State::Drift, State::Unknown]
        .into_iter()
        .filter(|state| of(*state) > 0);
    let said: Vec<String> = rest.map(|state| format!("{} {}", of(state), word(state))).collect();
    format!("{}; {} of {} do their work", words::list(&said), of(State::Healthy), nodes.len())
}

/// As it reads behind a number or a name.
const fn word(state: State) -> &'static str {
    match state {
        State::Healthy => "healthy",
        State::Unknown => "unknown",
        State::Drift => "alive but wrong",
        State::Failed => "failed",
        State::Blocked => "failed, and everything was tried",
    }
}

/// The pill's colour of a state.
const fn tint(state: State) -> &'static str {
    match state {
        State::Healthy => "well",
        State::Unknown => "unknown",
        State::Drift => "degraded",
        State::Failed | State::Blocked => "alarm",
    }
}

/// Everything the picture says, as a list; the worst is first.
fn parts(cx: &Cx<'_>, nodes: &[Node]) -> Markup {
    let mut sorted: Vec<&Node> = nodes.iter().collect();
    sorted.sort_by_key(|node| (std::cmp::Reverse(node.state), &node.name));
    html! {
        section.section #parts aria-labelledby="parts-title" {
            h2 #parts-title tabindex="-1" { "Parts" }
            @if nodes.is_empty() { p.nothing { "Nothing is watched yet." } }
            ul.services role="list" { @for node in sorted { (part(cx, node)) } }
        }
    }
}

fn part(cx: &Cx<'_>, node: &Node) -> Markup {
    let because: Vec<&str> =
        node.roots.iter().map(String::as_str).filter(|root| *root != node.name).collect();
    html! {
        li.service #{ "part-" (node.name) } tabindex="-1" data-state=(node.state.word()) data-part-of=(node.name) {
            div.service-head {
                h3 { (node.name) @if node.house_name != node.name { " " span.plain { (node.house_name) } } }
                span.pill data-state=(tint(node.state)) { (word(node.state)) }
            }
            @if !because.is_empty() { p.detail { "because of " strong { (because.join(" and ")) } } }
            @if !node.detail.is_empty() { p.detail { (node.detail) span.dim { " · since " (cx.time(node.since)) } } }
            @for anomaly in &node.anomalies { p.detail { span.tag { "unusual" } " " (anomaly) } }
            @if node.flapping { p.detail.dim { "It changes its mind too often to be believed." } }
            @if let Some(hold) = &node.hold { p.detail { span.tag { "held" } " until " (cx.time(hold.until)) " by " (hold.by) @if !hold.why.is_empty() { ": " (hold.why) } } }
            @if !node.checks.is_empty() {
                details #{ "checks-" (node.name) } {
                    summary { (words::count(node.checks.len(), "check")) }
                    ul.checks role="list" {
                        @for check in &node.checks {
                            li { span.pill data-state=(tint(check.state)) { (word(check.state)) } " " strong { (check.name) } " " span.dim { (check.kind) } " " (check.detail) }
                        }
                    }
                }
            }
        }
    }
}

/// The sentinels, the worst first.
fn lights(cx: &Cx<'_>, all: &[Verdict]) -> Markup {
    let mut sorted: Vec<&Verdict> = all.iter().collect();
    sorted.sort_by_key(|verdict| (std::cmp::Reverse(verdict.light), &verdict.sentinel));
    html! {
        section.section #sentinels aria-labelledby="sentinels-title" {
            h2 #sentinels-title tabindex="-1" { "Sentinels" }
            @if all.is_empty() { p.nothing { "None has looked yet." } }
            ul.lights role="list" {
                @for verdict in sorted {
                    li.light data-light=(verdict.light.word()) data-sentinel=(verdict.sentinel) {
                        span.light-dot aria-hidden="true" {}
                        div {
                            h3 { (verdict.sentinel.replace('-', " ")) " " span.plain { (verdict.light.word()) } }
                            p.detail { (verdict.detail) @if verdict.light != Light::Green { span.dim { " · since " (cx.time(verdict.since)) } } }
                            @if let Some(hint) = &verdict.hint { p.detail.dim { "→ " (hint) } }
                        }
                    }
                }
            }
        }
    }
}

fn drift(lines: &[String]) -> Markup {
    html! {
        section.section #drift aria-labelledby="drift-title" {
            h2 #drift-title tabindex="-1" { "Declared otherwise" }
            ul.services role="list" { @for line in lines { li.service { p.detail { (line) } } } }
        }
    }
}
