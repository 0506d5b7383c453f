//! `sanctum check`: every check of a service, now.

use std::io::{self, Write};

use sanctum_api::watch::Node;

use crate::cli::{Cli, Outcome, Wall};
use crate::paint::Paint;
use crate::watching::{About, state};

/// Ask every check of a service now, out of turn, and say what each answered.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum check proxy\n  sanctum check home-assistant --json\n\nExit code 0 if it is healthy, 1 if it is not.")]
pub(crate) struct Args {
    #[command(flatten)]
    about: About,
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    args.about.show(cli, async |watch, name| watch.check(name).await, draw, |node| node.state)
}

fn draw(out: &mut dyn Write, paint: Paint, node: &Node, wall: &Wall) -> io::Result<()> {
    writeln!(out, "{} is {}, since {}{}", paint.bold(&node.name), state(paint, node.state, 0), wall.at(node.since), if node.flapping { ", and changes its mind all the time" } else { "" })?;
    if node.checks.is_empty() {
        writeln!(out, "  {} nothing looks whether it works: add a `check` to `[service.{}]`", paint.yellow("→"), node.name)?;
    }
    let name = node.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
    for check in &node.checks {
        let took = check.took_ms.map(|took| format!(" ({took:.0} ms)")).unwrap_or_default();
        let bad = if check.bad > 0 { paint.dim(format!(", {} in a row", check.bad)) } else { String::new() };
        writeln!(out, "  {} {:<name$}  {}  {}{took}{bad}", state(paint, check.state, 8), check.name, paint.dim(&check.kind), check.detail)?;
    }
    for anomaly in &node.anomalies {
        writeln!(out, "  {} {anomaly}", paint.yellow("unusual:"))?;
    }
    if !node.roots.is_empty() && !node.roots.contains(&node.name) {
        writeln!(out, "  {} because of {}: `sanctum why {}`", paint.cyan("→"), node.roots.join(" and "), node.name)?;
    }
    match &node.hold {
        Some(hold) => writeln!(out, "  {} left alone until {} by {}", paint.yellow("held:"), wall.at(hold.until), hold.by),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::incidents::fixtures;

    #[test]
    fn every_answer_is_shown() {
        let node: Node = serde_json::from_value(serde_json::json!({
            "name": "home-assistant", "house_name": "Home Assistant", "summary": "", "ours": false, "plane": "guest", "kind": "continuous",
            "tier": "critical", "requires": ["tunnel"], "wants": [], "state": "failed", "since": "2020-02-03T02:47:00Z", "detail": "",
            "checks": [
                { "name": "web", "kind": "http", "state": "failed", "detail": "answered 502", "took_ms": 12.4, "bad": 3 },
                { "name": "db", "kind": "sqlite", "state": "healthy", "detail": "whole", "bad": 0 }
            ],
            "roots": ["tunnel"], "flapping": true, "anomalies": ["memory grows by 12 MiB/h: its limit of 2.0 GiB is reached in 31 h"],
            "hold": { "until": "2020-02-03T05:00:00Z", "by": "cli", "why": "" }
        })).unwrap();
        let drawn = fixtures::drawn(|out, paint, wall| draw(out, paint, &node, wall));
        let parts = [
            "home-assistant is failed, since 2020-02-03 02:47, and changes its mind all the time",
            "failed   web  http  answered 502 (12 ms), 3 in a row",
            "healthy  db   sqlite  whole",
            "unusual: memory grows",
            "because of tunnel: `sanctum why home-assistant`",
            "held: left alone until 2020-02-03 05:00 by cli",
        ];
        fixtures::has(&drawn, &parts);
    }
}
