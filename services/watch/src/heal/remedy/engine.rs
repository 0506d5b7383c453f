//! A container engine whose socket is gone.

use std::path::PathBuf;
use std::time::Duration;

use super::Looked;
use crate::heal::case::{Case, Found};
use crate::heal::engine_socket::ping;
use crate::heal::recipe::{CheckKind, Engine};
use crate::heal::step::Step;

const SOCKET: &str = "/var/run/docker.sock";
/// An engine looks through its containers before it listens.
const WITHIN: Duration = Duration::from_mins(1);

pub(super) async fn look(case: &Case<'_>, parameters: &Engine) -> Looked {
    let checks = case.checks(CheckKind::Container);
    let mut asked = checks.into_iter().filter_map(|check| check.container.as_ref()?.socket.clone());
    let path = parameters.socket.clone().or_else(|| asked.next()).unwrap_or_else(|| PathBuf::from(SOCKET));
    let why = match ping(&path).await {
        Ok(()) => return Err(Found::Nothing(format!("`{}` answers", path.display()))),
        Err(why) => why,
    };
    let Some(service) = engine(case, parameters) else {
        return Err(Found::advice(format!(
            "`{}` does not answer ({why}), and no service is declared as the engine: start it, or declare it and let the \
             container require it",
            path.display()
        )));
    };
    Ok(Found::Plan(vec![Step::Renew { service }, Step::SocketAnswers { path, within: WITHIN }]))
}

/// The engine: by name, or the one supervised service that the failing one requires, or that one itself.
fn engine(case: &Case<'_>, parameters: &Engine) -> Option<String> {
    let supervised = |name: &&String| case.inventory.get(name).is_some_and(|item| item.supervised);
    if let Some(name) = &parameters.service {
        return Some(name).filter(supervised).cloned();
    }
    let item = case.item?;
    let required: Vec<&String> = item.requires.iter().filter(supervised).collect();
    match required.as_slice() {
        [one] => Some((*one).clone()),
        [] if item.supervised => Some(item.name.clone()),
        _ => None,
    }
}
