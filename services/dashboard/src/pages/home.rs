//! The first page.

use maud::{Markup, html};

use super::layout::{Frame, page as frame};
use super::{Cx, banners, devices, sentence, services, tonight};
use crate::{Overview, words};

pub(crate) fn page(cx: &Cx<'_>, overview: &Overview) -> Markup {
    let title = sentence::title(&overview.sentence);
    let now = Some((cx.now, overview.zone.clone(), words::clock(cx.now, cx.now, &cx.tz)));
    let main = html! {
        div #sentence data-part="sentence" { (sentence::body(&overview.sentence)) }
        (section("banners", "Banners", "wide", &banners::list(cx, &overview.banners)))
        (section("tonight", "Tonight", "wide", &tonight::body(cx, &overview.tonight)))
        div.columns {
            (section("devices", "Devices", "", &devices::body(cx, &overview.devices)))
            (section("services", "Services", "", &services::body(cx, &overview.services)))
        }
        noscript { p.section-note { "This page looks again every 30 seconds. With JavaScript it would be live." } }
    };
    frame(&Frame { title: &title, house: &overview.house, live: Some("home"), now }, &main)
}

fn section(id: &str, title: &str, class: &str, body: &Markup) -> Markup {
    html! {
        section.section.(class) #(id) aria-labelledby={ (id) "-title" } {
            h2 #{ (id) "-title" } tabindex="-1" { (title) }
            div data-part=(id) { (body) }
        }
    }
}
