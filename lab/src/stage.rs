//! Everything that stands before the curtain rises: the network, the taps, the house, the phone, the browser.

use std::path::Path;

use sanctum_kernel::{Failure, files};

use crate::browser::Browser;
use crate::follow::Follow;
use crate::house::{House, Night};
use crate::net::Net;
use crate::report::Report;
use crate::sink::Sink;
use crate::wait;
use crate::watch::Watch;

/// Dropped from top to bottom: who looks first, who is looked at last.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) browser: Option<Browser>,
    pub(crate) follow: Follow,
    pub(crate) sink: Sink,
    pub(crate) house: House,
    pub(crate) watch: Watch,
    pub(crate) net: Net,
}

impl Stage {
    /// Sets it up and waits until the router is armed for tonight.
    pub(crate) async fn set(
        binary: &Path,
        net: Net,
        night: &Night,
        browser: bool,
        report: &mut Report,
    ) -> Result<Self, Failure> {
        let watch = Watch::start(&net)?;
        let sink = Sink::start().await?;
        // The browser needs its seconds; it starts while the house does.
        let looking = browser.then(|| Browser::start(&net)).transpose()?;
        let mut house = House::up(binary, &net, night, sink.port).await?;
        let set = Self::ready(&mut house, looking, night, report).await;
        match set {
            Ok((follow, browser)) => Ok(Self { browser, follow, sink, house, watch, net }),
            Err(error) => {
                report.note(format!("the last words of the house:\n{}", house.last_words()));
                Err(error)
            }
        }
    }

    async fn ready(
        house: &mut House,
        mut browser: Option<Browser>,
        night: &Night,
        report: &mut Report,
    ) -> Result<(Follow, Option<Browser>), Failure> {
        report.note(format!(
            "the house was ready in {:.0} ms; it is {} in {}, wake-up is at {}",
            house.ready_ms,
            night.wall(),
            night.zone,
            night.wake
        ));
        report.fact("ready_ms", house.ready_ms);
        let follow = Follow::start(house).await?;
        house.until_armed().await?;
        if let Some(browser) = &mut browser {
            let key = files::read(&house.paths().tokens().join("browser-dashboard"))?;
            browser.open(&format!("http://127.0.0.1:1111/enter?key={}", key.trim()))?;
            wait::blocking("the dashboard to be live in Chromium", 20, || {
                let state = browser.value("document.querySelector('#pulse')?.dataset.state ?? ''").ok()?;
                (state == "live").then_some(())
            })?;
        }
        Ok((follow, browser))
    }
}
