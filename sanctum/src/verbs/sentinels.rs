//! `sanctum sentinels`: small looks at what surrounds the services.

use std::io::{self, Write};

use sanctum_api::watch::{Light, Verdict};
use sanctum_kernel::exit;

use crate::cli::{Cli, Outcome, Wall};
use crate::paint::Paint;
use crate::watching::{client, light};

/// What the sentinels say: certificates, backups, the clock, disks, secrets, open ports, containers, logs, the internet, power.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 0 if none is red, 1 if one is: only red ones page.")]
pub(crate) struct Args {}

pub(crate) fn run(_: Args, cli: &Cli) -> Outcome {
    let client = client(cli)?;
    let (body, wall) = (cli.call(client.body())?, cli.wall());
    cli.show(&body.sentinels, |out, paint| draw(out, paint, &body.sentinels, &wall))?;
    Ok(if body.sentinels.iter().any(|verdict| verdict.light == Light::Red) { exit::NO } else { exit::OK })
}

fn draw(out: &mut dyn Write, paint: Paint, all: &[Verdict], wall: &Wall) -> io::Result<()> {
    if all.is_empty() {
        return writeln!(out, "{} No sentinel has looked yet.", paint.cyan("●"));
    }
    let name = all.iter().map(|verdict| verdict.sentinel.chars().count()).max().unwrap_or(0);
    let mut sorted: Vec<&Verdict> = all.iter().collect();
    sorted.sort_by_key(|verdict| (std::cmp::Reverse(verdict.light), &verdict.sentinel));
    sorted.iter().try_for_each(|verdict| {
        let since = if verdict.light == Light::Green { String::new() } else { paint.dim(format!("  since {}", wall.at(verdict.since))) };
        writeln!(out, "{}  {}  {}{since}", light(paint, verdict.light, 7), paint.bold(format!("{:<name$}", verdict.sentinel)), verdict.detail)?;
        match &verdict.hint {
            Some(hint) => writeln!(out, "         {:<name$}  {} {hint}", "", paint.cyan("→")),
            None => Ok(()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::incidents::fixtures;

    #[test]
    fn the_worst_is_first_and_says_what_to_do() {
        let at = fixtures::incident().began;
        let verdict = |sentinel: &str, light, detail: &str, hint: Option<&str>| Verdict { sentinel: sentinel.into(), light, detail: detail.into(), hint: hint.map(str::to_owned), at, since: at };
        let all = [
            verdict("power", Light::Green, "on mains, 100 % left", None),
            verdict("wan", Light::Unknown, "nobody outside is asked", Some("set `canaries` in `[watch.sentinel.wan]`")),
            verdict("secret-drift", Light::Red, "/home/x/.sanctum/secrets/hook is open to others (mode 644)", Some("chmod 600 /home/x/.sanctum/secrets/hook")),
        ];
        let drawn = fixtures::drawn(|out, paint, wall| draw(out, paint, &all, wall));
        assert!(drawn.starts_with("red "), "{drawn}");
        fixtures::has(&drawn, &["secret-drift  /home/x", "→ chmod 600", "unknown  wan", "green    power"]);
    }
}
