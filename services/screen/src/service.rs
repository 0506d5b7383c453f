//! The declaration of the service, and its start.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use jiff::{Span, Timestamp};
use sanctum_api::{firewall, notify};
use sanctum_http::{Feed, connect, serve};
use sanctum_kernel::well::Status;
use sanctum_kernel::{
    Applied, Call, Complaint, Context, Failure, House, Latch, Listen, Nudge, OnError, Paths, Probe, Right,
    Service, Spec, Stop, Tier, files,
};

use crate::config::{self, Config};
use crate::hub::{Hub, Inner, State};
use crate::records::Records;
use crate::rules::Rules;
use sanctum_store::StoreError;
use tokio::sync::watch;

use crate::{api, calendar, follow, keeper, teller, watch as look_out};

/// Screen Time.
#[derive(Debug)]
pub struct Screen {
    hub: Hub,
    listener: TcpListener,
    latch: Latch,
}

impl Service for Screen {
    const SPEC: Spec = Spec {
        name: "screen",
        house_name: "Screen Time",
        aliases: &["screen-time"],
        summary: "the family's rules: who is online when, and why",
        listen: &[Listen { name: "http", port: 4078, lore: "next door to Force Flow: bedtime is news" }],
        probe: Probe::Http { listen: "http", path: "/health", expect: "\"status\":\"well\"" },
        needs: &["firewall", "notify"],
        calls: &[Call { to: "firewall", right: Right::Act }, Call { to: "notify", right: Right::Act }],
        tier: Tier::Important,
        ..Spec::DEFAULT
    };
    type Config = Config;

    fn check(config: &Config, house: &House) -> Vec<Complaint> {
        config::check(config, house)
    }

    async fn build(mut cx: Context<Config>) -> Result<Self, Failure> {
        let listener = cx.listener("http")?;
        let records =
            Records::open(&cx.shared.paths.state().join("screen.db")).map_err(StoreError::hinted)?;
        let mut rules = Rules::new(cx.config, cx.house);
        read_calendars(&mut rules, &cx.shared.paths, cx.shared.clock.now(), &cx.shared.well);
        let hub = Arc::new(Inner {
            firewall: firewall::Client::new(connect(&cx.shared.peers, "firewall")?),
            notify: notify::Client::new(connect(&cx.shared.peers, "notify")?),
            feed: Feed::new(&cx.shared.clock),
            shared: cx.shared,
            records,
            rules,
            keeper: Nudge::default(),
            watch: Nudge::default(),
            teller: Nudge::default(),
            asked: AtomicU64::new(0),
            handled: watch::Sender::new(0),
            state: Mutex::new(State {
                devices: BTreeMap::new(),
                enforced: Applied::Unknown,
                detail: Some("the firewall has not been asked yet".to_owned()),
            }),
        });
        Ok(Self { hub, listener, latch: cx.latch })
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        let Self { hub, listener, latch } = self;
        if hub.records.get("moved-in").await?.is_none() {
            hub.records.set("moved-in", hub.shared.clock.now().to_string()).await?;
        }
        let tasks = hub.shared.tasks.clone();
        tasks.spawn("keeper", OnError::Stop, |stop| keeper::keep(hub.clone(), latch, stop));
        tasks.spawn("watch", OnError::Stop, |stop| look_out::watch(hub.clone(), stop));
        tasks.spawn("follow", OnError::Stop, |stop| follow::follow(hub.clone(), stop));
        tasks.spawn("teller", OnError::Stop, |stop| teller::tell(hub.clone(), stop));
        serve(listener, api::router(&Self::SPEC, &hub), stop).await?;
        Ok(())
    }
}

/// Adds the holidays of the calendars the configuration names. A file that cannot be read keeps nobody from sleeping:
/// it is said on the board, and the rest of the rules stand.
fn read_calendars(rules: &mut Rules, paths: &Paths, now: Timestamp, well: &sanctum_kernel::Well) {
    let today = rules.tz.to_datetime(now).date();
    let (from, to) = (today - Span::new().months(1), today + Span::new().years(3));
    for name in rules.config.holidays.calendars.clone() {
        let read = files::read(&paths.home().join(&name)).map_err(|error| error.to_string());
        let taken = read.and_then(|text| calendar::read(&text, from, to).map_err(|error| error.to_string()));
        match taken {
            Ok(taken) => {
                for why in &taken.refused {
                    tracing::warn!(calendar = name, why, "an event of a calendar was not taken");
                }
                for (day, event) in taken.days {
                    rules.listed.entry(day).or_insert_with(|| (name.clone(), event));
                }
            }
            Err(error) => well.set_hint(
                "calendars",
                Status::Degraded,
                format!("`{name}`: {error}"),
                "mend the file, or take its line out of `[screen.holidays]`",
            ),
        }
    }
}
