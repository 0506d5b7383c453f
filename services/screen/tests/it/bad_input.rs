//! What is wrong is named, with the field, the value and what is allowed; nothing is lost by it.

use sanctum_testkit::House;
use serde_json::{Value, json};

use crate::stubs::CATALOGUE;
use crate::world::{HOUSE, house};

#[tokio::test]
async fn a_refused_request_names_field_value_and_way_out() {
    let house = house("2026-11-18T15:00:00").start().await;
    let act = |action: Value| json!({ "action": action, "author": "mum" });
    let mut late = act(json!("curfew"));
    late["until"] = json!("2026-11-18T14:00:00Z");
    let mut stranger = act(json!("curfew"));
    stranger["target"] = json!("ps6");
    let cases = [
        (
            "/screen/override",
            act(json!({ "extend": { "minutes": -5 } })),
            "action.extend.minutes",
            "-5",
            "from 1",
        ),
        ("/screen/override", late, "until", "2026-11-18T14:00:00Z", "after now"),
        ("/screen/override", stranger, "target", "ps6", "`ava`, `mum`, `phone`, `tv`, `xbox`"),
        ("/screen/override", json!({ "action": "curfew", "author": " " }), "author", "", "letters"),
        ("/screen/homework", json!({ "person": "bob", "author": "mum" }), "person", "bob", "`ava`"),
        (
            "/screen/credit",
            json!({ "person": "ava", "preset": "sleep", "author": "mum" }),
            "preset",
            "sleep",
            "`chores`",
        ),
        (
            "/screen/credit",
            json!({ "person": "ava", "minutes": -30, "author": "mum" }),
            "minutes",
            "-30",
            "from 1 to 90",
        ),
        ("/screen/requests", json!({ "person": "ava", "minutes": 0 }), "minutes", "0", "from 1"),
        ("/screen/guest/approve", json!({ "device": "ghost", "author": "mum" }), "device", "ghost", "none"),
        ("/screen/holidays", json!({ "name": "school", "ics": "<html>" }), "ics", "<html>", "iCalendar"),
    ];
    for (path, body, field, value, allowed) in cases {
        let (code, problem) = house.send("screen", "POST", path, &body).await;
        assert_eq!(
            (code, problem["field"].as_str(), problem["value"].as_str()),
            (422, Some(field), Some(value)),
            "{problem}"
        );
        assert!(problem["allowed"].as_str().unwrap().contains(allowed), "{problem}");
    }
    let (code, problem) = house.get("screen", "/screen/explain?device=ps6").await;
    assert_eq!((code, problem["field"].as_str()), (422, Some("device")));
    let (code, problem) = house.get("screen", "/screen/explain?device=xbox&at=soon").await;
    assert_eq!((code, problem["field"].as_str()), (422, Some("at")));
    let (code, _) = house
        .send("screen", "POST", "/screen/requests/7/answer", &json!({ "approve": true, "author": "mum" }))
        .await;
    assert_eq!(code, 404);
    let broken = house.raw("screen", "POST", "/screen/override", &[], b"{".to_vec()).await;
    assert_eq!(broken.status, 400);
    house.stop().await;
}

#[tokio::test]
async fn a_wrong_section_is_refused_before_anything_starts() {
    let cases = [
        ("[screen.schedule]\nweekday = \"10:00\"", "no time at all"),
        ("[screen.schedule]\nweekday = \"10:30\"", "would last"),
        ("[screen.schedule]\nweekday = \"25:00\"", "25:00"),
        ("[screen.person.bob]\nweekday = \"20:00\"", "there is no person `bob`"),
        ("[screen.device.ps6]\nweekday = \"20:00\"", "there is no device `ps6`"),
        ("[screen.person.ava]\nwake = \"21:30\"", "no time at all"),
        ("[screen.limits.person]\nbob = \"2h\"", "there is no person `bob`"),
        ("[screen.credits]\ncap = \"20m\"", "below the preset"),
        ("[screen.wind-down]\nwarn = [\"0s\"]", "warning"),
        ("[screen.holidays]\ndates = [\"2026-13-01\"]", "2026-13-01"),
        ("[screen]\nbedtime = \"21:00\"", "bedtime"),
    ];
    for (section, complaint) in cases {
        let (_, why) =
            House::new(&CATALOGUE).config(&format!("{HOUSE}{section}\n")).try_start().await.unwrap_err();
        assert!(why.contains(complaint), "{section}: {why}");
    }
    let zone = HOUSE.replace("America/New_York", "America/New_Amsterdam");
    let (_, why) = House::new(&CATALOGUE).config(&zone).try_start().await.unwrap_err();
    assert!(why.contains("there is no time zone `America/New_Amsterdam`"), "{why}");
}

#[tokio::test]
async fn who_may_only_look_may_not_change() {
    let house = house("2026-11-18T15:00:00").start().await;
    let nobody = [("authorization", "Bearer nothing")];
    for (method, path) in [("GET", "/screen/status"), ("POST", "/screen/override"), ("GET", "/screen/events")]
    {
        assert_eq!(
            house.raw("screen", method, path, &nobody, Vec::new()).await.status,
            401,
            "{method} {path}"
        );
    }
    house.stop().await;
}
