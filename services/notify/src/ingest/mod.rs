//! Webhooks of tools people already run, as notices: pure conversions, one file each, one line in the table.

mod alertmanager;
mod gatus;
mod grafana;
mod home_assistant;
mod ntfy;
mod uptime_kuma;

use sanctum_api::Problem;
use sanctum_api::notify::{Accepted, Notice, Severity};
use sanctum_http::{Caller, HeaderMap, Json, Op, Path, Refusal, Routes, State, StatusCode};
use sanctum_kernel::Trace;
use serde_json::Value;

use crate::accept::{Incoming, accept};
use crate::api::{House, post, refuse, rules};

type Convert = fn(&Value) -> Result<Vec<Notice>, Problem>;

/// The tools this build understands.
const TOOLS: &[(&str, Convert)] = &[
    ("alertmanager", alertmanager::read),
    ("grafana", grafana::read),
    ("uptime-kuma", uptime_kuma::read),
    ("home-assistant", home_assistant::read),
    ("gatus", gatus::read),
    ("ntfy", ntfy::read),
];

/// The route of every tool.
pub(crate) fn routes(routes: Routes<House>) -> Routes<House> {
    let op = Op::post(
        "/ingest/{tool}",
        "Takes the webhook of a tool: alertmanager, grafana, uptime-kuma, home-assistant, gatus or ntfy",
    );
    routes.on(op.takes::<Value>().returns::<Vec<Accepted>>(), ingest)
}

async fn ingest(
    State(hub): State<House>,
    caller: Caller,
    Path(tool): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<Vec<Accepted>>), Refusal> {
    let Some((name, convert)) = TOOLS.iter().find(|(name, _)| *name == tool) else {
        let mut problem = Problem::not_found("tool", tool.chars().take(60).collect::<String>());
        problem.allowed =
            Some(TOOLS.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", "));
        return Err(Refusal(problem));
    };
    let mut notices = convert(&body)?;
    for notice in &mut notices {
        fit(notice);
        rules::check(notice, &hub)?;
    }
    let key = post::key(&headers)?.map(|key| format!("{}:{name}:{key}", caller.name));
    let mut answers = Vec::new();
    for (place, notice) in notices.into_iter().enumerate() {
        let key = key.as_ref().map(|key| format!("{key}:{place}"));
        let incoming = Incoming { notice, trace: Trace::current().id(), at: hub.now(), key, own: false };
        answers.push(accept(&hub, incoming).await.map_err(|error| refuse(&error))?);
    }
    Ok((StatusCode::ACCEPTED, Json(answers)))
}

/// Other people's tools know nothing of our limits: what is longer is cut, not refused.
fn fit(notice: &mut Notice) {
    let cut = |text: &mut String, most: usize| {
        let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
    };
    cut(&mut notice.title, 1000);
    cut(&mut notice.message, 60_000);
    notice.labels.retain(|name, _| !name.is_empty());
    while notice.labels.len() > 60 {
        notice.labels.pop_last();
    }
    notice.labels.values_mut().for_each(|value| cut(value, 1000));
    if let Some(key) = &mut notice.dedup_key {
        cut(key, 1000);
    }
}

/// Text at a path, if it is there and not empty.
fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A problem that names the field the tool should have sent.
fn needed(field: &str, allowed: &str) -> Problem {
    Problem::field(field, "", allowed)
}

/// A severity in the words of other tools.
fn severity(word: Option<&str>) -> Severity {
    match word.unwrap_or_default().to_ascii_lowercase().as_str() {
        "critical" | "page" | "emergency" | "fatal" | "disaster" => Severity::Critical,
        "error" | "high" | "major" => Severity::Error,
        "info" | "none" | "low" | "informational" => Severity::Info,
        _ => Severity::Warn,
    }
}

/// A map of texts.
fn labels(value: &Value) -> std::collections::BTreeMap<String, String> {
    let map = value.as_object().into_iter().flatten();
    map.map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every fixture of every tool: what it becomes, in short.
    #[test]
    fn the_documents_of_every_tool_become_notices() {
        let cases: &[(&str, &str, &[&str])] = &[
            (
                "alertmanager",
                include_str!("fixtures/alertmanager.json"),
                &[
                    "alertmanager critical fire alertmanager/abc “InstanceDown” nas:9100 is down",
                    "alertmanager warn over alertmanager/def “DiskFull” /dev/sda is full",
                ],
            ),
            (
                "grafana",
                include_str!("fixtures/grafana.json"),
                &["grafana error fire grafana/fp1 “High temperature” 31 degrees in the attic"],
            ),
            (
                "uptime-kuma",
                include_str!("fixtures/uptime-kuma-down.json"),
                &["uptime-kuma error fire uptime-kuma/7 “NAS is down” connect ECONNREFUSED"],
            ),
            (
                "uptime-kuma",
                include_str!("fixtures/uptime-kuma-up.json"),
                &["uptime-kuma error over uptime-kuma/7 “NAS is up” 200 - OK"],
            ),
            (
                "home-assistant",
                include_str!("fixtures/home-assistant.json"),
                &["home-assistant critical fire leak “Water in the cellar” The sensor under the sink is wet"],
            ),
            (
                "gatus",
                include_str!("fixtures/gatus.json"),
                &["gatus error fire gatus/core/router “core/router: TRIGGERED” health check failed"],
            ),
            (
                "ntfy",
                include_str!("fixtures/ntfy.json"),
                &[
                    "ntfy critical fire - “Unauthorized access detected” Remote access to phils-laptop detected",
                ],
            ),
        ];
        for (tool, document, expected) in cases {
            let (_, convert) = TOOLS.iter().find(|(name, _)| name == tool).unwrap();
            let notices = convert(&serde_json::from_str(document).unwrap()).unwrap();
            let short = |notice: &Notice| {
                let over = if notice.resolved { "over" } else { "fire" };
                let key = notice.dedup_key.as_deref().unwrap_or("-");
                format!(
                    "{} {} {over} {key} “{}” {}",
                    notice.source,
                    notice.severity.word(),
                    notice.title,
                    notice.message
                )
            };
            assert_eq!(notices.iter().map(short).collect::<Vec<_>>(), *expected, "{tool}");
        }
    }

    #[test]
    fn what_is_not_of_that_tool_is_refused_by_field() {
        for (tool, convert) in TOOLS {
            for strange in ["{}", "[]", "null", "7", r#"{"alerts":7}"#, r#"{"alerts":[7]}"#] {
                let refused = convert(&serde_json::from_str(strange).unwrap());
                let problem = refused.expect_err(&format!("{tool} takes {strange}"));
                assert!(
                    problem.field.is_some() && problem.allowed.is_some() && problem.status == 422,
                    "{tool}"
                );
            }
        }
    }
}
