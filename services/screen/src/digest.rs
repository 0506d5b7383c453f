//! The week in a few numbers, told once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::{SignedDuration, Span, Timestamp};
use sanctum_api::notify::Severity;
use sanctum_api::screen::Digest;
use sanctum_kernel::house::Language;
use sanctum_kernel::{Failure, Trace};
use sanctum_store::StoreError;

use crate::hub::{Hub, Inner};
use crate::records::Letter;

/// A digest that is later than this is not sent any more: the next one has it.
const LATEST: SignedDuration = SignedDuration::from_hours(24);

/// Sends the digest if it is due; returns when the next one is.
pub(crate) async fn round(hub: &Hub, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
    let config = &hub.rules.config.digest;
    if !config.enabled {
        return Ok(None);
    }
    let today = hub.rules.tz.to_datetime(now).date();
    let at = |date: Date| {
        date.to_datetime(config.at.time()).to_zoned(hub.rules.tz.clone()).map(|at| at.timestamp())
    };
    let day = jiff::civil::Weekday::from(config.day);
    let days = (-7..=7)
        .filter_map(|days| today.checked_add(Span::new().days(days)).ok())
        .filter(|date| date.weekday() == day);
    let moments = days.map(at).collect::<Result<Vec<_>, _>>()?;
    if let Some(due) = moments.iter().rev().find(|due| **due <= now && now.duration_since(**due) < LATEST) {
        send(hub, *due).await?;
    }
    Ok(moments.into_iter().find(|next| *next > now))
}

async fn send(hub: &Hub, due: Timestamp) -> Result<(), Failure> {
    let key = format!("digest-{}", due.as_second());
    // A house that was not there in that week has nothing to tell.
    let moved_in = hub.records.get("moved-in").await?.and_then(|text| text.parse::<Timestamp>().ok());
    if moved_in.is_none_or(|moved_in| moved_in >= due) || hub.records.is_posted(key.clone()).await? {
        return Ok(());
    }
    let digest = week(hub, due).await?;
    let title = match hub.rules.language() {
        Language::En => "The week on screen",
        Language::Fr => "La semaine devant l’écran",
    };
    let notice = hub.notice(Severity::Info, (title.to_owned(), digest.text), "digest", due);
    hub.records.post(Letter { key, at: due, trace: Trace::start().id(), notice }).await?;
    hub.teller.nudge();
    Ok(())
}

/// The seven days before `to`.
pub(crate) async fn week(hub: &Inner, to: Timestamp) -> Result<Digest, StoreError> {
    let from = to.checked_sub(SignedDuration::from_hours(24 * 7)).unwrap_or(to);
    let violations = hub.records.violations_between(from, to).await?;
    let (credits_earned, credits_redeemed) = hub.records.count_credits(from, to).await?;
    let overrides = hub.records.count_overrides(from, to).await?;
    let guests =
        hub.records.guests().await?.iter().filter(|guest| from <= guest.since && guest.since < to).count();
    // A night counts for the day before its noon.
    let night = |at: Timestamp| {
        hub.rules.tz.to_datetime(at.checked_sub(SignedDuration::from_hours(12)).unwrap_or(at)).date()
    };
    let mut broken: BTreeMap<String, BTreeSet<Date>> =
        hub.rules.children().into_iter().map(|child| (child, BTreeSet::new())).collect();
    for (at, owner) in &violations {
        if let Some(owner) = owner {
            broken.entry(owner.clone()).or_default().insert(night(*at));
        }
    }
    let kept = |nights: &BTreeSet<Date>| 7u32.saturating_sub(u32::try_from(nights.len()).unwrap_or(7));
    let bedtimes_kept = broken.iter().map(|(person, nights)| (person.clone(), kept(nights))).collect();
    let mut digest = Digest {
        from,
        to,
        bedtimes_kept,
        overrides,
        credits_earned,
        credits_redeemed,
        guests: u32::try_from(guests).unwrap_or(u32::MAX),
        violations: u32::try_from(violations.len()).unwrap_or(u32::MAX),
        text: String::new(),
    };
    digest.text = text(hub, &digest);
    Ok(digest)
}

fn text(hub: &Inner, digest: &Digest) -> String {
    let Digest { overrides, credits_earned: earned, credits_redeemed: redeemed, guests, violations, .. } =
        digest;
    let french = hub.rules.language() == Language::Fr;
    let kept = |(person, nights): (&String, &u32)| {
        let name = hub.rules.called(person);
        if french {
            format!("{name} : {nights} {} sur 7", if *nights > 1 { "couchers" } else { "coucher" })
        } else {
            format!("{name}: {nights} of 7 bedtimes kept")
        }
    };
    let mut lines: Vec<String> = digest.bedtimes_kept.iter().map(kept).collect();
    // In French, zero is singular, too.
    let count = |count: u32, en: &str, fr: &str| match (french, count) {
        (true, 0 | 1) => format!("{count} {fr}"),
        (true, _) => {
            format!("{count} {}", fr.split(' ').map(|word| format!("{word}s")).collect::<Vec<_>>().join(" "))
        }
        (false, 1) => format!("1 {en}"),
        (false, _) => format!("{count} {en}s"),
    };
    lines.push(if french {
        format!(
            "{}, {} ({})",
            count(*overrides, "", "exception"),
            count(*earned, "", "minute gagnée"),
            count(*redeemed, "", "utilisée")
        )
    } else {
        format!(
            "{}, {} earned ({redeemed} redeemed)",
            count(*overrides, "override", ""),
            count(*earned, "minute", "")
        )
    });
    let fresh = if *guests > 1 {
        format!("{guests} nouveaux appareils")
    } else {
        format!("{guests} nouvel appareil")
    };
    lines.push(if french {
        format!("{fresh}, {}", count(*violations, "", "tentative"))
    } else {
        format!("{}, {}", count(*guests, "new device", ""), count(*violations, "violation", ""))
    });
    lines.join("\n")
}
