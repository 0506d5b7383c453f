//! What glows: banners by severity, each with its story and the way to take note of it.

use maud::{Markup, html};
use sanctum_api::notify::Banner;

use super::{Cx, icons, unknown};
use crate::Asked;

pub(crate) fn list(cx: &Cx<'_>, banners: &Asked<Vec<Banner>>) -> Markup {
    match banners {
        Asked::Unknown(reason) => unknown("notify", reason),
        Asked::Known(banners) if banners.is_empty() => {
            html! { p.nothing { (icons::check()) "Nothing is waiting to be read." } }
        }
        Asked::Known(banners) => {
            html! { ul.banners role="list" { @for shown in banners { (banner(cx, shown)) } } }
        }
    }
}

fn banner(cx: &Cx<'_>, banner: &Banner) -> Markup {
    let (id, severity) = (banner.id, banner.severity.word());
    let title = format!("banner-{id}-title");
    html! {
        li {
            article.banner #{ "banner-" (id) } data-severity=(severity) data-acked=[banner.acked.as_ref().map(|_| "")] tabindex="-1" aria-labelledby=(title) {
                span.banner-sign { (icons::severity(banner.severity)) }
                div.banner-text {
                    p.banner-meta {
                        span.severity { (severity) }
                        @if banner.count > 1 { span.times { span.vh { "said " (banner.count) " times" } span aria-hidden="true" { "×" (banner.count) } } }
                        @if banner.undelivered { span.undelivered { "reached nobody" } }
                        span { (banner.source) " · " (cx.time(banner.since)) }
                    }
                    h3 id=(title) { (banner.title) }
                    @if !banner.message.is_empty() && banner.message != banner.title { p.banner-message { (banner.message) } }
                    @if let Some(ack) = &banner.acked {
                        p.acked { (icons::check()) span { "acknowledged by " (ack.who) " at " (cx.time(ack.at)) } }
                    }
                }
                div.banner-acts {
                    a.link #{ "banner-" (id) "-story" } data-act="story" href={ "/story/" (banner.trace_id) } { "Story" span.vh { " of " (banner.title) } }
                    @if banner.acked.is_none() {
                        form method="post" action={ "/banners/" (id) "/ack" } data-live {
                            button.act #{ "banner-" (id) "-ack" } data-act="ack" { "Acknowledge" span.vh { " " (banner.title) } }
                        }
                    }
                }
            }
        }
    }
}
