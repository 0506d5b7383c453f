//! The typed client of memory.

use std::sync::Arc;

use super::{
    Audit, Change, Exchange, Exported, Found, Graph, Head, Imported, Ingested, Links, List, Note, Page,
    Rebuilt, Recall, Report, Search, State, Write, Written,
};
use crate::transport::{self, CallError, Events, Method, Request, Transport, escape};

/// The typed client.
#[derive(Debug, Clone)]
pub struct Client(Arc<dyn Transport>);

impl Client {
    pub fn new(to: Arc<dyn Transport>) -> Self {
        Self(to)
    }

    pub async fn search(&self, search: &Search) -> Result<Found, CallError> {
        transport::act(&*self.0, Method::Post, "/search", search).await
    }

    pub async fn recall(&self, recall: &Recall) -> Result<Found, CallError> {
        transport::act(&*self.0, Method::Post, "/recall", recall).await
    }

    pub async fn write(&self, write: &Write) -> Result<Written, CallError> {
        transport::act(&*self.0, Method::Post, "/write", write).await
    }

    pub async fn ingest(&self, exchange: &Exchange) -> Result<Ingested, CallError> {
        let body = serde_json::to_vec(exchange).unwrap_or_default();
        let key = (!exchange.key.is_empty()).then(|| exchange.key.clone());
        let request =
            Request { method: Method::Post, path: "/ingest".into(), body: Some(body), idempotency_key: key };
        transport::send(&*self.0, request).await
    }

    pub async fn read(&self, id: &str) -> Result<Note, CallError> {
        transport::get(&*self.0, format!("/read/{}", escape(id))).await
    }

    pub async fn links(&self, id: &str) -> Result<Links, CallError> {
        transport::get(&*self.0, format!("/links/{}", escape(id))).await
    }

    pub async fn history(&self, id: &str) -> Result<Vec<Change>, CallError> {
        transport::get(&*self.0, format!("/history/{}", escape(id))).await
    }

    /// Takes the last change of a note back, or a whole run of consolidation.
    pub async fn undo(&self, id: &str) -> Result<Vec<Change>, CallError> {
        transport::act(&*self.0, Method::Post, format!("/undo/{}", escape(id)), &()).await
    }

    pub async fn delete(&self, id: &str) -> Result<Head, CallError> {
        transport::act(&*self.0, Method::Delete, format!("/delete/{}", escape(id)), &()).await
    }

    pub async fn state(&self) -> Result<State, CallError> {
        transport::get(&*self.0, "/state").await
    }

    pub async fn audit(&self) -> Result<Audit, CallError> {
        transport::get(&*self.0, "/audit").await
    }

    pub async fn graph(&self) -> Result<Graph, CallError> {
        transport::get(&*self.0, "/graph").await
    }

    pub async fn list(&self, list: &List) -> Result<Page, CallError> {
        let mut query = Vec::new();
        let mut add = |name: &str, value: Option<String>| {
            query.extend(value.map(|value| format!("{name}={}", escape(&value))));
        };
        add("folder", list.folder.clone());
        add("agent", list.agent.clone());
        add("type", list.kind.and_then(|kind| serde_json::to_value(kind).ok()?.as_str().map(str::to_owned)));
        add("tag", list.tag.clone());
        add("trouble", list.trouble.then(|| "true".to_owned()));
        add("cursor", list.cursor.clone());
        add("limit", list.limit.map(|limit| limit.to_string()));
        let mark = if query.is_empty() { "" } else { "?" };
        transport::get(&*self.0, format!("/list{mark}{}", query.join("&"))).await
    }

    /// Makes the index again from the files. It may take minutes: [`Progress`] comes with the events.
    pub async fn rebuild(&self) -> Result<Rebuilt, CallError> {
        transport::act(&*self.0, Method::Post, "/rebuild", &()).await
    }

    /// One pass now; dry unless `apply`.
    pub async fn consolidate(&self, apply: bool) -> Result<Report, CallError> {
        transport::act(&*self.0, Method::Post, format!("/consolidate?apply={apply}"), &()).await
    }

    /// The last passes, newest first.
    pub async fn reports(&self) -> Result<Vec<Report>, CallError> {
        transport::get(&*self.0, "/reports").await
    }

    /// Takes in what others remember, as the file has it; its format is known by its beginning if none is named.
    pub async fn import(&self, format: Option<&str>, file: Vec<u8>) -> Result<Imported, CallError> {
        let query = format.map_or_else(String::new, |format| format!("?format={}", escape(format)));
        let path = format!("/import{query}");
        let request = Request { method: Method::Post, path, body: Some(file), idempotency_key: None };
        transport::send(&*self.0, request).await
    }

    /// A page of everything in this format, from after `cursor`.
    pub async fn export(&self, format: &str, cursor: Option<&str>) -> Result<Exported, CallError> {
        let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={}", escape(cursor)));
        transport::get(&*self.0, format!("/export?format={}{cursor}", escape(format))).await
    }

    /// Notes as they change and the progress of long work: events `note` ([`Noted`]) and `progress` ([`Progress`]).
    pub async fn events(&self, last_id: Option<String>) -> Result<Events, CallError> {
        self.0.events("/events".to_owned(), last_id).await
    }
}
