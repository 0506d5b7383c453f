//! Asking for more and answering: both sides are told.

use jiff::{SignedDuration, Timestamp};
use sanctum_api::notify::{Action, Severity};
use sanctum_api::screen::{Answer, MoreTime, RequestState, Wish};
use sanctum_http::{Json, Path, Refusal, State};
use sanctum_kernel::Trace;

use super::{author, minutes, person, unkept};
use crate::engine::{Act, Deed, Frame, Target};
use crate::hub::{Hub, World};
use crate::records::{Letter, NewAct};

/// A child asks for an evening, not for a week.
const MOST_MINUTES: u32 = 6 * 60;

pub(super) async fn list(State(hub): State<Hub>) -> Result<Json<Vec<MoreTime>>, Refusal> {
    Ok(Json(hub.records.requests(hub.shared.clock.now()).await.map_err(unkept)?))
}

pub(super) async fn ask(State(hub): State<Hub>, Json(wish): Json<Wish>) -> Result<Json<MoreTime>, Refusal> {
    let world = hub.world().await.map_err(unkept)?;
    let person = person(&hub, "person", &wish.person)?;
    let more = minutes("minutes", wish.minutes, MOST_MINUTES)?;
    let (trace, reason) = (Trace::current().id(), super::reason(&wish.reason)?);
    let expires = end_of_night(&world, &person);
    let request = hub
        .records
        .ask(world.now, expires, (person.clone(), more, reason.clone()), trace)
        .await
        .map_err(unkept)?;
    let text = hub.words().request(&hub.rules.called(&person), more, &reason);
    let mut notice = hub.notice(Severity::Error, text, "request", world.now);
    notice.labels.extend([("person".to_owned(), person), ("request".to_owned(), request.id.to_string())]);
    notice.dedup_key = Some(format!("request-{}", request.id));
    if let Some(url) = hub.url() {
        let link = |label: &str| Action {
            label: label.to_owned(),
            url: format!("{url}#request-{}-{}", request.id, label.to_lowercase()),
        };
        notice.actions = vec![link("Approve"), link("Deny")];
    }
    tell(&hub, Letter { key: format!("request-{}-{trace}", request.id), at: world.now, trace, notice })
        .await?;
    Ok(Json(request))
}

pub(super) async fn answer(
    State(hub): State<Hub>,
    Path(id): Path<i64>,
    Json(said): Json<Answer>,
) -> Result<Json<MoreTime>, Refusal> {
    let now = hub.shared.clock.now();
    let by = author(&said.author)?;
    let more = said.minutes.map(|more| minutes("minutes", more, MOST_MINUTES)).transpose()?;
    let (reason, approve, trace) = (super::reason(&said.reason)?, said.approve, Trace::current().id());
    let grant = {
        let (by, reason) = (by.clone(), reason.clone());
        move |request: &MoreTime| {
            let deed = Deed::Extend { minutes: more.unwrap_or(request.minutes) };
            let target = Target::Person(request.person.clone());
            let reason = if reason.is_empty() { request.reason.clone() } else { reason };
            approve.then_some(NewAct {
                act: Act { deed, target, from: now, until: None, author: by, reason },
                trace,
            })
        }
    };
    let answered = hub.records.answer(id, now, by.clone(), grant).await.map_err(unkept)??;
    hub.changed();
    let granted = (answered.state == RequestState::Approved).then_some(answered.minutes);
    let text = hub.words().answer(&hub.rules.called(&answered.person), granted, &by, &reason);
    let mut notice = hub.notice(Severity::Warn, text, "answer", now);
    notice
        .labels
        .extend([("person".to_owned(), answered.person.clone()), ("request".to_owned(), id.to_string())]);
    notice.dedup_key = Some(format!("answer-{id}"));
    // The question on the parents' screens is over.
    let mut over = notice.clone();
    over.dedup_key = Some(format!("request-{id}"));
    over.resolved = true;
    tell(
        &hub,
        Letter { key: format!("request-{id}-{}-over", answered.trace_id), at: now, trace, notice: over },
    )
    .await?;
    tell(&hub, Letter { key: format!("answer-{id}-{}", answered.trace_id), at: now, trace, notice }).await?;
    Ok(Json(answered))
}

async fn tell(hub: &Hub, letter: Letter) -> Result<(), Refusal> {
    hub.records.post(letter).await.map_err(unkept)?;
    hub.teller.nudge();
    Ok(())
}

/// When tonight is over for a person; a day from now if they have no device with hours.
fn end_of_night(world: &World, person: &str) -> Timestamp {
    let owned = world.policy.subjects.values().filter(|subject| subject.owner.as_deref() == Some(person));
    let ends = owned.filter_map(|subject| {
        let frame = Frame::of(&world.policy, &world.ledger, subject, world.now);
        frame.night(world.now).map(|moved| moved.night.unlock)
    });
    ends.max().unwrap_or_else(|| world.now.checked_add(SignedDuration::from_hours(24)).unwrap_or(world.now))
}
