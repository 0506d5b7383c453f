//! Why: the rule that decides, and what every other rule had to say.

use jiff::Timestamp;
use jiff::civil::Date;
use sanctum_api::screen::RuleSaid;
use sanctum_kernel::house::DeviceTier;

use super::decide::{Rule, Ruling, decide, signed, spent};
use super::frame::{Frame, in_force};
use super::ledger::{Deed, Ledger, Pass};
use super::night::NightKind;
use super::policy::{Policy, Subject, is_weekend};

/// The ruling and every rule: first the one that decides, then the others in their order. One that applies and is
/// not the first was beaten; one that does not apply says why it is silent.
pub fn explain(
    policy: &Policy,
    ledger: &Ledger,
    subject: &Subject,
    at: Timestamp,
) -> (Ruling, Vec<RuleSaid>) {
    let ruling = decide(policy, ledger, subject, at);
    let frame = Frame::of(policy, ledger, subject, at);
    let mut rules =
        vec![RuleSaid { rule: ruling.rule.word().to_owned(), says: ruling.because.clone(), applies: true }];
    if ruling.rule == Rule::Tier {
        return (ruling, rules);
    }
    let night = frame.night(at).map(|moved| moved.night.date);
    let all = [
        (Rule::Guest, guest(&frame, at)),
        (Rule::Override, Some(overrule(&frame, at))),
        (Rule::Homework, Some(homework(&frame, at))),
        (Rule::Limit, Some(limit(&frame, at))),
        (Rule::WindDown, wind_down(&frame, at)),
        (Rule::Night(NightKind::Holiday), night.map(|date| holiday(&frame, date))),
        (Rule::Night(NightKind::Weekend), night.map(|date| weekend(&frame, date))),
        (Rule::Night(NightKind::Weekday), Some((true, hours(&frame, NightKind::Weekday)))),
    ];
    for (rule, said) in all {
        if let Some((applies, says)) = said.filter(|_| rule != ruling.rule) {
            rules.push(RuleSaid { rule: rule.word().to_owned(), says, applies });
        }
    }
    (ruling, rules)
}

/// Whether a rule applies, and what it says.
type Said = (bool, String);

fn guest(frame: &Frame<'_>, at: Timestamp) -> Option<Said> {
    if frame.subject.tier != DeviceTier::Guest {
        return None;
    }
    Some(match frame.ledger.guests.get(&frame.subject.id) {
        Some(guest) if guest.pass == Pass::Approved => {
            let left = guest.expires.map(|end| format!(" until {}", wall(frame, end))).unwrap_or_default();
            (guest.expires.is_some_and(|end| end <= at), format!("approved{left}; the house's rules apply"))
        }
        _ => (false, "waits for approval; the house's rules apply".to_owned()),
    })
}

fn overrule(frame: &Frame<'_>, at: Timestamp) -> Said {
    if let Some((act, end)) = in_force(frame, at, false) {
        let what = if act.deed == Deed::Curfew { "curfew now" } else { "all clear" };
        return (true, format!("{what} until {}, by {}", wall(frame, end), signed(act)));
    }
    let moved = frame.night(at).and_then(|moved| Some((moved.lock, moved.pushed_by?)));
    match moved {
        Some((lock, act)) => {
            (true, format!("tonight's curfew begins at {}, by {}", wall(frame, lock), signed(act)))
        }
        None => (false, "none is in force".to_owned()),
    }
}

fn homework(frame: &Frame<'_>, at: Timestamp) -> Said {
    match in_force(frame, at, true) {
        Some((act, end)) => (true, format!("on until {}, by {}", wall(frame, end), signed(act))),
        None => (false, "it is off".to_owned()),
    }
}

fn limit(frame: &Frame<'_>, at: Timestamp) -> Said {
    match spent(frame, at) {
        Some((used, limit, whose)) => {
            (used >= limit, format!("{used} of {limit} minutes of {whose} used today"))
        }
        None => (false, "there is no daily limit".to_owned()),
    }
}

fn wind_down(frame: &Frame<'_>, at: Timestamp) -> Option<Said> {
    if frame.subject.tier == DeviceTier::Guest {
        return None;
    }
    let lock = frame.night(at)?.lock;
    let ends = lock.checked_sub(frame.policy.wind_down.streaming_off).ok()?;
    Some((ends <= at && at < lock, format!("streaming ends at {}", wall(frame, ends))))
}

fn holiday(frame: &Frame<'_>, night: Date) -> Said {
    let date = frame.policy.holiday_of(night);
    if frame.ledger.holidays.contains(&date) {
        (true, format!("{date} is a holiday: {}", hours(frame, NightKind::Holiday)))
    } else {
        (false, format!("{date} is not a holiday"))
    }
}

fn weekend(frame: &Frame<'_>, night: Date) -> Said {
    let day = night.strftime("%A");
    if is_weekend(night) {
        (true, format!("{day} night: {}", hours(frame, NightKind::Weekend)))
    } else {
        (false, format!("{day} night is not a weekend night"))
    }
}

/// What the schedule of this kind says.
fn hours(frame: &Frame<'_>, kind: NightKind) -> String {
    format!("curfew {}–{}", frame.subject.hours.bedtime(kind), frame.subject.hours.wake)
}

fn wall(frame: &Frame<'_>, at: Timestamp) -> String {
    at.to_zoned(frame.policy.tz.clone()).strftime("%a %H:%M").to_string()
}
