//! The five links of a story, each with the moment at which we ourselves saw it.

use std::path::Path;

use sanctum_api::firewall::{Happening, Kind};
use sanctum_kernel::{Failure, Mac};
use sanctum_store::{Connection, OptionalExtension};
use serde_json::Value;

use crate::follow::Heard;
use crate::house::{House, Night, is_in_force};
use crate::net::Net;
use crate::report::{Link, Report, quantile};
use crate::stage::Stage;
use crate::stream::{internet, player};
use crate::wait::until;

/// How long each link may take before the story has failed.
const PATIENCE: u64 = 5;
/// The bar for each link, in milliseconds.
const BAR: f64 = 1000.0;

/// What was seen of one join.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The first DHCP packet, by our own tap.
    pub(crate) asked: i64,
    pub(crate) joined: Option<Heard<Happening>>,
    /// The block, with its verdict.
    pub(crate) attempt: Heard<Happening>,
    pub(crate) trace: String,
    pub(crate) stored: Option<i64>,
    /// The service's API has it.
    pub(crate) in_api: bool,
    /// The row was found in the file itself, opened for reading only.
    pub(crate) in_file: Option<String>,
    pub(crate) told: Option<i64>,
    /// The message carried the trace id in its body too.
    pub(crate) title: Option<String>,
    pub(crate) banner: Option<i64>,
    pub(crate) shown: Option<i64>,
}

impl Stage {
    /// Follows a join from its first DHCP packet to the banner. What does not come in time is absent.
    pub(crate) async fn follow_join(&self, mac: Mac, since: i64) -> Result<Seen, Failure> {
        let asked = until("the console's first DHCP packet", 10, async || self.watch.asked(mac)).await?;
        let told = |what: &Happening| what.kind == Kind::Attempt && what.mac == Some(mac);
        let attempt = until("the firewall to tell of the attempt", PATIENCE, async || {
            self.follow.happening(since, told)
        })
        .await;
        let attempt =
            attempt.map_err(|error| format!("{error}; it told only this:\n{}", self.follow.told(since)))?;
        let trace = attempt.what.trace_id.to_string();
        let joined = self
            .follow
            .happening(since, |what| what.kind == Kind::Joined && what.trace_id == attempt.what.trace_id);
        let stored =
            until("", PATIENCE, async || self.follow.violation(&trace)).await.ok().map(|heard| heard.at);
        let in_api = match self.house.screen()?.violations(100).await {
            Ok(all) => all.iter().any(|one| one.trace_id.to_string() == trace),
            Err(_) => false,
        };
        let in_file = stored.and_then(|_| row(&self.house, &trace));
        let told = until("", PATIENCE, async || self.sink.of(&trace)).await.ok();
        let title =
            told.as_ref().filter(|told| told.body.get("trace_id").and_then(Value::as_str) == Some(&trace));
        let title = title.and_then(|told| told.body.get("title")?.as_str().map(str::to_owned));
        let banner =
            until("", PATIENCE, async || self.follow.banner(&trace)).await.ok().map(|heard| heard.at);
        let shown = match &self.browser {
            Some(browser) => until("", PATIENCE, async || browser.shown(&trace)).await.ok(),
            None => None,
        };
        let told = told.map(|told| told.at);
        Ok(Seen { asked, joined, attempt, trace, stored, in_api, in_file, told, title, banner, shown })
    }
}

/// The violation's row, read from the database file itself while the service writes it.
fn row(house: &House, trace: &str) -> Option<String> {
    let file = format!("file:{}?mode=ro", house.paths().state().join("screen.db").display());
    let connection = Connection::open(file).ok()?;
    let select =
        "SELECT name || ', ' || rule || ', ' || action || ', ' || verdict FROM violation WHERE trace = ?1";
    connection.query_row(select, [trace], |row| row.get(0)).optional().ok().flatten()
}

impl Seen {
    fn after(&self, at: i64) -> f64 {
        crate::ms(at - self.asked)
    }

    /// The chain as lines.
    pub(crate) fn links(&self, browser: bool) -> Vec<Link> {
        let mut links = vec![Link {
            what: "first DHCP packet".to_owned(),
            ms: Some(0.0),
            detail: "our own tap on br-lan".to_owned(),
        }];
        let mut link = |what: &str, at: Option<i64>, detail: String| {
            links.push(Link { what: what.to_owned(), ms: at.map(|at| self.after(at)), detail });
        };
        let joined = self.joined.as_ref().map(|heard| &heard.what);
        let by = joined.and_then(|what| what.noticed_by.clone()).unwrap_or_default();
        link("join noticed", joined.map(|what| crate::nanos(what.at)), format!("by {by}"));
        let attempt = &self.attempt.what;
        let verdict =
            attempt.verdict.map(|verdict| format!("{verdict:?}").to_lowercase()).unwrap_or_default();
        link("block read back", Some(crate::nanos(attempt.at)), format!("{verdict}: {}", attempt.detail));
        link("violation stored", self.stored, self.in_file.clone().unwrap_or_default());
        link("parent's phone", self.told, self.title.clone().unwrap_or_default());
        link("banner told", self.banner, "notify's stream".to_owned());
        if browser {
            link("banner in Chromium", self.shown, "painted".to_owned());
        }
        links.sort_by(|a, b| a.ms.unwrap_or(f64::MAX).total_cmp(&b.ms.unwrap_or(f64::MAX)));
        links
    }

    /// Every link that must be there, and whether it is.
    pub(crate) fn check(&self, report: &mut Report, browser: bool) {
        let short = self.trace.get(..8).unwrap_or_default();
        let in_force = self.attempt.what.verdict.is_some_and(is_in_force);
        report.check(
            "the block was proven by reading back",
            in_force,
            format!("{:?}", self.attempt.what.verdict),
        );
        report.check(
            "a violation is in SQLite, by its API and in the file",
            self.stored.is_some() && self.in_api && self.in_file.is_some(),
            self.in_file.clone().unwrap_or_default(),
        );
        report.check(
            "a parent has a message",
            self.told.is_some() && self.title.is_some(),
            self.title.clone().unwrap_or_default(),
        );
        report.check(
            "a banner glows",
            self.banner.is_some() && (self.shown.is_some() || !browser),
            if browser { "in Chromium" } else { "by its stream" },
        );
        let whole =
            self.joined.is_some() && self.stored.is_some() && self.title.is_some() && self.banner.is_some();
        report.check(
            "one trace id ties all five",
            whole && in_force && (self.shown.is_some() || !browser),
            format!("{short}…"),
        );
        let late: Vec<f64> = [self.stored, self.told, self.banner, self.shown]
            .into_iter()
            .flatten()
            .map(|at| self.after(at))
            .collect();
        let slowest = late.iter().copied().fold(0.0, f64::max);
        report.check(
            "all of it within 3 s",
            slowest <= 3000.0,
            format!("the slowest link came after {slowest:.0} ms"),
        );
    }
}

/// Strangers join one after another; the times of each link.
pub(crate) async fn measure(
    binary: &Path,
    net: Net,
    n: usize,
    browser: bool,
    report: &mut Report,
) -> Result<(), Failure> {
    let _internet = internet(&net.internet)?;
    let mut stage = Stage::set(binary, net, &Night::long()?, browser, report).await?;
    let begun = crate::now();
    let _player = player(&stage.net.console)?;
    let (mut stored, mut told, mut banner, mut broken) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for _ in 0..n {
        let mac = crate::joins::stranger();
        stage.net.unplug()?;
        stage.watch.expect(mac);
        let since = crate::now();
        stage.net.plug(mac)?;
        let seen = stage.follow_join(mac, since).await?;
        let shown = if browser { seen.shown } else { seen.banner };
        if let (Some(row), Some(message), Some(glow)) = (seen.stored, seen.told, shown) {
            // The bridge hears a device before it asks for a lease: the clock starts with its very first frame.
            let joined = stage.watch.first(mac).unwrap_or(seen.asked).min(seen.asked);
            let after = |at: i64| crate::ms(at - joined);
            stored.push(after(row));
            told.push(after(message));
            banner.push(after(glow));
        } else {
            broken += 1;
            report.chain("broken", &seen.links(browser));
        }
    }
    report.part("chain", &format!("{n} joins of strangers at night, ms after the very first frame"));
    for (what, values) in
        [("violation stored", &stored), ("message at the webhook", &told), ("banner in the browser", &banner)]
    {
        let (median, most) = (quantile(values, 0.5), quantile(values, 1.0));
        report.fact(
            &what.replace(' ', "_"),
            serde_json::json!({ "median_ms": median, "max_ms": most, "n": values.len() }),
        );
        report.check(
            &format!("{what} within 1 s"),
            most <= BAR,
            format!("median {median:.1} ms, slowest {most:.1} ms"),
        );
    }
    report.check("no chain was broken", broken == 0, format!("{broken} of {n}"));
    let out = stage.watch.out(begun);
    report.check("no packet passed", out.is_empty(), crate::watch::sum(&out));
    stage.house.down()
}
