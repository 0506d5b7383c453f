//! `sanctum posture`: how tense the house is.

use sanctum_api::watch::{Body, Posture, Stage, State};
use sanctum_kernel::exit;
use serde::Serialize;

use crate::cli::{Cli, Outcome, Wall};
use crate::paint::Paint;
use crate::watching::client;

/// How tense the house is, what it heeds, and how many services are how.
#[derive(Debug, clap::Args)]
#[command(after_help = "Postures: poised, cautious, alert, healing, conserving. Exit code 0 if it is poised, 1 otherwise.")]
pub(crate) struct Args {}

#[derive(Debug, Serialize)]
struct Told<'a> {
    posture: Posture,
    attention: &'a Option<sanctum_api::watch::Attention>,
    blind: &'a Option<String>,
    /// Services by state.
    states: std::collections::BTreeMap<&'static str, usize>,
    open_incidents: usize,
    drift: &'a [String],
}

pub(crate) fn run(_: Args, cli: &Cli) -> Outcome {
    let client = client(cli)?;
    let (body, wall) = (cli.call(client.body())?, cli.wall());
    let told = tell(&body);
    cli.show(&told, |out, paint| draw(out, paint, &told, &wall))?;
    Ok(if body.posture == Posture::Poised { exit::OK } else { exit::NO })
}

fn tell(body: &Body) -> Told<'_> {
    let mut states = std::collections::BTreeMap::new();
    for node in &body.nodes {
        *states.entry(node.state.word()).or_default() += 1;
    }
    let open_incidents = body.incidents.iter().filter(|incident| incident.stage != Stage::Resolved).count();
    Told { posture: body.posture, attention: &body.attention, blind: &body.blind, states, open_incidents, drift: &body.drift }
}

fn draw(out: &mut dyn std::io::Write, paint: Paint, told: &Told<'_>, wall: &Wall) -> std::io::Result<()> {
    let word = told.posture.word();
    let word = match told.posture {
        Posture::Poised => paint.green(word),
        Posture::Cautious | Posture::Conserving => paint.yellow(word),
        Posture::Alert | Posture::Healing => paint.red(word),
    };
    let order = [State::Healthy, State::Drift, State::Failed, State::Blocked, State::Unknown].map(State::word);
    let counts: Vec<String> = order.iter().filter_map(|state| told.states.get(state).map(|count| format!("{count} {state}"))).collect();
    writeln!(out, "The house is {word}: {}.", if counts.is_empty() { "nothing is watched".to_owned() } else { counts.join(", ") })?;
    if let Some(blind) = told.blind {
        writeln!(out, "{} nothing that was seen can be believed now: {blind}", paint.yellow("blind:"))?;
    }
    if told.open_incidents > 0 {
        writeln!(out, "{} {} open: `sanctum incidents`", paint.cyan("→"), if told.open_incidents == 1 { "one incident is".to_owned() } else { format!("{} incidents are", told.open_incidents) })?;
    }
    if let Some(attention) = told.attention {
        writeln!(out, "It heeds `{}` until {}, as {} asked.", attention.word, wall.at(attention.until), attention.by)?;
    }
    told.drift.iter().try_for_each(|line| writeln!(out, "{} {line}", paint.yellow("drift:")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::incidents::fixtures;

    #[test]
    fn the_posture_is_one_sentence_and_what_explains_it() {
        let body = Body {
            posture: Posture::Healing,
            attention: Some(sanctum_api::watch::Attention { word: "recording".into(), until: fixtures::incident().began, by: "cli".into() }),
            blind: None,
            nodes: Vec::new(),
            incidents: vec![fixtures::incident(), fixtures::over()],
            sentinels: Vec::new(),
            drift: vec!["ghost: `tunnel` is said to be ready and nothing listens on its port 51820".into()],
        };
        let drawn = fixtures::drawn(|out, paint, wall| draw(out, paint, &tell(&body), wall));
        let parts = ["The house is healing: nothing is watched.", "one incident is open", "It heeds `recording` until 2020-02-03 02:46, as cli asked.", "drift: ghost: `tunnel`"];
        fixtures::has(&drawn, &parts);
    }
}
