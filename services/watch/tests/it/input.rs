//! Wrong input, named: and changes of the file, taken in stride.

use sanctum_api::watch::State;
use serde_json::json;

use crate::world::{Mood, QUICK, Target, all_well, client, declared, is, new};

#[tokio::test]
async fn what_is_wrong_is_named() {
    let house = new("").start().await;
    let cases = [
        ("GET", "/why/nobody", json!(null), 404, "nobody"),
        ("GET", "/incidents/77", json!(null), 404, "77"),
        ("GET", "/incidents?days=0", json!(null), 422, "3660"),
        ("PUT", "/holds/nobody", json!({ "length": "1h" }), 404, "services are"),
        ("PUT", "/holds/all", json!({ "length": "0s" }), 422, "length"),
        ("PUT", "/holds/all", json!({ "length": "1h", "until": 3 }), 422, "until"),
        ("PUT", "/attention", json!({ "word": " ", "length": "1h" }), 422, "word"),
        ("POST", "/incidents/77/again", json!(null), 404, "77"),
        ("POST", "/nodes/nobody/check", json!(null), 404, "nobody"),
        ("POST", "/audit/77/undo", json!(null), 404, "77"),
        ("POST", "/classify", json!({ "text": "" }), 422, "text"),
        ("GET", "/trace/xyz", json!(null), 422, "hexadecimal"),
    ];
    for (method, path, body, code, says) in cases {
        let (status, problem) = house.send("watch", method, path, &body).await;
        assert!(status == code && problem.to_string().contains(says), "{method} {path}: {status} {problem}");
    }
    house.stop().await;
}

#[tokio::test]
async fn a_change_of_the_file_keeps_what_is_known() {
    let (first, second) = (Target::new(Mood::Well), Target::new(Mood::Sick));
    let app = declared("app", &[], &first.url(), "");
    let mut house = new(&app).start().await;
    all_well(&house).await;
    let before = is(&house, "app", State::Healthy).await;
    house.reconfigure(&format!("{QUICK}\n{}{app}", declared("aaa", &[], &second.url(), ""))).await;
    is(&house, "aaa", State::Failed).await;
    let after = is(&house, "app", State::Healthy).await;
    let apart = after.since.duration_since(before.since).abs();
    assert!(
        apart < jiff::SignedDuration::from_secs(1),
        "it is the same health as before: {before:?} {after:?}"
    );
    house.reconfigure(&format!("{QUICK}\n{app}")).await;
    sanctum_testkit::eventually("the other to be gone", crate::world::SOON, async || {
        let body = client(&house).body().await.ok()?;
        (body.nodes.iter().all(|node| node.name != "aaa") && body.incidents.is_empty()).then_some(())
    })
    .await;
    house.stop().await;
}

#[tokio::test]
async fn a_section_that_makes_no_sense_is_refused_with_its_place() {
    let stopped = new("[watch.blindness]\ngap = \"1s\"\noutside = [\"a\", \"\", \"c\"]\n");
    let (_, why) = stopped.try_start().await.expect_err("it makes no sense");
    for part in ["gap", "at least `2s`", "an address is empty", "two addresses"] {
        assert!(why.contains(part), "{part}: {why}");
    }
}
