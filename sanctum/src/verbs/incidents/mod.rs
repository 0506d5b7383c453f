//! `sanctum incidents`: one trouble, one root, what was tried, and what became of it.

#[cfg(test)]
pub(super) mod fixtures;

use std::io::{self, Write};

use sanctum_api::watch::{Incident, Stage, Trend};
use sanctum_kernel::exit;

use crate::cli::{Cli, Outcome, Wall};
use crate::paint::Paint;
use crate::watching::{between, client};

/// Troubles: the open ones first, then the newest. With an id: its timeline.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum incidents                      the last 30 days\n  sanctum incidents 12                   one of them, minute by minute\n  sanctum incidents 12 --post-mortem > post-mortem.md\n  sanctum incidents 12 --again           somebody did something: what may be tried begins anew\n  sanctum incidents --trends             how long it takes to notice and to heal\n\nExit code 0 if none is open, 1 if one is.")]
pub(crate) struct Args {
    /// The incident
    #[arg(value_name = "ID")]
    id: Option<i64>,
    /// How far back
    #[arg(long, default_value_t = 30, value_name = "DAYS")]
    days: u32,
    /// A page to be written on, in Markdown: what happened, when, what was tried
    #[arg(long, requires = "id")]
    post_mortem: bool,
    /// Try to heal it once more, from the first step
    #[arg(long, requires = "id", conflicts_with = "post_mortem")]
    again: bool,
    /// How long it takes to notice and to heal, by service
    #[arg(long, conflicts_with = "id")]
    trends: bool,
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let client = client(cli)?;
    let wall = cli.wall();
    let Some(id) = args.id else { return if args.trends { trends(args.days, cli) } else { list(args.days, cli) } };
    if args.post_mortem {
        let page = cli.call(client.post_mortem(id))?;
        cli.show(&page, |out, _| writeln!(out, "{}", page.text.trim_end()))?;
        return Ok(exit::OK);
    }
    let incident = match args.again {
        true => cli.call(client.again(id))?,
        false => cli.call(client.incident(id))?,
    };
    cli.show(&incident, |out, paint| whole(out, paint, &incident, &wall))?;
    Ok(if incident.stage == Stage::Resolved { exit::OK } else { exit::NO })
}

fn list(days: u32, cli: &Cli) -> Outcome {
    let client = client(cli)?;
    let (all, wall) = (cli.call(client.incidents(days))?, cli.wall());
    cli.show(&all, |out, paint| table(out, paint, &all, days, &wall))?;
    Ok(if all.iter().all(|incident| incident.stage == Stage::Resolved) { exit::OK } else { exit::NO })
}

fn trends(days: u32, cli: &Cli) -> Outcome {
    let client = client(cli)?;
    let all = cli.call(client.trends(days))?;
    cli.show(&all, |out, paint| trend_table(out, paint, &all))?;
    Ok(exit::OK)
}

fn table(out: &mut dyn Write, paint: Paint, all: &[Incident], days: u32, wall: &Wall) -> io::Result<()> {
    if all.is_empty() {
        return writeln!(out, "{} Nothing has happened in the last {days} days.", paint.green("●"));
    }
    let title = all.iter().map(|incident| incident.title.chars().count()).max().unwrap_or(0).min(60);
    writeln!(out, "{}", paint.dim(format!("{:>5}  {:<10} {:<16} {:<8} {:<title$}  TRIED", "ID", "STAGE", "SINCE", "FOR", "WHAT")))?;
    for incident in all {
        let took = incident.resolved.map_or_else(|| "open".to_owned(), |end| between(incident.began, end));
        let said = shortened(&incident.title, title);
        let tried = incident.tried.last().map_or_else(|| "nothing".to_owned(), |tried| tried.action.clone());
        writeln!(out, "{:>5}  {} {:<16} {took:<8} {said:<title$}  {}", incident.id, stage(paint, incident.stage), wall.at(incident.began), paint.dim(tried))?;
    }
    let open = all.iter().filter(|incident| incident.stage != Stage::Resolved).count();
    let line = format!("{open} open, {} over in the last {days} days.", all.len() - open);
    writeln!(out, "{}", if open == 0 { paint.green(line) } else { paint.yellow(line) })
}

/// So many letters of it at most, the last one for what is left out.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

fn stage(paint: Paint, stage: Stage) -> String {
    let word = format!("{:<10}", stage.word());
    match stage {
        Stage::Healing => paint.yellow(word),
        Stage::Escalated => paint.red(word),
        Stage::Resolved => paint.green(word),
    }
}

/// What it is, what was tried, what to do.
pub(super) fn brief(out: &mut dyn Write, paint: Paint, incident: &Incident, wall: &Wall) -> io::Result<()> {
    let over = incident.resolved.map(|end| format!(", over after {}", between(incident.began, end))).unwrap_or_default();
    writeln!(out, "{} {}, {} since {}{over}", paint.bold(format!("Incident {}", incident.id)), incident.title, incident.stage.word(), wall.at(incident.began))?;
    if !incident.symptoms.is_empty() {
        writeln!(out, "  takes with it  {}", incident.symptoms.join(", "))?;
    }
    for tried in &incident.tried {
        let helped = match (tried.rehearsal, tried.helped) {
            (true, _) => paint.cyan("rehearsed"),
            (_, Some(true)) => paint.green("helped"),
            (_, Some(false)) => paint.red("did not help"),
            (_, None) => paint.yellow("not known yet"),
        };
        let detail = if tried.detail.is_empty() { String::new() } else { format!(": {}", tried.detail) };
        writeln!(out, "  tried {}  {}  {helped}{detail}", wall.second(tried.at), tried.action)?;
        if let Some(undo) = &tried.undo {
            writeln!(out, "        {} undone by: {undo}", paint.cyan("→"))?;
        }
    }
    if let Some(memory) = &incident.memory {
        writeln!(out, "  {memory}")?;
    }
    match &incident.advice {
        Some(advice) => writeln!(out, "  {} {advice}", paint.cyan("→")),
        None => Ok(()),
    }
}

fn whole(out: &mut dyn Write, paint: Paint, incident: &Incident, wall: &Wall) -> io::Result<()> {
    brief(out, paint, incident, wall)?;
    writeln!(out)?;
    for entry in &incident.timeline {
        writeln!(out, "{}  {:<10} {}", paint.dim(wall.second(entry.at)), entry.what, entry.detail)?;
    }
    writeln!(out, "\n{} sanctum incidents {} --post-mortem", paint.cyan("→"), incident.id)
}

fn trend_table(out: &mut dyn Write, paint: Paint, all: &[Trend]) -> io::Result<()> {
    if all.is_empty() {
        return writeln!(out, "{} There is nothing to tell a trend from.", paint.green("●"));
    }
    let name = all.iter().map(|trend| trend.service.chars().count()).max().unwrap_or(0).max(7);
    writeln!(out, "{}", paint.dim(format!("{:<name$}  INCIDENTS  NOTICED IN  HEALED IN  BY ITSELF", "SERVICE")))?;
    all.iter().try_for_each(|trend| {
        // None of its troubles is over: there is nothing to take a median of.
        let healed = if trend.to_heal > 0.0 { format!("{:.0} s", trend.to_heal) } else { "-".to_owned() };
        writeln!(out, "{:<name$}  {:>9}  {:>10}  {healed:>9}  {:>9}", trend.service, trend.incidents, format!("{:.0} s", trend.to_detect), trend.by_itself)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_and_one_of_them_read_well() {
        let incident = fixtures::incident();
        let table = fixtures::drawn(|out, paint, wall| table(out, paint, &[incident.clone(), fixtures::over()], 30, wall));
        fixtures::has(&table, &["   12  escalated ", "   11  resolved ", "62 s", "1 open, 1 over in the last 30 days."]);
        let whole = fixtures::drawn(|out, paint, wall| whole(out, paint, &incident, wall));
        let parts = [
            "takes with it  home-assistant, doorbell",
            "tried 02:47:02  restart tunnel  did not help: process 812 is process 977 now",
            "recipe lost-route  rehearsed",
            "→ look at the modem",
            "02:49:30  told ",
            "→ sanctum incidents 12 --post-mortem",
        ];
        fixtures::has(&whole, &parts);
        let long = Incident { title: "a ".repeat(60), ..fixtures::over() };
        let table = fixtures::drawn(|out, paint, wall| super::table(out, paint, &[long], 30, wall));
        assert!(table.contains("a a…"), "{table}");
        let none = fixtures::drawn(|out, paint, wall| super::table(out, paint, &[], 7, wall));
        assert_eq!(none, "● Nothing has happened in the last 7 days.\n");
    }

    #[test]
    fn trends_are_a_table() {
        let trend = Trend { service: "proxy".into(), incidents: 3, to_detect: 4.4, to_heal: 41.0, by_itself: 2 };
        let drawn = fixtures::drawn(|out, paint, _| trend_table(out, paint, &[trend]));
        fixtures::has(&drawn, &["SERVICE  INCIDENTS  NOTICED IN  HEALED IN  BY ITSELF", "proxy ", "41 s"]);
    }
}
