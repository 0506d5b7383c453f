//! The services' event streams, each event with the moment at which it reached us.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use sanctum_api::Transport;
use sanctum_api::firewall::Happening;
use sanctum_api::notify::{Banner, BannerEvent};
use sanctum_api::screen::{ScreenEvent, Violation};
use sanctum_kernel::Failure;
use tokio::task::JoinSet;

use crate::house::House;

/// What was heard, and when.
#[derive(Debug, Clone)]
pub(crate) struct Heard<T> {
    pub(crate) at: i64,
    pub(crate) what: T,
}

#[derive(Debug, Default)]
struct Log {
    happenings: Vec<Heard<Happening>>,
    violations: Vec<Heard<Violation>>,
    banners: Vec<Heard<Banner>>,
    open: usize,
}

/// Writes an event down, with the moment at which it came.
type Note = fn(&mut Log, i64, &str);

/// Follows firewall, screen and notify until it is dropped; comes back to a service that comes back.
#[derive(Debug)]
pub(crate) struct Follow {
    log: Arc<Mutex<Log>>,
    _tasks: JoinSet<()>,
}

impl Follow {
    /// Returns once all three streams are open: from then on nothing is missed.
    pub(crate) async fn start(house: &House) -> Result<Self, Failure> {
        let log: Arc<Mutex<Log>> = Arc::default();
        let mut tasks = JoinSet::new();
        let streams: [(&str, &str, Note); 3] = [
            ("firewall", "/events", happening),
            ("screen", "/screen/events", violation),
            ("notify", "/events", banner),
        ];
        for (service, path, note) in streams {
            tasks.spawn(follow(house.transport(service)?, path, Arc::clone(&log), note));
        }
        crate::wait::until("the event streams", 10, async || {
            (log.lock().unwrap_or_else(PoisonError::into_inner).open >= 3).then_some(())
        })
        .await?;
        Ok(Self { log, _tasks: tasks })
    }

    fn with<T>(&self, look: impl FnOnce(&Log) -> T) -> T {
        look(&self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The first event of the router since then that fits.
    pub(crate) fn happening(
        &self,
        since: i64,
        fits: impl Fn(&Happening) -> bool,
    ) -> Option<Heard<Happening>> {
        self.with(|log| log.happenings.iter().find(|heard| heard.at >= since && fits(&heard.what)).cloned())
    }

    pub(crate) fn violation(&self, trace: &str) -> Option<Heard<Violation>> {
        self.with(|log| log.violations.iter().find(|heard| heard.what.trace_id.to_string() == trace).cloned())
    }

    pub(crate) fn banner(&self, trace: &str) -> Option<Heard<Banner>> {
        self.with(|log| log.banners.iter().find(|heard| heard.what.trace_id.to_string() == trace).cloned())
    }

    /// What the router told since then, for whoever has to find out why.
    pub(crate) fn told(&self, since: i64) -> String {
        self.with(|log| {
            let lines = log.happenings.iter().filter(|heard| heard.at >= since).map(|heard| {
                let what = &heard.what;
                format!(
                    "  {:>8.1} ms {} {} {}",
                    crate::ms(heard.at - since),
                    what.kind.word(),
                    what.device.as_deref().unwrap_or("-"),
                    what.detail
                )
            });
            lines.collect::<Vec<_>>().join("\n")
        })
    }
}

async fn follow(to: Arc<dyn Transport>, path: &'static str, log: Arc<Mutex<Log>>, note: Note) {
    let mut last_id = None;
    loop {
        if let Ok(mut events) = to.events(path.to_owned(), last_id.clone()).await {
            log.lock().unwrap_or_else(PoisonError::into_inner).open += 1;
            while let Some(Ok(event)) = events.next().await {
                let at = crate::now();
                last_id = event.id.or(last_id);
                note(&mut log.lock().unwrap_or_else(PoisonError::into_inner), at, &event.data);
            }
        }
        // The service is away; it is asked again until the lab ends.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn happening(log: &mut Log, at: i64, data: &str) {
    log.happenings.extend(serde_json::from_str(data).ok().map(|what| Heard { at, what }));
}

fn violation(log: &mut Log, at: i64, data: &str) {
    if let Ok(ScreenEvent::Violation(what)) = serde_json::from_str(data) {
        log.violations.push(Heard { at, what });
    }
}

fn banner(log: &mut Log, at: i64, data: &str) {
    if let Ok(BannerEvent::Banner(what)) = serde_json::from_str(data) {
        log.banners.push(Heard { at, what });
    }
}
