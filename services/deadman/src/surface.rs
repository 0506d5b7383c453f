//! What others can ask and say.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sanctum_api::deadman::{Disarm, State};
use sanctum_api::{Moment, Problem};
use sanctum_http::axum::Router;
use sanctum_http::axum::extract::State as Shop;
use sanctum_http::{Json, Op, Path, Refusal, Routes};
use sanctum_kernel::Spec;
use sanctum_kernel::service::Shared;
use sanctum_kernel::trace::TraceId;
use tokio::sync::{mpsc, oneshot};

/// Longer than this it would rather be switched off.
const A_WEEK: u64 = 7 * 24 * 3600;

/// A person's wish, and where to answer with what is then.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) what: What,
    pub(crate) done: oneshot::Sender<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Look,
    Drill,
    Arm,
    Disarm(Duration),
}

/// The way to the guard.
pub(crate) type Wishes = mpsc::Sender<Wish>;

/// What it did lately, for those who follow a story.
#[derive(Debug, Clone, Default)]
pub(crate) struct Done(Arc<Mutex<VecDeque<Moment>>>);

impl Done {
    /// More than it can do in a year that anybody would live through.
    const MOST: usize = 100;

    pub(crate) fn remember(&self, moment: Moment) {
        let mut moments = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if moments.len() >= Self::MOST {
            moments.pop_front();
        }
        moments.push_back(moment);
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Surface {
    pub(crate) wishes: Wishes,
    pub(crate) done: Done,
}

/// Every route of the service.
pub(crate) fn routes(spec: &'static Spec, shared: &Shared, surface: Surface) -> Router {
    Routes::new(spec, shared)
        .on(
            Op::get("/state", "What the switch knows and what it would do").returns::<State>(),
            async |Shop(surface): Shop<Surface>| surface.wish(What::Look).await,
        )
        .on(
            Op::post("/drill", "Try every way to tell a person, silently").returns::<State>(),
            async |Shop(surface): Shop<Surface>| surface.wish(What::Drill).await,
        )
        .on(
            Op::post("/arm", "End safe mode and the time of being disarmed").returns::<State>(),
            async |Shop(surface): Shop<Surface>| surface.wish(What::Arm).await,
        )
        .on(
            Op::post("/disarm", "Do nothing for a while").takes::<Disarm>().returns::<State>(),
            async |Shop(surface): Shop<Surface>, Json(Disarm { seconds }): Json<Disarm>| {
                if !(1..=A_WEEK).contains(&seconds) {
                    return Err(Refusal(Problem::field("seconds", seconds.to_string(), "1 to 604800")));
                }
                surface.wish(What::Disarm(Duration::from_secs(seconds))).await
            },
        )
        .on(Op::get("/trace/{id}", "What it did in a story").returns::<Vec<Moment>>(), story)
        .finish(surface)
}

impl Surface {
    async fn wish(&self, what: What) -> Result<Json<State>, Refusal> {
        let busy = || Refusal(Problem::new(503, "unavailable", "the switch is ending"));
        let (done, answer) = oneshot::channel();
        self.wishes.send(Wish { what, done }).await.map_err(|_| busy())?;
        answer.await.map(Json).map_err(|_| busy())
    }
}

async fn story(Shop(surface): Shop<Surface>, Path(trace): Path<TraceId>) -> Json<Vec<Moment>> {
    let moments = surface.done.0.lock().unwrap_or_else(PoisonError::into_inner);
    Json(moments.iter().filter(|moment| moment.trace_id == trace).cloned().collect())
}
