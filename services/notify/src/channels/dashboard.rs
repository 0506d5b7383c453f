//! Banners: kept in the database, followed by browsers as server-sent events.

use std::sync::Arc;

use futures_core::future::BoxFuture;
use sanctum_http::Feed;
use sanctum_kernel::Failure;
use sanctum_store::{Db, params};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Abilities, Channel, Kind, Parts, Receipt, SendError};
use crate::banners;
use crate::message::{Message, Phase};

pub(crate) const SUMMARY: &str = "banners on every dashboard of the house";

/// Banners on every dashboard of the house; it is there without being configured.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Config {}

impl Kind for Config {
    fn build(&self, _: &str, parts: &Parts) -> Result<Arc<dyn Channel>, Failure> {
        Ok(Arc::new(Dashboard { db: parts.db.clone(), feed: parts.feed.clone() }))
    }
}

#[derive(Debug)]
struct Dashboard {
    db: Db,
    feed: Feed,
}

impl Dashboard {
    async fn show(&self, message: &Message) -> Result<Receipt, SendError> {
        let (id, phase) = (message.id, message.phase);
        let now = message.now.as_microsecond();
        let change = self.db.write_soon(move |tx| {
            match phase {
                Phase::Fire => {
                    tx.prepare_cached("INSERT OR IGNORE INTO banners(id, shown) SELECT id, ?2 FROM notifications WHERE id=?1 AND resolved IS NULL")?
                        .execute(params![id, now])?;
                    banners::replace_older(tx, id, now)
                }
                Phase::Resolve => banners::clear(tx, id),
                Phase::Acked => banners::changed(tx, id, now),
            }
        });
        let change = change.await.map_err(|error| SendError::later(error.to_string()))?;
        change.publish(&self.feed);
        Ok(Receipt { far_id: Some(format!("banner-{id}")), confirmed: false })
    }
}

impl Channel for Dashboard {
    fn send<'a>(&'a self, message: &'a Message) -> BoxFuture<'a, Result<Receipt, SendError>> {
        Box::pin(self.show(message))
    }

    fn check(&self) -> BoxFuture<'_, Result<String, SendError>> {
        Box::pin(async { Ok("banners are kept here".to_owned()) })
    }

    fn abilities(&self) -> Abilities {
        Abilities { shows_acks: false, at_once: 32 }
    }
}
