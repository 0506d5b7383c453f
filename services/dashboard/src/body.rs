//! How every service is and why: asked of the watch while somebody looks.

use std::time::Duration;

use futures_core::Stream;
use sanctum_api::Event;
use sanctum_api::watch::{Body, Incident, PostMortem};
use serde_json::json;

use crate::app::App;
use crate::{Asked, pages};

/// A person sees a second as now.
const LOOK: Duration = Duration::from_secs(1);
/// Looks without a change after which the browser is told that the stream lives.
const QUIET: u32 = 15;

pub(crate) async fn gather(app: &App) -> Asked<Body> {
    app.calls.ask(&app.calls.watch, async |watch| watch.body().await).await
}

/// One incident with its timeline, and the page to be written on.
pub(crate) async fn incident(app: &App, id: i64) -> (Asked<Incident>, Asked<PostMortem>) {
    let incident = app.calls.ask(&app.calls.watch, async |watch| watch.incident(id).await);
    let page = app.calls.ask(&app.calls.watch, async |watch| watch.post_mortem(id).await);
    tokio::join!(incident, page)
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
            let body = gather(&watching.app).await;
            let now = watching.app.shared.clock.now();
            let html = pages::body::body(&pages::Cx::new(&watching.app.house, now), &body).into_string();
            if html != watching.sent {
                let data = json!({ "part": "body", "html": html }).to_string();
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
