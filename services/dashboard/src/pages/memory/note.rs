//! One note, as it is in its file, with what is known of it and what it is linked with.

use maud::{Markup, html};
use sanctum_api::memory::{Class, Link, Links, Note};

use super::said;
use crate::pages::layout::{Frame, page as frame};
use crate::pages::{Cx, unknown};
use crate::{Asked, words};

pub(crate) fn page(cx: &Cx<'_>, note: &Asked<Note>, links: &Asked<Links>) -> Markup {
    let now = Some((cx.now, cx.house.house.timezone.to_string(), words::clock(cx.now, cx.now, &cx.tz)));
    let title = note.known().map_or("Note", |note| note.head.title.as_str());
    let title = format!("{title} · Memory");
    let main = html! {
        p.back { a.link href="/memory" { "← The memory" } }
        @match note {
            Asked::Known(note) => (whole(cx, note, links)),
            Asked::Unknown(reason) => (unknown("memory", reason)),
        }
    };
    frame(&Frame { title: &title, house: &cx.house.house.name, live: None, now }, &main)
}

fn whole(cx: &Cx<'_>, note: &Note, links: &Asked<Links>) -> Markup {
    let head = &note.head;
    html! {
        h1.sentence { span.sentence-head { (head.title) } }
        p.section-note {
            (head.path) " · " (said(head.kind)) " · by " (head.agent.clone().unwrap_or_else(|| said(head.origin)))
            " · changed " (cx.time(head.updated))
            @if let Some(from) = head.valid_from { " · holds since " (cx.time(from)) }
            @if let Some(until) = head.valid_until { " · held until " (cx.time(until)) }
            @if head.class != Class::General { " " span.pill data-state="blocked" { (said(head.class)) ": it never leaves the house" } }
            @for tag in &head.tags { " " span.tag { "#" (tag) } }
        }
        @if let Some(trouble) = &head.trouble { div.unknown { p.unknown-head { "something is wrong with its file" } p.unknown-why { (trouble) } } }
        @if let Some(newer) = &head.superseded_by { p.advice { "→ It was superseded by " a.link href={ "/memory/" (newer) } { (newer) } } }
        @if !note.contradicts.is_empty() {
            p.advice { "→ It contradicts " @for other in &note.contradicts { a.link href={ "/memory/" (other) } { (other) } " " } }
        }
        pre.note #note-text tabindex="0" { (note.text) }
        @match links {
            Asked::Unknown(reason) => (unknown("memory", reason)),
            Asked::Known(links) => {
                div.columns {
                    (linked("links-out", "Links to", &links.out))
                    (linked("links-back", "Linked from", &links.back))
                }
            }
        }
    }
}

fn linked(id: &str, title: &str, links: &[Link]) -> Markup {
    html! {
        section.section #(id) aria-labelledby={ (id) "-title" } {
            h2 #{ (id) "-title" } { (title) }
            @if links.is_empty() { p.nothing { "Nothing." } }
            ul role="list" {
                @for link in links {
                    @let shown = link.title.as_ref().unwrap_or(&link.name);
                    li { @match &link.id {
                        Some(id) => a.link href={ "/memory/" (id) } { (shown) },
                        None => { (shown) " " span.dim { "(no such note yet)" } },
                    } }
                }
            }
        }
    }
}
