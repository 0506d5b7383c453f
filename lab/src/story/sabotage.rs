//! What can go wrong with a router: its rules are flushed, and the service that watches them is killed.

use std::time::Duration;

use sanctum_api::firewall::{Happening, Kind, Verdict};
use sanctum_kernel::Failure;

use super::Play;
use crate::net::BASE;
use crate::wait::until;
use crate::watch::{Passed, sum};

impl Play<'_> {
    pub(super) async fn sabotage(&mut self) -> Result<(), Failure> {
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
}
