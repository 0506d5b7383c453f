//! The drawing: a note is a dot, a link is a line. The same notes always make the same picture.

use maud::{Markup, html};
use sanctum_api::memory::{Dot, Graph, Kind};

use super::said;
use crate::words;

/// More dots than this are a cloud in which nothing is found; the most important are drawn.
const MOST: usize = 120;
const WIDTH: f32 = 960.0;
const HEIGHT: f32 = 560.0;
/// A dot stays this far from the edge.
const EDGE: f32 = 26.0;
/// So often the forces pull; after that it hardly moves any more.
const ROUNDS: u16 = 90;
/// Dots with a name beside them; the others say theirs when they are pointed at.
const NAMED: usize = 24;

pub(super) fn picture(graph: &Graph) -> Markup {
    let shown = graph.nodes.len().min(MOST);
    let dots = graph.nodes.get(..shown).unwrap_or_default();
    let edges: Vec<(usize, usize)> = graph
        .edges
        .iter()
        .map(|(a, b)| (*a as usize, *b as usize))
        .filter(|(a, b)| a != b && *a < shown && *b < shown)
        .collect();
    let left_out = graph.nodes.len() - shown + graph.left_out as usize;
    let at = places(dots, &edges);
    let degree = |dot: usize| edges.iter().filter(|(a, b)| *a == dot || *b == dot).count();
    let mut named: Vec<usize> = (0..shown).collect();
    named.sort_by_key(|dot| std::cmp::Reverse(degree(*dot)));
    named.truncate(NAMED);
    html! {
        @if dots.is_empty() { p.nothing { "There are no notes yet." } }
        @else {
            div.body-frame tabindex="0" role="region" aria-label="Notes and links, drawn" {
                svg.graph-picture viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } width=(WIDTH) height=(HEIGHT) role="group" aria-label="Notes; a line is a link" {
                    g aria-hidden="true" {
                        @for (a, b) in &edges {
                            @if let (Some(a), Some(b)) = (at.get(*a), at.get(*b)) {
                                line.graph-line x1=(round(a.0)) y1=(round(a.1)) x2=(round(b.0)) y2=(round(b.1)) {}
                            }
                        }
                    }
                    @for (number, (dot, place)) in dots.iter().zip(&at).enumerate() {
                        (dotted(dot, *place, degree(number), named.contains(&number)))
                    }
                }
            }
            ul.legend role="list" aria-label="Signs" {
                @for kind in [Kind::Semantic, Kind::Episodic, Kind::Procedural, Kind::Observation, Kind::SessionSummary] {
                    li data-kind=(word(kind)) { span.legend-sign aria-hidden="true" { "●" } (said(kind)) }
                }
            }
            @if left_out > 0 { p.section-note { (words::count(left_out, "more note")) " are not drawn." } }
        }
    }
}

fn word(kind: Kind) -> String {
    said(kind).replace(' ', "-")
}

fn dotted(dot: &Dot, at: (f32, f32), links: usize, named: bool) -> Markup {
    let radius = 4.0 + 9.0 * dot.importance.clamp(0.0, 1.0);
    let label = format!("{}: {}, {}", dot.title, said(dot.kind), words::count(links, "link"));
    html! {
        a.graph-dot #{ "dot-" (dot.id) } href={ "/memory/" (dot.id) } aria-label=(label) data-kind=(word(dot.kind)) {
            title { (label) }
            circle cx=(round(at.0)) cy=(round(at.1)) r=(round(radius)) {}
            @if named {
                // At the right edge its name goes to the left.
                @let left = at.0 > WIDTH * 0.8;
                text.graph-name data-left[left] x=(round(if left { at.0 - radius - 4.0 } else { at.0 + radius + 4.0 })) y=(round(at.1 + 4.0)) { (short(&dot.title)) }
            }
        }
    }
}

fn short(title: &str) -> String {
    if title.chars().count() <= 22 {
        title.to_owned()
    } else {
        title.chars().take(21).chain(['…']).collect()
    }
}

fn round(number: f32) -> f32 {
    (number * 10.0).round() / 10.0
}

/// Fruchterman and Reingold (1991): dots push each other away, links pull, and it cools. The beginning is a spiral in the order
/// of the notes, so that chance has no part in it.
fn places(dots: &[Dot], edges: &[(usize, usize)]) -> Vec<(f32, f32)> {
    let golden = std::f32::consts::PI * (3.0 - 5.0_f32.sqrt());
    let count = ratio(dots.len().max(1));
    let mut at: Vec<(f32, f32)> = (0..dots.len())
        .map(|n| {
            let (turn, far) = (golden * ratio(n), ((ratio(n) + 0.5) / count).sqrt());
            (WIDTH * 0.5 + far * WIDTH * 0.45 * turn.cos(), HEIGHT * 0.5 + far * HEIGHT * 0.45 * turn.sin())
        })
        .collect();
    let ideal = (WIDTH * HEIGHT / count).sqrt() * 0.62;
    for round in 0..ROUNDS {
        let heat = WIDTH * 0.08 * (1.0 - f32::from(round) / f32::from(ROUNDS));
        let moves: Vec<(f32, f32)> =
            at.iter().enumerate().map(|(n, here)| pushed(n, *here, &at, edges, ideal)).collect();
        for (place, by) in at.iter_mut().zip(moves) {
            let far = by.0.hypot(by.1).max(0.01);
            let step = far.min(heat) / far;
            place.0 = (place.0 + by.0 * step).clamp(EDGE, WIDTH - EDGE);
            place.1 = (place.1 + by.1 * step).clamp(EDGE, HEIGHT - EDGE);
        }
    }
    at
}

fn pushed(n: usize, here: (f32, f32), at: &[(f32, f32)], edges: &[(usize, usize)], ideal: f32) -> (f32, f32) {
    let (mut x, mut y) = ((WIDTH * 0.5 - here.0) * 0.02, (HEIGHT * 0.5 - here.1) * 0.02);
    for (_, there) in at.iter().enumerate().filter(|(m, _)| *m != n) {
        let (dx, dy) = (here.0 - there.0, here.1 - there.1);
        let square = (dx * dx + dy * dy).max(1.0);
        x += dx * ideal * ideal / square;
        y += dy * ideal * ideal / square;
    }
    let others = edges.iter().filter_map(|(a, b)| match (*a == n, *b == n) {
        (true, _) => at.get(*b),
        (_, true) => at.get(*a),
        _ => None,
    });
    for there in others {
        let (dx, dy) = (there.0 - here.0, there.1 - here.1);
        let far = dx.hypot(dy);
        x += dx * far / ideal;
        y += dy * far / ideal;
    }
    (x, y)
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred dots")]
fn ratio(n: usize) -> f32 {
    n as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dots(n: usize) -> Vec<Dot> {
        let dot = |n: usize| Dot {
            id: format!("n-{n}"),
            title: format!("Note {n}"),
            kind: Kind::Semantic,
            importance: 0.5,
        };
        (0..n).map(dot).collect()
    }

    #[test]
    fn linked_notes_are_nearer_than_others_and_nothing_leaves_the_picture() {
        let (dots, edges) = (dots(60), (1..20).map(|n| (0, n)).collect::<Vec<_>>());
        let at = places(&dots, &edges);
        assert_eq!(at, places(&dots, &edges), "the same notes, the same picture");
        assert!(
            at.iter().all(|(x, y)| (EDGE..=WIDTH - EDGE).contains(x) && (EDGE..=HEIGHT - EDGE).contains(y))
        );
        let mean = |range: std::ops::Range<usize>| {
            let n = ratio(range.len());
            range.map(|n| (at[n].0 - at[0].0).hypot(at[n].1 - at[0].1)).sum::<f32>() / n
        };
        assert!(mean(1..20) < mean(20..60), "{} {}", mean(1..20), mean(20..60));
    }

    #[test]
    fn no_note_and_one_note_are_pictures_too() {
        assert!(places(&[], &[]).is_empty());
        assert_eq!(places(&dots(1), &[]).len(), 1);
        let many = Graph { nodes: dots(400), edges: vec![(0, 399), (1, 1), (7, 900)], left_out: 3 };
        let said = picture(&many).into_string();
        assert!(said.contains("283 more notes are not drawn"), "{said}");
        assert!(!said.contains("<line"), "links to what is not drawn are not drawn");
    }
}
