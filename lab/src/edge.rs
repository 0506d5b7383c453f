//! A console that plays when its curfew begins: what still passes after the verdict.

use std::path::Path;

use sanctum_api::firewall::{Happening, Kind};
use sanctum_kernel::{Clock, Failure};

use crate::house::{CONSOLE, Night, is_in_force};
use crate::net::{CONSOLE_MAC, Net};
use crate::report::{Report, quantile};
use crate::stage::Stage;
use crate::stream::{internet, player};
use crate::wait::until;
use crate::watch::{Passed, sum};

/// In what every way of playing must move, before it is ended.
const RECENT: i64 = 500_000_000;

/// What was seen of one end of a game.
#[derive(Debug)]
pub(crate) struct Edge {
    /// From the beginning of the command to the verdict.
    pub(crate) verdict_ms: f64,
    /// How long the command itself took.
    pub(crate) command_ms: f64,
    pub(crate) detail: String,
    pub(crate) verdict: i64,
    /// What came down and went up after the verdict.
    pub(crate) down: Vec<Passed>,
    pub(crate) up: Vec<Passed>,
}

impl Stage {
    /// Waits until something moves in every way there is: TCP and UDP, IPv4 and IPv6, down and up.
    pub(crate) async fn until_playing(&self) -> Result<(), Failure> {
        until("the console to play every way there is", 12, async || {
            let (down, up) = self.recent();
            let moves = |all: &[Passed], kind: &str| {
                all.iter().any(|one| one.packet.word() == kind && one.packet.payload > 500)
            };
            ["tcp4", "tcp6", "udp4", "udp6"]
                .iter()
                .all(|kind| moves(&down, kind) && moves(&up, kind))
                .then_some(())
        })
        .await
    }

    /// What came down and went up in the last half second.
    pub(crate) fn recent(&self) -> (Vec<Passed>, Vec<Passed>) {
        let since = crate::now() - RECENT;
        (self.watch.back(since), self.watch.out(since))
    }

    /// A parent's word on the command line, about the console.
    pub(crate) fn order(&self, verb: &str) -> Result<(), Failure> {
        let end = Clock::system().now().checked_add(jiff::SignedDuration::from_mins(10))?.to_string();
        self.house
            .cli(&["screen", verb, "--reason", "dinner", "--for", CONSOLE, "--until", &end, "--by", "parent"])
            .map(drop)
    }

    /// Says that it is enough, and watches what still passes; the flows go on trying from both ends.
    pub(crate) async fn end_game(&self, watching_ms: i64) -> Result<Edge, Failure> {
        let since = crate::now();
        self.order("curfew")?;
        let command_ms = crate::ms(crate::now() - since);
        let told = |what: &Happening| {
            what.device.as_deref() == Some(CONSOLE)
                && matches!(what.kind, Kind::Blocked | Kind::Attempt)
                && what.verdict.is_some_and(is_in_force)
        };
        let blocked = until("the verdict", 5, async || self.follow.happening(since, told)).await;
        let blocked = blocked
            .map_err(|error| format!("{error}; the firewall told only this:\n{}", self.follow.told(since)))?;
        let verdict = crate::nanos(blocked.what.at);
        let end = verdict + watching_ms * 1_000_000;
        until("the time of watching", 60, async || (crate::now() >= end).then_some(())).await?;
        let (down, up) = (self.watch.back(verdict), self.watch.out(verdict));
        Ok(Edge {
            verdict_ms: crate::ms(verdict - since),
            command_ms,
            detail: blocked.what.detail,
            verdict,
            down,
            up,
        })
    }
}

impl Edge {
    /// What passed, and how long after the verdict.
    pub(crate) fn words(&self, passed: &[Passed]) -> String {
        let last = passed.iter().map(|one| one.at).max();
        let late =
            last.map(|at| format!(", the last {:.3} ms after the verdict", crate::ms(at - self.verdict)));
        format!("{}{}", sum(passed), late.unwrap_or_default())
    }
}

/// Game after game is ended while everything flows.
pub(crate) async fn measure(binary: &Path, net: Net, n: usize, report: &mut Report) -> Result<(), Failure> {
    let _internet = internet(&net.internet)?;
    let mut stage = Stage::set(binary, net, &Night::long()?, false, report).await?;
    stage.order("clear")?;
    let _playing = player(&stage.net.console)?;
    stage.net.plug(CONSOLE_MAC.parse()?)?;
    report.part(
        "edge",
        &format!("{n} games are ended while TCP and UDP, IPv4 and IPv6 flow in both directions"),
    );
    let (mut times, mut packets, mut bytes) = (Vec::new(), 0, 0);
    for round in 1..=n {
        stage.until_playing().await?;
        let edge = stage.end_game(1000).await?;
        for (way, passed) in [("down", &edge.down), ("up", &edge.up)] {
            packets += passed.len();
            bytes += passed.iter().map(|one| one.packet.payload).sum::<usize>();
            if !passed.is_empty() {
                report.note(format!("game {round}, {way}: {}", edge.words(passed)));
            }
        }
        times.push(edge.verdict_ms);
        stage.order("clear")?;
    }
    let (median, most) = (quantile(&times, 0.5), quantile(&times, 1.0));
    report.note(format!(
        "from the parent's command to the verdict: median {median:.1} ms, slowest {most:.1} ms"
    ));
    report.fact("command_to_verdict", serde_json::json!({ "median_ms": median, "max_ms": most, "n": n }));
    report.fact("packets_after", packets);
    report.check("0 bytes after the verdict", bytes == 0, format!("{bytes} bytes in {packets} packets"));
    report.check("not even an empty packet", packets == 0, format!("{packets} packets"));
    stage.house.down()
}
