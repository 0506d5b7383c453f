//! A SQLite database is whole: opened read-only and asked for `quick_check`.

use sanctum_kernel::Chain;
use sanctum_kernel::inventory::check::Sqlite;
use sanctum_store::{Quick, StoreError, quick_check};

use crate::{Answer, Eyes};

pub(super) async fn look(eyes: &Eyes, sqlite: &Sqlite) -> Result<Answer, Answer> {
    let (path, place) = (sqlite.path.clone(), sqlite.path.display());
    if !eyes.stuck.run(format!("sqlite {place}"), move || path.exists()).await? {
        return Err(Answer::fail(format!("`{place}` is not there")));
    }
    match quick_check(&sqlite.path).await {
        Ok(Quick::Whole) => Ok(Answer::pass("it is whole")),
        Ok(Quick::Damaged(lines)) => Err(Answer::fail(format!("it is damaged: {}", lines.join("; ")))),
        Err(error @ StoreError::Damaged(_)) => Err(Answer::fail(Chain(&error).to_string())),
        Err(error) => Err(Answer::unknown(Chain(&error).to_string())),
    }
}
