//! Changing who is online, for a while.

use std::path::Path;

use sanctum_api::screen::{Answer, Approval, Calendar, Client, Earn, Homework, Override, OverrideAction, Pass, Redeem, Wish};
use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Failure, exit};

use super::{By, Holidays, What, Whom, show};
use crate::cli::{Cli, Outcome};

/// Does what changes something; what only looks is done by `show`.
pub(super) fn run(what: What, cli: &Cli, client: &Client) -> Outcome {
    match what {
        What::Extend { minutes, whom } => overrule(cli, client, OverrideAction::Extend { minutes }, whom),
        What::Curfew(whom) => overrule(cli, client, OverrideAction::Curfew, whom),
        What::Clear(whom) => overrule(cli, client, OverrideAction::AllClear, whom),
        What::Homework { person, minutes, reason, by } => {
            let homework = Homework { person, minutes, author: by.name(), reason };
            show::state(cli, &cli.call(client.homework(&homework))?)
        }
        What::Credit { person: Some(person), preset, minutes, reason, by } => {
            let earn = Earn { person, preset, minutes, author: by.name(), reason };
            show::balances(cli, &[cli.call(client.earn(&earn))?])
        }
        What::Redeem { person, credit, key } => redeem(cli, client, Redeem { person, credit, author: None }, key),
        What::Requests { ask: Some(person), minutes, reason } => {
            let wish = Wish { person, minutes: minutes.unwrap_or_default(), reason };
            show::asked(cli, &[cli.call(client.ask(&wish))?])
        }
        What::Approve { what, minutes, hours, resident, by } => {
            let pass = if resident { Pass::Resident } else { Pass::Approved };
            answer(cli, client, &what, Say { approve: true, minutes, hours, pass, reason: String::new() }, by)
        }
        What::Deny { what, reason, by } => {
            answer(cli, client, &what, Say { approve: false, minutes: None, hours: None, pass: Pass::Refused, reason }, by)
        }
        What::Holidays { what: Some(Holidays::Import { file, name }) } => import(cli, client, &file, name),
        What::Undo => {
            let undone = cli.call(client.undo())?;
            cli.show(&undone, |out, paint| writeln!(out, "{} {}", paint.bold("taken back:"), undone.says))?;
            Ok(exit::OK)
        }
        _ => Ok(exit::SOFTWARE),
    }
}

fn overrule(cli: &Cli, client: &Client, action: OverrideAction, whom: Whom) -> Outcome {
    let Whom { target, until, reason, by } = whom;
    let said = Override { target, action, until, author: by.name(), reason };
    show::state(cli, &cli.call(client.overrule(&said))?)
}

fn redeem(cli: &Cli, client: &Client, redeem: Redeem, key: Option<String>) -> Outcome {
    let redeemed = cli.call(client.redeem(&redeem, key))?;
    cli.show(&redeemed, |out, paint| {
        writeln!(out, "{}: {} ({} minutes left)", paint.bold(&redeemed.person), redeemed.says, redeemed.left)
    })?;
    Ok(exit::OK)
}

/// An answer to a request or to a guest.
struct Say {
    approve: bool,
    minutes: Option<i64>,
    hours: Option<i64>,
    pass: Pass,
    reason: String,
}

fn answer(cli: &Cli, client: &Client, what: &str, say: Say, by: By) -> Outcome {
    let author = by.name();
    if let Ok(request) = what.parse::<i64>() {
        let answer = Answer { approve: say.approve, author, minutes: say.minutes, reason: say.reason };
        return show::asked(cli, &[cli.call(client.answer(request, &answer))?]);
    }
    let approval = Approval { device: what.to_owned(), pass: Some(say.pass), hours: say.hours, author };
    show::passes(cli, &[cli.call(client.approve_guest(&approval))?])
}

fn import(cli: &Cli, client: &Client, file: &Path, name: Option<String>) -> Outcome {
    let ics = std::fs::read_to_string(file).map_err(|error| -> Failure {
        Hinted::new(exit::NO_INPUT, format!("could not read `{}`", file.display()), "give the path of an iCalendar file (.ics)")
            .because(error)
            .into()
    })?;
    let stem = || file.file_stem().map_or_else(|| "calendar".to_owned(), |stem| stem.to_string_lossy().into_owned());
    let imported = cli.call(client.import_holidays(&Calendar { name: name.unwrap_or_else(stem), ics }))?;
    cli.show(&imported, |out, paint| {
        writeln!(out, "{}: {} events, {} days off", paint.bold(&imported.name), imported.events, imported.days)?;
        imported.refused.iter().try_for_each(|why| writeln!(out, "  {} {why}", paint.yellow("not taken:")))
    })?;
    Ok(if imported.events == 0 { exit::NO } else { exit::OK })
}
