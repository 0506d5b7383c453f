//! Tonight's timeline: a bar a device, the same in words beside it, and what was tried.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp, ToSpan};
use maud::{Markup, html};
use sanctum_api::screen::{Status, Stretch, Violation};
use sanctum_kernel::Applied;

use super::{Cx, icons, unknown};
use crate::overview::Tonight;
use crate::{Asked, words};

pub(crate) fn body(cx: &Cx<'_>, tonight: &Tonight) -> Markup {
    html! {
        @match &tonight.status {
            Asked::Known(status) => (status_line(status)),
            Asked::Unknown(reason) if tonight.schedule.is_known() => (unknown("screen", reason)),
            Asked::Unknown(_) => {}
        }
        @match &tonight.schedule {
            Asked::Unknown(reason) => (unknown("screen", reason)),
            Asked::Known(stretches) => (timeline(cx, stretches, tonight.violations.items())),
        }
        @match &tonight.violations {
            Asked::Unknown(reason) if tonight.schedule.is_known() => (unknown("what was tried", reason)),
            Asked::Unknown(_) => {}
            Asked::Known(violations) => (tried(cx, violations)),
        }
    }
}

fn status_line(status: &Status) -> Markup {
    let (state, said) = match status.enforced {
        Applied::Applied => ("online", "in force"),
        Applied::NotApplied => ("alarm", "not in force"),
        Applied::Unknown => ("unknown", "cannot be told"),
    };
    html! {
        p.section-note {
            (status.tonight) " "
            span.pill data-state=(state) { (said) }
            @if let Some(detail) = &status.detail { span.dim { " " (detail) } }
        }
    }
}

/// The stretch of time that is drawn.
struct Range {
    from: Timestamp,
    to: Timestamp,
}

impl Range {
    fn of(stretches: &[Stretch]) -> Option<Self> {
        let from = stretches.iter().map(|stretch| stretch.from).min()?;
        let to = stretches.iter().map(|stretch| stretch.to).max()?;
        (from < to).then_some(Self { from, to })
    }

    /// Where an instant is, in percent of the width.
    fn place(&self, at: Timestamp) -> f64 {
        let whole = self.to.duration_since(self.from).as_secs_f64();
        (at.duration_since(self.from).as_secs_f64() / whole * 100.0).clamp(0.0, 100.0)
    }

    fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at <= self.to
    }
}

fn timeline(cx: &Cx<'_>, stretches: &[Stretch], violations: &[Violation]) -> Markup {
    let Some(range) = Range::of(stretches) else {
        return html! { p.nothing { "No rule changes anything tonight." } };
    };
    let mut rows: BTreeMap<(&str, &str), Vec<&Stretch>> = BTreeMap::new();
    for stretch in stretches {
        rows.entry((&stretch.name, &stretch.device)).or_default().push(stretch);
    }
    html! {
        div.timeline #timeline data-from=(range.from.as_millisecond()) data-to=(range.to.as_millisecond()) {
            (axis(cx, &range))
            ul role="list" {
                @for ((name, device), stretches) in rows {
                    li.row {
                        h3.row-name { (name) }
                        (bar(cx, &range, &stretches, violations.iter().filter(|violation| violation.device == device)))
                        p.row-words { (in_words(cx, &stretches)) }
                    }
                }
            }
        }
    }
}

/// The hours, and where now is.
fn axis(cx: &Cx<'_>, range: &Range) -> Markup {
    let now = range.place(cx.now);
    // A label near an edge would be cut off.
    let anchor = if now > 94.0 {
        "end"
    } else if now < 6.0 {
        "start"
    } else {
        "middle"
    };
    html! {
        svg.axis width="100%" height="38" aria-hidden="true" focusable="false" {
            @for (index, (at, label)) in hours(cx, range).into_iter().enumerate() {
                @let x = range.place(at);
                @if (2.0..=98.0).contains(&x) {
                    text.hour.odd[index % 2 == 1] x={ (number(x)) "%" } y="33" text-anchor="middle" { (label) }
                }
            }
            @if range.holds(cx.now) {
                text.now-label data-now x={ (number(now)) "%" } y="13" text-anchor=(anchor) { "now " (words::clock(cx.now, cx.now, &cx.tz)) }
            }
        }
    }
}

/// Whole hours on the house's wall within the range, few enough to read.
fn hours(cx: &Cx<'_>, range: &Range) -> Vec<(Timestamp, String)> {
    let length = range.to.duration_since(range.from);
    let step: i64 = if length <= SignedDuration::from_hours(14) {
        1
    } else if length <= SignedDuration::from_hours(28) {
        2
    } else {
        6
    };
    let Ok(first) = range
        .from
        .to_zoned(cx.tz.clone())
        .round(jiff::ZonedRound::new().smallest(jiff::Unit::Hour).mode(jiff::RoundMode::Ceil))
    else {
        return Vec::new();
    };
    let mut hours = Vec::new();
    let mut at = first;
    while at.timestamp() <= range.to && hours.len() < 64 {
        if i64::from(at.hour()) % step == 0 {
            hours.push((at.timestamp(), at.strftime("%H").to_string()));
        }
        match at.checked_add(1.hour()) {
            Ok(next) => at = next,
            Err(_) => break,
        }
    }
    hours
}

fn bar<'v>(
    cx: &Cx<'_>,
    range: &Range,
    stretches: &[&Stretch],
    violations: impl Iterator<Item = &'v Violation>,
) -> Markup {
    html! {
        svg.bar width="100%" height="22" aria-hidden="true" focusable="false" {
            rect.bar-all x="0" y="5" width="100%" height="12" rx="6" {}
            @for stretch in stretches.iter().filter(|stretch| stretch.blocked.is_some()) {
                @let (from, to) = (range.place(stretch.from), range.place(stretch.to));
                @let part = !matches!(stretch.blocked, Some(sanctum_api::firewall::Scope::All));
                rect.bar-blocked.part[part] x={ (number(from)) "%" } y="5" width={ (number(to - from)) "%" } height="12" rx="6" {}
            }
            @for violation in violations.filter(|violation| range.holds(violation.at)) {
                circle.bar-tried cx={ (number(range.place(violation.at))) "%" } cy="11" r="5" {}
            }
            @if range.holds(cx.now) {
                @let now = number(range.place(cx.now));
                line.bar-now data-now x1={ (now) "%" } x2={ (now) "%" } y1="0" y2="22" {}
            }
        }
    }
}

fn number(value: f64) -> String {
    format!("{value:.2}")
}

fn in_words(cx: &Cx<'_>, stretches: &[&Stretch]) -> Markup {
    let blocked: Vec<_> = stretches.iter().filter(|stretch| stretch.blocked.is_some()).collect();
    html! {
        @if blocked.is_empty() { "allowed all night" }
        @for (index, stretch) in blocked.iter().enumerate() {
            @if index > 0 { "; " }
            @if let Some(scope) = &stretch.blocked { (words::scope(scope)) }
            " " (cx.time(stretch.from)) "–" time datetime=(stretch.to) { (words::clock(stretch.to, stretch.from, &cx.tz)) }
            span.dim { ", " (stretch.because) }
        }
    }
}

fn tried(cx: &Cx<'_>, violations: &[Violation]) -> Markup {
    let tonight: Vec<_> = violations
        .iter()
        .filter(|violation| cx.now.duration_since(violation.at) < SignedDuration::from_hours(18))
        .collect();
    html! {
        @if !tonight.is_empty() {
            h3.sub { "What was tried" }
            ul.tried role="list" {
                @for violation in tonight {
                    li {
                        span.tried-at { (cx.time(violation.at)) }
                        span.tried-what { strong { (violation.name) } " " (violation.action) span.dim { " · " (violation.rule) " · " (words::verdict(violation.verdict)) } }
                        a.link #{ "violation-" (violation.id) } href={ "/story/" (violation.trace_id) } { "Story" span.vh { " of " (violation.name) } }
                    }
                }
            }
        } @else {
            p.nothing { (icons::check()) "Nobody has tried anything against the rules." }
        }
    }
}
