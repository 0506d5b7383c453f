//! A trouble to draw: the tunnel is down, and two services with it.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sanctum_api::watch::{Entry, Incident, Link, Stage, State, Tried, Why};

use crate::cli::Wall;
use crate::paint::Paint;

fn at(clock: &str) -> Timestamp {
    format!("2020-02-03T{clock}Z").parse().unwrap()
}

/// What a drawing prints, without colours, in UTC.
pub(crate) fn drawn(draw: impl FnOnce(&mut dyn Write, Paint, &Wall) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    draw(&mut out, Paint::plain(), &Wall::in_zone(TimeZone::UTC)).unwrap();
    String::from_utf8(out).unwrap()
}

/// All of these are in it.
pub(crate) fn has(drawn: &str, parts: &[&str]) {
    for part in parts {
        assert!(drawn.contains(part), "`{part}` is not in:\n{drawn}");
    }
    assert!(!drawn.contains('\u{1b}'), "no colours where there is no terminal: {drawn}");
}

pub(crate) fn incident() -> Incident {
    let tried = |clock: &str, action: &str, rehearsal, helped| Tried {
        at: at(clock),
        action: action.into(),
        rehearsal,
        helped,
        detail: "process 812 is process 977 now".into(),
        undo: None,
    };
    let entry = |clock: &str, what: &str, detail: &str| Entry { at: at(clock), what: what.into(), detail: detail.into() };
    Incident {
        id: 12,
        root: "tunnel".into(),
        fingerprint: "tunnel/port/connection refused".into(),
        title: "tunnel has failed: connection refused".into(),
        stage: Stage::Escalated,
        state: State::Blocked,
        symptoms: vec!["home-assistant".into(), "doorbell".into()],
        began: at("02:46:58"),
        detected: at("02:47:01"),
        resolved: None,
        tried: vec![tried("02:47:02", "restart tunnel", false, Some(false)), tried("02:48:10", "recipe lost-route", true, None)],
        advice: Some("look at the modem: `sanctum sentinels` says the internet is gone".into()),
        memory: Some("3rd time this month; restart fixed it in 41 s last time".into()),
        timeline: vec![
            entry("02:46:58", "seen", "connection refused"),
            entry("02:47:01", "believed", "3 of 3 answers were bad"),
            entry("02:47:02", "tried", "restart tunnel"),
            entry("02:49:30", "told", "a person was asked"),
        ],
    }
}

pub(crate) fn over() -> Incident {
    Incident { id: 11, stage: Stage::Resolved, state: State::Healthy, resolved: Some(at("02:48:00")), title: "proxy is slow".into(), tried: Vec::new(), ..incident() }
}

pub(crate) fn why() -> Why {
    let link = |service: &str, state, evidence: &str| Link { service: service.into(), state, since: at("02:47:01"), evidence: vec![evidence.into()] };
    Why {
        service: "doorbell".into(),
        state: State::Failed,
        chain: vec![
            link("doorbell", State::Failed, "web: answered 502"),
            link("home-assistant", State::Failed, "web: no answer within 10 s"),
            link("tunnel", State::Blocked, "port: connection refused"),
        ],
        sentence: "doorbell has failed because home-assistant needs tunnel, which has failed for 3 min: connection refused.".into(),
        incident: Some(incident()),
    }
}
