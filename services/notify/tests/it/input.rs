//! Bad input names the field and what is allowed, and nothing is stored; good input comes in several shapes.

use serde_json::{Value, json};

use crate::house::{NOON, house, life, notice, with};

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_stored() {
    let house = house(NOON, "").await;
    let long = "x".repeat(1024 * 1024);
    let without = |field: &str| {
        let mut notice = notice("error", "t");
        notice.as_object_mut().unwrap().remove(field);
        notice
    };
    let cases = [
        (422, "severity", "`critical`", with(notice("error", "t"), json!({ "severity": "bad" }))),
        (422, "severity", "`critical`", without("severity")),
        (422, "source", "needed", without("source")),
        (422, "title", "needed", without("title")),
        (422, "message", "needed", without("message")),
        (413, "message", "65536", with(notice("error", "t"), json!({ "message": long }))),
        (413, "message", "65536", with(notice("error", "t"), json!({ "message": "y".repeat(70_000) }))),
        (422, "title", "not empty", with(notice("error", "t"), json!({ "title": "  " }))),
        (
            422,
            "force_channels",
            "`dashboard`",
            with(notice("error", "t"), json!({ "force_channels": ["nowhere"] })),
        ),
        (422, "colour", "`source`", with(notice("error", "t"), json!({ "colour": "red" }))),
        (422, "dedup_key", "resolved", with(notice("error", "t"), json!({ "resolved": true }))),
        (422, "labels.a", "string", with(notice("error", "t"), json!({ "labels": { "a": 7 } }))),
    ];
    for (status, field, allowed, body) in cases {
        let (seen, problem) = house.send("notify", "POST", "/notify", &body).await;
        assert_eq!((seen, &problem["field"]), (status, &json!(field)), "{problem}");
        let words = format!("{} {}", problem["allowed"], problem["detail"]);
        assert!(words.contains(allowed), "{problem}");
        assert!(problem["type"].as_str().unwrap().starts_with("urn:sanctum:"));
    }
    let raw: [(&str, &[u8]); 4] = [
        ("application/json", b"{\"source\":\"\xff\xfe\"}"),
        ("text/plain", b"caf\xe9"),
        ("application/json", b"{\"source\":"),
        ("application/json", b""),
    ];
    for (kind, body) in raw {
        let answer = house.raw("notify", "POST", "/notify", &[("content-type", kind)], body.to_vec()).await;
        let problem: Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(answer.status == 400 || answer.status == 422, "{problem}");
        assert!(problem["field"].is_string() || problem["detail"].is_string(), "{problem}");
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    let (_, page) = house.get("notify", "/history").await;
    assert_eq!(page["notifications"], json!([]), "nothing is stored");
    house.stop().await;
}

#[tokio::test]
async fn wrong_questions_are_named_too() {
    let house = house(NOON, "").await;
    let asks = [
        ("/history?limit=0", "limit"),
        ("/history?severity=x", "severity"),
        ("/explain?at=25:00", "at"),
        ("/trace/xyz", "id"),
        ("/notifications/x", "id"),
    ];
    for (path, field) in asks {
        let (status, problem) = house.get("notify", path).await;
        assert_eq!((status, &problem["field"]), (422, &json!(field)), "{problem}");
    }
    let (status, problem) = house.send("notify", "POST", "/channels/nowhere/test", &Value::Null).await;
    assert_eq!((status, &problem["allowed"]), (404, &json!("`dashboard`")));
    let anonymous =
        house.raw("notify", "POST", "/notify", &[("authorization", "Bearer wrong")], b"x".to_vec()).await;
    assert_eq!(anonymous.status, 401);
    house.stop().await;
}

/// Content type, headers, body; and the source, severity, title and message it becomes.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, [&'a str; 4]);

#[tokio::test]
async fn curl_needs_one_line() {
    let house = house(NOON, "").await;
    let form = "application/x-www-form-urlencoded";
    let cases: &[Case<'_>] = &[
        (form, &[], "Backup done", ["cli", "info", "Backup done", "Backup done"]),
        (
            form,
            &[("title", "Backup"), ("priority", "high"), ("tags", "disk")],
            "failed: 50% = bad & ugly",
            ["cli", "error", "Backup", "failed: 50% = bad & ugly"],
        ),
        (
            form,
            &[],
            "title=Caf%C3%A9+open&message=now&severity=warn&source=bar&label.room=caf%C3%A9",
            ["bar", "warn", "Café open", "now"],
        ),
        ("text/plain", &[("priority", "5")], "Fire", ["cli", "critical", "Fire", "Fire"]),
        (
            form,
            &[],
            r#"{"source":"j","severity":"error","title":"T","message":"M"}"#,
            ["j", "error", "T", "M"],
        ),
    ];
    for (kind, headers, body, expected) in cases {
        let mut all = vec![("content-type", *kind)];
        all.extend(headers.iter().copied());
        let answer = house.raw("notify", "POST", "/notify", &all, body.as_bytes().to_vec()).await;
        let accepted: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.status, 202, "{accepted}");
        let life = life(&house, &accepted["id"]).await;
        let seen = ["source", "severity", "title", "message"]
            .map(|field| life["notice"][field].as_str().unwrap().to_owned());
        assert_eq!(seen, *expected);
    }
    let wrong = house
        .raw(
            "notify",
            "POST",
            "/notify",
            &[("content-type", "text/plain"), ("priority", "loud")],
            b"x".to_vec(),
        )
        .await;
    let problem: Value = serde_json::from_slice(&wrong.body).unwrap();
    assert_eq!((wrong.status, &problem["field"]), (422, &json!("Priority")));
    house.stop().await;
}

#[tokio::test]
async fn a_retried_post_gets_the_first_answer() {
    let house = house(NOON, "").await;
    let body = serde_json::to_vec(&notice("error", "once")).unwrap();
    let headers = [("content-type", "application/json"), ("idempotency-key", "abc-1")];
    let first = house.raw("notify", "POST", "/notify", &headers, body.clone()).await;
    let second = house.raw("notify", "POST", "/notify", &headers, body).await;
    assert_eq!((first.status, &first.body), (202, &second.body));
    let (_, page) = house.get("notify", "/history").await;
    assert_eq!(page["notifications"].as_array().unwrap().len(), 1);
    house.stop().await;
}

#[tokio::test]
async fn other_tools_are_understood() {
    let house = house(NOON, "").await;
    let down: Value =
        serde_json::from_str(include_str!("../../src/ingest/fixtures/uptime-kuma-down.json")).unwrap();
    let up: Value =
        serde_json::from_str(include_str!("../../src/ingest/fixtures/uptime-kuma-up.json")).unwrap();
    let (status, answers) = house.send("notify", "POST", "/ingest/uptime-kuma", &down).await;
    assert_eq!((status, &answers[0]["status"]), (202, &json!("accepted")), "{answers}");
    let (_, over) = house.send("notify", "POST", "/ingest/uptime-kuma", &up).await;
    assert_eq!(over[0]["channels"], json!(["dashboard"]));
    assert!(life(&house, &answers[0]["id"]).await["resolved"].is_string());
    let (status, problem) = house.send("notify", "POST", "/ingest/zabbix", &up).await;
    assert!(status == 404 && problem["allowed"].as_str().unwrap().contains("`gatus`"), "{problem}");
    let (status, problem) = house.send("notify", "POST", "/ingest/gatus", &json!({ "name": "x" })).await;
    assert_eq!((status, &problem["field"]), (422, &json!("status")));
    house.stop().await;
}
