//! The service: what the outside world may know of it, and its life.

use std::net::TcpListener;

use sanctum_api::Moment;
use sanctum_http::axum::Router;
use sanctum_http::axum::middleware::from_fn;
use sanctum_http::{Feed, Op, Routes, serve};
use sanctum_kernel::spec::Call;
use sanctum_kernel::{
    Complaint, Context, Failure, House, Latch, Listen, Probe, Right, Service, Spec, Status, Stop, Tier, Well,
};
use sanctum_store::{Db, StoreError};

use crate::app::{App, Followed, Inner};
use crate::calls::Calls;
use crate::overview::Overview;
use crate::seen::Seen;
use crate::sessions::Sessions;
use crate::{Config, Story, handlers, hub, security};

/// The part of the board that speaks of the database.
const STATE: &str = "state";

const MIGRATIONS: &[&str] =
    &["CREATE TABLE session (hash TEXT PRIMARY KEY, expires INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE shown (trace TEXT PRIMARY KEY, at INTEGER NOT NULL, detail TEXT NOT NULL) WITHOUT ROWID;"];

/// The Command Center.
#[derive(Debug)]
pub struct Dashboard {
    app: App,
    listener: TcpListener,
    latch: Latch,
}

impl Service for Dashboard {
    const SPEC: Spec = Spec {
        name: "dashboard",
        house_name: "Command Center",
        aliases: &["command-center"],
        summary: "the house at a glance, on a page",
        listen: &[Listen {
            name: "http",
            port: 1111,
            lore: "four ones: the page where everything stands in one line",
        }],
        probe: Probe::Http { listen: "http", path: "/health", expect: "\"status\":\"well\"" },
        needs: &["notify"],
        calls: &[
            Call { to: "notify", right: Right::Act },
            Call { to: "firewall", right: Right::Act },
            Call { to: "screen", right: Right::Act },
            Call { to: "supervise", right: Right::Act },
            Call { to: "proxy", right: Right::Read },
            Call { to: "watch", right: Right::Read },
            Call { to: "memory", right: Right::Read },
        ],
        tier: Tier::Important,
        ..Spec::DEFAULT
    };

    type Config = Config;

    fn check(config: &Config, _: &House) -> Vec<Complaint> {
        config.complaints()
    }

    async fn build(mut cx: Context<Config>) -> Result<Self, Failure> {
        let listener = cx.listener("http")?;
        let Context { config, house, catalogue, shared, latch, .. } = cx;
        // A full or broken disk must not take away the page that would say so: it then works from memory.
        let opened = Db::open(&shared.paths.state().join("dashboard.db"), MIGRATIONS);
        report(&shared.well, opened.as_ref().err());
        let db = opened.ok();
        let app = App::new(Inner {
            calls: Calls::new(&shared.peers, config.patience.0),
            sessions: Sessions::new(db.clone(), shared.clock.clone(), shared.well.clone(), config.session.0),
            seen: Seen::new(db, shared.tasks.clone(), shared.well.clone()),
            feed: Feed::new(&shared.clock),
            streams: Followed::default(),
            shared,
            house,
            catalogue,
        });
        Ok(Self { app, listener, latch })
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        let routes = routes(&self.app).layer(from_fn(security::headers));
        hub::start(&self.app);
        self.latch.release();
        drop(self.app);
        serve(self.listener, routes, stop).await?;
        Ok(())
    }
}

/// Says on the board how the database is; the page works without it.
pub(crate) fn report(well: &Well, error: Option<&StoreError>) {
    match error {
        None => well.set(STATE, Status::Well, "sessions and showings are kept"),
        Some(error) => {
            let detail = format!("{error}: browsers have to come in again after a restart");
            match error.hint() {
                Some(hint) => well.set_hint(STATE, Status::Degraded, detail, hint),
                None => well.set(STATE, Status::Degraded, detail),
            }
        }
    }
}

/// The pages beside the first, each with the stream that keeps it live.
fn pages(routes: Routes<App>) -> Routes<App> {
    let open = |op: Op| op.right(Right::Open);
    routes
        .on(
            open(Op::get("/models", "Spend against caps, live requests, breakers, fall-backs")),
            handlers::models,
        )
        .on(
            open(Op::get("/models/events", "The page of the models, anew as it changes").stream()),
            handlers::models_events,
        )
        .on(
            open(Op::get("/body", "What stands on what, how each part is, and the root of a trouble")),
            handlers::body,
        )
        .on(
            open(Op::get("/body/events", "The page of the body, anew as it changes").stream()),
            handlers::body_events,
        )
        .on(
            open(Op::get("/memory", "What the house remembers: a search, the notes drawn, the last passes"))
                .queries(&[("q", "what is looked for")]),
            handlers::memory,
        )
        .on(
            open(Op::get("/memory/events", "The page of the memory, anew as notes change").stream()),
            handlers::memory_events,
        )
        .on(open(Op::get("/memory/{id}", "One note, as a page")), handlers::note_page)
}

/// Routes of people are open at the door: a browser shows a cookie, which [`crate::access`] checks.
fn routes(app: &App) -> Router {
    let open = |op: Op| op.right(Right::Open);
    pages(Routes::new(&Dashboard::SPEC, &app.shared))
        .on(open(Op::get("/", "The page")), handlers::page)
        .on(
            open(Op::get("/enter", "Begins a browser's session and leads to the page"))
                .queries(&[("key", "the token `browser-dashboard`")]),
            handlers::enter,
        )
        .on(
            open(Op::get(
                "/events",
                "What changes, as it changes: events of every service and parts of the page",
            ))
            .stream(),
            handlers::events,
        )
        .on(
            open(Op::get("/incidents/{id}", "One trouble, minute by minute, as a page")),
            handlers::incident_page,
        )
        .on(open(Op::get("/story/{trace}", "The story behind a trace id, as a page")), handlers::story_page)
        .on(
            open(Op::get("/api/overview", "The state of the house")).returns::<Overview>(),
            handlers::overview,
        )
        .on(
            open(Op::get("/api/story/{trace}", "The story behind a trace id")).returns::<Story>(),
            handlers::story,
        )
        .on(open(Op::post("/banners/{id}/ack", "Takes note of a banner")), handlers::ack)
        .on(
            open(Op::post("/devices/{id}/approve", "Makes a newcomer known, or one with a known device")),
            handlers::approve,
        )
        .on(open(Op::post("/services/{name}/unlock", "Lets a locked service try again")), handlers::unlock)
        .on(open(Op::get("/assets/app.css", "How the page looks")), handlers::style)
        .on(open(Op::get("/assets/app.js", "What keeps the page live")), handlers::script)
        .on(open(Op::get("/assets/icon.svg", "The house's sign")), handlers::icon)
        .on(
            Op::get("/trace/{id}", "When a banner of this story first reached a browser")
                .returns::<Vec<Moment>>(),
            handlers::trace,
        )
        .finish(app.clone())
}
