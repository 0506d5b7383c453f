//! `/keys` without the door: what the handlers answer.

use sanctum_api::Problem;
use sanctum_api::proxy::{Created, Holder, Key, NewKey, ShownKey};
use sanctum_http::Refusal;
use sanctum_store::StoreError;

use super::admit::Scope;
use super::check::check;
use super::store::{CreateError, Keys};

/// `GET /keys`.
pub fn list(keys: &Keys) -> Vec<Key> {
    keys.list()
}

/// `POST /keys`.
pub async fn create(keys: &Keys, new: NewKey) -> Result<Created, Refusal> {
    check(&new, keys.now())?;
    keys.create(new).await.map_err(|error| match error {
        CreateError::Store(error) => refuse(&error),
        error @ CreateError::NoRandomness => Refusal::inside(&error),
    })
}

/// `POST /keys/check`. Why a key is not admitted is nobody's business; that it was shown is its last use.
pub fn holder(keys: &Keys, shown: &ShownKey) -> Result<Holder, Refusal> {
    let scope: Scope = shown.scope.parse().map_err(|()| {
        let known = Scope::ALL.map(|scope| format!("`{}`", scope.word())).join(", ");
        Refusal(Problem::field("scope", shown.scope.chars().take(100).collect::<String>(), known))
    })?;
    let admitted = keys.admit(&shown.secret).ok().filter(|key| key.may(scope));
    Ok(Holder { agent: admitted.map(|key| key.agent().to_owned()) })
}

/// `DELETE /keys/{id}`.
pub async fn revoke(keys: &Keys, id: &str) -> Result<Key, Refusal> {
    let revoked = keys.revoke(id).await.map_err(|error| refuse(&error))?;
    revoked.ok_or_else(|| Refusal(Problem::not_found("key", id)))
}

fn refuse(error: &StoreError) -> Refusal {
    if error.status() == 500 {
        return Refusal::inside(error);
    }
    tracing::error!(%error, "a key could not be kept");
    let problem = Problem::new(error.status(), "store", "the keys cannot be written: nothing was changed")
        .detail(error.to_string());
    Refusal(match error.hint() {
        Some(hint) => problem.hint(hint),
        None => problem.hint("send it again later"),
    })
}
