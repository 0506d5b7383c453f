//! Earning and spending minutes.

use jiff::Timestamp;
use sanctum_api::Problem;
use sanctum_api::screen::{Balance, Earn, Redeem, Redeemed};
use sanctum_http::{HeaderMap, Json, Refusal, State};
use sanctum_kernel::Trace;

use super::{author, minutes, person, unkept};
use crate::engine::{Act, Deed, Frame, Target};
use crate::hub::{Hub, World};
use crate::records::{Earning, NewAct, Redemption, Spent};

fn cap(hub: &Hub) -> u32 {
    crate::rules::minutes(hub.rules.config.credits.cap)
}

async fn balance(hub: &Hub, person: &str, now: Timestamp) -> Result<Balance, Refusal> {
    let day = hub.rules.tz.to_datetime(now).date();
    let all = hub.records.balances(day, cap(hub), vec![person.to_owned()]).await.map_err(unkept)?;
    all.into_iter().next().ok_or_else(|| Refusal(Problem::not_found("person", person)))
}

pub(super) async fn list(State(hub): State<Hub>) -> Result<Json<Vec<Balance>>, Refusal> {
    let day = hub.rules.tz.to_datetime(hub.shared.clock.now()).date();
    Ok(Json(hub.records.balances(day, cap(&hub), hub.rules.children()).await.map_err(unkept)?))
}

pub(super) async fn earn(State(hub): State<Hub>, Json(said): Json<Earn>) -> Result<Json<Balance>, Refusal> {
    let now = hub.shared.clock.now();
    let presets = &hub.rules.config.credits.presets;
    let (what, earned) = match (&said.preset, said.minutes) {
        (Some(preset), None) => {
            let worth = presets
                .get(preset)
                .ok_or_else(|| Problem::field("preset", preset, super::list(presets.keys())))?;
            (preset.clone(), crate::rules::minutes(*worth))
        }
        (None, Some(more)) => (said.reason.clone(), minutes("minutes", more, cap(&hub))?),
        (Some(_), Some(_)) => {
            return Err(
                Problem::field("minutes", "given together with a preset", "a preset or minutes").into()
            );
        }
        (None, None) => {
            return Err(Problem::field(
                "preset",
                "nothing",
                format!("{}, or `minutes`", super::list(presets.keys())),
            )
            .into());
        }
    };
    let person = person(&hub, "person", &said.person)?;
    let earning = Earning {
        at: now,
        day: hub.rules.tz.to_datetime(now).date(),
        person: person.clone(),
        what,
        minutes: earned,
        author: author(&said.author)?,
        reason: super::reason(&said.reason)?,
        cap: cap(&hub),
    };
    hub.records.earn(earning).await.map_err(unkept)??;
    hub.changed();
    balance(&hub, &person, now).await.map(Json)
}

pub(super) async fn redeem(
    State(hub): State<Hub>,
    headers: HeaderMap,
    Json(said): Json<Redeem>,
) -> Result<Json<Redeemed>, Refusal> {
    let key = headers
        .get("idempotency-key")
        .and_then(|key| key.to_str().ok())
        .filter(|key| !key.is_empty())
        .map(str::to_owned);
    let asked = serde_json::to_string(&said).unwrap_or_default();
    let mut world = hub.world().await.map_err(unkept)?;
    let person = person(&hub, "person", &said.person)?;
    let author = author(said.author.as_deref().unwrap_or(&person))?;
    let (now, trace, whom) = (world.now, Trace::current().id(), person.clone());
    let act = move |minutes| {
        let act = Act {
            deed: Deed::Credit { minutes },
            target: Target::Person(whom),
            from: now,
            until: None,
            author,
            reason: String::new(),
        };
        NewAct { act, trace }
    };
    let day = hub.rules.tz.to_datetime(now).date();
    let wanted =
        Redemption { person: person.clone(), day, only: said.credit, key: key.map(|key| (key, asked)), now };
    let speaker = hub.clone();
    let answer = move |spent: Spent| {
        let before = bedtime(&world, &person);
        world.ledger = spent.ledger;
        world.ledger.holidays.extend(speaker.rules.listed.keys().copied());
        let after = bedtime(&world, &person);
        Redeemed {
            minutes: spent.minutes,
            says: says(&speaker, now, spent.minutes, before, after),
            bedtime: after.map(|(lock, _)| lock),
            left: spent.left,
            person,
        }
    };
    let answer = hub.records.redeem(wanted, act, answer).await.map_err(unkept)??;
    hub.changed();
    Ok(Json(answer))
}

/// Tonight's bedtime of a person's first device, and until when the curfew is open if it has begun.
fn bedtime(world: &World, person: &str) -> Option<(Timestamp, Option<Timestamp>)> {
    let owned = |subject: &&crate::engine::Subject| subject.owner.as_deref() == Some(person);
    let subject = world.policy.subjects.values().filter(owned).find(|subject| {
        !matches!(
            subject.tier,
            sanctum_kernel::house::DeviceTier::Personal | sanctum_kernel::house::DeviceTier::Exempt
        )
    })?;
    let frame = Frame::of(&world.policy, &world.ledger, subject, world.now);
    let moved = frame.night(world.now)?;
    Some((moved.lock, moved.opens.iter().map(|(_, to, _)| *to).max()))
}

type Bedtime = Option<(Timestamp, Option<Timestamp>)>;

fn says(hub: &Hub, now: Timestamp, minutes: u32, before: Bedtime, after: Bedtime) -> String {
    let words = hub.words();
    match (before, after) {
        (Some((before, _)), Some((after, _))) if now < before => {
            format!("tonight's curfew begins at {} instead of {}", words.wall(after), words.wall(before))
        }
        (_, Some((_, Some(open)))) => format!("the curfew is open until {}", words.wall(open)),
        _ => format!("{minutes} minutes are redeemed"),
    }
}
