//! A pass of consolidation: a task for clients that have tasks, progress for those that want it, and an end when asked.

use std::sync::Arc;

use sanctum_api::memory::{Progress, Report};
use sanctum_mcp::modern;
use sanctum_mcp::rmcp::ErrorData;
use sanctum_mcp::rmcp::model::{CallToolResponse, CreateTaskResult, ProgressNotificationParam};
use sanctum_mcp::rmcp::service::{RequestContext, RoleServer};
use sanctum_mcp::rmcp::task_manager::{TaskExit, TaskOptions};
use tokio::sync::watch;

use super::tools::Consolidate;
use super::{Inner, says};
use crate::library::{Error, Library, Tell};

/// A pass that ended is remembered so long, in milliseconds; its report is kept by the house for good.
const KEPT: u64 = 60 * 60 * 1000;
/// How often a client should look, in milliseconds.
const LOOK: u64 = 500;

pub(super) async fn call(
    inner: &Inner,
    given: Result<Consolidate, String>,
    context: RequestContext<RoleServer>,
) -> Result<CallToolResponse, ErrorData> {
    let apply = match given {
        Ok(given) => given.apply,
        Err(words) => return Ok(says::wrong(words).into()),
    };
    let library = inner.library.clone();
    let tasks = modern(&context) && context.client_capabilities().is_some_and(|able| able.supports_tasks());
    if tasks {
        return Ok(CreateTaskResult::new(task(inner, library, apply)).into());
    }
    let (tell, mut told) = telling();
    let running = library.consolidate(apply, tell);
    tokio::pin!(running);
    loop {
        tokio::select! {
            outcome = &mut running => return Ok(says::answered(&outcome)),
            // What it has not done yet, the next pass takes up.
            () = context.ct.cancelled() => return Err(ErrorData::internal_error("it was cancelled", None)),
            Ok(()) = told.changed() => {
                let progress = told.borrow_and_update().clone();
                report(&context, &progress).await;
            }
        }
    }
}

fn task(inner: &Inner, library: Library, apply: bool) -> sanctum_mcp::rmcp::model::Task {
    let options = TaskOptions::new().with_ttl_ms(KEPT).with_poll_interval_ms(LOOK);
    let options = options.with_status_message(if apply {
        "putting notes in order"
    } else {
        "looking what could be done"
    });
    inner.tasks.spawn(options, move |context| {
        Box::pin(async move {
            let (tell, mut told) = telling();
            let running = library.consolidate(apply, tell);
            tokio::pin!(running);
            let outcome: Result<Report, Error> = loop {
                tokio::select! {
                    outcome = &mut running => break outcome,
                    () = context.cancelled() => return Err(TaskExit::Cancelled),
                    Ok(()) = told.changed() => {
                        let progress = told.borrow_and_update().clone();
                        context.set_status_message(words(&progress));
                    }
                }
            };
            Ok(match &outcome {
                Ok(report) => says::done(report),
                Err(error) => says::refused(error),
            })
        })
    })
}

/// The newest progress, from whatever thread tells it; what nobody has looked at yet is forgotten for it.
fn telling() -> (Tell, watch::Receiver<Progress>) {
    let (newest, told) = watch::channel(Progress::default());
    let tell = move |progress| drop(newest.send_replace(progress));
    (Arc::new(tell), told)
}

fn words(progress: &Progress) -> String {
    match progress.total {
        Some(total) => format!("{}: {} of {total}", progress.what, progress.done),
        None => format!("{}: {}", progress.what, progress.done),
    }
}

#[expect(clippy::cast_precision_loss, reason = "the protocol counts in floating point")]
async fn report(context: &RequestContext<RoleServer>, progress: &Progress) {
    let Some(token) = context.meta.get_progress_token() else { return };
    let mut told = ProgressNotificationParam::new(token, progress.done as f64).with_message(words(progress));
    told.total = progress.total.map(|total| total as f64);
    context.peer.notify_progress(told).await.ok();
}
