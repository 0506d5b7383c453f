//! Reading what was said into notes: one note for an exchange, however often it is begun.

use std::time::Duration;

use jiff::Timestamp;
use sanctum_api::memory::{Origin, Outcome};
use sanctum_kernel::{Failure, Status, Stop};

use super::queue::{Queue, Waiting};
use super::spoken;
use crate::gate::{Verdict, noise};
use crate::library::{Birth, Error, Hand, Library, Who};

/// How often the queue is looked at without a nudge.
const PERIOD: Duration = Duration::from_secs(5);
const BATCH: u32 = 64;

/// Reads until stopped.
pub(crate) async fn run(library: Library, stop: Stop) -> Result<(), Failure> {
    if stop.or(library.has_read()).await.is_none() {
        return Ok(());
    }
    let nudge = library.said().clone();
    sanctum_kernel::reconcile::reconcile(&stop, PERIOD, &nudge, || {
        let library = library.clone();
        async move { Ok(all(&library).await?) }
    })
    .await;
    Ok(())
}

/// Reads everything that is due.
async fn all(library: &Library) -> Result<(), Error> {
    let queue = library.queue();
    let clock = &library.shared().clock;
    let well = &library.shared().well;
    loop {
        let due = queue.due(clock.now(), BATCH).await?;
        if due.is_empty() {
            let known = jiff::SignedDuration::try_from(library.config().ingest.known.0)
                .unwrap_or(jiff::SignedDuration::MAX);
            if let Ok(before) = clock.now().checked_sub(known) {
                queue.forget(before).await?;
            }
            well.set("ingest", Status::Well, format!("{} exchanges wait to be read", queue.waiting().await?));
            return Ok(());
        }
        for waiting in due {
            match one(library, queue, &waiting).await {
                Ok((outcome, note)) => queue.done(waiting.id, clock.now(), outcome, note).await?,
                Err(
                    error @ (Error::Full(_)
                    | Error::ReadOnly(_)
                    | Error::Disk { .. }
                    | Error::Index(_)
                    | Error::Later(_)),
                ) => {
                    // It would be the same for the next; all of them wait.
                    queue.later(&waiting, clock.now()).await?;
                    well.set_hint(
                        "ingest",
                        Status::Degraded,
                        format!("what was said waits: {error}"),
                        "it is kept, and read when the vault takes it",
                    );
                    return Ok(());
                }
                Err(error) => {
                    tracing::warn!(%error, "an exchange could not be read into a note");
                    queue.done(waiting.id, clock.now(), "refused", None).await?;
                }
            }
        }
    }
}

/// What became of one exchange, and the note it is in.
async fn one(
    library: &Library,
    queue: &Queue,
    waiting: &Waiting,
) -> Result<(&'static str, Option<String>), Error> {
    let exchange = &waiting.said.exchange;
    let at = Timestamp::from_millisecond(exchange.at).unwrap_or_default();
    let id = spoken::id(&exchange.key, at);
    // It was read, and the end came before that was written down.
    if library.head_of(&id).await?.is_some() {
        return Ok(("created", Some(id)));
    }
    if let Some((outcome, _)) = spoken::nothing(exchange, waiting.said.echoed) {
        return Ok((word(outcome), None));
    }
    let began =
        queue.began(&exchange.agent, noise::head(&exchange.user), library.shared().clock.now()).await?;
    if began >= library.gate().config().starts && !exchange.user.is_empty() {
        return Ok((word(Outcome::BootNoise), None));
    }
    let write = spoken::note(exchange, &waiting.session);
    let who = Who {
        name: exchange.agent.clone(),
        origin: Origin::Agent,
        agent: Some(exchange.agent.clone()),
        private: true,
    };
    if let Verdict::Leave { outcome, note, .. } = library.judged(&write, &who).await? {
        return Ok((word(outcome), note));
    }
    let birth = Birth { id: Some(id), created: Some(at), ..Birth::default() };
    let head = library.put_as(&write, &birth, &Hand::new(&who, "said")).await?;
    Ok(("created", Some(head.id)))
}

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Created => "created",
        Outcome::Changed => "changed",
        Outcome::Duplicate => "duplicate",
        Outcome::NearDuplicate => "near-duplicate",
        Outcome::RecallLoop => "recall-loop",
        Outcome::Secret => "secret",
        Outcome::BootNoise => "boot-noise",
        Outcome::Quota => "quota",
    }
}
