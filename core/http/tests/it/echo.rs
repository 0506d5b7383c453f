//! A small service with one of everything.

use sanctum_http::axum::extract::State;
use sanctum_http::{Caller, Feed, Json, LastEventId, Op, Response, Routes, serve};
use sanctum_kernel::service::Shared;
use sanctum_kernel::{Call, Catalogue, Context, Entry, Failure, Listen, Right, Service, Spec, Stop, Trace};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) static CATALOGUE: Catalogue =
    const { Catalogue::new(const { &[Entry::of::<Echo>(), Entry::of::<Reader>()] }) };

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Said by `/greeting`.
    greeting: String,
    /// Refuses to be built, as a service whose file cannot be opened does.
    broken: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    word: String,
    count: u32,
}

pub(crate) struct Echo {
    listener: std::net::TcpListener,
    shared: Shared,
    greeting: String,
    latch: sanctum_kernel::Latch,
}

#[derive(Clone)]
struct App {
    feed: Feed,
    stop: Stop,
    greeting: String,
}

impl Service for Echo {
    const SPEC: Spec = Spec {
        name: "echo",
        house_name: "Echo",
        summary: "says it again",
        listen: &[Listen { name: "http", port: 7001, lore: "because" }],
        ..Spec::DEFAULT
    };
    type Config = Config;

    async fn build(mut cx: Context<Config>) -> Result<Self, Failure> {
        if cx.config.broken {
            return Err("its file cannot be opened".into());
        }
        Ok(Self {
            listener: cx.listener("http")?,
            shared: cx.shared,
            greeting: cx.config.greeting,
            latch: cx.latch,
        })
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        let app = App { feed: Feed::starting_at(1), stop: stop.clone(), greeting: self.greeting };
        let routes = Routes::new(&Self::SPEC, &self.shared)
            .on(Op::post("/say", "Says it again").takes::<Said>().returns::<Said>(), say)
            .on(Op::get("/trace", "The story this request is in"), async || Trace::current().id().to_string())
            .on(Op::get("/who", "Who asks"), async |caller: Caller| caller.name)
            .on(Op::get("/greeting", "What the file says"), async |State(app): State<App>| app.greeting)
            .on(Op::get("/events", "What was said").stream(), follow)
            .finish(app);
        self.latch.release();
        serve(self.listener, routes, stop).await?;
        Ok(())
    }
}

async fn say(State(app): State<App>, Json(said): Json<Said>) -> Json<Said> {
    app.feed.publish("said", &said);
    Json(said)
}

async fn follow(State(app): State<App>, LastEventId(last): LastEventId) -> Response {
    sanctum_http::events(app.feed.follow(last.as_deref()), app.stop)
}

/// A caller that may look at Echo, but not change anything there.
pub(crate) struct Reader;

impl Service for Reader {
    const SPEC: Spec = Spec {
        name: "reader",
        house_name: "Reader",
        summary: "looks",
        listen: &[Listen { name: "http", port: 7002, lore: "because" }],
        calls: &[Call { to: "echo", right: Right::Read }],
        ..Spec::DEFAULT
    };
    type Config = Config;

    async fn build(_: Context<Config>) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn run(self, stop: Stop) -> Result<(), Failure> {
        stop.requested().await;
        Ok(())
    }
}
