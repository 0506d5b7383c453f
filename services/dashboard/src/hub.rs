//! Follows the events of the other services once, for all browsers, and comes back after every silence.

use std::time::Duration;

use futures_util::StreamExt;
use sanctum_api::notify::{Banner, BannerEvent};
use sanctum_api::{Event, Events};
use sanctum_kernel::{Failure, OnError, Stop};
use serde_json::{Value, json};

use crate::app::App;

/// Short, so that a service that was restarted is heard again before anyone wonders.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// A service that is not part of this house costs one refused connection this often.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A stream that lasted so long was a good one: the next pause is short again.
const GOOD: Duration = Duration::from_secs(5);

/// Whose events are followed.
pub(crate) const SOURCES: [&str; 4] = ["notify", "firewall", "screen", "supervise"];

/// Starts following all of them.
pub(crate) fn start(app: &App) {
    for source in SOURCES {
        let app = app.clone();
        let tasks = app.shared.tasks.clone();
        tasks.spawn("follow", OnError::Log, move |stop| follow(app, source, stop));
    }
}

async fn follow(app: App, source: &'static str, stop: Stop) -> Result<(), Failure> {
    let mut last = None;
    let mut pause = FIRST_PAUSE;
    loop {
        let began = tokio::time::Instant::now();
        let Some(opened) = stop.or(open(&app, source, last.clone())).await else { return Ok(()) };
        let because = match opened {
            Ok(mut events) => {
                report(&app, source, true, "");
                loop {
                    match stop.or(events.next()).await {
                        None => return Ok(()),
                        Some(Some(Ok(event))) => {
                            last = event.id.clone().or(last);
                            publish(&app, source, &event);
                        }
                        Some(Some(Err(error))) => break crate::calls::reason(error),
                        Some(None) => break "the stream ended".to_owned(),
                    }
                }
            }
            Err(reason) => reason,
        };
        report(&app, source, false, &because);
        pause = if began.elapsed() > GOOD { FIRST_PAUSE } else { pause };
        if stop.or(tokio::time::sleep(pause)).await.is_none() {
            return Ok(());
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn open(app: &App, source: &str, last: Option<String>) -> Result<Events, String> {
    let calls = &app.calls;
    let said = crate::calls::reason;
    match source {
        "notify" => calls.notify.clone()?.events(last).await.map_err(said),
        "firewall" => calls.firewall.clone()?.events(last).await.map_err(said),
        "screen" => calls.screen.clone()?.events(last).await.map_err(said),
        _ => calls.supervise.clone()?.events(last).await.map_err(said),
    }
}

/// A stream that comes or goes is news for the page: what it showed may be old.
fn report(app: &App, source: &'static str, connected: bool, because: &str) {
    if app.streams.set(source, connected) {
        tracing::debug!(source, connected, because, "a stream of events changed");
        app.feed.publish("stream", &json!({ "service": source, "connected": connected, "because": because }));
    }
}

fn publish(app: &App, source: &'static str, event: &Event) {
    let kind = match source {
        "notify" => return publish_banner(app, &event.data),
        "firewall" => "happening",
        "screen" => "screen",
        _ => "service",
    };
    let data: Value = serde_json::from_str(&event.data).unwrap_or(Value::Null);
    app.feed.publish(kind, &data);
}

fn publish_banner(app: &App, data: &str) {
    match banner(data) {
        Some(BannerEvent::Banner(banner)) => app.feed.publish("banner", &banner),
        Some(BannerEvent::Cleared { id }) => app.feed.publish("cleared", &json!({ "id": id })),
        // Whatever it was, the banners are looked at again.
        None => app.feed.publish("cleared", &Value::Null),
    }
}

/// The tag is in the data or, as a plain banner, in the kind of the event.
fn banner(data: &str) -> Option<BannerEvent> {
    serde_json::from_str(data)
        .ok()
        .or_else(|| serde_json::from_str::<Banner>(data).ok().map(BannerEvent::Banner))
}
