//! What others can ask and say.

use std::sync::Arc;
use std::time::Duration;

use sanctum_api::supervise::{Loaded, Phase, ServiceState, Usage};
use sanctum_api::{Moment, Problem};
use sanctum_http::axum::Router;
use sanctum_http::{IntoResponse, Json, LastEventId, Op, Path, Refusal, Routes, State, StatusCode, events};
use sanctum_kernel::service::Shared;
use sanctum_kernel::trace::TraceId;
use sanctum_kernel::{Spec, Stop, Tasks};
use tokio::sync::oneshot;

use crate::SPEC;
use crate::board::Board;
use crate::engine::Event;
use crate::keeper::{Message, Wishes};
use crate::process;
use crate::seats::Seats;

/// How long a look at everything may keep an answer waiting.
const PATIENCE: Duration = Duration::from_millis(1500);

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct Surface {
    pub(crate) board: Board,
    pub(crate) wishes: Wishes,
    /// Of the connections, which outlast the services.
    pub(crate) stop: Stop,
    pub(crate) tasks: Tasks,
    pub(crate) seats: Seats,
}

type Shop = State<Arc<Surface>>;

/// Every route of the service.
#[expect(clippy::too_many_lines, reason = "a table: a route after the other")]
pub(crate) fn routes(spec: &'static Spec, shared: &Shared, surface: Arc<Surface>) -> Router {
    let act = |path, summary| Op::post(path, summary).returns::<ServiceState>();
    Routes::new(spec, shared)
        .on(
            Op::get("/services", "Every service as it is now").returns::<Vec<ServiceState>>(),
            async |State(surface): Shop| {
                surface.look().await;
                Json(surface.board.states())
            },
        )
        .on(
            Op::get("/services/{name}", "One service as it is now").returns::<ServiceState>(),
            async |State(surface): Shop, Path(name)| {
                surface.look().await;
                surface.find(name).map(|(_, state)| Json(state))
            },
        )
        .on(
            act(
                "/services/{name}/start",
                "Start a service that was stopped, or that waits to be started again",
            ),
            async |State(surface): Shop, Path(name)| surface.act(name, Verb::Start).await,
        )
        .on(
            act(
                "/services/{name}/stop",
                "Stop one service, after those that require it; what only needs it at its start is left alone",
            ),
            async |State(surface): Shop, Path(name)| surface.act(name, Verb::Stop).await,
        )
        .on(
            act("/services/{name}/restart", "Stop one service and start it again"),
            async |State(surface): Shop, Path(name)| surface.act(name, Verb::Restart).await,
        )
        .on(
            act("/services/{name}/unlock", "Start a service again that its breaker has locked"),
            async |State(surface): Shop, Path(name)| surface.act(name, Verb::Unlock).await,
        )
        .on(
            act(
                "/services/{name}/told",
                "Say that a notice of its lock is kept and on its way; `locked.told` of the answer is who tells people: whoever was first",
            ),
            async |State(surface): Shop, Path(name)| surface.claim(name).await,
        )
        .on(
            act(
                "/services/{name}/reload",
                "Start a service again from its present file, when those it leans on are up; `supervise` is replaced by its newer self while everything runs on",
            ),
            async |State(surface): Shop, Path(name)| surface.act(name, Verb::Reload).await,
        )
        .on(
            Op::post("/reload", "Start everything again that runs from an older file than the present one, in order; their names")
                .returns::<Vec<String>>(),
            async |State(surface): Shop| surface.reload().await,
        )
        .on(
            Op::post("/services/{name}/touch", "Say that somebody works with a seat: it is not unloaded yet").returns::<ServiceState>(),
            async |State(surface): Shop, Path(name)| surface.touch(name).map(Json),
        )
        .on(
            Op::post("/ensure-loaded/{seat}", "Load a seat if its peak fits, and wait until it is ready; 503 at once where it does not")
                .returns::<Loaded>()
                .slow(),
            async |State(surface): Shop, Path(seat)| surface.ensure_loaded(seat).await.map(Json),
        )
        .on(
            Op::get("/usage", "What every service takes of the machine now").returns::<Vec<Usage>>(),
            async |State(surface): Shop| Json(surface.usage().await),
        )
        .on(
            Op::post("/down", "Stop the whole house, dependants first; the supervisor ends with it"),
            async |State(surface): Shop| {
                surface.wish(Event::Down).await.map(|()| (StatusCode::ACCEPTED, Json(())))
            },
        )
        .on(
            Op::get("/events", "Every change, as events of the kind `service`").stream(),
            async |State(surface): Shop, LastEventId(last)| {
                events(surface.board.feed().follow(last.as_deref()), surface.stop.clone()).into_response()
            },
        )
        .on(
            Op::get("/trace/{id}", "What it did in a story").returns::<Vec<Moment>>(),
            async |State(surface): Shop, Path(id): Path<String>| {
                let id: TraceId =
                    id.parse().map_err(|_| Refusal(Problem::field("id", id, "32 hexadecimal digits")))?;
                Ok::<_, Refusal>(Json(surface.board.story(id)))
            },
        )
        .finish(surface)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Start,
    Stop,
    Restart,
    Reload,
    Unlock,
}

impl Surface {
    /// Lets every service be asked how it is: what is shown is not older than the question.
    async fn look(&self) {
        let (done, looked) = oneshot::channel();
        // A house that is not up yet, or not any more, shows what it knew last.
        if self.wishes.send(Message::Look { done }).is_ok() {
            tokio::time::timeout(PATIENCE, looked).await.ok();
        }
    }

    pub(crate) fn find(&self, name: String) -> Result<(usize, ServiceState), Refusal> {
        let states = self.board.states();
        let known = || states.iter().map(|state| state.name.clone()).collect::<Vec<_>>().join(", ");
        let found = states.iter().find(|state| state.name == name);
        let found = found.map(|state| (self.board.unit(&name).unwrap_or(usize::MAX), state.clone()));
        found.ok_or_else(|| {
            Refusal(Problem::not_found("service", name).hint(format!("services are: {}", known())))
        })
    }

    /// Read where it may take a moment: beside everything else.
    async fn usage(&self) -> Vec<Usage> {
        let states = self.board.states().into_iter();
        let running: Vec<(String, u32)> = states.filter_map(|state| Some((state.name, state.pid?))).collect();
        tokio::task::spawn_blocking(move || process::usage(&running)).await.unwrap_or_default()
    }

    async fn act(&self, name: String, verb: Verb) -> Result<Json<ServiceState>, Refusal> {
        let (unit, state) = self.find(name)?;
        let name = state.name.clone();
        if name == SPEC.name && verb == Verb::Reload {
            return self.succeed().await.map(|()| Json(state));
        }
        if name == SPEC.name {
            let problem = Problem::conflict(format!("`{name}` keeps the others and is kept by nobody"));
            return Err(Refusal(problem.hint("`sanctum down` ends the house, `sanctum up` starts it")));
        }
        let event = match (verb, state.phase) {
            (Verb::Unlock, Phase::Locked) => Event::Unlock { unit },
            (Verb::Unlock, phase) => {
                let problem = Problem::conflict(format!("`{name}` is not locked"))
                    .detail(format!("it is {}", phase.word()));
                return Err(Refusal(problem));
            }
            (Verb::Start | Verb::Restart | Verb::Reload, Phase::Locked) => {
                let problem = Problem::conflict(format!("`{name}` is locked"));
                let problem = problem.detail(state.locked.map(|locked| locked.reason).unwrap_or_default());
                return Err(Refusal(problem.hint(format!("`sanctum unlock {name}` starts it again"))));
            }
            (Verb::Start, _) => Event::Start { unit },
            (Verb::Stop, _) => Event::Stop { unit },
            (Verb::Restart, _) => Event::Restart { unit },
            (Verb::Reload, Phase::Starting | Phase::Ready) => Event::Reload { units: vec![unit] },
            (Verb::Reload, phase) => {
                let problem = Problem::conflict(format!("`{name}` does not run"))
                    .detail(format!("it is {}", phase.word()));
                return Err(Refusal(
                    problem.hint(format!("`sanctum start {name}` starts it from its present file")),
                ));
            }
        };
        self.wish(event).await?;
        self.find(name).map(|(_, state)| Json(state))
    }

    /// Somebody tells people of a lock.
    async fn claim(&self, name: String) -> Result<Json<ServiceState>, Refusal> {
        let (unit, state) = self.find(name)?;
        if state.phase != Phase::Locked {
            let problem = Problem::conflict(format!("`{}` is not locked", state.name));
            return Err(Refusal(problem.detail(format!("it is {}", state.phase.word()))));
        }
        let (taken, answer) = oneshot::channel();
        let sent = self.wishes.send(Message::Claim { unit, taken });
        if sent.is_err() || answer.await.is_err() {
            return Err(Refusal(Problem::conflict("the house is down")));
        }
        self.find(state.name).map(|(_, state)| Json(state))
    }

    /// Everything that is stale but the supervisor itself, which goes last and by its own name.
    async fn reload(&self) -> Result<Json<Vec<String>>, Refusal> {
        self.look().await;
        let states = self.board.states();
        let stale = states.into_iter().filter(|state| {
            state.stale && state.name != SPEC.name && matches!(state.phase, Phase::Starting | Phase::Ready)
        });
        let names: Vec<String> = stale.map(|state| state.name).collect();
        let units = names.iter().filter_map(|name| self.board.unit(name)).collect();
        self.wish(Event::Reload { units }).await?;
        Ok(Json(names))
    }

    /// Makes way for a newer supervisor, once that one has shown that it can run at all.
    async fn succeed(&self) -> Result<(), Refusal> {
        crate::succeed::can_run().await.map_err(|reason| {
            let problem = Problem::conflict("the newer program cannot take over").detail(reason);
            Refusal(problem.hint("this one goes on; look at the new file"))
        })?;
        self.wishes.send(Message::Yield).map_err(|_| Refusal(Problem::conflict("the house is down")))
    }

    /// Says what a person wants; returns when it has been taken note of.
    pub(crate) async fn wish(&self, event: Event) -> Result<(), Refusal> {
        let (taken, answer) = oneshot::channel();
        let sent = self.wishes.send(Message::Wish { event, taken });
        if sent.is_err() || answer.await.is_err() {
            return Err(Refusal(Problem::conflict("the house is down")));
        }
        Ok(())
    }
}
