//! The page of one story: the five links with their times, and everything anyone saw.

use maud::{Markup, html};
use sanctum_api::Moment;

use super::layout::{Frame, page as frame};
use super::{Cx, icons};
use crate::story::after;
use crate::{Link, Story, Tie, words};

pub(crate) fn page(cx: &Cx<'_>, story: &Story) -> Markup {
    let now = Some((cx.now, cx.house.house.timezone.to_string(), words::clock(cx.now, cx.now, &cx.tz)));
    let title = format!("{} · Command Center", headline(story));
    let main = html! {
        p.back { a.link href="/" { "← The house" } }
        div #story data-trace=(story.trace_id) { (body(cx, story)) }
    };
    frame(&Frame { title: &title, house: &cx.house.house.name, live: Some("story"), now }, &main)
}

fn headline(story: &Story) -> String {
    let held = story.links.iter().filter(|tie| tie.at.is_some()).count();
    format!("Story, {held} of 5 links")
}

fn body(cx: &Cx<'_>, story: &Story) -> Markup {
    let first = story.moments.first();
    let tone = if story.links.iter().all(|tie| tie.at.is_some()) {
        "well"
    } else if story.silent.is_empty() {
        "quiet"
    } else {
        "unknown"
    };
    html! {
        h1.sentence data-tone=(tone) {
            @if let Some(first) = first {
                span.sentence-head { (words::clock(first.at, cx.now, &cx.tz)) ", " (first.detail) ":" } " "
            }
            span.sentence-rest { (story.said) "." }
        }
        p.section-note { "trace " code.trace { (story.trace_id) } }
        @for (service, reason) in &story.silent { (super::unknown(service, reason)) }
        section.section aria-labelledby="links-title" {
            h2 #links-title { "The five links" }
            ol.links role="list" { @for tie in &story.links { (link(cx, tie)) } }
        }
        section.section aria-labelledby="moments-title" {
            h2 #moments-title { "Everything that was seen" }
            @if story.moments.is_empty() { p.nothing { "Nothing." } }
            ol.moments role="list" { @for moment in &story.moments { (seen(cx, first, moment)) } }
        }
    }
}

fn link(cx: &Cx<'_>, tie: &Tie) -> Markup {
    let name = match tie.link {
        Link::Joined => "Joined",
        Link::Blocked => "Blocked and verified",
        Link::Violation => "Violation written",
        Link::Message => "Message sent",
        Link::Banner => "Banner shown",
    };
    html! {
        li.tie data-link=(tie.link.word()) data-held=[tie.at.map(|_| "")] {
            span.tie-sign { @if tie.at.is_some() { (icons::check()) } @else { (icons::dash()) } }
            h3 { (name) }
            @match (tie.at, tie.after_ms) {
                (Some(at), Some(after)) => p.tie-time { span.plus { "+" (words::lapse(after)) } " " time.dim datetime=(at) { (words::precise(at, &cx.tz)) } },
                _ => p.tie-time { "missing" }
            }
            p.dim { (tie.detail) }
        }
    }
}

fn seen(cx: &Cx<'_>, first: Option<&Moment>, moment: &Moment) -> Markup {
    let plus = first.map_or(0, |first| after(first.at, moment.at));
    html! {
        li.moment {
            span.plus { "+" (words::lapse(plus)) }
            div {
                p { strong { (moment.what) } " " span.dim { (moment.service) " · " time datetime=(moment.at) { (words::precise(moment.at, &cx.tz)) } } }
                p { (moment.detail) }
            }
        }
    }
}
