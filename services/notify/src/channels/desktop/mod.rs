//! Notifications on this machine's desktop: freedesktop's service over D-Bus, Notification Center on macOS.

mod dbus;

use std::sync::Arc;
use std::time::Duration;

use dbus::{Bus, Reader, Writer};
use futures_core::future::BoxFuture;
use sanctum_kernel::{Failure, Stop};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Abilities, Channel, Heard, Inbox, Kind, Parts, Receipt, SendError};
use crate::message::{Message, Phase};
use crate::target::Manner;

pub(crate) const SUMMARY: &str = "notifications on the desktop of the machine the house runs on";

/// Notifications on this machine's desktop. Without a desktop session it is unavailable, which is no failure.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {
    /// The address of the session bus; `DBUS_SESSION_BUS_ADDRESS` if absent. Not used on macOS.
    pub bus: Option<String>,
}

impl Kind for Config {
    fn build(&self, _: &str, _: &Parts) -> Result<Arc<dyn Channel>, Failure> {
        let bus = self.bus.clone().or_else(|| std::env::var("DBUS_SESSION_BUS_ADDRESS").ok());
        Ok(Arc::new(Desktop { bus }))
    }
}

#[derive(Debug)]
struct Desktop {
    bus: Option<String>,
}

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
/// A pause before acknowledgements are listened for again.
const PAUSE: Duration = Duration::from_secs(15);

/// The body may be markup (Desktop Notifications Specification 1.2, "Markup"): what is not meant as such is escaped.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The arguments of `Notify`: signature `susssasa{sv}i`.
fn arguments(message: &Message) -> Writer {
    let replaces = message.before.as_ref().and_then(|before| before.parse().ok()).unwrap_or(0);
    let urgency = match message.manner {
        Manner::Silent => 0,
        Manner::Sound | Manner::Reduced => 1,
        Manner::Critical => 2,
    };
    let begins = message.phase == Phase::Fire;
    let mut body = Writer::default();
    body.string("Sanctum");
    body.u32(replaces);
    body.string("");
    body.string(&message.title());
    body.string(&escape(&message.text()));
    body.array(4, |actions| {
        if begins {
            actions.string("ack");
            actions.string("Acknowledge");
        }
    });
    body.array(8, |hints| {
        hints.align(8);
        hints.string("urgency");
        hints.signature("y");
        hints.byte(if begins { urgency } else { 0 });
    });
    // -1: the desktop decides; what is over goes away by itself.
    body.u32(if begins { u32::MAX } else { 8000 });
    body
}

impl Desktop {
    async fn connect(&self) -> Result<Bus, SendError> {
        let address = self.bus.as_deref().ok_or_else(|| SendError::unavailable("there is no desktop session (DBUS_SESSION_BUS_ADDRESS is not set)"))?;
        Bus::connect(address).await.map_err(|error| SendError::unavailable(format!("the session bus does not answer: {error}")))
    }

    async fn freedesktop(&self, message: &Message) -> Result<Receipt, SendError> {
        let mut bus = self.connect().await?;
        let answer = bus.call(NAME, PATH, NAME, "Notify", ("susssasa{sv}i", arguments(message))).await;
        let id = answer.map_err(meaning)?.u32().map_err(|error| SendError::later(error.to_string()))?;
        Ok(Receipt { far_id: Some(id.to_string()), confirmed: false })
    }

    /// The text is passed as arguments to a fixed script, never built into it.
    async fn osascript(&self, message: &Message) -> Result<Receipt, SendError> {
        const SILENT: &str = "display notification (item 2 of argv) with title (item 1 of argv)";
        const SOUND: &str = "display notification (item 2 of argv) with title (item 1 of argv) sound name \"Basso\"";
        let script = if message.manner == Manner::Silent { SILENT } else { SOUND };
        let mut command = tokio::process::Command::new("/usr/bin/osascript");
        command.args(["-e", "on run argv", "-e", script, "-e", "end run", &message.title(), &message.text()]).kill_on_drop(true);
        match command.output().await {
            Ok(output) if output.status.success() => Ok(Receipt::default()),
            Ok(output) => Err(SendError::later(String::from_utf8_lossy(&output.stderr).chars().take(200).collect::<String>())),
            Err(error) => Err(SendError::unavailable(error.to_string())),
        }
    }

    async fn listen(&self, name: &str, inbox: &Inbox) -> Result<(), dbus::BusError> {
        let Some(address) = &self.bus else { return std::future::pending().await };
        let mut bus = Bus::connect(address).await?;
        let mut rule = Writer::default();
        rule.string("type='signal',interface='org.freedesktop.Notifications',member='ActionInvoked'");
        let dbus = "org.freedesktop.DBus";
        bus.call(dbus, "/org/freedesktop/DBus", dbus, "AddMatch", ("s", rule)).await?;
        loop {
            let mut signal: Reader = bus.signal("ActionInvoked").await?;
            let far_id = signal.u32()?.to_string();
            let heard = Heard::AckedMessage { far_id, who: "the desktop".to_owned() };
            if inbox.send((name.to_owned(), heard)).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// A bus without the service is a machine without a desktop.
fn meaning(error: dbus::BusError) -> SendError {
    match error {
        dbus::BusError::Answer(name, text) if name.contains("ServiceUnknown") || name.contains("NameHasNoOwner") || name.contains("Spawn") => {
            SendError::unavailable(format!("nothing shows notifications here: {text}"))
        }
        error => SendError::later(error.to_string()),
    }
}

/// Shows a notice on this machine's desktop without the hub: for when the hub is down.
pub(crate) async fn show(notice: sanctum_api::notify::Notice, now: jiff::Timestamp) -> Result<(), SendError> {
    let desktop = Desktop { bus: std::env::var("DBUS_SESSION_BUS_ADDRESS").ok() };
    let manner = crate::decide::manner(notice.severity);
    let message = Message {
        id: 0,
        delivery: 0,
        trace: sanctum_kernel::Trace::current().id(),
        notice: Arc::new(notice),
        phase: Phase::Fire,
        manner,
        accepted: now,
        word: None,
        before: None,
        tries: 0,
        spent: 0,
        since: now,
        now,
    };
    desktop.send(&message).await.map(drop)
}

impl Channel for Desktop {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<Receipt, SendError>> {
        if cfg!(target_os = "macos") { Box::pin(self.osascript(message)) } else { Box::pin(self.freedesktop(message)) }
    }

    fn check(&self) -> BoxFuture<'_, Result<String, SendError>> {
        Box::pin(async {
            if cfg!(target_os = "macos") {
                return Ok("Notification Center".to_owned());
            }
            let mut bus = self.connect().await?;
            let answer = bus.call(NAME, PATH, NAME, "GetServerInformation", ("", Writer::default())).await;
            answer.map_err(meaning)?.string().map_err(|error| SendError::later(error.to_string()))
        })
    }

    fn confirm(self: Arc<Self>, name: String, inbox: Inbox, stop: Stop) -> Option<BoxFuture<'static, ()>> {
        if cfg!(target_os = "macos") {
            return None;
        }
        Some(Box::pin(async move {
            while let Some(ended) = stop.or(self.listen(&name, &inbox)).await {
                if let Err(error) = ended {
                    tracing::debug!(channel = %name, %error, "acknowledgements cannot be heard now");
                }
                if stop.or(tokio::time::sleep(PAUSE)).await.is_none() {
                    return;
                }
            }
        }))
    }

    fn abilities(&self) -> Abilities {
        Abilities { shows_acks: false, at_once: 1 }
    }
}
