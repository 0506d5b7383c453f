//! `GET /health`, as services of this house answer it.

use sanctum_probe::Finding::{Drift, Fail, Pass};

use super::expect;
use super::peer::{answered, says};

fn health(status: &str, ready: bool, parts: &str) -> String {
    answered(
        if status == "unwell" { 503 } else { 200 },
        &format!(
            "{{\"service\":\"notify\",\"house_name\":\"Force Flow\",\"version\":\"0.1.0\",\"status\":\"{status}\",\
             \"ready\":{ready},\"since\":\"2026-01-01T00:00:00Z\",\"parts\":{{{parts}}}}}"
        ),
    )
}

#[tokio::test]
async fn well_degraded_and_unwell_are_three_things() {
    let slow = "\"disk\":{\"status\":\"degraded\",\"detail\":\"91 % full\"},\"a\":{\"status\":\"well\",\"detail\":\"good\"}";
    let dead = "\"disk\":{\"status\":\"degraded\",\"detail\":\"91 % full\"},\"db\":{\"status\":\"unwell\",\"detail\":\"gone\"}";
    for (said, finding, words) in [
        (health("well", true, ""), Pass, "well"),
        (health("degraded", true, slow), Drift, "disk: 91 % full"),
        (health("unwell", true, dead), Fail, "db: gone; disk: 91 % full"),
        (health("well", false, ""), Fail, "not ready yet"),
        (answered(200, "{\"status\":\"ok\"}"), Fail, "answered 200 and no health"),
        (answered(404, ""), Fail, "answered 404 and no health"),
    ] {
        let peer = says(said).await;
        expect(&format!("timeout = \"1s\"\nhealth = {{ address = \"{}\" }}", peer.addr), finding, words)
            .await;
    }
}
