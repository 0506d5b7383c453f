//! What one browser hears: every event at once, and each part of the page anew when it has changed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream;
use futures_core::future::BoxFuture;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use sanctum_api::notify::Banner;
use sanctum_api::{Event, firewall};
use serde_json::json;

use crate::app::App;
use crate::overview::{Tonight, Watched};
use crate::{Asked, gather, pages};

/// The whole state is looked at again this often while somebody watches: time passes, and events can be lost.
const LOOK_AGAIN: Duration = Duration::from_secs(20);
/// In a storm of events a part is asked for at most this often, which a person still sees as at once.
const BREATH: Duration = Duration::from_millis(100);

/// The parts of the page that come anew, in the order of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Sentence,
    Banners,
    Tonight,
    Devices,
    Services,
}

impl Part {
    const ASKED: [Self; 4] = [Self::Banners, Self::Tonight, Self::Devices, Self::Services];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Sentence => "sentence",
            Self::Banners => "banners",
            Self::Tonight => "tonight",
            Self::Devices => "devices",
            Self::Services => "services",
        }
    }
}

/// The answer for one part.
enum Answer {
    Banners(Asked<Vec<Banner>>),
    Tonight(Box<Tonight>),
    Devices(Asked<Vec<firewall::Device>>),
    Services(Watched),
}

/// The state of one browser's stream.
struct Live {
    app: App,
    feed: Pin<Box<dyn Stream<Item = Event> + Send>>,
    asking: FuturesUnordered<BoxFuture<'static, Answer>>,
    in_flight: BTreeSet<Part>,
    /// Changed again while it was being asked for.
    stale: BTreeSet<Part>,
    look_again: tokio::time::Interval,
    banners: Option<Asked<Vec<Banner>>>,
    tonight: Option<Tonight>,
    devices: Option<Asked<Vec<firewall::Device>>>,
    services: Option<Watched>,
    sent: BTreeMap<Part, String>,
    ready: VecDeque<Event>,
}

/// Everything a browser needs to be, and stay, as the house is. It begins with every part of the page, so whoever
/// comes back after any absence has missed nothing.
pub(crate) fn follow(app: App, last_id: Option<&str>) -> impl Stream<Item = Event> + Send + use<> {
    let feed = Box::pin(app.feed.follow(last_id));
    let mut look_again = tokio::time::interval(LOOK_AGAIN);
    look_again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let live = Live {
        app,
        feed,
        asking: FuturesUnordered::new(),
        in_flight: BTreeSet::new(),
        stale: BTreeSet::new(),
        look_again,
        banners: None,
        tonight: None,
        devices: None,
        services: None,
        sent: BTreeMap::new(),
        ready: VecDeque::new(),
    };
    futures_util::stream::unfold(live, |mut live| async move {
        let event = live.next().await?;
        Some((event, live))
    })
}

impl Live {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            tokio::select! {
                biased;
                event = self.feed.next() => self.heard(event?),
                Some(answer) = self.asking.next(), if !self.asking.is_empty() => self.answered(answer),
                _ = self.look_again.tick() => {
                    // Also tells the browser that this stream lives, and what time it is in the house.
                    let now = self.app.shared.clock.now();
                    self.ready.push_back(Event { id: None, kind: "now".to_owned(), data: json!({ "at": now }).to_string() });
                    for part in Part::ASKED {
                        self.want(part, false);
                    }
                }
            }
        }
    }

    /// Passes it on, and asks for what it changes.
    fn heard(&mut self, event: Event) {
        let parts: &[Part] = match event.kind.as_str() {
            "banner" => {
                if let Ok(banner) = serde_json::from_str::<Banner>(&event.data) {
                    self.app.seen.shown(&banner, self.app.shared.clock.now());
                }
                &[Part::Banners]
            }
            "cleared" => &[Part::Banners],
            "happening" => &[Part::Devices],
            "screen" => &[Part::Tonight],
            "service" => &[Part::Services],
            _ => &Part::ASKED,
        };
        self.ready.push_back(event);
        for part in parts {
            self.want(*part, true);
        }
    }

    fn want(&mut self, part: Part, changed: bool) {
        if !self.in_flight.insert(part) {
            // What is under way may have been answered before the change.
            if changed {
                self.stale.insert(part);
            }
            return;
        }
        self.ask(part, Duration::ZERO);
    }

    fn ask(&self, part: Part, after: Duration) {
        let app = self.app.clone();
        self.asking.push(Box::pin(async move {
            tokio::time::sleep(after).await;
            match part {
                Part::Banners => Answer::Banners(gather::banners(&app).await),
                Part::Tonight => Answer::Tonight(Box::new(gather::tonight(&app).await)),
                Part::Devices => Answer::Devices(gather::devices(&app).await),
                Part::Services | Part::Sentence => Answer::Services(gather::services(&app).await),
            }
        }));
    }

    fn answered(&mut self, answer: Answer) {
        let part = match answer {
            Answer::Banners(banners) => {
                let now = self.app.shared.clock.now();
                banners.items().iter().for_each(|banner| self.app.seen.shown(banner, now));
                self.banners = Some(banners);
                Part::Banners
            }
            Answer::Tonight(tonight) => {
                self.tonight = Some(*tonight);
                Part::Tonight
            }
            Answer::Devices(devices) => {
                self.devices = Some(devices);
                Part::Devices
            }
            Answer::Services(services) => {
                self.services = Some(services);
                Part::Services
            }
        };
        self.in_flight.remove(&part);
        if self.stale.remove(&part) {
            self.in_flight.insert(part);
            self.ask(part, BREATH);
        }
        self.draw(part);
    }

    /// Sends the part, and the sentence once everything was asked, if they look different now.
    fn draw(&mut self, part: Part) {
        let (now, house) = (self.app.shared.clock.now(), &*self.app.house);
        let cx = pages::Cx::new(house, now);
        let html = match part {
            Part::Banners => self.banners.as_ref().map(|banners| pages::banners::list(&cx, banners)),
            Part::Tonight => self.tonight.as_ref().map(|tonight| pages::tonight::body(&cx, tonight)),
            Part::Devices => self.devices.as_ref().map(|devices| pages::devices::body(&cx, devices)),
            Part::Services | Part::Sentence => {
                self.services.as_ref().map(|services| pages::services::body(&cx, services))
            }
        };
        if let Some(html) = html {
            self.send(part, html.into_string());
        }
        if let (Some(banners), Some(tonight), Some(devices), Some(services)) =
            (&self.banners, &self.tonight, &self.devices, &self.services)
        {
            let (banners, tonight, devices, services) =
                (banners.clone(), tonight.clone(), devices.clone(), services.clone());
            let overview = gather::assemble(&self.app, banners, devices, tonight, services);
            self.send(Part::Sentence, pages::sentence::body(&overview.sentence).into_string());
        }
    }

    fn send(&mut self, part: Part, html: String) {
        if self.sent.get(&part) == Some(&html) {
            return;
        }
        let data = json!({ "part": part.word(), "html": html }).to_string();
        self.ready.push_back(Event { id: None, kind: "part".to_owned(), data });
        self.sent.insert(part, html);
    }
}
