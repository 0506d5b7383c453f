//! What can go wrong with a router: its rules are flushed, and the service that watches them is killed.

use std::time::Duration;

use sanctum_api::firewall::{Happening, Kind};
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
        let there = until("our tables to be in the kernel again", 8, async || {
            let tables = self.stage.net.nft("list tables").ok()?;
            (tables.contains("inet sanctum") && tables.contains("bridge sanctum")).then(crate::now)
        })
        .await
        .ok();
        let end = there.unwrap_or_else(crate::now);
        self.sabotage = Some((since, end));
        let flushed = |what: &Happening| what.kind == Kind::Drift && what.detail.contains("flushed");
        let named =
            until("the firewall to name the drift", 8, async || self.stage.follow.happening(since, flushed))
                .await
                .ok();
        let seen = named.map(|heard| {
            format!("after {:.0} ms: {}", crate::ms(crate::nanos(heard.what.at) - since), heard.what.detail)
        });
        self.report.check(
            "`nft flush ruleset` is noticed and named",
            seen.is_some(),
            seen.unwrap_or_else(|| self.stage.follow.told(since)),
        );
        let whole = until("the router to hold what it should", 8, async || self.whole().await).await.ok();
        let seen = format!(
            "in the kernel after {:.0} ms, read back: {whole:?} (intended, found)",
            crate::ms(end - since)
        );
        self.report.check("and repaired", there.is_some() && whole.is_some(), seen);
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
        let armed = until("what it blocked to be blocked still", 5, async || self.whole().await).await.ok();
        let seen = armed.map(|(intended, found)| format!("{intended} addresses intended, {found} found"));
        self.report.check("and holds what it held", seen.is_some(), seen.unwrap_or_default());
        Ok(())
    }

    /// How many addresses should be blocked and how many are, once that is the same and nothing has drifted.
    async fn whole(&self) -> Option<(usize, usize)> {
        let router = self.stage.house.firewall().ok()?.router().await.ok()?;
        let found = router.observed.filter(|found| *found == router.intended && router.drift.is_none())?;
        Some((router.intended, found))
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
