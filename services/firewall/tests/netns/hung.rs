//! An `nft` that hangs stops nothing but itself.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use sanctum_api::firewall::Verdict;
use sanctum_kernel::files;
use sanctum_testkit::eventually;
use serde_json::json;

use crate::lab::{Lab, XBOX, client, curfew, desire, house, until};

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_hung_nft_is_stopped_said_and_tried_again() {
    let lab = Arc::new(Lab::up());
    lab.address("xb", XBOX, 50);
    let inner = Arc::clone(&lab);
    lab.on_router(move || async move {
        let lab = inner;
        let dir = tempfile::tempdir().unwrap();
        let (nft, hang) = (dir.path().join("nft"), dir.path().join("hang"));
        let script = format!("#!/bin/sh\n[ -e {} ] && sleep 1000\nexec nft \"$@\"\n", hang.display());
        files::replace(&nft, script.as_bytes(), 0o755).unwrap();
        files::replace(&hang, b"", 0o600).unwrap();
        let config = format!(
            "reconcile = \"500ms\"\n[firewall.nftables]\nnft = \"{}\"\npatience = \"300ms\"",
            nft.display()
        );
        // It starts all the same: what the kernel holds may still be whole.
        let house = house(&config).start().await;
        desire(&house, json!({ "xbox": curfew() }), "allow").await;
        let state = client(&house).device("xbox").await.unwrap().block.unwrap();
        assert_eq!(state.verdict, Verdict::Missing, "what was read back counts: {}", state.evidence);
        let health = eventually("that it is said", SOON, async || {
            let health = house.get("firewall", "/health").await.1;
            health["parts"]["router"]["detail"]
                .as_str()
                .unwrap_or_default()
                .contains("had not ended")
                .then_some(health)
        });
        assert_eq!(health.await["parts"]["router"]["status"], "unwell");
        assert!(client(&house).router().await.unwrap().drift.unwrap().contains("was stopped"));
        assert!(lab.pings("xb", "203.0.113.2"), "nothing was loaded yet");
        fs::remove_file(&hang).unwrap();
        let applied = |verdict| matches!(verdict, Verdict::Applied | Verdict::Proven);
        until(&house, "xbox", "the block", |device| applied(device.block.as_ref().unwrap().verdict)).await;
        assert!(!lab.pings("xb", "203.0.113.2"));
        // Loaded once, blocks need no nft: the hot path goes on while it hangs.
        files::replace(&hang, b"", 0o600).unwrap();
        desire(&house, json!({}), "allow").await;
        assert!(lab.pings("xb", "203.0.113.2"));
        desire(&house, json!({ "xbox": curfew() }), "allow").await;
        assert!(!lab.pings("xb", "203.0.113.2"));
        let state = client(&house).device("xbox").await.unwrap().block.unwrap();
        assert!(applied(state.verdict), "{}", state.evidence);
        house.stop().await;
    });
}

#[test]
fn a_service_nobody_knows_is_refused_by_name() {
    let lab = Arc::new(Lab::up());
    lab.on_router(|| async {
        let house = house("").start().await;
        let block = json!({ "scope": { "services": ["youtube", "valheim"] }, "reason": "homework" });
        let body = json!({ "version": 1, "blocks": { "xbox": block }, "newcomers": "allow" });
        let (status, problem) = house.send("firewall", "PUT", "/desired", &body).await;
        let says = |field: &str| problem[field].as_str().unwrap_or_default().to_owned();
        assert_eq!((status, says("field").as_str()), (422, "blocks.xbox.scope.services"), "{problem}");
        assert_eq!(says("value"), "valheim");
        assert!(
            says("allowed").contains("youtube") && says("hint").contains("[firewall.services]"),
            "{problem}"
        );
        assert_eq!(house.get("firewall", "/desired").await.1["version"], 0);
        house.stop().await;
    });
}
