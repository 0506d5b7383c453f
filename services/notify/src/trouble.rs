//! The hub speaks of its own trouble, over what still works.

use std::sync::Arc;

use jiff::SignedDuration;
use sanctum_api::notify::{Notice, Severity};
use sanctum_kernel::{Failure, OnError, Status, Stop};
use sanctum_store::{SqlError, params};

use crate::accept::{Incoming, accept};
use crate::banners;
use crate::decide::{Known, decide};
use crate::dispatch::outcome::News;
use crate::dispatch::queue;
use crate::hub::Hub;
use crate::rows;

/// How often the hub looks at itself.
const LOOK: std::time::Duration = std::time::Duration::from_secs(15);
/// A message that waits longer than this is trouble.
const OLD: SignedDuration = SignedDuration::from_secs(60);

/// A notice of the hub itself, over everything the table names but `not`.
fn own(
    hub: &Hub,
    severity: Severity,
    key: &str,
    (title, message): (String, String),
    not: &[String],
) -> Notice {
    let mut notice =
        Notice { dedup_key: Some(key.to_owned()), ..Notice::plain("notify", severity, title, message) };
    let known = Known { own: true, ..Known::default() };
    let now = hub.now().to_zoned(hub.rules.zone.clone());
    let plan = decide(&notice, &hub.rules, &known, &now);
    notice.force_channels =
        plan.sends.into_iter().map(|send| send.channel).filter(|name| !not.contains(name)).collect();
    if notice.force_channels.is_empty() && !not.iter().any(|name| name == "dashboard") {
        notice.force_channels.push("dashboard".to_owned());
    }
    notice
}

/// Says it in the background; a failure is logged, because there is nobody left to tell.
fn say(hub: &Arc<Hub>, notice: Notice, key: Option<String>) {
    let within = Arc::clone(hub);
    hub.shared.tasks.spawn("trouble", OnError::Log, |_| async move {
        let at = within.now();
        accept(&within, Incoming::own(notice, at, key)).await?;
        Ok(())
    });
}

/// A channel is left alone for a while.
pub(crate) fn breaker_opened(hub: &Arc<Hub>, name: &str, reason: &str) {
    hub.shared.well.set("channels", Status::Degraded, format!("`{name}` fails: {reason}"));
    let text = (
        format!("Channel {name} is failing"),
        format!("{reason}. Messages for it are kept and tried again; others go on."),
    );
    let notice = own(hub, Severity::Error, &format!("notify/channel/{name}"), text, &[name.to_owned()]);
    say(hub, notice, None);
}

/// It works again: what waits for it goes now.
pub(crate) fn breaker_closed(hub: &Arc<Hub>, name: &str) {
    let open: Vec<_> = hub
        .lines
        .values()
        .filter(|line| !line.with(|breaker| breaker.is_closed()))
        .map(|line| line.name.as_str())
        .collect();
    if open.is_empty() {
        hub.shared.well.set("channels", Status::Well, "every channel takes messages");
    }
    let (within, channel) = (Arc::clone(hub), name.to_owned());
    hub.shared.tasks.spawn("catch-up", OnError::Log, |_| async move {
        let now = within.now().as_microsecond();
        let name = channel.clone();
        within.db.write(move |tx| crate::dispatch::queue::all_due(tx, &name, now)).await?;
        if let Some(line) = within.lines.get(&channel) {
            line.nudge.nudge();
        }
        over(&within, &format!("notify/channel/{channel}"), format!("Channel {channel} works again")).await
    });
}

/// Resolves the hub's own notice of this key, if it is open.
async fn over(hub: &Arc<Hub>, key: &str, title: String) -> Result<(), Failure> {
    let asked = key.to_owned();
    let open = hub.db.read(move |db| {
        db.prepare_cached(
            "SELECT EXISTS(SELECT 1 FROM notifications WHERE dedup_key=?1 AND resolved IS NULL)",
        )?
        .query_row([asked], |row| row.get::<_, bool>(0))
    });
    if open.await? {
        let mut notice = own(hub, Severity::Error, key, (title, String::new()), &[]);
        notice.resolved = true;
        accept(hub, Incoming::own(notice, hub.now(), None)).await?;
    }
    Ok(())
}

/// What a group of outcomes means for people.
pub(crate) fn settled(hub: &Arc<Hub>, channel: &str, news: &News) {
    if news.dead > 0 {
        tracing::warn!(channel, dead = news.dead, "messages were given up");
    }
    for id in &news.undelivered {
        let (within, id) = (Arc::clone(hub), *id);
        hub.shared
            .tasks
            .spawn("undelivered", OnError::Log, move |_| async move { undelivered(&within, id).await });
    }
}

/// Nobody was reached: says so over whatever is left, and shows it until someone clears it.
async fn undelivered(hub: &Arc<Hub>, id: i64) -> Result<(), Failure> {
    let now = hub.now();
    let (life, tries, change) = hub
        .db
        .write(move |tx| {
            tx.execute(
                "INSERT OR IGNORE INTO banners(id, shown) VALUES(?1, ?2)",
                params![id, now.as_microsecond()],
            )?;
            let mut tries =
                tx.prepare_cached("SELECT coalesce(sum(tries), 0) FROM deliveries WHERE notification=?1")?;
            let tries: i64 = tries.query_row([id], |row| row.get(0))?;
            Ok((rows::life(tx, id)?, tries, banners::changed(tx, id, now.as_microsecond())?))
        })
        .await?;
    change.publish(&hub.feed);
    let Some(life) = life else { return Ok(()) };
    // The hub's word that something was not delivered does not begin the same again.
    if life.notice.source == "notify"
        && life.notice.dedup_key.as_deref().is_some_and(|key| key.starts_with("notify/undelivered/"))
    {
        return Ok(());
    }
    let tried: Vec<String> = life.deliveries.iter().map(|delivery| delivery.channel.clone()).collect();
    let why =
        life.deliveries.iter().filter_map(|d| Some(format!("{}: {}", d.channel, d.attempts.last()?.outcome)));
    let text = (
        format!("Not delivered: {}", life.notice.title),
        format!("{}\n{}", life.notice.message, why.collect::<Vec<_>>().join("\n")),
    );
    let severity = life.notice.severity.max(Severity::Error);
    let mut notice = own(hub, severity, &format!("notify/undelivered/{id}"), text, &tried);
    if notice.force_channels.is_empty() || notice.force_channels == ["dashboard"] {
        let left = hub
            .lines
            .values()
            .filter(|line| line.with(|breaker| breaker.is_closed()) && !tried.contains(&line.name));
        notice.force_channels = left.map(|line| line.name.clone()).collect();
    }
    // With the tries in it, what is sent again in vain is said again, and a restart says nothing twice.
    accept(hub, Incoming::own(notice, now, Some(format!("undelivered:{id}:{tries}")))).await?;
    Ok(())
}

/// Looks at the queue and the disk until stopped; first, at what was left unsaid by a crash.
pub(crate) async fn watch(hub: Arc<Hub>, stop: Stop) -> Result<(), Failure> {
    let unsaid = hub.db.read(|db| {
        let mut unsaid = db.prepare(
            "SELECT id FROM notifications n WHERE undelivered=1 AND resolved IS NULL AND NOT EXISTS(SELECT 1 FROM keys
             WHERE key='undelivered:'||n.id||':'||(SELECT coalesce(sum(tries), 0) FROM deliveries d WHERE d.notification=n.id))",
        )?;
        let unsaid: Result<Vec<i64>, SqlError> = unsaid.query_map([], |row| row.get(0))?.collect();
        unsaid
    });
    for id in unsaid.await? {
        undelivered(&hub, id).await?;
    }
    hub.shared.well.set("channels", Status::Well, "every channel takes messages");
    let nudge = sanctum_kernel::Nudge::default();
    sanctum_kernel::reconcile::reconcile(&stop, LOOK, &nudge, || look(Arc::clone(&hub))).await;
    Ok(())
}

async fn look(hub: Arc<Hub>) -> Result<(), Failure> {
    let now = hub.now();
    crate::spread::oldest(&hub).await?;
    let names: Vec<String> = hub.lines.keys().cloned().collect();
    let oldest = hub.db.read(|db| {
        let of = |name: String| Ok((queue::oldest(db, &name)?, name));
        names.into_iter().map(of).collect::<Result<Vec<_>, SqlError>>()
    });
    let oldest = oldest.await?;
    let old: Vec<&String> = oldest
        .iter()
        .filter(|(created, _)| created.is_some_and(|created| now.duration_since(created) > OLD))
        .map(|(_, name)| name)
        .collect();
    let key = "notify/outbox";
    if let Some(name) = old.first() {
        let said = hub.shared.well.look().1.get("outbox").is_some_and(|part| part.status != Status::Well);
        hub.shared.well.set(
            "outbox",
            Status::Degraded,
            format!("messages for `{name}` wait longer than {} s", OLD.as_secs()),
        );
        let told = hub.lines.get(*name).is_some_and(|line| !line.with(|breaker| breaker.is_closed()));
        if !said && !told {
            let text = (
                format!("Messages for {name} are waiting"),
                format!("The oldest waits for more than {} s.", OLD.as_secs()),
            );
            say(
                &hub,
                own(
                    &hub,
                    Severity::Error,
                    key,
                    text,
                    &old.iter().map(|name| (*name).clone()).collect::<Vec<_>>(),
                ),
                None,
            );
        }
    } else {
        hub.shared.well.set("outbox", Status::Well, "nothing waits");
        over(&hub, key, "Messages no longer wait".to_owned()).await?;
    }
    disk(&hub).await
}

async fn disk(hub: &Arc<Hub>) -> Result<(), Failure> {
    let Ok(disk) = rustix::fs::statvfs(hub.db.path()) else { return Ok(()) };
    // As df(1) counts: what is kept back for root is neither used nor free.
    let taken = disk.f_blocks.saturating_sub(disk.f_bfree);
    let used = (taken * 100).checked_div(taken + disk.f_bavail).unwrap_or(0);
    let key = "notify/disk";
    if used < u64::from(hub.rules.config.trouble.disk) {
        hub.shared.well.set("disk", Status::Well, format!("{used} % used"));
        return over(hub, key, "The disk has room again".to_owned()).await;
    }
    let said = hub.shared.well.look().1.get("disk").is_some_and(|part| part.status != Status::Well);
    hub.shared.well.set_hint(
        "disk",
        Status::Degraded,
        format!("{used} % used"),
        "free some space: a full disk means that nothing more is accepted",
    );
    if !said {
        let text = (
            "The disk is nearly full".to_owned(),
            format!("{used} % of the disk under `{}` is used.", hub.db.path().display()),
        );
        say(
            hub,
            own(hub, Severity::Error, key, text, &[]),
            Some(format!("disk:{}", hub.now().as_second() / 86_400)),
        );
    }
    Ok(())
}
