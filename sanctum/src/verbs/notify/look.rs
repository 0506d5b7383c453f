//! Looking at what was said, and at the channels.

use std::io::{self, Write};

use sanctum_api::notify::{DeliveryState, Notification, Severity};
use sanctum_api::transport::escape;
use sanctum_kernel::{Failure, exit};

use super::{Args, Instead, client};
use crate::cli::{Cli, Wall};
use crate::paint::Paint;

/// What was asked to be shown, if anything was.
pub(super) fn run(instead: &Instead, args: &Args, cli: &Cli) -> Result<Option<u8>, Failure> {
    let wall = cli.wall();
    if let Some(words) = &instead.history {
        let query = if words.is_empty() { String::new() } else { format!("&q={}", escape(words)) };
        let client = client(cli)?;
        let page = cli.call(client.history(&format!("limit=30{query}")))?;
        cli.show(&page, |out, paint| page.notifications.iter().try_for_each(|life| line(out, paint, life, &wall)))?;
    } else if let Some(id) = instead.show {
        let client = client(cli)?;
        let life = cli.call(client.notification(id))?;
        cli.show(&life, |out, paint| draw(out, paint, &life, &wall))?;
    } else if instead.silences {
        let client = client(cli)?;
        let all = cli.call(client.silences())?;
        cli.show(&all, |out, paint| {
            all.iter().try_for_each(|silence| {
                let matchers: Vec<String> = silence.matchers.iter().map(|(name, value)| format!("{name}={value}")).collect();
                writeln!(out, "{} {} until {}: {} ({})", paint.bold(silence.id), matchers.join(","), wall.at(silence.until), silence.reason, silence.author)
            })
        })?;
    } else if instead.channel_list {
        return channels(cli).map(Some);
    } else if let Some(name) = &instead.test {
        let client = client(cli)?;
        let attempt = cli.call(client.test_channel(name))?;
        let good = attempt.outcome == "delivered";
        cli.show(&attempt, |out, paint| {
            let outcome = if good { paint.green(&attempt.outcome) } else { paint.red(&attempt.outcome) };
            writeln!(out, "{name}: {outcome}")
        })?;
        return Ok(Some(if good { exit::OK } else { exit::NO }));
    } else if let Some(at) = &instead.explain {
        return explain(at, args, cli).map(Some);
    } else if instead.dead {
        let client = client(cli)?;
        let dead = cli.call(client.dead())?;
        cli.show(&dead, |out, paint| {
            dead.iter().try_for_each(|letter| {
                writeln!(out, "{} {} {}: {}", paint.bold(letter.id), letter.channel, letter.title, paint.red(&letter.outcome))
            })
        })?;
    } else {
        return Ok(None);
    }
    Ok(Some(exit::OK))
}

fn explain(at: &str, args: &Args, cli: &Cli) -> Result<u8, Failure> {
    let at = if at.is_empty() { String::new() } else { format!("&at={}", escape(at)) };
    let query = format!("severity={}&source={}{at}", args.severity, escape(&args.source));
    let client = client(cli)?;
    let told = cli.call(client.explain(&query))?;
    let wall = cli.wall();
    cli.show(&told, |out, paint| {
        let quiet = if told.quiet_hours { ", quiet hours" } else { "" };
        writeln!(out, "{} from {} at {}{quiet}:", paint.bold(told.severity.word()), told.source, told.wall)?;
        for one in &told.told {
            writeln!(out, "  {} {}  {}", paint.bold(&one.channel), one.manner, paint.dim(&one.reason))?;
        }
        if let Some(until) = told.held_until {
            writeln!(out, "  kept until {}", wall.at(until))?;
        }
        if told.told.is_empty() && told.held_until.is_none() {
            writeln!(out, "  nobody")?;
        }
        told.reasons.iter().try_for_each(|reason| writeln!(out, "  {}", paint.dim(reason)))
    })?;
    Ok(exit::OK)
}

fn channels(cli: &Cli) -> Result<u8, Failure> {
    let client = client(cli)?;
    let all = cli.call(client.channels())?;
    let wall = cli.wall();
    cli.show(&all, |out, paint| {
        all.iter().try_for_each(|channel| {
            let breaker = if channel.breaker == "closed" { paint.green("takes messages") } else { paint.red(&channel.breaker) };
            let last = channel.last_success.map_or_else(|| "nothing sent yet".to_owned(), |at| format!("last success {}", wall.at(at)));
            let error = channel.last_error.as_ref().map(|error| format!("; last error: {error}")).unwrap_or_default();
            writeln!(out, "{} ({}) {breaker}, {} waiting, {}", paint.bold(&channel.name), channel.kind, channel.queued, paint.dim(format!("{last}{error}")))
        })
    })?;
    Ok(exit::OK)
}

fn severity(paint: Paint, severity: Severity) -> String {
    match severity {
        Severity::Info => paint.dim("info"),
        Severity::Warn => paint.yellow("warn"),
        Severity::Error => paint.red("error"),
        Severity::Critical => paint.red("critical"),
    }
}

fn line(out: &mut dyn Write, paint: Paint, life: &Notification, wall: &Wall) -> io::Result<()> {
    let notice = &life.notice;
    let times = if life.count > 1 { format!(" ×{}", life.count) } else { String::new() };
    let over = if life.resolved.is_some() { paint.green(" over") } else { String::new() };
    writeln!(out, "{} {} {} {}: {}{times}{over}", paint.bold(life.id), paint.dim(wall.at(life.accepted)), severity(paint, notice.severity), notice.source, notice.title)
}

pub(super) fn draw(out: &mut dyn Write, paint: Paint, life: &Notification, wall: &Wall) -> io::Result<()> {
    line(out, paint, life, wall)?;
    if !life.notice.message.is_empty() {
        writeln!(out, "  {}", life.notice.message.replace('\n', "\n  "))?;
    }
    for reason in &life.reasons {
        writeln!(out, "  {}", paint.dim(reason))?;
    }
    for delivery in &life.deliveries {
        let state = match delivery.state {
            DeliveryState::Delivered => paint.green("delivered"),
            DeliveryState::Dead => paint.red("given up"),
            DeliveryState::Failed => paint.yellow("failed, will be tried again"),
            DeliveryState::Pending => paint.dim("waiting"),
            DeliveryState::InFlight => paint.dim("on its way"),
        };
        let seen = delivery.confirmed.map(|at| format!(", confirmed {}", wall.at(at))).unwrap_or_default();
        writeln!(out, "  {} {state}{seen}  {}", paint.bold(&delivery.channel), paint.dim(&delivery.reason))?;
        for attempt in &delivery.attempts {
            writeln!(out, "    {} {}", paint.dim(wall.at(attempt.started)), attempt.outcome)?;
        }
    }
    life.acks.iter().try_for_each(|ack| writeln!(out, "  acknowledged by {} ({}) at {}", ack.who, ack.channel, wall.at(ack.at)))
}
