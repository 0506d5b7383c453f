//! Notes, the state and the audit as resources, and completion of their addresses.

use sanctum_api::memory::{Head, List};
use sanctum_mcp::rmcp::ErrorData;
use sanctum_mcp::rmcp::model::{
    CompleteRequestParams, CompleteResult, CompletionInfo, ListResourcesResult, ReadResourceResponse,
    ReadResourceResult, Reference, Resource, ResourceContents, ResourceTemplate,
};
use serde::Serialize;
use serde_json::json;

use super::{Inner, says};
use crate::library::{Error, Library, Who};

const HEALTH: &str = "memory://health";
const AUDIT: &str = "memory://audit/latest";
const NOTE: &str = "memory://note/";
const TEMPLATE: &str = "memory://note/{id}";
/// Notes of a page.
const PAGE: u32 = 100;
/// Notes that are looked through for a completion.
const LOOKED: u32 = 1000;

/// The two that always are, then the notes, the newest change first.
pub(super) async fn list(
    library: &Library,
    cursor: Option<String>,
    who: &Who,
) -> Result<ListResourcesResult, ErrorData> {
    let mut all = Vec::new();
    if cursor.is_none() {
        let json = |uri: &str, name: &str, about: &str| {
            Resource::new(uri, name).with_description(about).with_mime_type("application/json")
        };
        all.push(json(HEALTH, "Health", "How the memory is, in numbers, and what is degraded"));
        all.push(json(
            AUDIT,
            "Audit",
            "Duplicates, loops, stale notes, secrets, and where index and files differ",
        ));
    }
    let page = List { cursor, limit: Some(PAGE), ..List::default() };
    let page = library.list(&page, who).await.map_err(|error| says::failed(&error))?;
    all.extend(page.notes.iter().map(note));
    let mut listed = ListResourcesResult::with_all_items(all);
    listed.next_cursor = page.next;
    Ok(listed)
}

fn note(head: &Head) -> Resource {
    let about = format!("{} ({})", head.path, json!(head.kind).as_str().unwrap_or_default());
    Resource::new(format!("{NOTE}{}", head.id), head.title.clone())
        .with_title(head.title.clone())
        .with_description(about)
        .with_mime_type("text/markdown")
}

pub(super) fn templates() -> Vec<ResourceTemplate> {
    let template = ResourceTemplate::new(TEMPLATE, "Note").with_title("A note by its id");
    vec![template.with_description("The text of a note").with_mime_type("text/markdown")]
}

pub(super) async fn read(inner: &Inner, uri: &str, who: &Who) -> Result<ReadResourceResponse, ErrorData> {
    let contents = match (uri, uri.strip_prefix(NOTE)) {
        (HEALTH, _) => json_text(uri, inner.library.state().await)?,
        (AUDIT, _) => json_text(uri, inner.library.audit().await)?,
        (_, Some(id)) => match inner.library.read(id, who).await {
            Ok(note) => ResourceContents::text(note.text, uri).with_mime_type("text/markdown"),
            Err(Error::Unknown(_)) => return Err(unknown(uri)),
            Err(error) => return Err(says::failed(&error)),
        },
        _ => return Err(unknown(uri)),
    };
    Ok(ReadResourceResult::new(vec![contents]).into())
}

fn unknown(uri: &str) -> ErrorData {
    ErrorData::resource_not_found(format!("there is no resource `{uri}`"), Some(json!({ "uri": uri })))
}

fn json_text<T: Serialize>(uri: &str, outcome: Result<T, Error>) -> Result<ResourceContents, ErrorData> {
    let value = outcome.map_err(|error| says::failed(&error))?;
    let text = serde_json::to_string_pretty(&value);
    let text = text.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    Ok(ResourceContents::text(text, uri).with_mime_type("application/json"))
}

/// Ids of notes whose id begins so, or whose title holds these words.
pub(super) async fn complete(
    library: &Library,
    request: CompleteRequestParams,
    who: &Who,
) -> Result<CompleteResult, ErrorData> {
    let ids = matches!(&request.r#ref, Reference::Resource(resource) if resource.uri == TEMPLATE);
    if !ids || request.argument.name != "id" {
        return Ok(CompleteResult::default());
    }
    let page = List { limit: Some(LOOKED), ..List::default() };
    let page = library.list(&page, who).await.map_err(|error| says::failed(&error))?;
    let words = request.argument.value.to_lowercase();
    let fits = |head: &&Head| head.id.starts_with(&words) || head.title.to_lowercase().contains(&words);
    let mut ids: Vec<String> = page.notes.iter().filter(fits).map(|head| head.id.clone()).collect();
    let total = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    ids.truncate(CompletionInfo::MAX_VALUES);
    let more = page.next.is_some() || total as usize > ids.len();
    let mut completion = CompletionInfo::new(ids).map_err(|error| ErrorData::internal_error(error, None))?;
    completion.total = page.next.is_none().then_some(total);
    completion.has_more = Some(more);
    Ok(CompleteResult::new(completion))
}
