//! `sanctum usage`: what was used, by whom, of what, and what it cost.

use std::io::{self, Write};

use sanctum_api::proxy::{Client, Spend, Stats, UsageRow, dollars};
use sanctum_kernel::exit;
use serde::Serialize;

use crate::cli::{Cli, Outcome};
use crate::paint::Paint;

/// What models were used, and what they cost, from the log of what truly ran.
///
/// Costs are what the providers' price lists say of the tokens they reported; a `~` marks rows in which some tokens had
/// to be counted here because the provider did not say.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sanctum usage                     today's spend against the caps, and this week by agent
  sanctum usage --by model --days 30
  sanctum usage --by day --json")]
pub(crate) struct Args {
    /// Sum up by agent, model or day
    #[arg(long, value_enum, default_value_t = By::Agent)]
    by: By,
    /// How many days, today included
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=366))]
    days: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    Agent,
    Model,
    Day,
}

impl By {
    const fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Model => "model",
            Self::Day => "day",
        }
    }
}

/// The answer for scripts.
#[derive(Debug, Serialize)]
struct Report {
    day: String,
    house: Spend,
    agents: Vec<Spend>,
    rows: Vec<UsageRow>,
}

pub(crate) fn run(args: Args, cli: &Cli) -> Outcome {
    let client = Client::new(cli.transport("proxy")?);
    let (stats, rows) = cli.call(async {
        Ok((client.stats().await?, client.usage(args.by.word(), args.days).await?))
    })?;
    let Stats { day, house, agents, .. } = stats;
    let report = Report { day, house, agents, rows };
    cli.show(&report, |out, paint| {
        spends(out, paint, &report)?;
        writeln!(out)?;
        table(out, paint, &args, &report.rows)
    })?;
    Ok(exit::OK)
}

fn spends(out: &mut dyn Write, paint: Paint, report: &Report) -> io::Result<()> {
    writeln!(out, "{}", paint.bold(format!("Today, {}", report.day)))?;
    let agents = report.agents.iter().filter(|spend| spend.cap_usd.is_some() || spend.settled_usd > 0.0);
    for spend in agents {
        line(out, paint, &spend.agent, spend)?;
    }
    line(out, paint, "the house", &report.house)
}

fn line(out: &mut dyn Write, paint: Paint, name: &str, spend: &Spend) -> io::Result<()> {
    let used = spend.settled_usd + spend.reserved_usd;
    let Some(cap) = spend.cap_usd else {
        return writeln!(out, "  {name:<16} {:>10}  {}", dollars(used), paint.dim("no cap"));
    };
    let share = if cap > 0.0 { (used / cap).min(1.0) } else { 1.0 };
    let text = bar(share);
    let text = match share {
        1.0.. => paint.red(text),
        0.8.. => paint.yellow(text),
        _ => paint.green(text),
    };
    let reserved = if spend.reserved_usd > 0.0 { format!(" ({} under way)", dollars(spend.reserved_usd)) } else { String::new() };
    writeln!(out, "  {name:<16} {:>10}  {text} of {}{}", dollars(used), dollars(cap), paint.dim(reserved))
}

/// Twenty cells of a bar.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 20 cells")]
fn bar(share: f64) -> String {
    let full = (share.clamp(0.0, 1.0) * 20.0).round() as usize;
    format!("{}{}", "█".repeat(full), "░".repeat(20 - full))
}

fn table(out: &mut dyn Write, paint: Paint, args: &Args, rows: &[UsageRow]) -> io::Result<()> {
    let span = if args.days == 1 { "today".to_owned() } else { format!("{} days", args.days) };
    writeln!(out, "{}", paint.bold(format!("By {}, {span}", args.by.word())))?;
    if rows.is_empty() {
        return writeln!(out, "  Nothing was asked yet: `sanctum ask hello` is a beginning.");
    }
    let wide = rows.iter().map(|row| row.key.chars().count()).max().unwrap_or(0).clamp(8, 44);
    let head = format!("  {:<wide$} {:>9} {:>7} {:>9} {:>9} {:>9} {:>11}", args.by.word(), "requests", "failed", "in", "cached", "out", "cost");
    writeln!(out, "{}", paint.dim(head))?;
    for row in rows {
        let failed = if row.failed == 0 { paint.dim(format!("{:>7}", "–")) } else { paint.yellow(format!("{:>7}", row.failed)) };
        let mark = if row.estimated > 0 { "~" } else { "" };
        let trend = if args.by == By::Day || args.days == 1 { String::new() } else { sparkline(&row.daily_usd) };
        writeln!(
            out,
            "  {:<wide$} {:>9} {failed} {:>9} {:>9} {:>9} {:>11}  {}",
            row.key,
            row.requests,
            short(row.tokens_in),
            short(row.tokens_cached),
            short(row.tokens_out),
            format!("{mark}{}", dollars(row.cost_usd)),
            paint.cyan(trend),
        )?;
    }
    Ok(())
}

/// One block a day, the highest day as the highest block.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 7 steps")]
fn sparkline(values: &[f64]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = values.iter().copied().fold(0.0_f64, f64::max);
    let block = |value: &f64| {
        let step = if most > 0.0 { (value / most * 7.0).round() as usize } else { 0 };
        BLOCKS.get(step).copied().unwrap_or('█')
    };
    values.iter().map(block).collect()
}

#[expect(clippy::cast_precision_loss, reason = "for people")]
fn short(tokens: u64) -> String {
    match tokens {
        0..10_000 => tokens.to_string(),
        10_000..1_000_000 => format!("{:.1} k", tokens as f64 / 1e3),
        _ => format!("{:.1} M", tokens as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([dollars(0.0), dollars(0.0042), dollars(1.5)], ["$0", "$0.0042", "$1.50"]);
        assert_eq!([short(950), short(12_345), short(2_340_000)], ["950", "12.3 k", "2.3 M"]);
        assert_eq!(sparkline(&[0.0, 1.0, 2.0]), "▁▅█");
        assert_eq!(sparkline(&[0.0, 0.0]), "▁▁");
        assert_eq!(bar(0.5), "██████████░░░░░░░░░░");
        assert_eq!(bar(7.0), "█".repeat(20));
    }
}
