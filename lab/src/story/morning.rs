//! Wake-up lifts what the night has blocked, and a parent ends a game.

use std::time::Duration;

use sanctum_api::firewall::Device;
use sanctum_kernel::{Clock, Failure};

use super::{Play, SOON};
use crate::house::CONSOLE;
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
        self.stage.until_playing().await?;
        let (down, up) = self.stage.recent();
        self.report.note(format!("it plays: down {}", sum(&down)));
        self.report.note(format!("            up {}", sum(&up)));
        let edge = self.stage.end_game(3000).await?;
        let seen = format!(
            "{:.1} ms after the command began, which took {:.1} ms; {}",
            edge.verdict_ms, edge.command_ms, edge.detail
        );
        self.report.check("curfew now: it is blocked", true, seen);
        let ways = "by TCP and UDP, IPv4 and IPv6";
        let (down, up) = (edge.words(&edge.down), edge.words(&edge.up));
        self.report.check(
            &format!("after the verdict 0 bytes come down, {ways}"),
            edge.down.is_empty(),
            down,
        );
        self.report.check(&format!("after the verdict 0 bytes go up, {ways}"), edge.up.is_empty(), up);
        self.stage.order("clear")?;
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
}
