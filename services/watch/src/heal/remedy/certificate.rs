//! A certificate that has expired, or is about to.

use std::path::Path;

use jiff::SignedDuration;
use sanctum_kernel::files;

use super::Looked;
use crate::heal::case::{Case, Found};
use crate::heal::hands::certificate::{self, Certificate};
use crate::heal::recipe::{CheckKind, Reissue};
use crate::heal::step::Step;

pub(super) fn look(case: &Case<'_>, parameters: &Reissue) -> Looked {
    let checks = case.checks(CheckKind::Certificate);
    let files: Vec<_> =
        checks.into_iter().filter_map(|check| check.certificate.as_ref()?.file.clone()).collect();
    if files.is_empty() {
        return Err(Found::advice(
            "only a certificate whose file is in a `certificate` check can be issued again: renew it where it was made",
        ));
    }
    let mut steps = Vec::new();
    for path in &files {
        steps.extend(one(case, parameters, path)?);
    }
    if steps.is_empty() {
        return Err(Found::nothing("no certificate of it is about to expire"));
    }
    if parameters.restart
        && let Some(item) = case.item.filter(|item| item.supervised)
    {
        steps.push(Step::Renew { service: item.name.clone() });
    }
    Ok(Found::Plan(steps))
}

fn one(case: &Case<'_>, parameters: &Reissue, path: &Path) -> Result<Option<Step>, Found> {
    let shown = path.display();
    let foreign = |why: &str| {
        Found::Advice(format!("`{shown}` {why}: it was not made by the house; renew it where it was made"))
    };
    let text =
        files::read(path).map_err(|error| Found::Nothing(sanctum_kernel::Chain(&error).to_string()))?;
    let bytes = certificate::only(&text).ok_or_else(|| foreign("is a chain of certificates, or none"))?;
    let found = Certificate::read(&bytes).ok_or_else(|| foreign("is no certificate that is understood"))?;
    let now = case.hands.shared.clock.now();
    let left = SignedDuration::try_from(parameters.left.0).unwrap_or(SignedDuration::MAX);
    if found.ends.duration_since(now) >= left {
        return Ok(None);
    }
    if !found.is_self_signed() {
        return Err(foreign(&format!("ends at {} and was signed by somebody else", found.ends)));
    }
    // Trying the signature is how to see that the key is its own.
    let fits = |key: &std::path::PathBuf| {
        let key = files::read(key).ok().and_then(|text| certificate::private(&text));
        key.is_some_and(|key| found.again(&key, now, parameters.valid.0).is_some())
    };
    let key = certificate::keys_of(path).into_iter().find(fits);
    let key = key.ok_or_else(|| foreign("has no private key beside it"))?;
    let (path, aside) = (path.to_owned(), case.aside(path));
    Ok(Some(Step::Reissue { path, key, aside, valid: parameters.valid.0 }))
}
