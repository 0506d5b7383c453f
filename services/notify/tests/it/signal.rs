//! Signal over HTTP and over TCP: sent, confirmed, acknowledged, edited.

use serde_json::json;

use crate::house::{NOON, all, house, notice, say, until, with};
use crate::peers::signal::Daemon;

fn configs(daemon: &Daemon) -> [String; 2] {
    let rest = "account = \"+15550000\"\nrecipients = [\"+15550001\"]\n[notify.delivery]\nfirst-wait = \"50ms\"\nbreaker-open = \"100ms\"\n";
    [format!("http = \"http://{}\"\n{rest}", daemon.http), format!("tcp = \"{}\"\n{rest}", daemon.tcp)]
        .map(|config| format!("[notify.channel.signal.family]\n{config}"))
}

#[tokio::test]
async fn a_message_is_sent_confirmed_acknowledged_and_edited() {
    let daemon = Daemon::open().await;
    for config in configs(&daemon) {
        daemon.inner.sent.lock().unwrap().clear();
        let house = house(NOON, &config).await;
        let said = say(&house, with(notice("critical", "Wasser 💧"), json!({ "dedup_key": "k" }))).await;
        assert_eq!(said["channels"], json!(["family", "dashboard"]));
        let sent = daemon.wait(1).await;
        assert_eq!(
            (&sent[0]["recipient"], &sent[0]["textStyle"]),
            (&json!(["+15550001"]), &json!(["0:9:BOLD"]))
        );
        assert!(sent[0]["message"].as_str().unwrap().ends_with(&format!("[{}]", said["id"])));
        until(&house, &said["id"], "sent", |life| all(life, "family", "delivered")).await;
        let stamp = 1_631_458_508_001_u64;
        let from = |number: &str, rest: serde_json::Value| {
            with(json!({ "sourceNumber": number, "sourceName": "Ann" }), rest)
        };
        daemon
            .receive(from(
                "+15550001",
                json!({ "receiptMessage": { "isDelivery": true, "timestamps": [stamp] } }),
            ))
            .await;
        until(&house, &said["id"], "confirmed", |life| life["deliveries"][0]["confirmed"].is_string()).await;
        let ack = |number: &str| {
            from(number, json!({ "dataMessage": { "message": format!("ack {}", said["id"]) } }))
        };
        daemon.receive(ack("+15559999")).await;
        daemon.receive(from("+15550001", json!({ "dataMessage": { "reaction": { "emoji": "👍", "targetSentTimestamp": stamp, "isRemove": false } } }))).await;
        let life =
            until(&house, &said["id"], "acknowledged", |life| !life["acks"].as_array().unwrap().is_empty())
                .await;
        assert_eq!(
            (&life["acks"][0]["who"], &life["acks"][0]["channel"]),
            (&json!("Ann"), &json!("family")),
            "not the stranger"
        );
        assert_eq!(life["acks"].as_array().unwrap().len(), 1);
        let edited = daemon.wait(2).await;
        assert_eq!(edited[1]["editTimestamp"], json!(stamp), "the acknowledgement is shown in place");
        say(&house, with(notice("critical", "Wasser 💧"), json!({ "dedup_key": "k", "resolved": true })))
            .await;
        let edited = daemon.wait(3).await;
        assert_eq!(edited[2]["editTimestamp"], json!(stamp));
        assert!(edited[2]["message"].as_str().unwrap().starts_with("Resolved: Wasser"), "{edited:?}");
        house.stop().await;
    }
}

#[tokio::test]
async fn its_errors_have_their_consequences() {
    let daemon = Daemon::open().await;
    let [http, _] = configs(&daemon);
    for (code, state) in [(-3, "delivered"), (-4, "dead"), (-32602, "dead")] {
        let house = house(NOON, &http).await;
        daemon.fail(json!({ "code": code, "message": "m", "data": null }));
        let said = say(&house, notice("critical", "n")).await;
        until(&house, &said["id"], state, |life| all(life, "family", state)).await;
        house.stop().await;
    }
}
