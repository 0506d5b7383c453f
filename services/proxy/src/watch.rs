//! What people are told: how providers stand, and that money runs out.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sanctum_api::notify::{Client, Notice, Severity};
use sanctum_kernel::{Failure, OnError, Status, Stop};

use crate::budget::Level;
use crate::gate::Gate;
use crate::surface::providers;
use crate::upstream::Provider;

/// How often money and providers are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A breaker has opened or closed: told in the background, once.
pub(crate) fn changed(gate: &Gate, provider: &Arc<Provider>) {
    let now = gate.house.shared.clock.now();
    let look = provider.breaker.look(now);
    let closed = look.word == "closed";
    let because = look.because.unwrap_or_default();
    if closed {
        tracing::info!(provider = %provider.name, "a provider answers again");
    } else {
        tracing::warn!(provider = %provider.name, because, "a provider is left alone");
    }
    let notice = Notice {
        source: "proxy".to_owned(),
        severity: Severity::Warn,
        title: if closed {
            format!("{} answers again", provider.name)
        } else {
            format!("{} is down", provider.name)
        },
        message: because,
        labels: std::collections::BTreeMap::default(),
        force_channels: Vec::new(),
        actions: Vec::new(),
        url: None,
        image: None,
        dedup_key: Some(format!("proxy-provider:{}", provider.name)),
        resolved: closed,
    };
    say(gate, notice);
}

fn say(gate: &Gate, notice: Notice) {
    // A house without the hub has nobody to tell; it is in the log.
    let Ok(transport) = sanctum_http::connect(&gate.house.shared.peers, "notify") else { return };
    gate.house.shared.tasks.spawn("notice", OnError::Log, |stop| async move {
        let client = Client::new(transport);
        match stop.or(client.notify(&notice, None)).await {
            Some(Err(error)) => Err(error.into()),
            _ => Ok(()),
        }
    });
}

/// Looks at the money and the providers until stopped.
pub(crate) async fn run(door: Arc<ArcSwap<Gate>>, stop: Stop) -> Result<(), Failure> {
    let nudge = sanctum_kernel::Nudge::default();
    let round = || {
        look(&door.load());
        std::future::ready(Ok(()))
    };
    sanctum_kernel::reconcile::reconcile(&stop, LOOK, &nudge, round).await;
    Ok(())
}

fn look(gate: &Gate) {
    gate.house.ledger.tend();
    for warning in gate.house.ledger.warnings() {
        let severity = if warning.level == Level::Gone { Severity::Error } else { Severity::Warn };
        let notice = Notice {
            source: "proxy".to_owned(),
            severity,
            title: warning.title(),
            message: warning.message(),
            labels: std::collections::BTreeMap::default(),
            force_channels: Vec::new(),
            actions: Vec::new(),
            url: None,
            image: None,
            dedup_key: Some(warning.dedup_key()),
            resolved: false,
        };
        tracing::warn!(agent = warning.agent, "{}", warning.title());
        say(gate, notice);
        gate.house.ledger.told(&warning);
    }
    let meters = &gate.house.meters;
    meters.live.set(i64::try_from(gate.house.live.len()).unwrap_or(i64::MAX));
    let open: usize = gate.providers.values().map(|provider| provider.connections()).sum();
    meters.connections.set(i64::try_from(open).unwrap_or(i64::MAX));
    health(gate);
}

/// Each provider on the board.
pub(crate) fn health(gate: &Gate) {
    let well = &gate.house.shared.well;
    for state in providers(gate) {
        let part = crate::intern::word(&state.name);
        if !state.key {
            let why = state.because.clone().unwrap_or_default();
            well.set_hint(
                part,
                Status::Degraded,
                format!("it is not asked: {why}"),
                "put its key where the configuration says",
            );
        } else if state.breaker == "closed" {
            well.set(part, Status::Well, format!("{}, asked when it is chosen", state.locality));
        } else {
            well.set(part, Status::Degraded, format!("left alone: {}", state.because.unwrap_or_default()));
        }
    }
    // Providers that are configured no more are spoken of no more.
    let known: Vec<&str> = gate.providers.keys().map(|name| &**name).collect();
    for part in crate::intern::all().into_iter().filter(|part| !known.contains(part)) {
        well.clear(part);
    }
}
