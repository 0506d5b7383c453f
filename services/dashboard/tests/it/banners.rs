//! Buttons that act: each reaches the service behind it with what a person meant.

use serde_json::json;

use crate::house::Night;
use crate::night;

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_is_approved_as_itself_or_as_the_device_it_is() {
    let night = Night::calm().await;
    let id = night::newcomer().id;
    night.answer("firewall", &format!("PUT /devices/{id}"), &night::newcomer()).await;
    let mut devices = night::devices();
    devices.push(night::newcomer());
    night.answer("firewall", "GET /devices", &devices).await;
    let page = crate::house::text(&night.page("/").await);
    assert!(page.contains("Looks like Léo's tablet — 91 % sure: the same host name, vendor class"), "{page}");

    let path = format!("/devices/{id}/approve");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = night.house.raw("dashboard", "POST", &path, &form, b"same_as=leo-tablet".to_vec()).await;
    assert_eq!(answer.status, 204);
    assert_eq!(night.house.raw("dashboard", "POST", &path, &form, b"what=ever".to_vec()).await.status, 422);
    assert_eq!(night.house.raw("dashboard", "POST", &path, &[], Vec::new()).await.status, 204);
    let asked = night.asked("firewall", &format!("PUT /devices/{id}")).await;
    let said: Vec<_> = asked.iter().map(|naming| (&naming["approved"], &naming["same_as"])).collect();
    assert_eq!(said, [(&json!(true), &json!("leo-tablet")), (&json!(true), &json!(null))]);
    night.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_service_is_let_try_again() {
    let night = Night::calm().await;
    night.answer("supervise", "POST /services/notify/unlock", &night::services()[1]).await;
    let (status, _) = night.house.send("dashboard", "POST", "/services/notify/unlock", &json!(null)).await;
    assert_eq!(status, 204);
    assert_eq!(night.asked("supervise", "POST /services/notify/unlock").await.len(), 1);
    night.house.stop().await;
}
