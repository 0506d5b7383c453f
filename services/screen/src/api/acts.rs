//! Overrides, homework, and taking them back.

use jiff::SignedDuration;
use sanctum_api::Problem;
use sanctum_api::screen::{Homework, Status, Undone};
use sanctum_http::{Json, Refusal, State};
use sanctum_kernel::{Applied, Trace};
use sanctum_store::StoreError;
use serde::Deserialize;

use super::{author, end, look, minutes, person, reason, target, unkept};
use crate::engine::{Act, Deed, Target, over};
use crate::hub::Hub;
use crate::records::NewAct;

/// More is not an extension but another bedtime: a day.
const MOST_MINUTES: u32 = 24 * 60;

/// `sanctum_api::screen::Override` as people get it wrong: numbers that may be negative, ends in words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Override {
    #[serde(default)]
    target: Option<String>,
    action: Action,
    #[serde(default)]
    until: Option<String>,
    author: String,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    Extend { minutes: i64 },
    Curfew,
    AllClear,
}

pub(super) async fn overrule(
    State(hub): State<Hub>,
    Json(said): Json<Override>,
) -> Result<Json<Status>, Refusal> {
    let world = hub.world().await.map_err(unkept)?;
    let deed = match said.action {
        Action::Extend { minutes: more } => {
            Deed::Extend { minutes: minutes("action.extend.minutes", more, MOST_MINUTES)? }
        }
        Action::Curfew => Deed::Curfew,
        Action::AllClear => Deed::AllClear,
    };
    let act = Act {
        deed,
        target: target(&hub, &world, "target", said.target.as_deref())?,
        from: world.now,
        until: said.until.as_deref().map(|until| end("until", until, &world)).transpose()?,
        author: author(&said.author)?,
        reason: reason(&said.reason)?,
    };
    done(&hub, act).await
}

pub(super) async fn homework(
    State(hub): State<Hub>,
    Json(said): Json<Homework>,
) -> Result<Json<Status>, Refusal> {
    let now = hub.shared.clock.now();
    let length = match said.minutes {
        Some(more) => SignedDuration::from_mins(minutes("minutes", more, MOST_MINUTES)?.into()),
        None => crate::rules::span(hub.rules.config.homework.length),
    };
    let target = match &said.person {
        Some(name) => Target::Person(person(&hub, "person", name)?),
        None => Target::Everyone,
    };
    let act = Act {
        deed: Deed::Homework,
        target,
        from: now,
        until: now.checked_add(length).ok(),
        author: author(&said.author)?,
        reason: reason(&said.reason)?,
    };
    done(&hub, act).await
}

async fn done(hub: &Hub, act: Act) -> Result<Json<Status>, Refusal> {
    hub.records.add_act(NewAct { act, trace: Trace::current().id() }).await.map_err(unkept)?;
    let settled = hub.settled(hub.changed()).await;
    let mut status = look::seen(hub).await?;
    if !settled {
        status.enforced = Applied::Unknown;
        status.detail = Some("the firewall has not been reached yet; it is tried again and again".to_owned());
    }
    Ok(Json(status))
}

pub(super) async fn undo(State(hub): State<Hub>) -> Result<Json<Undone>, Refusal> {
    let act = take_back(&hub).await.map_err(unkept)?.ok_or_else(|| {
        Problem::conflict("there is nothing to take back")
            .hint("`sanctum screen status` shows what is in force")
    })?;
    hub.changed();
    let at = hub.words().wall(act.from);
    Ok(Json(Undone { says: format!("{}, of {at}", crate::words::act(&act)) }))
}

/// Takes the last act back that is not over.
async fn take_back(hub: &Hub) -> Result<Option<Act>, StoreError> {
    let world = hub.world().await?;
    for (id, act) in hub.records.recent_acts(world.now).await? {
        let lasts = over(&act, &world.policy, &world.ledger).is_some_and(|over| over > world.now);
        if lasts && hub.records.undo(id, world.now).await? {
            return Ok(Some(act));
        }
    }
    Ok(None)
}
