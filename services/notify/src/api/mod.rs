//! The surface: what other services, people and tools may ask.

mod looks;
mod people;
pub(crate) mod post;
mod push;
pub(crate) mod rules;

use std::sync::Arc;

use sanctum_api::notify::{
    Accepted, Attempt, Banner, By, Channel, DeadLetter, Explained, Notice, Notification, Page, PushKey,
    Silence, Subscription,
};
use sanctum_api::{Moment, Problem};
use sanctum_http::axum::Router;
use sanctum_http::{Op, Refusal, Routes};
use sanctum_kernel::{Right, Service};
use sanctum_store::StoreError;

use crate::Notify;
use crate::hub::Hub;

/// What the handlers stand on.
pub(crate) type House = Arc<Hub>;

pub(crate) fn routes(hub: &Arc<Hub>) -> (post::Front, Router) {
    let routes = Routes::new(const { &Notify::SPEC }, &hub.shared);
    let notify = Op::post(post::PATH, "Says what happened: 202 once it is kept. JSON, a form, or plain text with the headers Title, Priority and Tags").takes::<Notice>().returns::<Accepted>();
    let front = post::Front { hub: Arc::clone(hub), gate: Arc::new(routes.gate(&notify)) };
    let routes = looking(doing(routes.on(notify, post::notify)));
    (front, crate::ingest::routes(routes).finish(Arc::clone(hub)))
}

/// What people do about notifications.
fn doing(routes: Routes<House>) -> Routes<House> {
    routes
        .on(
            Op::get("/notifications/{id}", "A whole life: the decision, every attempt, who took note")
                .returns::<Notification>(),
            people::life,
        )
        .on(
            Op::post("/notifications/{id}/ack", "Somebody takes note")
                .takes::<By>()
                .returns::<Notification>(),
            people::ack,
        )
        .on(
            Op::post("/notifications/{id}/snooze", "Not now: hidden until then, and told again")
                .takes::<By>()
                .returns::<Notification>(),
            people::snooze,
        )
        .on(
            Op::post("/notifications/{id}/resolve", "It is over").takes::<By>().returns::<Notification>(),
            people::resolve,
        )
        .on(Op::get("/silences", "What is kept quiet").returns::<Vec<Silence>>(), people::silences)
        .on(
            Op::put("/silences", "Keeps what matches quiet until it ends")
                .takes::<Silence>()
                .returns::<Silence>(),
            people::silence,
        )
        .on(Op::delete("/silences/{id}", "Ends a silence now"), people::unsilence)
        .on(
            Op::post("/channels/{name}/test", "Sends a test message and says what came of it")
                .returns::<Attempt>(),
            people::test,
        )
        .on(
            Op::post("/deliveries/{id}/retry", "Sends a delivery again that was given up")
                .returns::<Notification>(),
            people::retry,
        )
}

/// What is looked at, and what browsers subscribe to.
fn looking(routes: Routes<House>) -> Routes<House> {
    routes
        .on(
            Op::get("/history", "What was said, newest first").queries(looks::HISTORY).returns::<Page>(),
            looks::history,
        )
        .on(Op::get("/banners", "What a dashboard shows now").returns::<Vec<Banner>>(), looks::banners)
        .on(Op::get("/events", "Banners as they appear, change and clear").stream(), looks::events)
        .on(Op::get("/channels", "The channels and how they do").returns::<Vec<Channel>>(), looks::channels)
        .on(Op::get("/dead", "What was given up").returns::<Vec<DeadLetter>>(), looks::dead)
        .on(
            Op::get("/push/key", "The key to subscribe a browser with")
                .queries(push::WHICH)
                .returns::<PushKey>(),
            push::key,
        )
        .on(
            Op::post("/push/subscriptions", "A browser subscribes")
                .queries(push::WHICH)
                .takes::<Subscription>()
                .returns::<PushKey>(),
            push::subscribe,
        )
        .on(
            Op::post("/push/unsubscribe", "A browser wants no more").takes::<Subscription>(),
            push::unsubscribe,
        )
        .on(
            Op::get("/explain", "Who would be told, and why").queries(looks::EXPLAIN).returns::<Explained>(),
            looks::explain,
        )
        .on(
            Op::get("/trace/{id}", "What this service did in a story")
                .right(Right::Read)
                .returns::<Vec<Moment>>(),
            looks::trace,
        )
}

/// A store that cannot keep anything answers 507 or 503, with the way out.
pub(crate) fn refuse(error: &StoreError) -> Refusal {
    let (status, kind, title) = match error {
        StoreError::Full(_) => (507, "disk-full", "the disk is full: nothing was kept"),
        StoreError::ReadOnly(_) => (503, "read-only", "the history cannot be written: nothing was kept"),
        StoreError::Disk { .. } => (503, "store", "the disk fails: nothing was kept"),
        StoreError::Gone(_) => (503, "store", "the history was removed under the hub: nothing was kept"),
        StoreError::Stopped => (503, "stopping", "the hub is stopping: nothing was kept"),
        StoreError::Statement { reason, .. } if reason.contains("locked") => {
            (503, "store", "the history cannot be written now: nothing was kept")
        }
        other => return Refusal::inside(other),
    };
    tracing::error!(%error, "a request could not be kept");
    let problem = Problem::new(status, kind, title);
    Refusal(match error.hint() {
        Some(hint) => problem.hint(hint),
        None => problem.hint("send it again later"),
    })
}
