//! The night at 02:47, as it really happens: join, stranger, sabotage, wake-up, and a playing console.

use std::path::Path;
use std::time::Duration;

use sanctum_api::firewall::{Device, Happening, Kind, Standing, Verdict};
use sanctum_kernel::{Clock, Failure, Mac};

use crate::house::{CONSOLE, Night, is_in_force};
use crate::joins::stranger;
use crate::net::{BASE, CONSOLE_MAC, Net};
use crate::report::Report;
use crate::stage::Stage;
use crate::stream::{Crew, Tablet, internet, player};
use crate::wait::until;
use crate::watch::{Passed, sum};

/// The night must last at least so long, for the two joins in it.
const SOONEST: Duration = Duration::from_secs(22);
/// The sabotage comes before the wake-up if there is so much of the night left, and after it otherwise.
const SABOTAGE: i64 = 14;
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
}

pub(crate) async fn tell(binary: &Path, net: Net, browser: bool, report: &mut Report) -> Result<(), Failure> {
    let night = Night::now(SOONEST + Duration::from_secs(8))?;
    let _internet = internet(&net.internet)?;
    // The tablet streams before there is a house, while it starts, and to the end.
    let tablet = Tablet::start(&net.tablet)?;
    until("the tablet to stream", 10, async || tablet.is_streaming().then_some(())).await?;
    let stage = Stage::set(binary, net, &night, browser, report).await?;
    let mut play = Play { stage, night, console: CONSOLE_MAC.parse()?, browser, report, sabotage: None };
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

    async fn console_joins(&mut self) -> Result<(), Failure> {
        self.report.part("A", &format!("{}: Ava's Xbox joins the Wi-Fi in her curfew", self.night.wall()));
        self.stage.watch.expect(self.console);
        let since = crate::now();
        self.stage.net.plug(&self.console)?;
        let seen = self.stage.follow_join(self.console, since).await?;
        self.report.chain("chain", &seen.links(self.browser));
        self.report.fact("trace_id", seen.trace.clone());
        seen.check(self.report, self.browser);
        self.leased(self.console).await?;
        let out = self.stage.watch.out(since);
        self.report.check("0 packets of it reached the internet", out.is_empty(), sum(&out));
        Ok(())
    }

    async fn stranger_joins(&mut self) -> Result<(), Failure> {
        let mac = stranger();
        self.report.part("B", &format!("{}: it comes back with a made-up address, {mac}", self.night.wall()));
        self.stage.net.unplug()?;
        self.stage.watch.expect(mac);
        let since = crate::now();
        self.stage.net.plug(&mac)?;
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

    async fn sabotage(&mut self) -> Result<(), Failure> {
        self.report
            .part("F", &format!("{}: the ruleset is flushed, then a service is killed", self.night.wall()));
        let since = crate::now();
        // A distribution's firewall starts again just so: flush and load in one transaction.
        self.stage.net.rules(&format!("flush ruleset\n{BASE}"))?;
        let drift = |what: &Happening| {
            what.kind == Kind::Drift
                && (what.verdict == Some(Verdict::Missing) || what.detail.contains("missing"))
        };
        let named =
            until("the firewall to name the drift", 8, async || self.stage.follow.happening(since, drift))
                .await
                .ok();
        let seen = named
            .as_ref()
            .map(|heard| format!("after {:.0} ms: {}", crate::ms(heard.at - since), heard.what.detail));
        self.report.check(
            "`nft flush ruleset` is named as missing",
            named.is_some(),
            seen.unwrap_or_else(|| self.stage.follow.told(since)),
        );
        let mended = until("the rules to be there again", 8, async || {
            let router = self.stage.house.firewall().ok()?.router().await.ok()?;
            let there = self
                .stage
                .net
                .nft("list tables")
                .is_ok_and(|tables| tables.contains("inet sanctum") && tables.contains("bridge sanctum"));
            (there && router.drift.is_none() && router.observed == Some(router.intended)).then(crate::now)
        })
        .await
        .ok();
        self.report.check(
            "and repaired",
            mended.is_some(),
            mended.map(|at| format!("after {:.0} ms", crate::ms(at - since))).unwrap_or_default(),
        );
        let end = mended.unwrap_or_else(crate::now);
        self.sabotage = Some((since, end));
        let meanwhile: Vec<Passed> =
            self.stage.watch.out(since).into_iter().filter(|passed| passed.at <= end).collect();
        self.report.note(format!("while the rules were away: {}", sum(&meanwhile)));
        self.report.fact("repair_ms", crate::ms(end - since));
        self.killed().await
    }

    async fn killed(&mut self) -> Result<(), Failure> {
        let before = self.tables()?;
        let (old, since) = (self.stage.house.pid("firewall").await?, crate::now());
        let process = i32::try_from(old)
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .ok_or("the firewall has no process")?;
        rustix::process::kill_process(process, rustix::process::Signal::KILL)?;
        if !crate::procs::gone(process, Duration::from_secs(2)) {
            return Err("the firewall did not die of SIGKILL".into());
        }
        self.report.check(
            "killed with -9, the kernel keeps the block",
            self.tables()? == before,
            format!("{} lines of rules as before", before.lines().count()),
        );
        let back = until("the firewall to come back", 10, async || {
            let state = self.stage.house.supervise().ok()?.service("firewall").await.ok()?;
            (state.ready && state.pid.is_some_and(|pid| pid != old)).then(crate::now)
        })
        .await
        .ok();
        self.report.check(
            "it comes back by itself",
            back.is_some(),
            back.map(|at| format!("ready again after {:.0} ms", crate::ms(at - since))).unwrap_or_default(),
        );
        let armed = until("what it blocked to be blocked still", 5, async || {
            let router = self.stage.house.firewall().ok()?.router().await.ok()?;
            (router.drift.is_none() && router.observed == Some(router.intended)).then_some(router)
        })
        .await
        .ok();
        self.report.check(
            "and holds what it held",
            armed.is_some(),
            armed
                .map(|router| format!("{} addresses intended, {:?} found", router.intended, router.observed))
                .unwrap_or_default(),
        );
        Ok(())
    }

    /// Our tables in the kernel, without what counts in them.
    fn tables(&self) -> Result<String, Failure> {
        let mut lines = String::new();
        for table in ["inet", "bridge"] {
            let listed = self.stage.net.nft(&format!("-s list table {table} sanctum"))?;
            lines.push_str(
                &listed.lines().filter(|line| !line.contains("expires")).collect::<Vec<_>>().join("\n"),
            );
        }
        Ok(lines)
    }

    async fn wake_up(&mut self, begun: i64) -> Result<(), Failure> {
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
        let since = crate::now();
        self.stage.net.plug(&self.console)?;
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

    async fn playing(&mut self) -> Result<(), Failure> {
        self.report
            .part("E", &format!("{}: the console plays; a parent says that it is enough", self.night.wall()));
        let _playing: Crew = player(&self.stage.net.console)?;
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
        .await?;
        let since = crate::now();
        self.report.note(format!("it plays: down {}", sum(&self.stage.watch.back(since - 500_000_000))));
        self.report.note(format!("            up {}", sum(&self.stage.watch.out(since - 500_000_000))));
        self.stage.house.cli(&["screen", "curfew", CONSOLE, "--for", "10m", "--reason", "dinner"])?;
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
        self.stage.house.cli(&["screen", "clear", CONSOLE])?;
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
