//! Asking the house how it is: every question at once, so that the slowest answer is the only wait.

use futures_util::future::join_all;
use sanctum_api::notify::Banner;
use sanctum_api::{Health, firewall, supervise};
use sanctum_kernel::{Spec, Status};

use crate::Asked;
use crate::app::App;
use crate::overview::{Overview, Tile, Tonight, Watched, Watcher};
use crate::sentence::{Facts, say};

/// How many of the last violations a page shows.
const VIOLATIONS: u32 = 8;

pub(crate) async fn banners(app: &App) -> Asked<Vec<Banner>> {
    let mut asked = app.calls.ask(&app.calls.notify, async |notify| notify.banners().await).await;
    if let Asked::Known(banners) = &mut asked {
        // What nobody has taken note of comes first, the worst and newest of it on top.
        banners.sort_by_key(|banner| {
            (banner.acked.is_some(), std::cmp::Reverse((banner.severity, banner.since)))
        });
    }
    asked
}

pub(crate) async fn devices(app: &App) -> Asked<Vec<firewall::Device>> {
    let mut asked = app.calls.ask(&app.calls.firewall, async |firewall| firewall.devices().await).await;
    if let Asked::Known(devices) = &mut asked {
        devices.sort_by_key(|device| (importance(device), device.name.to_lowercase()));
    }
    asked
}

/// Who waits for a person first, then what is blocked, online, and away.
fn importance(device: &firewall::Device) -> u8 {
    match device {
        device if device.standing == firewall::Standing::Quarantined => 0,
        device if device.block.is_some() => 1,
        device if device.online => 2,
        _ => 3,
    }
}

pub(crate) async fn tonight(app: &App) -> Tonight {
    let (calls, screen) = (&app.calls, &app.calls.screen);
    let (status, schedule, violations) = tokio::join!(
        calls.ask(screen, async |screen| screen.status().await),
        calls.ask(screen, async |screen| screen.schedule().await),
        calls.ask(screen, async |screen| screen.violations(VIOLATIONS).await),
    );
    Tonight { status, schedule, violations }
}

pub(crate) async fn services(app: &App) -> Watched {
    match app.calls.ask(&app.calls.supervise, async |supervise| supervise.services().await).await {
        Asked::Known(states) => {
            let tiles = join_all(states.into_iter().map(|state| supervised(app, state))).await;
            Watched { by: Watcher::Supervise, tiles }
        }
        Asked::Unknown(because) => {
            let others = app.catalogue.iter().map(|entry| entry.spec).filter(|spec| spec.name != "supervise");
            let tiles = join_all(others.map(|spec| unsupervised(app, spec))).await;
            Watched { by: Watcher::Dashboard { because }, tiles }
        }
    }
}

async fn supervised(app: &App, state: supervise::ServiceState) -> Tile {
    let mut details: Vec<String> = state.detail.into_iter().collect();
    let addr = state
        .address
        .as_ref()
        .and_then(|address| address.parse().ok())
        .or_else(|| app.shared.peers.addr(&state.name));
    if let (true, Some(Status::Degraded | Status::Unwell), Some(addr)) =
        (details.is_empty(), state.well, addr)
    {
        // The supervisor says that something is wrong; the service itself says what.
        details.extend(health(app, addr).await.map_or_else(|error| vec![error], |health| troubles(&health)));
    }
    details
        .extend(state.last_exit.filter(|_| state.restarts > 0).map(|exit| format!("last ended with {exit}")));
    Tile {
        name: state.name,
        house_name: state.house_name,
        summary: state.summary,
        phase: Some(state.phase),
        live: state.live,
        ready: state.ready,
        well: state.well,
        restarts: state.restarts,
        details,
        locked: state.locked,
    }
}

async fn unsupervised(app: &App, spec: &'static Spec) -> Tile {
    let mut tile = Tile {
        name: spec.name.to_owned(),
        house_name: spec.house_name.to_owned(),
        summary: spec.summary.to_owned(),
        phase: None,
        live: false,
        ready: false,
        well: None,
        restarts: 0,
        details: Vec::new(),
        locked: None,
    };
    let Some(addr) = app.shared.peers.addr(spec.name) else {
        tile.details.push("it has no address".to_owned());
        return tile;
    };
    let (live, ready, health) =
        tokio::join!(app.calls.open(addr, "/live"), app.calls.open(addr, "/ready"), health(app, addr));
    tile.live = matches!(live, Ok((200, _)));
    tile.ready = matches!(ready, Ok((200, _)));
    match health {
        Ok(health) => {
            tile.well = Some(health.status);
            tile.details = troubles(&health);
        }
        Err(error) => tile.details.push(error),
    }
    tile
}

async fn health(app: &App, addr: std::net::SocketAddr) -> Result<Health, String> {
    let (_, body) = app.calls.open(addr, "/health").await?;
    serde_json::from_slice(&body).map_err(|error| format!("its health could not be read: {error}"))
}

fn troubles(health: &Health) -> Vec<String> {
    let unwell = health.parts.iter().filter(|(_, part)| part.status != Status::Well);
    unwell
        .map(|(name, part)| {
            let hint = part.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("{name}: {}{hint}", part.detail)
        })
        .collect()
}

/// The whole state, every service asked at once.
pub(crate) async fn overview(app: &App) -> Overview {
    let (banners, devices, tonight, services) =
        tokio::join!(banners(app), devices(app), tonight(app), services(app));
    assemble(app, banners, devices, tonight, services)
}

/// The overview of these answers, with its sentence.
pub(crate) fn assemble(
    app: &App,
    banners: Asked<Vec<Banner>>,
    devices: Asked<Vec<firewall::Device>>,
    tonight: Tonight,
    services: Watched,
) -> Overview {
    let at = app.shared.clock.now();
    let tz = app.house.house.timezone.tz();
    let facts = Facts {
        now: at,
        tz: &tz,
        banners: &banners,
        devices: &devices,
        tonight: &tonight,
        services: &services,
    };
    let sentence = say(&facts);
    let (house, zone) = (app.house.house.name.clone(), app.house.house.timezone.to_string());
    Overview { at, house, zone, sentence, banners, devices, tonight, services, streams: app.streams.look() }
}
