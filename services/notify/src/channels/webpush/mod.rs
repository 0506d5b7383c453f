//! Web Push: to browsers and to the page on a phone's home screen, without an app store.

mod seal;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_core::future::BoxFuture;
use jiff::SignedDuration;
use sanctum_http::{Outbound, Outgoing};
use sanctum_kernel::service::Complaint;
use sanctum_kernel::{Clock, Failure, Paths, files};
use sanctum_store::Db;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

pub(crate) use seal::Keys;
use seal::{LONGEST, Vapid, seal};

use super::{Abilities, Channel, Kind, Parts, Receipt, SendError, judge};
use crate::message::{Message, Phase};
use crate::target::Manner;

pub(crate) const SUMMARY: &str = "Web Push to browsers and to the dashboard on a phone's home screen";

/// Web Push (RFC 8030) with a key of the house's own (VAPID), made at the first start and kept in `secrets/`:
/// subscriptions are bound to it for life.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// How a push service reaches the owner: `mailto:name@example.org` or an `https://` page. Apple refuses
    /// `localhost`, `.local`, spaces and angle brackets.
    pub contact: String,
    /// What a tap opens, unless the notification has a link of its own: the dashboard's address.
    pub open: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { contact: String::new(), open: "http://127.0.0.1:1111/".to_owned() }
    }
}

impl Kind for Config {
    fn build(&self, name: &str, parts: &Parts) -> Result<Arc<dyn Channel>, Failure> {
        Ok(Arc::new(WebPush {
            name: name.to_owned(),
            vapid: key(name, &parts.shared.paths)?,
            config: self.clone(),
            db: parts.db.clone(),
            outbound: parts.outbound.clone(),
            clock: parts.shared.clock.clone(),
            deadline: parts.deadline,
            reached: Mutex::default(),
        }))
    }

    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = super::web_url(&self.open, &["open"]);
        let host = self.contact.strip_prefix("mailto:").and_then(|mail| mail.split_once('@').map(|(_, host)| host));
        let host = host.or_else(|| self.contact.strip_prefix("https://"));
        let bad = |host: &str| host.is_empty() || host.starts_with("localhost") || host.rsplit('.').next() == Some("local");
        if host.is_none_or(bad) || self.contact.contains([' ', '<', '>']) {
            let complaint = Complaint::new(&["contact"], format!("push services do not take `{}`", self.contact));
            complaints.push(complaint.hint("write `contact = \"mailto:name@example.org\"`"));
        }
        complaints
    }
}

/// The key of this channel; made once, and never changed silently.
fn key(name: &str, paths: &Paths) -> Result<Vapid, Failure> {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    let path = paths.secrets().join(format!("webpush-{name}"));
    match files::read(&path) {
        Ok(text) => Ok(Vapid::load(&engine.decode(text.trim())?)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let pkcs8 = Vapid::generate()?;
            files::private_dir(&paths.secrets())?;
            files::replace(&path, engine.encode(&pkcs8).as_bytes(), 0o600)?;
            Ok(Vapid::load(&pkcs8)?)
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(Debug)]
struct WebPush {
    name: String,
    vapid: Vapid,
    config: Config,
    db: Db,
    outbound: Outbound,
    clock: Clock,
    deadline: Duration,
    /// Who has a message already, while others are still to be reached.
    reached: Mutex<BTreeMap<i64, BTreeSet<String>>>,
}

struct Subscriber {
    endpoint: String,
    keys: Option<Keys>,
}

impl WebPush {
    async fn subscribers(&self) -> Result<Vec<Subscriber>, SendError> {
        let name = self.name.clone();
        let all = self.db.read(move |db| {
            let mut all = db.prepare_cached("SELECT endpoint, p256dh, auth FROM subscriptions WHERE channel=?1 ORDER BY since")?;
            let all = all.query_map([name], |row| {
                let (p256dh, auth): (String, String) = (row.get(1)?, row.get(2)?);
                Ok(Subscriber { endpoint: row.get(0)?, keys: Keys::read(&p256dh, &auth) })
            })?;
            all.collect::<Result<Vec<_>, _>>()
        });
        all.await.map_err(|error| SendError::later(error.to_string()))
    }

    /// Declarative Web Push (WebKit, iOS 18.4): shown even without a service worker; older browsers' workers read the
    /// same document. Cut to what fits into a push.
    fn payload(&self, message: &Message) -> Vec<u8> {
        let navigate = message.notice.url.as_ref().unwrap_or(&self.config.open);
        let mut text = message.text();
        loop {
            let payload = json!({
                "web_push": 8030,
                "notification": {
                    "title": message.title(), "body": text, "navigate": navigate, "tag": format!("n{}", message.id),
                    "silent": message.manner == Manner::Silent || message.phase != Phase::Fire,
                    "data": { "id": message.id, "trace_id": message.trace, "severity": message.severity(), "event": message.phase.word() },
                },
            });
            let payload = payload.to_string().into_bytes();
            if payload.len() <= LONGEST || text.is_empty() {
                return payload;
            }
            let keep = text.chars().count() * 3 / 4;
            text = text.chars().take(keep).collect::<String>();
            text.push('…');
            if keep < 8 {
                text.clear();
            }
        }
    }

    async fn one(&self, subscriber: &Subscriber, message: &Message, payload: &[u8]) -> Result<(), SendError> {
        let refused = |error: seal::SealError| SendError::refused(error.to_string());
        let keys = subscriber.keys.as_ref().ok_or_else(|| refused(seal::SealError::Keys))?;
        let expires = self.clock.now() + SignedDuration::from_hours(12);
        let authorization = self.vapid.authorize(&origin(&subscriber.endpoint), &self.config.contact, expires.as_second()).map_err(refused)?;
        let urgency = match message.manner {
            Manner::Silent => "low",
            Manner::Reduced => "normal",
            Manner::Sound | Manner::Critical => "high",
        };
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-encoding", "aes128gcm"),
            ("content-type", "application/octet-stream"),
            ("ttl", "86400"),
            ("urgency", urgency),
            ("topic", &format!("n{}", message.id)),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let body = seal(keys, payload).map_err(refused)?;
        let outgoing = Outgoing { method: "POST", url: subscriber.endpoint.clone(), headers, body, timeout: self.deadline };
        let outcome = self.outbound.send(outgoing).await;
        if let Ok(answer) = &outcome
            && matches!(answer.status, 404 | 410)
        {
            // RFC 8030 §7.3: the subscription is gone for ever.
            let endpoint = subscriber.endpoint.clone();
            let dropped = self.db.write(move |tx| tx.execute("DELETE FROM subscriptions WHERE endpoint=?1", [endpoint]));
            dropped.await.map_err(|error| SendError::later(error.to_string()))?;
            tracing::info!(channel = %self.name, "a subscription is gone");
            return Err(SendError::unavailable("the subscription is gone"));
        }
        judge(outcome).map(drop)
    }

    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<i64, BTreeSet<String>>) -> T) -> T {
        work(&mut self.reached.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn post(&self, message: &Message) -> Result<Receipt, SendError> {
        let subscribers = self.subscribers().await?;
        let payload = self.payload(message);
        let before = self.with(|reached| reached.get(&message.delivery).cloned().unwrap_or_default());
        let mut count = before.len();
        let mut worst: Option<SendError> = None;
        for subscriber in subscribers.iter().filter(|subscriber| !before.contains(&subscriber.endpoint)) {
            match self.one(subscriber, message, &payload).await {
                Ok(()) => {
                    count += 1;
                    self.with(|reached| reached.entry(message.delivery).or_default().insert(subscriber.endpoint.clone()));
                }
                Err(error @ SendError::Later { .. }) => worst = Some(error),
                Err(error) => worst = worst.or(Some(error)),
            }
        }
        match worst {
            Some(error @ SendError::Later { .. }) => return Err(error),
            Some(error) if count == 0 => return Err(error),
            None if count == 0 => return Err(SendError::unavailable("no browser has subscribed")),
            _ => {}
        }
        self.with(|reached| reached.remove(&message.delivery));
        Ok(Receipt { far_id: Some(format!("{count} subscribers")), confirmed: false })
    }
}

/// Scheme, host and port of a URL: the audience of the token.
fn origin(url: &str) -> String {
    url.match_indices('/').nth(2).and_then(|(at, _)| url.get(..at)).unwrap_or(url).to_owned()
}

impl Channel for WebPush {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(self.post(message))
    }

    fn check(&self) -> BoxFuture<'_, Result<String, SendError>> {
        Box::pin(async {
            match self.subscribers().await?.len() {
                0 => Err(SendError::unavailable("no browser has subscribed")),
                count => Ok(format!("{count} subscribers")),
            }
        })
    }

    fn abilities(&self) -> Abilities {
        Abilities { shows_acks: false, at_once: 2 }
    }

    fn push_key(&self) -> Option<String> {
        Some(self.vapid.public())
    }
}
