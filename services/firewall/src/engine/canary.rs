//! The canary: a block for an address that nobody has, through the whole path, read back.

use sanctum_api::firewall::{Happening, Kind, Verdict};
use sanctum_api::notify::Severity;
use sanctum_http::Refusal;
use sanctum_kernel::trace::random;
use sanctum_kernel::{Mac, Status, Trace};
use std::time::Duration;

use super::Engine;
use super::core::Core;

/// How often the router is looked at while a canary is out.
const LOOK: Duration = Duration::from_millis(500);

impl Engine {
    /// Sends a canary and waits for its outcome. The address is new each time: only state written after the
    /// request counts.
    pub(crate) async fn canary(&self, visible: Duration) -> Result<Happening, Refusal> {
        let mut octets = random::<6>();
        // A locally administered address of one device: nobody bought it, and no group has it.
        octets[0] = 0x02;
        let mac = Mac(octets);
        Trace::current().scope(self.fly(mac, visible)).await
    }

    async fn fly(&self, mac: Mac, visible: Duration) -> Result<Happening, Refusal> {
        let began = tokio::time::Instant::now();
        self.ask(move |core| Box::pin(core.send_canary(mac))).await?;
        let mut verdict = self.ask(move |core| Box::pin(core.look_at(mac))).await?;
        while verdict != Verdict::Applied && began.elapsed() < visible {
            tokio::time::sleep(LOOK).await;
            verdict = self.ask(move |core| Box::pin(core.look_at(mac))).await?;
        }
        let took = began.elapsed();
        self.ask(move |core| Box::pin(core.end_canary(mac, verdict, took))).await
    }
}

impl Core {
    async fn send_canary(&mut self, mac: Mac) -> Result<(), Refusal> {
        self.canary = Some(mac);
        self.round().await;
        Ok(())
    }

    async fn look_at(&mut self, mac: Mac) -> Result<Verdict, Refusal> {
        Ok(match self.setup.backend.look(mac).await {
            Ok(Some(found)) if found.whole => Verdict::Applied,
            Ok(_) => Verdict::Missing,
            Err(_) => Verdict::Unknown,
        })
    }

    async fn end_canary(
        &mut self,
        mac: Mac,
        mut verdict: Verdict,
        took: Duration,
    ) -> Result<Happening, Refusal> {
        self.canary = None;
        if self.off {
            verdict = Verdict::Unknown;
        }
        self.round().await;
        let left = matches!(self.setup.backend.look(mac).await, Ok(Some(_)));
        let ms = took.as_millis();
        let detail = match (verdict, left) {
            (Verdict::Applied, false) => {
                format!("a block for {mac} was visible on the router after {ms} ms and is gone again")
            }
            (Verdict::Applied, true) => {
                format!("a block for {mac} was visible after {ms} ms, but could not be lifted")
            }
            (Verdict::Unknown, _) => "the router could not be looked at".to_owned(),
            _ => format!("a block for {mac} was not visible on the router within {ms} ms"),
        };
        let well = verdict == Verdict::Applied && !left;
        let shared = &self.setup.shared;
        if well {
            shared.well.set("canary", Status::Well, detail.clone());
        } else {
            shared.well.set_hint(
                "canary",
                Status::Unwell,
                detail.clone(),
                "blocks may not reach the router: see `sanctum firewall status`",
            );
            self.tell(
                Severity::Error,
                "A test block did not reach the router",
                &detail,
                "firewall-canary",
                false,
            );
        }
        Ok(self.happen(Kind::Canary, None, detail, Some(verdict), None))
    }
}
