//! The night: the console joins, and comes back with a made-up address.

use std::time::Duration;

use sanctum_api::firewall::{Device, Standing, Verdict};
use sanctum_kernel::{Failure, Mac};

use super::Play;
use crate::house::CONSOLE;
use crate::joins::stranger;
use crate::wait::until;
use crate::watch::sum;

impl Play<'_> {
    /// Waits until the console has its lease, and has tried to use it.
    async fn leased(&mut self, mac: Mac) -> Result<(), Failure> {
        until("the console to get its lease", 12, async || {
            tokio::time::sleep(Duration::from_millis(40)).await;
            self.stage.net.has_address("inet 10.77.0.").then_some(())
        })
        .await?;
        let proven = |device: &Device| {
            device.macs.contains(&mac)
                && device.block.as_ref().is_some_and(|block| block.verdict == Verdict::Proven)
        };
        let found = until("the block to be proven by its tries", 8, async || {
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.device(proven).await
        })
        .await;
        let evidence = found.ok().and_then(|device| device.block).map(|block| block.evidence);
        self.report.check(
            "it has a lease, tries everything, and is proven to be blocked",
            evidence.is_some(),
            evidence.unwrap_or_default(),
        );
        Ok(())
    }

    pub(super) async fn console_joins(&mut self) -> Result<(), Failure> {
        self.report.part("A", &format!("{}: Ava's Xbox joins the Wi-Fi in her curfew", self.night.wall()));
        self.stage.watch.expect(self.console);
        let since = crate::now();
        self.stage.net.plug(self.console)?;
        let seen = self.stage.follow_join(self.console, since).await?;
        self.report.chain("chain", &seen.links(self.browser));
        self.report.fact("trace_id", seen.trace.clone());
        seen.check(self.report, self.browser);
        self.leased(self.console).await?;
        let out = self.stage.watch.out(since);
        self.report.check("0 packets of it reached the internet", out.is_empty(), sum(&out));
        Ok(())
    }

    pub(super) async fn stranger_joins(&mut self) -> Result<(), Failure> {
        let mac = stranger();
        self.report.part("B", &format!("{}: it comes back with a made-up address, {mac}", self.night.wall()));
        self.stage.net.unplug()?;
        self.stage.watch.expect(mac);
        let since = crate::now();
        self.stage.net.plug(mac)?;
        let seen = self.stage.follow_join(mac, since).await?;
        self.report.chain("chain_stranger", &seen.links(self.browser));
        seen.check(self.report, self.browser);
        let found = until("the stranger to be compared", 5, async || {
            self.device(|device| device.macs.contains(&mac) && device.resembles.is_some()).await
        })
        .await
        .ok();
        let resembles = found.as_ref().and_then(|device| device.resembles.clone());
        let words = resembles
            .as_ref()
            .map(|like| format!("{} {:.2}, because of {}", like.device, like.score, like.because));
        self.report.check(
            "it is named as resembling the console",
            resembles.is_some_and(|like| like.device == CONSOLE),
            words.unwrap_or_default(),
        );
        self.report.check(
            "it is blocked as a newcomer, by itself",
            found.is_some_and(|device| device.standing == Standing::Automatic),
            "",
        );
        self.leased(mac).await?;
        let out = self.stage.watch.out(since);
        self.report.check("0 packets of it reached the internet", out.is_empty(), sum(&out));
        Ok(())
    }
}
