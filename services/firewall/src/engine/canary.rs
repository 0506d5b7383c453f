//! The canary: a block for an address that nobody has, through the whole path, read back.

use sanctum_api::Problem;
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
        // A second one would take the first one's place on the router, and the first would look undelivered.
        let Ok(_alone) = self.canaries.try_lock() else {
            return Err(Refusal(
                Problem::conflict("a canary is on its way already")
                    .hint("wait for it: `sanctum firewall status`"),
            ));
        };
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
            _ if self.off => "enforcement is switched off: nothing was sent to the router".to_owned(),
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
        // Switched off by a person, it proves nothing; that it is off is said elsewhere.
        if !self.off {
            self.say_canary(well, &detail);
        }
        Ok(self.happen(Kind::Canary, None, detail, Some(verdict), None))
    }
    /// Tells of a canary that was lost, and of the first that came through after it.
    fn say_canary(&mut self, well: bool, detail: &str) {
        let (shared, key) = (&self.setup.shared, "firewall-canary");
        let was_lost = std::mem::replace(&mut self.canary_lost, !well);
        if well {
            shared.well.set("canary", Status::Well, detail);
            if was_lost {
                self.tell(Severity::Info, "Test blocks reach the router again", detail, key, true);
            }
        } else {
            let hint = "blocks may not reach the router: see `sanctum firewall status`";
            shared.well.set_hint("canary", Status::Unwell, detail, hint);
            self.tell(Severity::Error, "A test block did not reach the router", detail, key, false);
        }
    }
}
