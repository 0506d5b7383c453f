//! Signal, through a signal-cli daemon: JSON-RPC over HTTP or TCP, with receipts (signal-cli 0.13 and 0.14).
#![expect(clippy::indexing_slicing, reason = "a JSON value answers null for what is not there")]

mod heard;
mod meaning;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use futures_core::future::BoxFuture;
use futures_util::StreamExt;
use sanctum_http::Outbound;
use sanctum_kernel::service::Complaint;
use sanctum_kernel::{Failure, Stop};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Abilities, Channel, Inbox, Kind, Parts, Receipt, SendError};
use crate::message::{Message, Phase};
use crate::target::Manner;

pub(crate) const SUMMARY: &str = "Signal messages through a signal-cli daemon, with delivery receipts";

/// Signal messages through a signal-cli daemon on this machine (it has no authentication of its own).
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// Its HTTP address, such as `http://127.0.0.1:8080` (`daemon --http`).
    pub http: Option<String>,
    /// Or its TCP address, such as `127.0.0.1:7583` (`daemon --tcp`).
    pub tcp: Option<String>,
    /// The sending number, where the daemon serves several accounts; not with `signal-cli -a`.
    pub account: Option<String>,
    /// Who gets it: numbers (`+1555…`) or account ids. They may answer `ack 17` or with a reaction.
    pub recipients: Vec<String>,
    /// Or a group, by its base64 id.
    pub group: Option<String>,
}

impl Kind for Config {
    fn build(&self, _: &str, parts: &Parts) -> Result<Arc<dyn Channel>, Failure> {
        let way = match (&self.http, &self.tcp) {
            (Some(url), _) => wire::Way::Http(url.trim_end_matches('/').to_owned(), parts.outbound.clone()),
            (None, Some(addr)) => wire::Way::Tcp(addr.clone()),
            (None, None) => wire::Way::Http("http://127.0.0.1:8080".to_owned(), Outbound::default()),
        };
        Ok(Arc::new(Signal { way, config: self.clone(), deadline: parts.deadline }))
    }

    fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = self.http.as_deref().map(|url| super::web_url(url, &["http"])).unwrap_or_default();
        if self.http.is_some() && self.tcp.is_some() {
            complaints.push(Complaint::new(&["tcp"], "there is also `http`").hint("keep one of the two"));
        }
        if self.recipients.is_empty() == self.group.is_none() {
            complaints.push(Complaint::new(&["recipients"], "either recipients or a group, and not both").hint("write `recipients = [\"+1555…\"]`"));
        }
        complaints
    }
}

#[derive(Debug)]
struct Signal {
    way: wire::Way,
    config: Config,
    deadline: Duration,
}

/// A pause before the stream of receipts is opened again.
const PAUSE: Duration = Duration::from_secs(5);

impl Signal {
    fn params(&self, message: &Message) -> Value {
        let title = message.title();
        let text = message.text();
        let number = if message.phase == Phase::Fire { format!("\n[{}]", message.id) } else { String::new() };
        let mut params = json!({
            "message": format!("{title}\n{text}{number}").trim_end(),
            // Positions are UTF-16 units.
            "textStyle": [format!("0:{}:BOLD", title.encode_utf16().count())],
        });
        let Some(map) = params.as_object_mut() else { return params };
        match &self.config.group {
            Some(group) => map.insert("groupId".to_owned(), json!(group)),
            None => map.insert("recipient".to_owned(), json!(self.config.recipients)),
        };
        map.extend(self.config.account.iter().map(|account| ("account".to_owned(), json!(account))));
        if message.manner == Manner::Silent {
            map.insert("noUrgent".to_owned(), json!(true));
        }
        // What is over, or taken note of, is said in place of the message that told of it.
        if message.phase != Phase::Fire
            && let Some(before) = message.before.as_ref().and_then(|before| before.parse::<u64>().ok())
        {
            map.insert("editTimestamp".to_owned(), json!(before));
        }
        params
    }

    async fn post(&self, message: &Message) -> Result<Receipt, SendError> {
        let answer = self.way.call("send", self.params(message), &message.key(), self.deadline).await?;
        meaning::sent(&answer)
    }

    async fn look(&self) -> Result<String, SendError> {
        // `/check` answers 200 with no account at all, so the daemon is asked for its version and accounts.
        let version = self.way.call("version", json!({}), "version", self.deadline).await?;
        let version = version["result"]["version"].as_str().unwrap_or("an unknown version").to_owned();
        if let Some(account) = &self.config.account {
            let known = self.way.call("listAccounts", json!({}), "accounts", self.deadline).await?;
            let known = known["result"].as_array().is_some_and(|all| all.iter().any(|one| one["number"] == json!(account)));
            if !known {
                return Err(SendError::refused(format!("signal-cli {version} has no account {account}")));
            }
        }
        Ok(format!("signal-cli {version}"))
    }

    async fn listen(&self, name: &str, inbox: &Inbox) {
        match self.way.events(self.config.account.as_deref()).await {
            Ok(mut events) => {
                while let Some(event) = events.next().await {
                    for heard in heard::read(&event, &self.config) {
                        if inbox.send((name.to_owned(), heard)).await.is_err() {
                            return;
                        }
                    }
                }
            }
            Err(error) => tracing::debug!(channel = name, %error, "receipts cannot be heard now"),
        }
    }
}

impl Channel for Signal {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(self.post(message))
    }

    fn check(&self) -> BoxFuture<'_, Result<String, SendError>> {
        Box::pin(self.look())
    }

    fn confirm(self: Arc<Self>, name: String, inbox: Inbox, stop: Stop) -> Option<BoxFuture<'static, ()>> {
        Some(Box::pin(async move {
            while stop.or(self.listen(&name, &inbox)).await.is_some() {
                if stop.or(tokio::time::sleep(PAUSE)).await.is_none() {
                    return;
                }
            }
        }))
    }

    fn abilities(&self) -> Abilities {
        Abilities { shows_acks: true, at_once: 1 }
    }
}
