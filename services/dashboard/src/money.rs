//! What models do for the house now, and what it costs: asked while somebody looks.

use std::time::Duration;

use futures_core::Stream;
use sanctum_api::Event;
use sanctum_api::proxy::Stats;
use serde_json::json;

use crate::app::App;
use crate::{Asked, pages};

/// Requests come and go within seconds; a person sees a second as now.
const LOOK: Duration = Duration::from_secs(1);
/// Looks without a change after which the browser is told that the stream lives.
const QUIET: u32 = 15;

pub(crate) async fn gather(app: &App) -> Asked<Stats> {
    app.calls.ask(&app.calls.proxy, async |proxy| proxy.stats().await).await
}

struct Watching {
    app: App,
    look: tokio::time::Interval,
    sent: String,
    quiet: u32,
}

/// The page's one part, whenever it looks different. Nothing is asked while nobody watches.
pub(crate) fn follow(app: App) -> impl Stream<Item = Event> + Send + use<> {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let watching = Watching { app, look, sent: String::new(), quiet: 0 };
    futures_util::stream::unfold(watching, |mut watching| async move {
        loop {
            watching.look.tick().await;
            let stats = gather(&watching.app).await;
            let now = watching.app.shared.clock.now();
            let html = pages::models::body(&pages::Cx::new(&watching.app.house, now), &stats).into_string();
            if html != watching.sent {
                let data = json!({ "part": "models", "html": html }).to_string();
                watching.sent = html;
                return Some((Event { id: None, kind: "part".to_owned(), data }, watching));
            }
            watching.quiet += 1;
            if watching.quiet >= QUIET {
                watching.quiet = 0;
                let data = json!({ "at": now }).to_string();
                return Some((Event { id: None, kind: "now".to_owned(), data }, watching));
            }
        }
    })
}
