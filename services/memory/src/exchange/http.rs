//! `POST /import` and `GET /export`.

use std::io::Write as _;

use futures_util::StreamExt;
use sanctum_api::memory::{Exported, Imported};
use sanctum_http::axum::body::Body;
use sanctum_http::{Caller, Json, Query, Refusal, State};
use serde::Deserialize;

use super::{Format, taking};
use crate::library::{Error, Library, Who};

/// The largest file that is taken in, in bytes.
const MOST: u64 = 16 << 30;

pub(crate) const IMPORT: &[(&str, &str)] = &[(
    "format",
    "`chatgpt`, `claude`, `mcp-memory`, `obsidian`, `jsonl` or `mem0`; absent: by the beginning of the body",
)];
pub(crate) const EXPORT: &[(&str, &str)] = &[
    ("format", "`jsonl`, `obsidian`, `mem0` or `mcp-memory`; `jsonl` if absent"),
    ("cursor", "`next` of the page before"),
];

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Which {
    format: Option<String>,
}

/// Takes the body as it is, into a file first: who brings a gigabyte need not hold it, and neither need we.
pub(crate) async fn import(
    State(library): State<Library>,
    caller: Caller,
    Query(which): Query<Which>,
    body: Body,
) -> Result<Json<Imported>, Refusal> {
    let state = library.shared().paths.state();
    let full = |error: std::io::Error| Refusal::from(Error::of(&state, &error));
    let mut file = tempfile::Builder::new().prefix("import-").tempfile_in(&state).map_err(full)?;
    let mut stream = body.into_data_stream();
    let mut length = 0;
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| {
            Refusal(
                sanctum_api::Problem::new(400, "unreadable", "the body could not be read")
                    .detail(error.to_string()),
            )
        })?;
        length += u64::try_from(piece.len()).unwrap_or(0);
        if length > MOST {
            return Err(Error::TooLarge { bytes: length, most: MOST }.into());
        }
        file = tokio::task::spawn_blocking(move || file.write_all(&piece).map(|()| file))
            .await
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
            .map_err(full)?;
    }
    let tell = library.progress();
    let imported =
        taking::import(&library, file.path().to_owned(), which.format.as_deref(), &caller.name, &tell)
            .await?;
    library.happened("imported", format!("{} taken, {} left", imported.taken, imported.left_out));
    Ok(Json(imported))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct From {
    format: Option<String>,
    cursor: Option<String>,
}

pub(crate) async fn export(
    State(library): State<Library>,
    caller: Caller,
    Query(From { format, cursor }): Query<From>,
) -> Result<Json<Exported>, Refusal> {
    let name = format.as_deref().unwrap_or("jsonl");
    let format = Format::named(name).filter(|format| format.writes());
    let format = format.ok_or_else(|| Error::field("format", name, Format::names(true)))?;
    let who = Who::caller(&caller.name, None);
    Ok(Json(taking::export(&library, format, cursor, &who).await?))
}
