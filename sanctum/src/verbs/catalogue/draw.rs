//! The house as layers, for Graphviz, and as a picture of its own.

use std::fmt::Write as _;
use std::io::{self, Write};

use sanctum_kernel::inventory::layout::Layout;
use sanctum_kernel::inventory::{Item, Plane};
use sanctum_kernel::{Inventory, Tier};
use serde::Serialize;

use crate::paint::Paint;

/// What a script gets.
#[derive(Debug, Serialize)]
pub(super) struct Graph {
    /// The foundations first.
    layers: Vec<Vec<String>>,
    edges: Vec<Edge>,
}

#[derive(Debug, Serialize)]
struct Edge {
    from: String,
    to: String,
    /// It cannot work without.
    requires: bool,
}

impl Graph {
    pub(super) fn of(inventory: &Inventory, widest: usize) -> Self {
        let layout = Layout::of(&inventory.spots(), widest);
        let edges = layout.lines.into_iter().map(|line| Edge { from: line.from, to: line.to, requires: line.requires });
        Self { layers: layout.rows, edges: edges.collect() }
    }
}

/// What stands on top is first, as in a drawing.
pub(super) fn text(out: &mut dyn Write, paint: Paint, inventory: &Inventory, graph: &Graph) -> io::Result<()> {
    let name = inventory.0.iter().map(|item| item.name.chars().count()).max().unwrap_or(0);
    for (row, names) in graph.layers.iter().enumerate().rev() {
        for (at, name_of) in names.iter().enumerate() {
            let label = if at == 0 { format!("{row:>2}") } else { "  ".to_owned() };
            let item = inventory.get(name_of);
            let lists = item.map(|item| {
                let say = |word: &str, list: &[String]| if list.is_empty() { String::new() } else { format!("  {word} {}", list.join(", ")) };
                format!("{}{}{}", say("needs", &item.requires), say("likes", &item.wants), say("after", &item.after))
            });
            let whose = item.map(whose).unwrap_or_default();
            writeln!(out, "{} {}  {}{}", paint.dim(label), paint.bold(format!("{name_of:<name$}")), whose, paint.dim(lists.unwrap_or_default()))?;
        }
    }
    Ok(())
}

fn whose(item: &Item) -> String {
    let plane = match item.plane {
        Plane::Host => "host",
        Plane::Guest => "guest",
        Plane::Outside => "outside",
    };
    let tier = match item.tier {
        Tier::Critical => "critical",
        Tier::Important => "important",
        Tier::Ordinary => "ordinary",
    };
    format!("{:<7} {plane:<7} {tier:<9}", if item.ours { "ours" } else { "foreign" })
}

/// Arrows go from what needs to what is needed; a dashed one is only liked.
pub(super) fn dot(out: &mut dyn Write, inventory: &Inventory) -> io::Result<()> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    writeln!(out, "digraph house {{\n  rankdir = TB;\n  node [shape = box, style = rounded];")?;
    for item in &inventory.0 {
        let shape = if item.ours { "" } else { ", style = \"rounded,dashed\"" };
        let label = if item.house_name == item.name { item.name.clone() } else { format!("{}\\n{}", item.name, item.house_name.replace('"', "'")) };
        writeln!(out, "  {} [label = \"{label}\"{shape}];", quoted(&item.name))?;
    }
    for item in &inventory.0 {
        for name in &item.requires {
            writeln!(out, "  {} -> {};", quoted(&item.name), quoted(name))?;
        }
        for name in item.wants.iter().chain(&item.after) {
            writeln!(out, "  {} -> {} [style = dashed];", quoted(&item.name), quoted(name))?;
        }
    }
    writeln!(out, "}}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A picture that needs nothing else; it follows the reader's light or dark.
pub(super) fn svg(out: &mut dyn Write, inventory: &Inventory, widest: usize) -> io::Result<()> {
    let layout = Layout::of(&inventory.spots(), widest);
    let (width, height) = (layout.width.max(1.0), layout.height.max(1.0));
    writeln!(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"What stands on what\">")?;
    writeln!(out, "<style>\n  rect {{ fill: #fff; stroke: #575d69; }} text {{ font: 13px sans-serif; fill: #1d212b; text-anchor: middle; }} .small {{ font-size: 10px; fill: #575d69; }}\n  path {{ fill: none; stroke: #575d69; stroke-width: 1.3; }} .likes, .foreign {{ stroke-dasharray: 5 4; }}\n  @media (prefers-color-scheme: dark) {{ rect {{ fill: #161a24; stroke: #a3a9b8; }} text {{ fill: #eceae4; }} .small {{ fill: #a3a9b8; }} path {{ stroke: #a3a9b8; }} }}\n</style>")?;
    for line in &layout.lines {
        let class = if line.requires { "needs" } else { "likes" };
        writeln!(out, "<path class=\"{class}\" d=\"{}\"><title>{} → {}</title></path>", line.path(), escaped(&line.from), escaped(&line.to))?;
    }
    for placed in &layout.boxes {
        let Some(item) = inventory.get(&placed.name) else { continue };
        let class = if item.ours { "ours" } else { "foreign" };
        let mut words = String::new();
        let (y, small) = if item.house_name == item.name { (placed.y + 4.5, false) } else { (placed.y - 2.0, true) };
        write!(words, "<text x=\"{}\" y=\"{y}\">{}</text>", placed.x, escaped(&item.name)).ok();
        if small {
            write!(words, "<text class=\"small\" x=\"{}\" y=\"{}\">{}</text>", placed.x, placed.y + 13.0, escaped(&item.house_name)).ok();
        }
        let (x, top) = (placed.x - Layout::WIDTH / 2.0, placed.y - Layout::HEIGHT / 2.0);
        writeln!(out, "<g><title>{}</title><rect class=\"{class}\" x=\"{x}\" y=\"{top}\" width=\"{}\" height=\"{}\" rx=\"10\"/>{words}</g>", escaped(&item.summary), Layout::WIDTH, Layout::HEIGHT)?;
    }
    writeln!(out, "</svg>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CATALOGUE;
    use crate::verbs::incidents::fixtures;

    fn house() -> Inventory {
        let text = "[service.tunnel]\nplane = \"outside\"\ncheck.x = { tcp = { address = \"127.0.0.1:1\" } }\n[service.\"home-assistant\"]\nrequires = [\"tunnel\"]\nwants = [\"notify\"]\ncheck.x = { tcp = { address = \"127.0.0.1:1\" } }\n";
        let loaded = sanctum_settings::check("sanctum.toml".as_ref(), text, &CATALOGUE).unwrap();
        let mut inventory = Inventory::of(&CATALOGUE, &loaded.house, &loaded.addresses(), &[]);
        // The snapshot is of the drawing, not of what the house happens to consist of.
        inventory.0.retain(|item| !item.ours || ["notify", "screen", "firewall"].contains(&item.name.as_str()));
        inventory
    }

    #[test]
    fn layers_and_graphviz_are_as_they_were() {
        let house = house();
        let graph = Graph::of(&house, 7);
        let drawn = fixtures::drawn(|out, paint, _| text(out, paint, &house, &graph));
        fixtures::has(&drawn, &["home-assistant", "needs tunnel  likes notify", "foreign outside ordinary"]);
        let drawn = fixtures::drawn(|out, _, _| dot(out, &house));
        let arrows = ["digraph house {", "\"home-assistant\" -> \"tunnel\";", "\"home-assistant\" -> \"notify\" [style = dashed];"];
        fixtures::has(&drawn, &arrows);
    }

    #[test]
    fn the_picture_is_well_formed_and_has_everybody() {
        let house = house();
        let drawn = fixtures::drawn(|out, _, _| svg(out, &house, 7));
        let document = roxmltree::Document::parse(&drawn).unwrap();
        let boxes = document.descendants().filter(|node| node.has_tag_name("rect")).count();
        assert_eq!(boxes, house.0.len());
        assert!(drawn.contains("<title>home-assistant → tunnel</title>"), "{drawn}");
    }
}
