//! A house of stubs around the real dashboard, set up for the night.

use std::time::Duration;

use sanctum_http::Answer;
use sanctum_kernel::{Applied, Clock};
use sanctum_testkit::{House, eventually};
use serde::Serialize;
use serde_json::{Value, json};

use crate::night;
use crate::stubs::{CATALOGUE, Cue, Line};

/// Long enough for a machine that builds something else meanwhile.
pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) struct Night {
    pub(crate) house: House,
}

impl Night {
    /// Everyone is there, and all is well.
    pub(crate) async fn calm() -> Self {
        let night = Self::only(&["notify", "firewall", "screen", "supervise", "dashboard"]).await;
        night.answer("firewall", "GET /devices", &night::devices()).await;
        night.answer("screen", "GET /screen/status", &night::status(Applied::Applied)).await;
        night.answer("screen", "GET /screen/schedule", &night::schedule()).await;
        night.answer("supervise", "GET /services", &night::services()).await;
        night
    }

    /// The console has tried.
    pub(crate) async fn tried() -> Self {
        let night = Self::calm().await;
        night.answer("notify", "GET /banners", &[night::read_banner(), night::banner()]).await;
        night.answer("screen", "GET /screen/violations", &[night::violation()]).await;
        for service in ["firewall", "screen", "notify"] {
            night.answer(service, &format!("GET /trace/{}", night::TRACE), &night::moments(service)).await;
        }
        night
    }

    pub(crate) async fn only(names: &[&'static str]) -> Self {
        let clock = Clock::starting_at(night::now());
        let house = House::new(&CATALOGUE).only(names).config(night::CONFIG).clock(clock).start().await;
        let night = Self { house };
        // Tests speak through events, so they begin when the dashboard listens.
        let heard = names.iter().filter(|name| !matches!(**name, "dashboard" | "proxy" | "watch" | "memory"));
        for name in heard {
            eventually(&format!("the dashboard to follow {name}"), SOON, async || {
                let (_, overview) = night.house.get("dashboard", "/api/overview").await;
                (overview["streams"][name] == true).then_some(())
            })
            .await;
        }
        night
    }

    pub(crate) async fn answer(&self, service: &str, to: &str, body: &impl Serialize) {
        self.line(service, to, 200, body, 0).await;
    }

    pub(crate) async fn line(
        &self,
        service: &str,
        to: &str,
        status: u16,
        body: &impl Serialize,
        after_ms: u64,
    ) {
        let line = Line { to: to.into(), status, body: serde_json::to_value(body).unwrap(), after_ms };
        let sent =
            self.house.send(service, "PUT", "/stub/answer", &serde_json::to_value(line).unwrap()).await;
        assert_eq!(sent.0, 204, "{sent:?}");
    }

    pub(crate) async fn event(&self, service: &str, kind: &str, data: &impl Serialize) {
        let cue = Cue { kind: kind.into(), data: serde_json::to_value(data).unwrap() };
        let sent = self.house.send(service, "POST", "/stub/event", &serde_json::to_value(cue).unwrap()).await;
        assert_eq!(sent.0, 204, "{sent:?}");
    }

    /// What the service was asked at `to`, body by body.
    pub(crate) async fn asked(&self, service: &str, to: &str) -> Vec<Value> {
        let (_, asked) = self.house.get(service, "/stub/asked").await;
        let asked: Vec<(String, Value)> = serde_json::from_value(asked).unwrap();
        asked.into_iter().filter(|(path, _)| path == to).map(|(_, body)| body).collect()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.house.addr("dashboard"))
    }

    /// The link of `sanctum up`.
    pub(crate) fn link(&self) -> String {
        self.url(&format!("/enter?key={}", self.house.token("browser", "dashboard")))
    }

    /// A request of a stranger: no token of the house, the given headers only.
    pub(crate) async fn stranger(
        &self,
        method: &'static str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let all: Vec<_> = [("authorization", "")].into_iter().chain(headers.iter().copied()).collect();
        self.house.raw("dashboard", method, path, &all, Vec::new()).await
    }

    /// Comes in by the link and returns the cookie.
    pub(crate) async fn cookie(&self) -> String {
        let key = self.house.token("browser", "dashboard");
        let answer = self.stranger("GET", &format!("/enter?key={key}"), &[]).await;
        assert_eq!((answer.status, &answer.headers["location"]), (303, &"/".parse().unwrap()));
        answer.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
    }

    /// The page as a browser without JavaScript reads it.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.house.raw("dashboard", "GET", path, &[("accept", "text/html")], Vec::new()).await;
        assert_eq!(answer.status, 200);
        String::from_utf8(answer.body.to_vec()).unwrap()
    }

    /// The sentence, as scripts read it.
    pub(crate) async fn sentence(&self) -> (String, Value) {
        let (status, overview) = self.house.get("dashboard", "/api/overview").await;
        assert_eq!(status, 200);
        let said = &overview["sentence"];
        let text = format!("{}: {}", said["head"].as_str().unwrap(), said["rest"].as_str().unwrap());
        (text, overview)
    }
}

/// The text of a page: what is between the tags.
pub(crate) fn text(html: &str) -> String {
    let mut text = String::new();
    let mut tag = false;
    for letter in html.chars() {
        match letter {
            '<' => tag = true,
            '>' => {
                tag = false;
                text.push(' ');
            }
            letter if !tag => text.push(letter),
            _ => {}
        }
    }
    let text = text.replace("&#39;", "'").replace("&quot;", "\"").replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn notification(id: i64) -> Value {
    json!({
        "id": id, "trace_id": night::TRACE, "accepted": night::now(), "count": 1, "deduplicated": false, "rate_limited": false,
        "quiet_hours": false, "reasons": [], "deliveries": [],
        "notice": { "source": "screen", "severity": "error", "title": "t", "message": "m" },
    })
}
