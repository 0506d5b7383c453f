//! `sanctum heal`: what may be done without asking, what was, and how to take it back.

use std::io::{self, Write};

use sanctum_api::watch::{Audit, FreeText, Recipe};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Failure, exit, files};

use crate::cli::{Cli, Outcome, Wall};
use crate::paint::Paint;
use crate::watching::{client, named};

/// Healing: the recipes, what they did, and the switch that stops all of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sanctum heal                                  every recipe, and how it has done\n  sanctum heal audit                            what was done, rehearsed and refused\n  sanctum heal undo 41\n  sanctum heal off --why \"I am working on it\"   nothing is healed while the file heal.off is there\n  sanctum heal on\n  sanctum heal classify \"the log disk is full again\"")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Every recipe, and how it has done
    List,
    /// What was done, rehearsed and refused, the newest first
    Audit {
        /// How far back
        #[arg(long, default_value_t = 30, value_name = "DAYS")]
        days: u32,
    },
    /// Undo what a line of the audit says can be undone
    Undo {
        /// The line
        #[arg(value_name = "ID")]
        id: i64,
    },
    /// Switch healing off: works whether or not the house runs
    Off {
        /// Why, for whoever wonders
        #[arg(long, default_value = "")]
        why: String,
    },
    /// Switch it on again
    On,
    /// Which recipe a free text means; nothing is done but a rehearsal
    Classify {
        /// Such as a line of a log
        #[arg(value_name = "TEXT", required = true)]
        text: Vec<String>,
        /// The service it is about
        #[arg(long, value_name = "NAME")]
        service: Option<String>,
    },
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    match args.what.unwrap_or(What::List) {
        What::List => list(cli),
        What::Audit { days } => audit(days, cli),
        What::Undo { id } => undo(id, cli),
        What::Off { why } => switch(Some(&why), cli),
        What::On => switch(None, cli),
        What::Classify { text, service } => classify(&text.join(" "), service.as_deref(), cli),
    }
}

/// The kill switch: a file in the home, which every guard asks first.
const SWITCH: &str = "heal.off";

fn is_off(cli: &Cli) -> Option<String> {
    let path = cli.paths.home().join(SWITCH);
    path.symlink_metadata().is_ok().then(|| files::read(&path).unwrap_or_default().trim().to_owned())
}

fn switch(off: Option<&str>, cli: &Cli) -> Outcome {
    let path = cli.paths.home().join(SWITCH);
    let done = match off {
        Some(why) => files::replace(&path, why.as_bytes(), 0o600),
        None => files::remove(&path),
    };
    done.map_err(|error| Hinted::new(exit::CANNOT_CREATE, "the switch could not be set", format!("look at {}", path.display())).because(error))?;
    // What counts is whether the file is there.
    let (wanted, is) = (off.is_some(), is_off(cli));
    if is.is_some() != wanted {
        return Err(Failure::from(Hinted::new(exit::SOFTWARE, format!("{} is not as it was left", path.display()), "somebody else changes it: look who")));
    }
    let told = serde_json::json!({ "healing": !wanted, "why": is });
    cli.show(&told, |out, paint| match wanted {
        true => writeln!(out, "{} Nothing is healed until `sanctum heal on`.", paint.yellow("●")),
        false => writeln!(out, "{} Healing is on.", paint.green("●")),
    })?;
    Ok(exit::OK)
}

fn list(cli: &Cli) -> Outcome {
    let client = client(cli)?;
    let recipes = cli.call(client.recipes())?;
    let (off, wall) = (is_off(cli), cli.wall());
    cli.show(&recipes, |out, paint| {
        if let Some(why) = &off {
            let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
            writeln!(out, "{} `sanctum heal on` ends that.", paint.yellow(format!("Healing is switched off{why}.")))?;
        }
        draw(out, paint, &recipes, &wall)
    })?;
    Ok(exit::OK)
}

fn draw(out: &mut dyn Write, paint: Paint, recipes: &[Recipe], wall: &Wall) -> io::Result<()> {
    if recipes.is_empty() {
        return writeln!(out, "There are no recipes.");
    }
    let wide = |of: fn(&Recipe) -> &str, head: usize| recipes.iter().map(|recipe| of(recipe).chars().count()).max().unwrap_or(0).max(head);
    let (id, mode) = (wide(|recipe| &recipe.id, 6), wide(|recipe| &recipe.mode, 4));
    writeln!(out, "{}", paint.dim(format!("{:<id$}  {:<mode$}  HELPED  LAST              WHAT", "RECIPE", "MODE")))?;
    recipes.iter().try_for_each(|recipe| {
        let helped = if recipe.tries == 0 { "-".to_owned() } else { format!("{}/{}", recipe.helped, recipe.tries) };
        let last = recipe.last_fired.map_or_else(|| "never".to_owned(), |at| wall.at(at));
        let undo = if recipe.reversible { "" } else { " (cannot be undone)" };
        writeln!(out, "{}  {:<mode$}  {helped:>6}  {last:<16}  {}{}", paint.bold(format!("{:<id$}", recipe.id)), recipe.mode, recipe.summary, paint.dim(undo))
    })
}

fn audit(days: u32, cli: &Cli) -> Outcome {
    let client = client(cli)?;
    let (lines, wall) = (cli.call(client.audit(days))?, cli.wall());
    cli.show(&lines, |out, paint| draw_audit(out, paint, &lines, days, &wall))?;
    Ok(exit::OK)
}

fn draw_audit(out: &mut dyn Write, paint: Paint, lines: &[Audit], days: u32, wall: &Wall) -> io::Result<()> {
    if lines.is_empty() {
        return writeln!(out, "Nothing was healed, rehearsed or refused in the last {days} days.");
    }
    lines.iter().try_for_each(|line| {
        let word = format!("{:<9}", line.outcome);
        let word = match line.outcome.as_str() {
            "acted" | "undone" => paint.green(word),
            "refused" => paint.yellow(word),
            _ => paint.cyan(word),
        };
        let incident = line.incident.map(|id| format!(" for incident {id}")).unwrap_or_default();
        writeln!(out, "{:>5}  {}  {word}  {} on {}{incident}: {}", line.id, wall.at(line.at), paint.bold(&line.recipe), line.service, line.detail)?;
        match &line.undo {
            Some(undo) => writeln!(out, "       {} undone by: {undo} (`sanctum heal undo {}`)", paint.cyan("→"), line.id),
            None => Ok(()),
        }
    })
}

fn undo(id: i64, cli: &Cli) -> Outcome {
    let client = client(cli)?;
    let line = cli.call(client.undo(id))?;
    cli.show(&line, |out, paint| writeln!(out, "{} {}: {}", paint.green("●"), line.outcome, line.detail))?;
    Ok(exit::OK)
}

fn classify(text: &str, service: Option<&str>, cli: &Cli) -> Outcome {
    let client = client(cli)?;
    let service = service.map(|word| named(cli, word)).transpose()?;
    let found = cli.call(client.classify(&FreeText { text: text.to_owned(), service }))?;
    cli.show(&found, |out, paint| match &found.recipe {
        Some(recipe) => writeln!(out, "{} {} (by its {}): {}", paint.green("●"), paint.bold(recipe), found.by, found.detail),
        None => writeln!(out, "{} No recipe fits: {}", paint.yellow("●"), found.detail),
    })?;
    Ok(if found.recipe.is_some() { exit::OK } else { exit::NO })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::incidents::fixtures;

    #[test]
    fn recipes_and_the_audit_read_well() {
        let at = fixtures::incident().began;
        let recipe = |id: &str, mode: &str, tries, reversible| Recipe {
            id: id.into(),
            summary: "does what it says".into(),
            trigger: "a full disk".into(),
            severity: "warn".into(),
            reversible,
            cool_down: sanctum_kernel::Period::hours(1),
            mode: mode.into(),
            last_fired: (tries > 0).then_some(at),
            helped: tries / 2,
            tries,
        };
        let recipes = [recipe("full-log-disk", "rehearses first", 4, true), recipe("stuck-port", "off", 0, false)];
        let drawn = fixtures::drawn(|out, paint, wall| draw(out, paint, &recipes, wall));
        fixtures::has(&drawn, &["full-log-disk", "rehearses first", "2/4", "never", "(cannot be undone)"]);
        let line = |id, outcome: &str, undo: Option<&str>| Audit {
            id,
            at,
            recipe: "full-log-disk".into(),
            service: "proxy".into(),
            incident: Some(12),
            outcome: outcome.into(),
            detail: "3 old logs are in the attic".into(),
            undo: undo.map(str::to_owned),
        };
        let lines = [line(41, "acted", Some("moves them back")), line(40, "refused", None)];
        let drawn = fixtures::drawn(|out, paint, wall| draw_audit(out, paint, &lines, 30, wall));
        let parts = ["full-log-disk on proxy for incident 12: 3 old logs are in the attic", "undone by: moves them back (`sanctum heal undo 41`)", "refused"];
        fixtures::has(&drawn, &parts);
    }
}
