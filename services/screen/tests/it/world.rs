//! A house in New York with a child, a console, a TV and a phone, at a moment of the test's choosing.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sanctum_api::firewall::{Desired, Device, Happening, Kind, Standing, Verdict};
use sanctum_kernel::trace::TraceId;
use sanctum_kernel::{Clock, Mac, Trace};
use sanctum_testkit::{House, Stopped, eventually};
use serde_json::Value;

use crate::stubs::{self, CATALOGUE};

pub(crate) const HOUSE: &str = r#"
[house]
timezone = "America/New_York"

[person.mum]
role = "parent"

[person.ava]
role = "child"
name = "Ava"

[device.xbox]
mac = ["60:45:bd:00:00:01"]
owner = "ava"
tier = "gaming"

[device.tv]
mac = ["60:45:bd:00:00:02"]
tier = "screen"

[device.phone]
mac = ["60:45:bd:00:00:03"]
owner = "ava"
tier = "personal"
"#;

pub(crate) const SOON: Duration = Duration::from_secs(15);

/// `2026-11-18 21:29:58`, in New York.
pub(crate) fn at(text: &str) -> Timestamp {
    let civil: jiff::civil::DateTime = text.parse().unwrap();
    civil.in_tz("America/New_York").unwrap().timestamp()
}

pub(crate) fn house(when: &str) -> Stopped {
    House::new(&CATALOGUE).config(HOUSE).clock(Clock::starting_at(at(when)))
}

pub(crate) fn desired(home: &Path) -> Desired {
    stubs::wall(home).lock().unwrap().desired.clone()
}

/// Waits until the firewall's intended state is as `wish` says.
pub(crate) async fn until_desired(home: &Path, what: &str, wish: impl Fn(&Desired) -> bool) -> Desired {
    let state = stubs::wall(home);
    eventually(what, SOON, async || {
        let desired = state.lock().unwrap().desired.clone();
        wish(&desired).then_some(desired)
    })
    .await
}

/// Waits until a path of screen answers as `wish` says.
pub(crate) async fn until_screen(
    house: &House,
    path: &str,
    what: &str,
    wish: impl Fn(&Value) -> bool,
) -> Value {
    eventually(what, SOON, async || {
        let (code, body) = house.get("screen", path).await;
        (code == 200 && wish(&body)).then_some(body)
    })
    .await
}

pub(crate) fn happening(kind: Kind, device: &str, at: Timestamp, trace: TraceId) -> Happening {
    Happening {
        kind,
        at,
        trace_id: trace,
        device: Some(device.to_owned()),
        mac: Some(Mac([0x60, 0x45, 0xbd, 0, 0, 1])),
        detail: "it came".to_owned(),
        verdict: (kind == Kind::Attempt).then_some(Verdict::Proven),
        noticed_by: Some("dhcp".to_owned()),
    }
}

pub(crate) fn trace() -> TraceId {
    Trace::start().id()
}

pub(crate) fn device(id: &str, standing: Standing) -> Device {
    Device {
        id: id.to_owned(),
        name: id.to_owned(),
        macs: Vec::new(),
        addresses: Vec::new(),
        owner: None,
        tier: None,
        standing,
        vendor: None,
        kind: None,
        fingerprint: sanctum_api::firewall::Fingerprint::default(),
        resembles: None,
        online: true,
        first_seen: None,
        last_seen: None,
        block: None,
        bytes: 0,
    }
}
