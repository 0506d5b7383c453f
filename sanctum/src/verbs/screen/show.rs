//! Showing rulings, the night, reasons, and what was tried.

use std::io::{self, Write};

use jiff::Timestamp;
use sanctum_api::firewall::{Scope, Verdict};
use sanctum_api::screen::{Balance, Client, GuestState, MoreTime, Pass, RequestState, Ruling, Status};
use sanctum_kernel::{Applied, exit};

use crate::cli::{Cli, Outcome};
use crate::paint::Paint;

/// Times as the house's clock shows them.
fn wall(cli: &Cli) -> impl Fn(Timestamp) -> String + use<> {
    let wall = cli.wall();
    move |at| wall.at(at)
}

fn scope(blocked: Option<&Scope>, paint: Paint) -> String {
    match blocked {
        None => paint.green("allowed"),
        Some(Scope::All) => paint.red("blocked"),
        Some(Scope::Services(services)) => paint.yellow(format!("{} services off", services.len())),
    }
}

pub(super) fn status(cli: &Cli, client: &Client) -> Outcome {
    state(cli, &cli.call(client.status())?)
}

/// The status, as every act answers with it. An act's own code is that of a status.
pub(super) fn state(cli: &Cli, status: &Status) -> Outcome {
    let wall = wall(cli);
    cli.show(status, |out, paint| {
        writeln!(out, "{} {}", paint.bold("tonight"), status.tonight)?;
        for ruling in &status.devices {
            line(out, paint, ruling, &wall)?;
        }
        let enforced = match status.enforced {
            Applied::Applied => paint.green("the firewall holds it"),
            Applied::NotApplied => paint.red("NOT in force"),
            Applied::Unknown => paint.yellow("unknown whether it is in force"),
        };
        let detail = status.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
        writeln!(out, "{enforced}{detail}")
    })?;
    Ok(if status.enforced == Applied::NotApplied { exit::NO } else { exit::OK })
}

fn line(out: &mut dyn Write, paint: Paint, ruling: &Ruling, wall: &impl Fn(Timestamp) -> String) -> io::Result<()> {
    let owner = ruling.owner.as_ref().map(|owner| format!(" ({owner})")).unwrap_or_default();
    let until = ruling.until.map(|until| format!(" until {}", wall(until))).unwrap_or_default();
    let said = scope(ruling.blocked.as_ref(), paint);
    writeln!(out, "  {}{owner}: {said}{until}  {}", paint.bold(&ruling.name), paint.dim(&ruling.because))
}

pub(super) fn tonight(cli: &Cli, client: &Client) -> Outcome {
    let stretches = cli.call(client.schedule())?;
    let wall = wall(cli);
    cli.show(&stretches, |out, paint| {
        let mut last = "";
        for stretch in &stretches {
            if stretch.device != last {
                writeln!(out, "{}", paint.bold(&stretch.name))?;
                last = &stretch.device;
            }
            let said = scope(stretch.blocked.as_ref(), paint);
            writeln!(out, "  {} – {}  {said}  {}", wall(stretch.from), wall(stretch.to), paint.dim(&stretch.because))?;
        }
        Ok(())
    })?;
    Ok(exit::OK)
}

pub(super) fn why(cli: &Cli, client: &Client, device: &str, at: Option<&str>) -> Outcome {
    let said = match at {
        Some(at) => cli.call(client.explain_when(device, at))?,
        None => cli.call(client.explain(device, None))?,
    };
    let wall = wall(cli);
    cli.show(&said, |out, paint| {
        let state = scope(said.ruling.blocked.as_ref(), paint);
        writeln!(out, "{} on {}: {state}", paint.bold(&said.ruling.name), wall(said.at))?;
        for (place, rule) in said.rules.iter().enumerate() {
            let mark = match (place, rule.applies) {
                (0, _) => paint.bold("decides"),
                (_, true) => paint.dim("beaten "),
                (_, false) => paint.dim("silent "),
            };
            writeln!(out, "  {mark}  {}: {}", rule.rule, rule.says)?;
        }
        match said.ruling.until {
            Some(until) => writeln!(out, "next change: {}", wall(until)),
            None => writeln!(out, "no change in sight"),
        }
    })?;
    Ok(exit::OK)
}

pub(super) fn violations(cli: &Cli, client: &Client, limit: u32) -> Outcome {
    let rows = cli.call(client.violations(limit))?;
    let wall = wall(cli);
    cli.show(&rows, |out, paint| {
        if rows.is_empty() {
            return writeln!(out, "nothing was tried");
        }
        for row in &rows {
            let verdict = match row.verdict {
                Verdict::Proven => paint.green("proven"),
                Verdict::Applied => paint.green("applied"),
                Verdict::Leaking => paint.red("LEAKING"),
                Verdict::Missing => paint.red("MISSING"),
                Verdict::Unknown => paint.yellow("unknown"),
            };
            let told = row.notification.map_or_else(|| paint.yellow("not told yet"), |id| format!("told as {id}"));
            let head = format!("{}  {} {} ({verdict})", wall(row.at), paint.bold(&row.name), row.action);
            writeln!(out, "{head}  {}, {told}  {}", row.rule, paint.dim(row.trace_id))?;
        }
        Ok(())
    })?;
    Ok(exit::OK)
}

pub(super) fn requests(cli: &Cli, client: &Client) -> Outcome {
    asked(cli, &cli.call(client.requests())?)
}

pub(super) fn asked(cli: &Cli, requests: &[MoreTime]) -> Outcome {
    let wall = wall(cli);
    cli.show(&requests, |out, paint| {
        if requests.is_empty() {
            return writeln!(out, "nobody has asked");
        }
        for request in requests {
            let state = match request.state {
                RequestState::Waiting => paint.yellow("waiting"),
                RequestState::Approved => paint.green("approved"),
                RequestState::Denied => paint.red("denied"),
                RequestState::Expired => paint.dim("expired"),
            };
            let by = request.answered_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
            let MoreTime { id, minutes, reason, .. } = request;
            writeln!(out, "{id}  {}  {} +{minutes} min  {state}{by}  {reason}", wall(request.at), paint.bold(&request.person))?;
        }
        Ok(())
    })?;
    Ok(exit::OK)
}

pub(super) fn guests(cli: &Cli, client: &Client) -> Outcome {
    passes(cli, &cli.call(client.guests())?)
}

pub(super) fn passes(cli: &Cli, guests: &[GuestState]) -> Outcome {
    let wall = wall(cli);
    cli.show(&guests, |out, paint| {
        if guests.is_empty() {
            return writeln!(out, "there are no guests");
        }
        for guest in guests {
            let pass = match guest.pass {
                Pass::Waiting => paint.yellow("waits for approval"),
                Pass::Approved => paint.green("approved"),
                Pass::Refused => paint.red("refused"),
                Pass::Resident => paint.dim("part of the house"),
            };
            let until = guest.expires.map(|until| format!(" until {}", wall(until))).unwrap_or_default();
            writeln!(out, "{}  {}  {pass}{until}  since {}", paint.bold(&guest.device), guest.name, wall(guest.since))?;
        }
        Ok(())
    })?;
    Ok(exit::OK)
}

pub(super) fn credits(cli: &Cli, client: &Client) -> Outcome {
    balances(cli, &cli.call(client.credits())?)
}

pub(super) fn balances(cli: &Cli, balances: &[Balance]) -> Outcome {
    cli.show(&balances, |out, paint| {
        for Balance { person, earned, redeemed, left, cap, credits, .. } in balances {
            let sums = format!("{left} minutes left today ({earned} of {cap} earned, {redeemed} redeemed)");
            writeln!(out, "{}: {sums}", paint.bold(person))?;
            for credit in credits {
                let spent = if credit.redeemed { paint.dim("redeemed") } else { String::new() };
                writeln!(out, "  {}  {} min  {}  by {}  {spent}", credit.id, credit.minutes, credit.what, credit.author)?;
            }
        }
        Ok(())
    })?;
    Ok(exit::OK)
}

pub(super) fn holidays(cli: &Cli, client: &Client) -> Outcome {
    let days = cli.call(client.holidays())?;
    cli.show(&days, |out, paint| {
        if days.is_empty() {
            return writeln!(out, "there are none: `sanctum screen holidays import FILE` reads a school's calendar");
        }
        days.iter().try_for_each(|day| writeln!(out, "{}  {}  {}", paint.bold(day.date), day.name, paint.dim(&day.source)))
    })?;
    Ok(exit::OK)
}
