//! Wake-up lifts what the night has blocked, and a parent ends a game.

use std::time::Duration;

use sanctum_api::firewall::{Device, Happening, Kind};
use sanctum_kernel::{Clock, Failure};

use super::{Play, SOON};
use crate::house::{CONSOLE, is_in_force};
use crate::stream::{Crew, LINGER, player};
use crate::wait::until;
use crate::watch::{Passed, sum};

impl Play<'_> {
    pub(super) async fn wake_up(&mut self, begun: i64) -> Result<(), Failure> {
        let wake = crate::nanos(self.night.wake_at);
        self.report.part("D", &format!("{}: wake-up is at {}", self.night.wall(), self.night.wake));
        Clock::system().until(self.night.wake_at).await;
        let (from, to) = self.sabotage.unwrap_or_default();
        let early: Vec<Passed> = self
            .stage
            .watch
            .out(begun)
            .into_iter()
            .filter(|passed| passed.at < wake && !(from..=to).contains(&passed.at))
            .collect();
        self.report.check("all night long 0 packets passed", early.is_empty(), sum(&early));
        let freed = until("the stranger to reach the internet", 8, async || {
            self.stage.watch.out(wake).first().map(|passed| passed.at)
        })
        .await
        .ok();
        let after = freed.map(|at| crate::ms(at - wake));
        self.report.check(
            "the stranger is freed by itself",
            after.is_some_and(|ms| ms <= SOON),
            after.map(|ms| format!("first packet {ms:.0} ms after wake-up")).unwrap_or_default(),
        );
        let open = |device: &Device| device.id == CONSOLE && device.block.is_none();
        let lifted =
            until("the console to be free", 8, async || self.device(open).await.map(|_| crate::now()))
                .await
                .ok();
        self.report.check(
            "the console's block is lifted by itself",
            lifted.is_some(),
            lifted.map(|at| format!("{:.0} ms after wake-up", crate::ms(at - wake))).unwrap_or_default(),
        );
        self.stage.net.unplug()?;
        self.gone = crate::now();
        let since = crate::now();
        self.stage.net.plug(self.console)?;
        let reached = until("the console to reach the internet", 12, async || {
            self.stage.watch.back(since).first().map(|passed| passed.at)
        })
        .await
        .ok();
        self.report.check(
            "the console reaches the internet",
            reached.is_some(),
            reached
                .map(|at| format!("{:.0} ms after it was plugged in", crate::ms(at - since)))
                .unwrap_or_default(),
        );
        Ok(())
    }

    pub(super) async fn playing(&mut self) -> Result<(), Failure> {
        self.report
            .part("E", &format!("{}: the console plays; a parent says that it is enough", self.night.wall()));
        let _playing: Crew = player(&self.stage.net.console)?;
        // What the internet still sends to the stranger of the night would be counted as the console's.
        let quiet =
            self.gone + i64::try_from((LINGER + Duration::from_secs(1)).as_nanos()).unwrap_or_default();
        until("the stranger's streams to end", 12, async || (crate::now() >= quiet).then_some(())).await?;
        self.until_playing().await?;
        let since = crate::now();
        self.report.note(format!("it plays: down {}", sum(&self.stage.watch.back(since - 500_000_000))));
        self.report.note(format!("            up {}", sum(&self.stage.watch.out(since - 500_000_000))));
        let until_later = Clock::system().now().checked_add(jiff::SignedDuration::from_mins(10))?.to_string();
        let whom = ["--for", CONSOLE, "--until", &until_later, "--by", "parent"];
        self.stage.house.cli(&[&["screen", "curfew", "--reason", "dinner"], &whom[..]].concat())?;
        let told = |what: &Happening| {
            what.device.as_deref() == Some(CONSOLE)
                && matches!(what.kind, Kind::Blocked | Kind::Attempt)
                && what.verdict.is_some_and(is_in_force)
        };
        let blocked = until("the verdict", 5, async || self.stage.follow.happening(since, told)).await.ok();
        let Some(blocked) = blocked else {
            self.report.check("curfew now: it is blocked", false, self.stage.follow.told(since));
            return Ok(());
        };
        let verdict = crate::nanos(blocked.what.at);
        self.report.check(
            "curfew now: it is blocked",
            true,
            format!("{:.1} ms after the command began; {}", crate::ms(verdict - since), blocked.what.detail),
        );
        // Three seconds in which everything that plays goes on trying, from both ends.
        let end = verdict + 3_000_000_000;
        until("three seconds of trying", 5, async || (crate::now() >= end).then_some(())).await?;
        let (down, up) = (self.stage.watch.back(verdict), self.stage.watch.out(verdict));
        self.report.check(
            "after the verdict 0 bytes come down, by TCP and UDP, IPv4 and IPv6",
            down.is_empty(),
            sum(&down),
        );
        self.report.check(
            "after the verdict 0 bytes go up, by TCP and UDP, IPv4 and IPv6",
            up.is_empty(),
            sum(&up),
        );
        self.stage.house.cli(&[&["screen", "clear"], &whom[..]].concat())?;
        let since = crate::now();
        let again = until("the console to play again", 8, async || {
            self.stage.watch.back(since).first().map(|passed| passed.at)
        })
        .await
        .ok();
        self.report.check(
            "all clear: it plays again",
            again.is_some(),
            again.map(|at| format!("after {:.0} ms", crate::ms(at - since))).unwrap_or_default(),
        );
        Ok(())
    }

    /// Waits until something moves in every way there is: TCP and UDP, IPv4 and IPv6, down and up.
    async fn until_playing(&self) -> Result<(), Failure> {
        until("the console to play every way there is", 12, async || {
            let since = crate::now() - 500_000_000;
            let (down, up) = (self.stage.watch.back(since), self.stage.watch.out(since));
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
}
