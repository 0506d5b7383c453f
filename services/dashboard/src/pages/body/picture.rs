//! The drawing: every service a box, what it stands on below it. Colour is never the only sign.

use maud::{Markup, html};
use sanctum_api::watch::{Body, Node, State};
use sanctum_kernel::inventory::layout::{Layout, Line, Placed, Spot};

use super::word;
use crate::pages::Cx;
use crate::words;

/// As many boxes as fit beside each other on a desk.
const WIDEST: usize = 7;

pub(super) fn picture(cx: &Cx<'_>, body: &Body) -> Markup {
    let spots: Vec<Spot> = body
        .nodes
        .iter()
        .map(|node| {
            let must = node.requires.iter().map(|name| (name.clone(), true));
            Spot {
                name: node.name.clone(),
                on: must.chain(node.wants.iter().map(|name| (name.clone(), false))).collect(),
            }
        })
        .collect();
    let layout = Layout::of(&spots, WIDEST);
    let find = |name: &str| body.nodes.iter().find(|node| node.name == name);
    let (width, height) = (layout.width, layout.height);
    html! {
        // On a phone it is moved sideways, which a keyboard must be able to do as well.
        div.body-frame tabindex="0" role="region" aria-label="What stands on what, drawn" {
            svg.body-picture viewBox={ "0 0 " (width) " " (height) } width=(width) height=(height) role="group" aria-label="Services; below each is what it stands on" {
                g aria-hidden="true" {
                    @for line in &layout.lines { (drawn(line, find(&line.from), find(&line.to))) }
                }
                @for placed in &layout.boxes {
                    @if let Some(node) = find(&placed.name) { (boxed(cx, placed, node)) }
                }
            }
        }
        ul.legend role="list" aria-label="Signs" {
            @for state in [State::Healthy, State::Drift, State::Failed, State::Blocked, State::Unknown] {
                li data-state=(state.word()) { span.legend-sign aria-hidden="true" { (sign(state)) } (word(state)) }
            }
        }
    }
}

/// A line along which a trouble goes is drawn as one.
fn drawn(line: &Line, from: Option<&Node>, to: Option<&Node>) -> Markup {
    let trouble = from
        .zip(to)
        .is_some_and(|(from, to)| !from.roots.is_empty() && !to.roots.is_empty() && !to.state.bears());
    html! { path.body-line data-requires[line.requires] data-trouble[trouble] d=(line.path()) {} }
}

/// A sign for those who do not see the colour.
const fn sign(state: State) -> &'static str {
    match state {
        State::Healthy => "✓",
        State::Unknown => "?",
        State::Drift => "~",
        State::Failed => "✕",
        State::Blocked => "■",
    }
}

/// Whether it is the cause, or fails because of another.
fn role(node: &Node) -> Option<&'static str> {
    if node.roots.is_empty() || node.state.bears() && node.state != State::Drift {
        return None;
    }
    Some(if node.roots.contains(&node.name) { "root" } else { "symptom" })
}

fn boxed(cx: &Cx<'_>, placed: &Placed, node: &Node) -> Markup {
    let (left, top) = (placed.x - Layout::WIDTH / 2.0, placed.y - Layout::HEIGHT / 2.0);
    let role = role(node);
    let said = match role {
        Some("root") => ", the root of the trouble".to_owned(),
        Some(_) => format!(", because of {}", node.roots.join(" and ")),
        None => String::new(),
    };
    let since = words::clock(node.since, cx.now, &cx.tz);
    let label = format!("{}: {} since {since}{said}", node.name, word(node.state));
    let second = match (role, &node.hold) {
        (Some("root"), _) => "root cause".to_owned(),
        (_, Some(_)) => "held".to_owned(),
        (Some(_), _) => format!("because of {}", short(&node.roots.join(", "), 12)),
        _ => short(&node.house_name, 21),
    };
    html! {
        a.body-node #{ "node-" (node.name) } href={ "#part-" (node.name) } aria-label=(label) data-node=(node.name) data-state=(node.state.word()) data-role=[role] data-foreign[!node.ours] data-held[node.hold.is_some()] {
            title { (label) @if !node.detail.is_empty() { ": " (node.detail) } }
            rect x=(left) y=(top) width=(Layout::WIDTH) height=(Layout::HEIGHT) rx="12" {}
            text.body-sign x=(left + 16.0) y=(placed.y + 5.0) { (sign(node.state)) }
            text.body-name x=(left + 30.0) y=(placed.y - 2.0) { (short(&node.name, 15)) }
            text.body-second x=(left + 30.0) y=(placed.y + 14.0) { (second) }
        }
    }
}

fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        text.to_owned()
    } else {
        text.chars().take(most - 1).chain(['…']).collect()
    }
}
