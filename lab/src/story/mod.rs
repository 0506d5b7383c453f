//! The night at 02:47, as it really happens: join, stranger, sabotage, wake-up, and a playing console.

mod joins;
mod morning;
mod sabotage;

use std::path::Path;
use std::time::Duration;

use sanctum_api::firewall::Device;
use sanctum_kernel::{Clock, Failure, Mac};

use crate::house::Night;
use crate::net::{CONSOLE_MAC, Net};
use crate::report::Report;
use crate::stage::Stage;
use crate::stream::{Tablet, internet, player};
use crate::wait::until;

/// The night must last at least so long, for the two joins in it.
const SOONEST: Duration = Duration::from_secs(24);
/// The sabotage comes before the wake-up if there is so much of the night left, and after it otherwise.
const SABOTAGE: i64 = 6;
/// A pause that a person in front of a film would notice, in milliseconds.
const NOTICED: f64 = 1000.0;
/// Wake-up, repair and the like happen within this, in milliseconds.
const SOON: f64 = 5000.0;

/// The stage, and what the acts leave to each other.
struct Play<'a> {
    stage: Stage,
    night: Night,
    console: Mac,
    browser: bool,
    report: &'a mut Report,
    /// Our own sabotage: what passed in these stretches is reported by itself.
    sabotage: Option<(i64, i64)>,
    /// When the stranger was unplugged.
    gone: i64,
}

pub(crate) async fn tell(binary: &Path, net: Net, browser: bool, report: &mut Report) -> Result<(), Failure> {
    let night = Night::now(SOONEST)?;
    let _internet = internet(&net.internet)?;
    // The tablet streams before there is a house, while it starts, and to the end.
    let tablet = Tablet::start(&net.tablet)?;
    until("the tablet to stream", 10, async || tablet.is_streaming().then_some(())).await?;
    let stage = Stage::set(binary, net, &night, browser, report).await?;
    let mut play =
        Play { stage, night, console: CONSOLE_MAC.parse()?, browser, report, sabotage: None, gone: 0 };
    let outcome = play.acts(&tablet).await;
    if !play.report.is_good() || outcome.is_err() {
        play.report.note(format!("the last words of the house:\n{}", play.stage.house.last_words()));
    }
    outcome?;
    play.tablet_noticed(tablet);
    let Play { mut stage, report, .. } = play;
    stage.house.down()?;
    let lost = stage.watch.finish()?;
    report.check("our own taps lost nothing", lost == 0, format!("{lost} frames"));
    Ok(())
}

impl Play<'_> {
    async fn acts(&mut self, tablet: &Tablet) -> Result<(), Failure> {
        let begun = crate::now();
        let trying = player(&self.stage.net.console)?;
        self.console_joins().await?;
        self.stranger_joins().await?;
        self.report.check(
            "the tablet streams on meanwhile",
            tablet.is_streaming() && tablet.noticed().broken.is_empty(),
            "",
        );
        let left = self.night.wake_at.duration_since(Clock::system().now()).as_secs();
        if left >= SABOTAGE {
            self.sabotage().await?;
        }
        self.wake_up(begun).await?;
        drop(trying);
        self.playing().await?;
        if left < SABOTAGE {
            self.sabotage().await?;
        }
        Ok(())
    }

    async fn device(&self, fits: impl Fn(&Device) -> bool) -> Option<Device> {
        self.stage.house.firewall().ok()?.devices().await.ok()?.into_iter().find(|device| fits(device))
    }

    fn tablet_noticed(&mut self, tablet: Tablet) {
        self.report.part("C", "and all the while, grandma's tablet");
        let seen = tablet.finish();
        let megabytes = seen.bytes / 1_000_000;
        self.report.check(
            "it streamed all the time",
            seen.broken.is_empty() && megabytes > 5,
            format!("{megabytes} MB in four streams {}", seen.broken.join(", ")),
        );
        let pause = format!("longest pause {:.0} ms ({})", seen.longest_pause_ms, seen.pause_where);
        self.report.check("it noticed nothing", seen.longest_pause_ms <= NOTICED, pause);
        self.report.check("it lost nothing", seen.lost == 0, format!("{} datagrams or bytes", seen.lost));
        self.report.fact("tablet", serde_json::to_value(&seen).unwrap_or_default());
    }
}
