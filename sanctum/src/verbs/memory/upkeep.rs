//! Long work and how things are: rebuild, consolidation, audit, health.

use std::io::{self, IsTerminal, Write};

use futures_util::StreamExt;
use sanctum_api::CallError;
use sanctum_api::memory::{Audit, Client, Progress, Report, State};
use sanctum_kernel::exit;

use super::{client, count, patient};
use crate::cli::{Cli, Outcome, Wall};
use crate::paint::Paint;

/// Characters of the bar.
const WIDE: u64 = 30;
/// So many of a list are shown; `--json` has all of them.
const SHOWN: usize = 10;

pub(super) fn rebuild(cli: &Cli) -> Outcome {
    let client = patient(cli)?;
    let rebuilt = cli.call(watched(&client, client.rebuild()))?;
    cli.show(&rebuilt, |out, paint| {
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let seconds = rebuilt.took_ms as f64 / 1000.0;
        let (notes, passages, links) = (rebuilt.notes, rebuilt.passages, rebuilt.links);
        writeln!(out, "{} {notes} notes, {passages} passages, {links} links in {seconds:.1} s", paint.green("●"))?;
        if rebuilt.troubles > 0 {
            let words = format!("{} files have something wrong: `sanctum memory list --trouble`", rebuilt.troubles);
            writeln!(out, "{}", paint.yellow(words))?;
        }
        Ok(())
    })?;
    Ok(exit::OK)
}

pub(super) fn consolidate(apply: bool, cli: &Cli) -> Outcome {
    let client = patient(cli)?;
    let report = cli.call(watched(&client, client.consolidate(apply)))?;
    let wall = cli.wall();
    cli.show(&report, |out, paint| pass(out, paint, &report, &wall))?;
    Ok(if report.troubles.is_empty() { exit::OK } else { exit::NO })
}

/// Does long work, with a bar on a terminal that shows how far it is.
async fn watched<T>(client: &Client, work: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    let events = match io::stderr().is_terminal() {
        true => client.events(None).await.ok(),
        false => None,
    };
    let mut events = events.map(StreamExt::fuse);
    tokio::pin!(work);
    let outcome = loop {
        let Some(events) = &mut events else { return work.await };
        tokio::select! {
            outcome = &mut work => break outcome,
            Some(event) = events.next() => {
                let progress = event.ok().filter(|event| event.kind == "progress");
                if let Some(progress) = progress.and_then(|event| serde_json::from_str::<Progress>(&event.data).ok()) {
                    write!(io::stderr(), "\r\x1b[2K{}", bar(&progress)).ok();
                }
            }
        }
    };
    write!(io::stderr(), "\r\x1b[2K").ok();
    outcome
}

fn bar(progress: &Progress) -> String {
    let Some(total) = progress.total.filter(|total| *total > 0) else {
        return format!("{} {}", progress.what, progress.done);
    };
    let full = (progress.done.min(total) * WIDE / total).min(WIDE);
    let signs: String = (0..WIDE).map(|at| if at < full { '█' } else { '░' }).collect();
    format!("{} {signs} {} of {total}", progress.what, progress.done)
}

fn pass(out: &mut dyn Write, paint: Paint, report: &Report, wall: &Wall) -> io::Result<()> {
    let verb = if report.dry_run { paint.yellow("would be done") } else { paint.green("done") };
    let when = report.began.map_or_else(String::new, |began| format!(", begun {}", wall.at(began)));
    let notes = count(usize::try_from(report.scanned).unwrap_or(usize::MAX), "note");
    writeln!(out, "{} {verb} in {notes}{when}  {}", count(report.steps.len(), "step"), paint.cyan(&report.run))?;
    for step in &report.steps {
        let to = step.to.as_ref().map_or_else(String::new, |to| format!(" → {to}"));
        writeln!(out, "  {:<10} {}{to}  {}", step.what, paint.bold(&step.path), paint.dim(&step.why))?;
    }
    for trouble in &report.troubles {
        writeln!(out, "  {} {trouble}", paint.red("✕"))?;
    }
    if let (Some(before), Some(after)) = (report.recall_before, report.recall_after) {
        writeln!(out, "recall of the frozen questions: {before:.2} before, {after:.2} after")?;
    }
    match (report.dry_run, report.steps.is_empty()) {
        (true, false) => writeln!(out, "{}", paint.dim("Nothing was changed: `sanctum memory consolidate --apply` does it.")),
        (false, false) => writeln!(out, "{}", paint.dim(format!("`sanctum memory undo {}` takes all of it back.", report.run))),
        _ => Ok(()),
    }
}

pub(super) fn audit(cli: &Cli) -> Outcome {
    let audit = cli.call(patient(cli)?.audit())?;
    let well = findings(&audit).iter().all(|(_, found)| found.is_empty());
    cli.show(&audit, |out, paint| audited(out, paint, &audit))?;
    Ok(if well { exit::OK } else { exit::NO })
}

fn findings(audit: &Audit) -> Vec<(&'static str, Vec<String>)> {
    let groups = |groups: &[Vec<String>]| groups.iter().map(|group| group.join(" = ")).collect();
    vec![
        ("say the same", groups(&audit.duplicates)),
        ("say nearly the same", groups(&audit.near_duplicates)),
        ("were recalled and came back as new", audit.recall_loops.clone()),
        ("do not hold any more, and still are where current ones are", audit.stale.clone()),
        ("contradict each other", groups(&audit.contradictions)),
        ("hold a secret", audit.secrets.clone()),
        ("differ between index and files", audit.mismatches.clone()),
        ("are files with something wrong", audit.troubles.clone()),
    ]
}

fn audited(out: &mut dyn Write, paint: Paint, audit: &Audit) -> io::Result<()> {
    let notes = count(usize::try_from(audit.notes).unwrap_or(usize::MAX), "note");
    writeln!(out, "{notes} looked at; nothing was changed.")?;
    for (what, found) in findings(audit) {
        let sign = if found.is_empty() { paint.green("✓") } else { paint.red("✕") };
        writeln!(out, "{sign} {:>5} {what}", found.len())?;
        found.iter().take(SHOWN).try_for_each(|line| writeln!(out, "        {}", paint.dim(line)))?;
        if found.len() > SHOWN {
            writeln!(out, "        {}", paint.dim(format!("and {} more: --json", found.len() - SHOWN)))?;
        }
    }
    Ok(())
}

pub(super) fn health(cli: &Cli) -> Outcome {
    let state = cli.call(client(cli)?.state())?;
    let wall = cli.wall();
    cli.show(&state, |out, paint| numbers(out, paint, &state, &wall))?;
    let well = state.degraded.is_none() && state.troubles.is_empty();
    Ok(if well { exit::OK } else { exit::NO })
}

fn numbers(out: &mut dyn Write, paint: Paint, state: &State, wall: &Wall) -> io::Result<()> {
    writeln!(out, "{}", paint.bold(&state.vault))?;
    writeln!(out, "  {} notes, {} passages, {} links", state.notes, state.passages, state.links)?;
    let meaning = match &state.model {
        Some(model) => format!("{} of {} passages are found by meaning ({model})", state.vectors, state.passages),
        None => "found by words alone".to_owned(),
    };
    writeln!(out, "  {meaning}")?;
    if state.queued > 0 {
        writeln!(out, "  {} exchanges wait to be read into notes", state.queued)?;
    }
    let order = state.consolidated.map_or_else(|| "never".to_owned(), |at| wall.at(at));
    writeln!(out, "  put in order: {order}")?;
    if let Some(degraded) = &state.degraded {
        writeln!(out, "{} {degraded}", paint.yellow("~"))?;
    }
    state.troubles.iter().try_for_each(|trouble| writeln!(out, "{} {trouble}", paint.red("✕")))
}
