//! What the house remembers: asked of the memory while somebody looks, and again when a note changes.

use std::time::Duration;

use futures_core::Stream;
use futures_util::StreamExt;
use sanctum_api::memory::{Found, Graph, Links, Note, Report, Search, State};
use sanctum_api::{Event, Events};
use serde_json::json;

use crate::app::App;
use crate::{Asked, pages};

/// Time passes and events can be lost: it is looked at again this often in any case, which also tells that the stream lives.
const LOOK: Duration = Duration::from_secs(15);
/// While nobody can be heard, a person need not wait long for the memory to come back.
const RETRY: Duration = Duration::from_secs(1);
/// In a storm of changes the page is drawn at most this often.
const BREATH: Duration = Duration::from_millis(250);
/// Results of a search on a page.
const RESULTS: u32 = 20;

/// The part of the page that comes anew.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) state: Asked<State>,
    pub(crate) graph: Asked<Graph>,
    pub(crate) reports: Asked<Vec<Report>>,
}

pub(crate) async fn gather(app: &App) -> Seen {
    let (calls, memory) = (&app.calls, &app.calls.memory);
    let (state, graph, reports) = tokio::join!(
        calls.ask(memory, async |memory| memory.state().await),
        calls.ask(memory, async |memory| memory.graph().await),
        calls.ask(memory, async |memory| memory.reports().await),
    );
    Seen { state, graph, reports }
}

pub(crate) async fn search(app: &App, query: &str) -> Asked<Found> {
    let search = Search { query: query.to_owned(), limit: Some(RESULTS), ..Search::default() };
    app.calls.ask(&app.calls.memory, async |memory| memory.search(&search).await).await
}

/// A note with its links.
pub(crate) async fn note(app: &App, id: &str) -> (Asked<Note>, Asked<Links>) {
    let note = app.calls.ask(&app.calls.memory, async |memory| memory.read(id).await);
    let links = app.calls.ask(&app.calls.memory, async |memory| memory.links(id).await);
    tokio::join!(note, links)
}

struct Watching {
    app: App,
    events: Option<Events>,
    drawn: Option<Seen>,
    begun: bool,
}

/// The page's one part, whenever something else is remembered.
pub(crate) fn follow(app: App) -> impl Stream<Item = Event> + Send + use<> {
    let watching = Watching { app, events: None, drawn: None, begun: false };
    futures_util::stream::unfold(watching, |mut watching| async move {
        if watching.begun {
            watching.wait().await;
        }
        watching.begun = true;
        let seen = gather(&watching.app).await;
        let now = watching.app.shared.clock.now();
        if watching.drawn.as_ref() == Some(&seen) {
            let data = json!({ "at": now }).to_string();
            return Some((Event { id: None, kind: "now".to_owned(), data }, watching));
        }
        let html = pages::memory::body(&pages::Cx::new(&watching.app.house, now), &seen).into_string();
        watching.drawn = Some(seen);
        let data = json!({ "part": "memory", "html": html }).to_string();
        Some((Event { id: None, kind: "part".to_owned(), data }, watching))
    })
}

impl Watching {
    /// Until something has changed, or it is time to look again.
    async fn wait(&mut self) {
        if self.events.is_none() {
            let opened =
                self.app.calls.ask(&self.app.calls.memory, async |memory| memory.events(None).await).await;
            let Asked::Known(events) = opened else { return tokio::time::sleep(RETRY).await };
            self.events = Some(events);
            // What happened before it was heard must be looked for.
            return;
        }
        let Some(events) = &mut self.events else { return };
        match tokio::time::timeout(LOOK, events.next()).await {
            Ok(Some(Ok(_))) => tokio::time::sleep(BREATH).await,
            Ok(Some(Err(_)) | None) => self.events = None,
            Err(_) => {}
        }
    }
}
