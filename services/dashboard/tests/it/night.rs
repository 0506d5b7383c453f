//! A night as it could be: 02:47 in Paris, a console tried, and nobody woke up.

use jiff::{SignedDuration, Timestamp};
use sanctum_api::Moment;
use sanctum_api::firewall::{
    Block, BlockState, Device, Fingerprint, Happening, Kind, Resembles, Scope, Standing, Verdict,
};
use sanctum_api::notify::{Ack, Banner, Severity};
use sanctum_api::screen::{Ruling, Status, Stretch, Violation};
use sanctum_api::supervise::{Phase, ServiceState};
use sanctum_kernel::Applied;
use sanctum_kernel::house::DeviceTier;
use sanctum_kernel::trace::TraceId;

pub(crate) const CONFIG: &str = r#"
[house]
name = "Maple Street"
timezone = "Europe/Paris"
[person.ava]
role = "child"
name = "Ava"
[person.leo]
role = "child"
name = "Léo"
[person.claire]
role = "parent"
name = "Claire"
"#;

pub(crate) const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

pub(crate) fn trace() -> TraceId {
    TRACE.parse().unwrap()
}

/// 02:47:13 in Paris.
pub(crate) fn now() -> Timestamp {
    "2026-11-21T01:47:13Z".parse().unwrap()
}

pub(crate) fn at(text: &str) -> Timestamp {
    format!("2026-11-{text}+01:00").parse().unwrap()
}

pub(crate) fn device(id: &str, name: &str, kind: &str, owner: Option<&str>, tier: DeviceTier) -> Device {
    let last = u8::try_from(id.len()).unwrap();
    Device {
        id: id.into(),
        name: name.into(),
        macs: vec![format!("60:45:bd:12:34:{last:02x}").parse().unwrap()],
        addresses: vec![format!("192.168.1.{}", 20 + last).parse().unwrap()],
        owner: owner.map(str::to_owned),
        tier: Some(tier),
        standing: Standing::Known,
        vendor: Some(if kind == "tv" { "LG Electronics" } else { "Microsoft" }.into()),
        kind: Some(kind.into()),
        fingerprint: Fingerprint::default(),
        resembles: None,
        online: true,
        first_seen: None,
        last_seen: Some(now()),
        block: None,
        bytes: 0,
    }
}

pub(crate) fn blocked(mut device: Device, scope: Scope, verdict: Verdict, evidence: &str) -> Device {
    device.block = Some(BlockState {
        block: Block { scope, reason: "curfew".into(), until: Some(at("21T10:00:00")) },
        verdict,
        evidence: evidence.into(),
        since: at("20T21:30:00"),
        looked: now(),
    });
    device
}

pub(crate) fn xbox() -> Device {
    device("ava-xbox", "Ava's Xbox", "console", Some("ava"), DeviceTier::Gaming)
}

pub(crate) fn newcomer() -> Device {
    Device {
        owner: None,
        tier: None,
        vendor: None,
        standing: Standing::Quarantined,
        resembles: Some(Resembles {
            device: "leo-tablet".into(),
            score: 0.91,
            because: "host name, vendor class".into(),
        }),
        ..blocked(
            device("7a-11-9c-4e-02-d8", "iPad", "tablet", None, DeviceTier::Guest),
            Scope::All,
            Verdict::Applied,
            "it has not tried to get out",
        )
    }
}

pub(crate) fn devices() -> Vec<Device> {
    let away = Device {
        online: false,
        last_seen: Some(at("20T18:12:00")),
        ..device("claire-mac", "Claire's MacBook", "laptop", Some("claire"), DeviceTier::Exempt)
    };
    vec![
        blocked(xbox(), Scope::All, Verdict::Proven, "14 packets dropped, 0 passed"),
        blocked(
            device("tv", "Living-room TV", "tv", None, DeviceTier::Screen),
            Scope::Services(vec!["YouTube".into(), "Netflix".into()]),
            Verdict::Applied,
            "",
        ),
        device("leo-tablet", "Léo's tablet", "tablet", Some("leo"), DeviceTier::Personal),
        device("claire-phone", "Claire's phone", "phone", Some("claire"), DeviceTier::Exempt),
        away,
    ]
}

pub(crate) fn banner() -> Banner {
    Banner {
        id: 7,
        trace_id: trace(),
        severity: Severity::Error,
        source: "screen".into(),
        title: "Ava's Xbox tried to go online at 02:47".into(),
        message: "It was blocked before a packet left the house, and the block is proven. The curfew ends at 10:00; nothing needs doing tonight.".into(),
        count: 3,
        since: at("21T02:47:02"),
        acked: None,
        undelivered: false,
    }
}

pub(crate) fn read_banner() -> Banner {
    Banner {
        id: 5,
        trace_id: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".parse().unwrap(),
        severity: Severity::Info,
        source: "firewall".into(),
        title: "Claire's phone has a new address".into(),
        message: "It is recognised by what it shows of itself.".into(),
        count: 1,
        since: at("21T00:12:00"),
        acked: Some(Ack { who: "Claire".into(), channel: "phone".into(), at: at("21T00:15:00") }),
        undelivered: false,
    }
}

pub(crate) fn status(enforced: Applied) -> Status {
    let ruling = Ruling {
        device: "ava-xbox".into(),
        name: "Ava's Xbox".into(),
        owner: Some("ava".into()),
        tier: DeviceTier::Gaming,
        blocked: Some(Scope::All),
        because: "weekend curfew 21:30–10:00".into(),
        until: Some(at("21T10:00:00")),
    };
    Status {
        now: now(),
        tonight: "21:30–10:00, 12 h 30 min".into(),
        devices: vec![ruling],
        enforced,
        detail: None,
    }
}

pub(crate) fn schedule() -> Vec<Stretch> {
    let stretch =
        |device: &str, name: &str, from: &str, to: &str, blocked: Option<Scope>, because: &str| Stretch {
            device: device.into(),
            name: name.into(),
            from: at(from),
            to: at(to),
            blocked,
            because: because.into(),
        };
    let services = Some(Scope::Services(vec!["YouTube".into(), "Netflix".into()]));
    vec![
        stretch("ava-xbox", "Ava's Xbox", "20T20:00:00", "20T21:30:00", None, "no rule"),
        stretch("ava-xbox", "Ava's Xbox", "20T21:30:00", "21T10:00:00", Some(Scope::All), "weekend curfew"),
        stretch("leo-switch", "Léo's Switch", "20T20:00:00", "20T20:45:00", Some(Scope::All), "homework"),
        stretch(
            "leo-switch",
            "Léo's Switch",
            "20T21:30:00",
            "21T10:00:00",
            Some(Scope::All),
            "weekend curfew",
        ),
        stretch("tv", "Living-room TV", "20T23:00:00", "21T08:00:00", services, "screen rest"),
        stretch("leo-tablet", "Léo's tablet", "20T20:00:00", "21T10:30:00", None, "personal"),
    ]
}

pub(crate) fn violation() -> Violation {
    Violation {
        id: 3,
        at: at("21T02:47:02"),
        device: "ava-xbox".into(),
        name: "Ava's Xbox".into(),
        mac: None,
        owner: Some("ava".into()),
        rule: "weekend curfew 21:30–10:00".into(),
        action: "blocked".into(),
        verdict: Verdict::Proven,
        trace_id: trace(),
        notification: Some(7),
    }
}

pub(crate) fn services() -> Vec<ServiceState> {
    let state = |name: &str, house_name: &str, summary: &str, needs: &[&str]| ServiceState {
        name: name.into(),
        house_name: house_name.into(),
        summary: summary.into(),
        phase: Phase::Ready,
        pid: Some(4242),
        since: at("20T18:00:00"),
        ready_ms: Some(210),
        detail: None,
        restarts: 0,
        last_exit: None,
        live: true,
        ready: true,
        well: Some(sanctum_kernel::Status::Well),
        needs: needs.iter().map(|&need| need.to_owned()).collect(),
        address: None,
        locked: None,
        ours: true,
        kind: sanctum_kernel::inventory::Kind::Continuous,
        requires: Vec::new(),
        wants: Vec::new(),
        stale: false,
        next_run: None,
        last_run: None,
        seat: None,
    };
    vec![
        state("firewall", "sanctum-firewalla", "the bridge to the router", &[]),
        state("notify", "Force Flow", "tells people what happens, and knows whether they heard", &[]),
        state("screen", "Screen Time", "the family's rules", &["firewall", "notify"]),
        state("dashboard", "Command Center", "the house at a glance, on a page", &["notify"]),
        state("supervise", "Castellan", "keeps every service running", &[]),
    ]
}

pub(crate) fn joined() -> Happening {
    Happening {
        kind: Kind::Attempt,
        at: now(),
        trace_id: trace(),
        device: Some("ava-xbox".into()),
        mac: None,
        detail: "it tried, and everything was dropped".into(),
        verdict: Some(Verdict::Proven),
        noticed_by: Some("dhcp".into()),
    }
}

/// What each service knows of the story.
pub(crate) fn moments(service: &str) -> Vec<Moment> {
    let begin = at("21T02:47:02");
    let moment = |what: &str, ms: i64, detail: &str| Moment {
        at: begin + SignedDuration::from_millis(ms),
        service: service.into(),
        what: what.into(),
        detail: detail.into(),
        trace_id: trace(),
    };
    match service {
        "firewall" => vec![
            moment("joined", 0, "Ava's Xbox came onto the Wi-Fi (first DHCP packet)"),
            moment("blocked", 2, "both directions, IPv4 and IPv6"),
            moment("verified", 3, "read back from the router: 1 packet dropped, 0 passed"),
        ],
        "screen" => vec![moment("violation", 11, "against the weekend curfew 21:30–10:00")],
        "notify" => vec![
            moment("accepted", 14, "kept, for Claire's phone and the dashboard"),
            moment("delivered", 48, "Claire's phone has it, silently"),
        ],
        _ => Vec::new(),
    }
}
