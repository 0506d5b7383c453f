//! The way out: the default routes and the resolvers, as they were when they worked.

use std::path::Path;

use sanctum_kernel::files;

use super::Looked;
use crate::heal::case::{Case, Found};
use crate::heal::hands::route::{self, Route};
use crate::heal::ledger::Ledger;
use crate::heal::recipe::Resolver;
use crate::heal::step::Step;

/// What is remembered of each family, IPv4 first.
const ROUTES: [(&str, bool); 2] = [("route", false), ("route-6", true)];
/// A longer file names no resolvers.
const LARGEST: usize = 64 * 1024;

/// Takes note of the default routes there are.
pub(crate) async fn remember_route(ledger: &Ledger) -> Result<(), String> {
    let mut routes = route::defaults().await?;
    routes.sort_by_key(|route| route.metric);
    for (key, is_6) in ROUTES {
        let Some(best) = routes.iter().find(|route| route.gateway.is_ipv6() == is_6) else { continue };
        let text = serde_json::to_string(best).map_err(|error| error.to_string())?;
        ledger.remember(key, &text).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

pub(super) async fn route(case: &Case<'_>) -> Looked {
    let there = route::defaults().await.map_err(Found::Nothing)?;
    let mut lost: Vec<Route> = Vec::new();
    for (key, is_6) in ROUTES {
        if there.iter().any(|route| route.gateway.is_ipv6() == is_6) {
            continue;
        }
        let kept = case.ledger.recall(key).await.map_err(|error| Found::Nothing(error.to_string()))?;
        lost.extend(kept.and_then(|text| serde_json::from_str::<Route>(&text).ok()));
    }
    let (near, far): (Vec<Route>, Vec<Route>) = lost.into_iter().partition(route::is_near);
    if !near.is_empty() {
        return Ok(Found::Plan(near.into_iter().map(|route| Step::Route { route }).collect()));
    }
    match (there.first(), far.first()) {
        (Some(route), _) => Err(Found::Nothing(format!("there is a default route: {}", route.words()))),
        (None, Some(route)) => Err(Found::advice(format!(
            "the default route is gone, and {} is in no network of this machine: is the cable in, is the machine in another network?",
            route.gateway
        ))),
        (None, None) => Err(Found::advice(
            "there is no default route, and none was seen before: look at the network's settings",
        )),
    }
}

fn names_resolvers(text: &str) -> bool {
    text.lines().any(|line| {
        let mut words = line.split_ascii_whitespace();
        words.next() == Some("nameserver") && words.next().is_some_and(|address| !address.is_empty())
    })
}

fn key(file: &Path) -> String {
    format!("resolver {}", file.display())
}

/// Takes note of the resolvers, if any are named. Only call this while names resolve.
pub(crate) async fn remember_resolver(ledger: &Ledger, file: &Path) -> Result<(), String> {
    let Ok(text) = files::read(file) else { return Ok(()) };
    if names_resolvers(&text) && text.len() <= LARGEST {
        ledger.remember(&key(file), &text).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

pub(super) async fn resolver(case: &Case<'_>, parameters: &Resolver) -> Looked {
    let path = &parameters.file;
    // Where it is a link, a program of the system writes it, and knows better.
    if path.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return Err(Found::advice(format!(
            "`{}` is a link: restart the program that keeps it (such as systemd-resolved)",
            path.display()
        )));
    }
    let there = path.exists();
    let now = files::read(path).unwrap_or_default();
    if names_resolvers(&now) {
        return Err(Found::Nothing(format!("`{}` names resolvers", path.display())));
    }
    let kept = case.ledger.recall(&key(path)).await.map_err(|error| Found::Nothing(error.to_string()))?;
    let Some(contents) = kept else {
        return Err(Found::advice(format!(
            "`{}` names no resolver, and none was seen before",
            path.display()
        )));
    };
    let aside = there.then(|| case.aside(path));
    Ok(Found::Plan(vec![Step::Restore { path: path.clone(), contents, aside }]))
}
