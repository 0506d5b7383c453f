//! Models and money: spend against caps, what is under way, which doors are closed, who stood in for whom.

use maud::{Markup, html};
use sanctum_api::proxy::{Fallback, Live, ProviderState, Spend, Stats, dollars};

use super::layout::{Frame, page as frame};
use super::{Cx, icons, unknown};
use crate::{Asked, words};

pub(crate) fn page(cx: &Cx<'_>, stats: &Asked<Stats>) -> Markup {
    let now = Some((cx.now, cx.house.house.timezone.to_string(), words::clock(cx.now, cx.now, &cx.tz)));
    let main = html! {
        h1.sentence { span.sentence-head { "Models" } " and what they cost" }
        div data-part="models" { (body(cx, stats)) }
        noscript { p.section-note { "This page looks again every 30 seconds. With JavaScript it would be live." } }
    };
    frame(
        &Frame { title: "Models · Command Center", house: &cx.house.house.name, live: Some("models"), now },
        &main,
    )
}

/// Everything that changes.
pub(crate) fn body(cx: &Cx<'_>, stats: &Asked<Stats>) -> Markup {
    let stats = match stats {
        Asked::Known(stats) => stats,
        Asked::Unknown(reason) => return unknown("proxy", reason),
    };
    html! {
        (section("spend", "Today's spend", &spends(stats)))
        (section("live", "Under way", &live(cx, &stats.live)))
        div.columns {
            (section("providers", "Providers", &providers(cx, &stats.providers)))
            (section("fallbacks", "Last fall-backs", &fallbacks(cx, &stats.fallbacks)))
        }
    }
}

fn section(id: &str, title: &str, body: &Markup) -> Markup {
    html! {
        section.section #(id) aria-labelledby={ (id) "-title" } {
            h2 #{ (id) "-title" } tabindex="-1" { (title) }
            (body)
        }
    }
}

fn spends(stats: &Stats) -> Markup {
    let shown = stats.agents.iter().filter(|spend| spend.cap_usd.is_some() || used(spend) > 0.0);
    html! {
        ul.services role="list" {
            @for spend in shown { (spend_row(&spend.agent, spend)) }
            (spend_row("the house", &stats.house))
        }
    }
}

fn used(spend: &Spend) -> f64 {
    spend.settled_usd + spend.reserved_usd
}

fn spend_row(name: &str, spend: &Spend) -> Markup {
    let used = used(spend);
    let share = spend.cap_usd.map(|cap| if cap > 0.0 { used / cap } else { 1.0 });
    let state = match share {
        Some(share) if share >= 1.0 => "alarm",
        Some(share) if share >= 0.8 => "degraded",
        _ => "well",
    };
    html! {
        li.service data-state=(state) data-agent=(name) {
            div.service-head {
                h3 { (name) }
                @if state == "alarm" { span.pill data-state="alarm" { "spent: local models answer" } }
            }
            @if let Some(cap) = spend.cap_usd {
                meter.spend min="0" max="1" high="0.8" value=(share.unwrap_or_default().min(1.0)) aria-label={ "share of the cap used by " (name) } {}
                p.detail { (dollars(used)) " of " (dollars(cap)) (under_way(spend)) }
            } @else {
                p.detail { (dollars(used)) ", no cap" (under_way(spend)) }
            }
        }
    }
}

fn under_way(spend: &Spend) -> Markup {
    html! { @if spend.reserved_usd > 0.0 { span.dim { " · " (dollars(spend.reserved_usd)) " of it reserved for what is under way" } } }
}

fn live(cx: &Cx<'_>, live: &[Live]) -> Markup {
    html! {
        @if live.is_empty() {
            p.nothing { (icons::check()) "Nobody is asking at the moment." }
        } @else {
            ul.services role="list" {
                @for request in live {
                    li.service {
                        div.service-head {
                            h3 { (request.agent) " " span.plain { "asks for " (request.asked) } }
                            span.pill data-state="online" { @if request.streaming { "streaming" } @else { "waiting" } }
                        }
                        p.detail {
                            (request.serving) " · since " (cx.time(request.since))
                            @if request.tokens_out > 0 { " · " (request.tokens_out) " tokens so far" }
                            " · " a.link href={ "/story/" (request.trace) } { "story" }
                        }
                    }
                }
            }
        }
    }
}

fn providers(cx: &Cx<'_>, providers: &[ProviderState]) -> Markup {
    html! {
        @if providers.is_empty() { p.nothing { "No provider is configured yet." } }
        ul.services role="list" {
            @for provider in providers {
                @let (state, word) = match (provider.key, provider.breaker.as_str()) {
                    (false, _) => ("degraded", "its key is missing"),
                    (_, "open") => ("alarm", "closed for now"),
                    (_, "probing") => ("degraded", "one request tries it"),
                    _ => ("well", "open"),
                };
                li.service data-state=(state) data-provider=(provider.name) {
                    div.service-head {
                        h3 { (provider.name) " " span.plain { (provider.kind) " · " (provider.locality) } }
                        span.pill data-state=(state) { (word) }
                    }
                    @if provider.first_byte_ms > 0.0 { p.detail.dim { "first byte after " (format!("{:.0}", provider.first_byte_ms)) " ms" } }
                    @if let Some(because) = &provider.because {
                        p.detail { (because) @if let Some(until) = provider.until { ", until " (cx.time(until)) } }
                    }
                }
            }
        }
    }
}

fn fallbacks(cx: &Cx<'_>, fallbacks: &[Fallback]) -> Markup {
    html! {
        @if fallbacks.is_empty() {
            p.nothing { (icons::check()) "Everyone was served by their first choice." }
        } @else {
            ul.services role="list" {
                @for fallback in fallbacks {
                    li.service {
                        div.service-head {
                            h3 { (fallback.from) " → " (fallback.to.as_deref().unwrap_or("nobody")) }
                            span.dim { (cx.time(fallback.at)) }
                        }
                        p.detail { (fallback.agent) ": " (fallback.because) " · " a.link href={ "/story/" (fallback.trace) } { "story" } }
                    }
                }
            }
        }
    }
}
