//! The ruling for one device at one moment, and when it changes.

use jiff::{SignedDuration, Timestamp};
use sanctum_api::firewall::Scope;
use sanctum_kernel::house::DeviceTier;

use super::frame::{Frame, Moved, given, given_since, in_force};
use super::ledger::{Act, Deed, Ledger, Pass};
use super::night::NightKind;
use super::policy::{Policy, Subject};

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    Tier,
    Guest,
    Override,
    Homework,
    Limit,
    /// Streaming ends before everything does.
    WindDown,
    Night(NightKind),
}

impl Rule {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tier => "tier",
            Self::Guest => "guest",
            Self::Override => "override",
            Self::Homework => "homework",
            Self::Limit => "limit",
            Self::WindDown => "wind-down",
            Self::Night(kind) => kind.word(),
        }
    }

    /// Whether a block of this rule is bedtime rather than a pause in the day.
    pub const fn is_night(self) -> bool {
        matches!(self, Self::Night(_))
    }
}

/// What the rules say of a device: constant from one change to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    pub rule: Rule,
    /// What is cut off; `None` is allowed.
    pub blocked: Option<Scope>,
    /// For people.
    pub because: String,
    /// When the ruling next changes.
    pub until: Option<Timestamp>,
}

/// A piece of a device's timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    pub from: Timestamp,
    pub to: Timestamp,
    pub ruling: Ruling,
}

/// Longer than this, nobody asks: fifteen frames are a month.
const FRAMES: usize = 15;

/// The ruling at `now`.
pub fn decide(policy: &Policy, ledger: &Ledger, subject: &Subject, now: Timestamp) -> Ruling {
    let frame = Frame::of(policy, ledger, subject, now);
    let mut ruling = judge(&frame, now);
    ruling.until = change_after(&frame, &ruling, now);
    ruling
}

/// The first instant after `now` at which the ruling is another one; `None` if that is a month away or never.
pub fn next_change(policy: &Policy, ledger: &Ledger, subject: &Subject, now: Timestamp) -> Option<Timestamp> {
    decide(policy, ledger, subject, now).until
}

/// The first instant from `now` on at which nothing is cut off; the end of a block that nobody renews.
pub fn allowed_from(
    policy: &Policy,
    ledger: &Ledger,
    subject: &Subject,
    now: Timestamp,
) -> Option<Timestamp> {
    let mut at = now;
    for _ in 0..FRAMES {
        let ruling = decide(policy, ledger, subject, at);
        if ruling.blocked.is_none() {
            return Some(at);
        }
        at = ruling.until?;
    }
    None
}

/// The next bedtime after `now` within `horizon`: the first change into a block by the night's own rule.
pub fn next_lock(
    policy: &Policy,
    ledger: &Ledger,
    subject: &Subject,
    now: Timestamp,
    horizon: SignedDuration,
) -> Option<Timestamp> {
    let mut ruling = decide(policy, ledger, subject, now);
    loop {
        let at = ruling.until.filter(|at| at.duration_since(now) <= horizon)?;
        let next = decide(policy, ledger, subject, at);
        let locks = |ruling: &Ruling| ruling.rule.is_night() && ruling.blocked.is_some();
        if locks(&next) && !locks(&ruling) {
            return Some(at);
        }
        ruling = next;
    }
}

/// The rulings from `from` to `to`, one after the other.
pub fn timeline(
    policy: &Policy,
    ledger: &Ledger,
    subject: &Subject,
    from: Timestamp,
    to: Timestamp,
) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut at = from;
    while at < to {
        let ruling = decide(policy, ledger, subject, at);
        let end = ruling.until.filter(|until| *until < to).unwrap_or(to);
        stretches.push(Stretch { from: at, to: end, ruling });
        at = end;
    }
    stretches
}

/// Whether strangers are in a curfew at `now`, and when that changes.
pub fn newcomers(policy: &Policy, ledger: &Ledger, now: Timestamp) -> (bool, Option<Timestamp>) {
    let ruling = decide(policy, ledger, &policy.newcomer(), now);
    (ruling.blocked.is_some(), ruling.until)
}

fn change_after(frame: &Frame<'_>, ruling: &Ruling, now: Timestamp) -> Option<Timestamp> {
    let same = |other: &Ruling| other.blocked == ruling.blocked && other.because == ruling.because;
    let differs = |frame: &Frame<'_>, from: Timestamp, to: Timestamp| {
        let edges = frame.edges();
        edges.into_iter().find(|edge| from < *edge && *edge <= to && !same(&judge(frame, *edge)))
    };
    let mut reached = now.checked_add(Frame::REACH).ok()?;
    if let Some(change) = differs(frame, now, reached) {
        return Some(change);
    }
    if ruling.rule == Rule::Tier {
        return None;
    }
    for _ in 1..FRAMES {
        let frame = Frame::of(frame.policy, frame.ledger, frame.subject, reached);
        let next = reached.checked_add(Frame::REACH).ok()?;
        if let Some(change) = differs(&frame, reached, next) {
            return Some(change);
        }
        reached = next;
    }
    None
}

/// The ruling at `at`, which the frame must reach; its `until` is left open.
pub(super) fn judge(frame: &Frame<'_>, at: Timestamp) -> Ruling {
    by_tier(frame)
        .or_else(|| by_pass(frame, at))
        .or_else(|| by_override(frame, at))
        .or_else(|| by_homework(frame, at))
        .or_else(|| by_limit(frame, at))
        .unwrap_or_else(|| by_night(frame, at))
}

fn ruling(rule: Rule, blocked: Option<Scope>, because: impl Into<String>) -> Ruling {
    // A list of services that a family has emptied cuts nothing off.
    let blocked = blocked.filter(|scope| !matches!(scope, Scope::Services(names) if names.is_empty()));
    Ruling { rule, blocked, because: because.into(), until: None }
}

fn by_tier(frame: &Frame<'_>) -> Option<Ruling> {
    let because = match frame.subject.tier {
        DeviceTier::Personal => "a personal device: its own controls decide",
        DeviceTier::Exempt => "exempt: no rule applies",
        _ => return None,
    };
    Some(ruling(Rule::Tier, None, because))
}

fn by_pass(frame: &Frame<'_>, at: Timestamp) -> Option<Ruling> {
    let guest =
        frame.ledger.guests.get(&frame.subject.id).filter(|_| frame.subject.tier == DeviceTier::Guest)?;
    let over = guest.expires.is_some_and(|expires| expires <= at);
    match guest.pass {
        Pass::Resident => Some(ruling(Rule::Guest, None, "part of the house: no rule applies")),
        Pass::Refused => Some(ruling(Rule::Guest, Some(Scope::All), "a parent refused this guest")),
        Pass::Approved if over => Some(ruling(Rule::Guest, Some(Scope::All), "the guest's pass is over")),
        Pass::Approved | Pass::Waiting => None,
    }
}

fn by_override(frame: &Frame<'_>, at: Timestamp) -> Option<Ruling> {
    let (act, _) = in_force(frame, at, false)?;
    // Minutes that were given after a curfew was called open it too: the later word counts.
    let given = (act.deed == Deed::Curfew).then(|| given_since(frame, act.from, at)).flatten();
    if let Some(given) = given {
        return Some(ruling(Rule::Override, None, gift(given, "during the curfew")));
    }
    Some(match act.deed {
        Deed::Curfew => ruling(
            Rule::Override,
            Some(everything(frame)),
            format!("override: curfew now, by {}", signed(act)),
        ),
        _ => ruling(Rule::Override, None, format!("override: all clear, by {}", signed(act))),
    })
}

fn by_homework(frame: &Frame<'_>, at: Timestamp) -> Option<Ruling> {
    if frame.subject.tier == DeviceTier::Guest {
        return None;
    }
    let (act, _) = in_force(frame, at, true)?;
    let scope = match frame.subject.tier {
        DeviceTier::Gaming => Scope::All,
        _ => Scope::Services(frame.policy.homework_services.clone()),
    };
    Some(ruling(Rule::Homework, Some(scope), format!("homework, by {}", signed(act))))
}

fn by_limit(frame: &Frame<'_>, at: Timestamp) -> Option<Ruling> {
    let (used, limit, whose) = spent(frame, at)?;
    (used >= limit).then(|| {
        ruling(
            Rule::Limit,
            Some(everything(frame)),
            format!("today's {limit} minutes of {whose} are used up"),
        )
    })
}

/// Minutes used and allowed today of the limit that is nearest to its end, and whose they are.
pub(super) fn spent(frame: &Frame<'_>, at: Timestamp) -> Option<(u32, u32, String)> {
    let (policy, ledger, subject) = (frame.policy, frame.ledger, frame.subject);
    let day = policy.tz.to_datetime(at).date();
    let used = |minutes: Option<&u32>| minutes.copied().unwrap_or(0);
    let device = subject.limit.map(|limit| {
        (used(ledger.device_minutes.get(&(subject.id.clone(), day))), limit, subject.name.clone())
    });
    let person = subject.owner.as_ref().and_then(|owner| {
        let limit = *policy.person_limits.get(owner)?;
        Some((used(ledger.person_minutes.get(&(owner.clone(), day))), limit, owner.clone()))
    });
    let more = given(frame, day);
    let both = device
        .into_iter()
        .chain(person)
        .map(|(used, limit, whose)| (used, limit.saturating_add(more), whose));
    both.min_by_key(|(used, limit, _)| limit.saturating_sub(*used))
}

fn by_night(frame: &Frame<'_>, at: Timestamp) -> Ruling {
    let Some(moved) = frame.night(at) else {
        return ruling(Rule::Tier, None, "no night is in sight");
    };
    let rule = Rule::Night(moved.night.kind);
    if let Some((_, _, act)) = moved.opens.iter().rev().find(|(from, to, _)| *from <= at && at < *to) {
        return ruling(Rule::Override, None, gift(act, "during the curfew"));
    }
    if moved.lock <= at {
        return ruling(rule, Some(everything(frame)), title(moved, frame));
    }
    let streaming_ends = moved.lock.checked_sub(frame.policy.wind_down.streaming_off).unwrap_or(moved.lock);
    if streaming_ends <= at && frame.subject.tier != DeviceTier::Guest && moved.lock < moved.night.unlock {
        let scope = Scope::Services(frame.policy.wind_down.streaming.clone());
        return ruling(
            Rule::WindDown,
            Some(scope),
            format!("wind-down: streaming is off before the {}", title(moved, frame)),
        );
    }
    match moved.pushed_by.filter(|_| moved.night.lock <= at) {
        Some(act) => ruling(Rule::Override, None, gift(act, "tonight")),
        None => ruling(rule, None, format!("the {} has not begun", title(moved, frame))),
    }
}

/// What a full curfew takes from the device.
pub(super) fn everything(frame: &Frame<'_>) -> Scope {
    match frame.subject.tier {
        DeviceTier::Screen => Scope::Services(frame.policy.screen_services.clone()),
        _ => Scope::All,
    }
}

/// Such as `weekday curfew 21:30–10:00, moved to 22:00`.
pub(super) fn title(moved: &Moved<'_>, frame: &Frame<'_>) -> String {
    if moved.lock == moved.night.lock {
        return moved.night.title();
    }
    let to = moved.lock.to_zoned(frame.policy.tz.clone());
    format!("{}, moved to {}", moved.night.title(), to.strftime("%H:%M"))
}

pub(super) fn signed(act: &Act) -> String {
    if act.reason.is_empty() { act.author.clone() } else { format!("{}: {}", act.author, act.reason) }
}

fn gift(act: &Act, when: &str) -> String {
    let minutes = act.deed.minutes().unwrap_or(0);
    match act.deed {
        Deed::Credit { .. } => format!("credit: {minutes} minutes redeemed {when}, by {}", signed(act)),
        _ => format!("override: +{minutes} min {when}, by {}", signed(act)),
    }
}
