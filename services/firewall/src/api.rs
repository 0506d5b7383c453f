//! The HTTP surface.

use std::sync::Arc;
use std::time::Duration;

use sanctum_api::firewall::{Block, Desired, Device, Export, Happening, Naming, Passage, Router, Simulate};
use sanctum_api::{Moment, Problem};
use sanctum_http::{Feed, Json, LastEventId, Op, Path, Refusal, Response, Routes, State};
use sanctum_kernel::service::Shared;
use sanctum_kernel::trace::TraceId;
use sanctum_kernel::{Mac, Service, Stop};

use crate::Firewall;
use crate::backend::Backend;
use crate::engine::Engine;
use crate::ledger::Ledger;

/// What handlers share.
#[derive(Debug, Clone)]
pub(crate) struct Surface {
    pub engine: Engine,
    pub feed: Feed,
    pub ledger: Ledger,
    pub backend: Arc<dyn Backend>,
    pub canary_visible: Duration,
    pub stop: Stop,
}

/// Every device with every address of a large house fits.
const IMPORT_LIMIT: usize = 4 * 1024 * 1024;

pub(crate) fn routes(surface: Surface, shared: &Shared, simulated: bool) -> sanctum_http::axum::Router {
    let spec = const { &Firewall::SPEC };
    let mut routes = Routes::new(spec, shared)
        .on(Op::get("/desired", "The intended state").returns::<Desired>(), desired)
        .on(
            Op::put("/desired", "Replaces the intended state, if its version is the current one plus one")
                .takes::<Desired>()
                .returns::<Desired>()
                .body_limit(IMPORT_LIMIT),
            put_desired,
        )
        .on(Op::get("/devices", "Every device").returns::<Vec<Device>>(), devices)
        .on(Op::get("/devices/{id}", "One device, by id or address").returns::<Device>(), device)
        .on(
            Op::put("/devices/{id}", "Names, approves, merges or parts a device")
                .takes::<Naming>()
                .returns::<Device>(),
            name,
        )
        .on(
            Op::put("/devices/{id}/block", "Blocks a device by hand").takes::<Block>().returns::<Device>(),
            block,
        )
        .on(Op::delete("/devices/{id}/block", "Lifts a device's block").returns::<Device>(), unblock)
        .on(Op::get("/events", "What happens on the network, as it happens").stream(), events)
        .on(Op::get("/router", "The router as it is seen").returns::<Router>(), router)
        .on(
            Op::post("/off", "Switches enforcement off until it is switched on or the service restarts")
                .returns::<Router>(),
            off,
        )
        .on(Op::post("/on", "Switches enforcement on again").returns::<Router>(), on)
        .on(Op::post("/canary", "Sends a canary now").returns::<Happening>(), canary)
        .on(Op::get("/export", "Everything that was said of devices and blocks").returns::<Export>(), export)
        .on(
            Op::post("/import", "Takes over an export")
                .takes::<Export>()
                .returns::<Vec<Device>>()
                .body_limit(IMPORT_LIMIT),
            import,
        )
        .on(
            Op::get("/trace/{id}", "What the firewall did or saw in a story").returns::<Vec<Moment>>(),
            trace,
        );
    if simulated {
        let op = Op::post("/simulate", "Makes something happen on the simulated network")
            .takes::<Simulate>()
            .returns::<Passage>();
        routes = routes.on(op, simulate);
    }
    routes.finish(surface)
}

async fn desired(State(surface): State<Surface>) -> Json<Desired> {
    Json(surface.engine.view().desired.clone())
}

async fn put_desired(
    State(surface): State<Surface>,
    Json(desired): Json<Desired>,
) -> Result<Json<Desired>, Refusal> {
    surface.engine.ask(move |core| Box::pin(core.put_desired(desired))).await.map(Json)
}

async fn devices(State(surface): State<Surface>) -> Json<Vec<Device>> {
    Json(surface.engine.view().devices.clone())
}

async fn device(State(surface): State<Surface>, Path(id): Path<String>) -> Result<Json<Device>, Refusal> {
    let view = surface.engine.view();
    let mac: Option<Mac> = id.parse().ok();
    let found = view
        .devices
        .iter()
        .find(|device| device.id == id || mac.is_some_and(|mac| device.macs.contains(&mac)));
    found.cloned().map(Json).ok_or_else(|| {
        Refusal(
            Problem::not_found("device", id).hint(
                "`sanctum devices` (`GET /devices`) lists the devices of the house, by id and by address",
            ),
        )
    })
}

async fn name(
    State(surface): State<Surface>,
    Path(id): Path<String>,
    Json(naming): Json<Naming>,
) -> Result<Json<Device>, Refusal> {
    let work = surface.engine.ask(move |core| {
        Box::pin(async move {
            let id = core.id_behind(&id)?;
            core.name(&id, naming).await
        })
    });
    work.await.map(Json)
}

async fn block(
    State(surface): State<Surface>,
    Path(id): Path<String>,
    Json(block): Json<Block>,
) -> Result<Json<Device>, Refusal> {
    let work = surface.engine.ask(move |core| {
        Box::pin(async move {
            let id = core.id_behind(&id)?;
            core.put_block(&id, block).await
        })
    });
    work.await.map(Json)
}

async fn unblock(State(surface): State<Surface>, Path(id): Path<String>) -> Result<Json<Device>, Refusal> {
    let work = surface.engine.ask(move |core| {
        Box::pin(async move {
            let id = core.id_behind(&id)?;
            core.unblock(&id).await
        })
    });
    work.await.map(Json)
}

async fn events(State(surface): State<Surface>, LastEventId(last): LastEventId) -> Response {
    sanctum_http::events(surface.feed.follow(last.as_deref()), surface.stop.clone())
}

async fn router(State(surface): State<Surface>) -> Json<Router> {
    Json(surface.engine.view().router.clone())
}

async fn off(State(surface): State<Surface>) -> Result<Json<Router>, Refusal> {
    switch(&surface, true).await
}

async fn on(State(surface): State<Surface>) -> Result<Json<Router>, Refusal> {
    switch(&surface, false).await
}

async fn switch(surface: &Surface, off: bool) -> Result<Json<Router>, Refusal> {
    let work = surface.engine.ask(move |core| {
        Box::pin(async move {
            core.switch(off).await;
            Ok(())
        })
    });
    work.await?;
    Ok(Json(surface.engine.view().router.clone()))
}

async fn canary(State(surface): State<Surface>) -> Result<Json<Happening>, Refusal> {
    // An answer has to come before the caller's time-out; the timed canary may take longer.
    surface.engine.canary(surface.canary_visible.min(Duration::from_secs(8))).await.map(Json)
}

async fn export(State(surface): State<Surface>) -> Result<Json<Export>, Refusal> {
    surface.engine.ask(|core| Box::pin(async move { Ok(core.export().await) })).await.map(Json)
}

async fn import(
    State(surface): State<Surface>,
    Json(export): Json<Export>,
) -> Result<Json<Vec<Device>>, Refusal> {
    surface.engine.ask(move |core| Box::pin(core.import(export))).await.map(Json)
}

async fn trace(State(surface): State<Surface>, Path(id): Path<String>) -> Result<Json<Vec<Moment>>, Refusal> {
    let id: TraceId = id.parse().map_err(|_| Problem::field("id", &id, "32 hexadecimal digits"))?;
    surface.ledger.story(id).await.map(Json).map_err(|error| Refusal::inside(&error))
}

async fn simulate(
    State(surface): State<Surface>,
    Json(what): Json<Simulate>,
) -> Result<Json<Passage>, Refusal> {
    surface
        .backend
        .simulate(what)
        .map(Json)
        .ok_or_else(|| Refusal(Problem::not_found("simulated router", "simulate")))
}
